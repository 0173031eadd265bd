// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMASimulator
import DMATrace
import Glibc

/// A simulation that runs as fast as it can, with the engine beside it.
struct SimulationRun {
  let simulation: Simulation
  private(set) var engine: DMADebug
  private(set) var verdict = Verdict()
  private var kinds: [Report.Kind: UInt64] = [:]
  private let start: UInt64
  private let watch = InputEnd.Watch()

  init(_ simulation: Simulation, options: ReplayOptions) {
    self.simulation = simulation
    var options = options
    options.generation = simulation.machine.options.generation
    engine = DMADebug(options.configuration(simulation.machine.options.generation))
    start = simulation.progress.now
  }

  /// Runs to the end.
  ///
  /// - Parameters:
  ///   - reader: paces the simulation; `nil` for as fast as it goes.
  ///   - visit: gets the events of each batch.
  mutating func run(
    reader: SimulationReader?,
    _ visit: (EventBatch, TraceNames) throws -> Void
  ) throws {
    var batch = EventBatch()
    var output = EngineOutput(.reports)
    while !watch.ends() {
      if let reader {
        if let pace = reader.pace { usleep(UInt32(pace) * 1000) }
        guard try reader.read(into: &batch) else { break }
      } else {
        guard simulation.read(into: &batch) else { break }
      }
      let names = simulation.machine.names
      try visit(batch, names)
      for event in batch.events { engine.apply(event, in: batch, names: names, to: &output) }
      take(output.reports)
      output.clear()
    }
    engine.finish(names: simulation.machine.names, to: &output)
    take(output.reports)
    // Of a run that was ended nobody knows what it would have done.
    if !InputEnd.hasCutInput { verdict.judge(simulation) }
  }

  private mutating func take(_ reports: [Report]) {
    for report in reports {
      verdict.add(report)
      kinds[report.kind, default: 0] += 1
    }
  }

  // MARK: Words

  /// What was done and found, in lines.
  func summary(recorded path: String?, bytes: UInt64, verbose: Bool) -> String {
    let machine = simulation.machine
    let options = machine.options
    var lines: [String] = []
    func line(_ label: String, _ text: String) {
      lines.append(label + String(repeating: " ", count: max(1, 12 - label.count)) + text)
    }
    line("scenario", "\(simulation.scenario.name): \(simulation.scenario.title)")
    line(
      "machine",
      "kernel \(options.generation.version), \(options.cpus) CPUs,"
        + " \((options.lowMemory + options.highMemory) >> 20) MiB, seed \(options.seed)"
    )
    line(
      "simulated",
      "\(FieldValue.duration(machine.now - start)), \(machine.eventCount) events,"
        + " \(machine.devices.count) device\(machine.devices.count == 1 ? "" : "s")"
    )
    if let path { line("recorded", "\(bytes) bytes in \(String(escaping: path.utf8))") }
    line(
      "dma-debug",
      "\(engine.errorCount) error\(engine.errorCount == 1 ? "" : "s"),"
        + " \(engine.liveCount) mapping\(engine.liveCount == 1 ? "" : "s") left"
    )
    for (kind, count) in kinds.sorted(by: { $0.key.rawValue < $1.key.rawValue })
    where kind.isError || kind == .exceededOverlap {
      line("", "\(count) × \(kind.name)")
    }
    observations(&lines)
    faults(&lines, verbose: verbose)
    for text in machine.kernelLog.prefix(5) { line("log", String(escaping: text.utf8)) }
    if machine.kernelLog.count > 5 { line("", "and \(machine.kernelLog.count - 5) lines more") }
    if InputEnd.hasCutInput {
      line("verdict", "none, the run was ended by a signal")
    } else if verdict.problems.isEmpty {
      line("verdict", "all that should be found was found, and nothing else")
    } else {
      line("verdict", "not what was expected:")
      for problem in verdict.problems { line("", String(escaping: problem.utf8)) }
    }
    return lines.joined(separator: "\n")
  }

  private func observations(_ lines: inout [String]) {
    var counts: [Observation.Kind: UInt64] = [:]
    for observation in simulation.machine.observations { counts[observation.kind, default: 0] += 1 }
    var label = "machine saw "
    for kind in Observation.Kind.allCases {
      guard let count = counts[kind] else { continue }
      lines.append("\(label)\(count) × \(kind.rawValue)")
      label = String(repeating: " ", count: 12)
    }
  }

  private func faults(_ lines: inout [String], verbose: Bool) {
    guard let injector = simulation.injector else { return }
    let count = injector.injected.count
    var label = "mistakes    \(count) made"
    if count == 0 { lines.append(label) }
    for fault in Fault.allCases where injector.counts[fault.rawValue] > 0 {
      if label != "" { lines.append(label) }
      label = ""
      let count = injector.counts[fault.rawValue]
      lines.append("            \(count) × \(fault.name): \(fault.summary)")
    }
    guard verbose else { return }
    for fault in injector.injected {
      lines.append(
        "            \(FieldValue.seconds(fault.time)) \(fault.device) \(fault.fault.name):"
          + " \(fault.text)"
      )
    }
  }

  /// Mistakes that the command line asked for by their names and that were not made, in words.
  func unmade(_ asked: [FaultPlan]) -> [String] {
    // Of `all` each machine makes some only.
    guard asked.count < Fault.allCases.count else { return [] }
    return (simulation.injector?.unmade() ?? []).compactMap { fault, isPossible in
      guard asked.contains(where: { $0.fault == fault }) else { return nil }
      return "dmatop: warning: \(fault.name) was not made: "
        + (isPossible
          ? "the run ended before its turn; let it last longer (--duration)"
          : "no driver of '\(String(escaping: simulation.scenario.name.utf8))' can make this mistake")
    }
  }

  /// The same for programs: what was done wrong, what was found, and whether that is all.
  func json() -> String {
    var writer = JSONWriter(indented: true)
    let machine = simulation.machine
    writer.object { json in
      json.pair("schema", 1)
      json.pair("scenario", simulation.scenario.name)
      json.pair("kernel", machine.options.generation.version)
      json.pair("seed", machine.options.seed)
      json.pair("time_ns", machine.now - start)
      json.pair("events", machine.eventCount)
      json.pair("errors", UInt64(engine.errorCount))
      json.pair("live", UInt64(engine.liveCount))
      json.key("reports")
      json.object { json in
        for (kind, count) in kinds.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
          json.pair(kind.name, count)
        }
      }
      json.key("faults")
      json.array { json in
        for fault in simulation.injector?.injected ?? [] { append(fault, &json) }
      }
      json.key("observations")
      json.array { json in
        for observation in machine.observations { append(observation, &json) }
      }
      json.key("problems")
      json.array { json in for problem in verdict.problems { json.string(problem) } }
    }
    return writer.text.string
  }

  private func append(_ fault: InjectedFault, _ json: inout JSONWriter) {
    json.object { json in
      json.pair("name", fault.fault.name)
      json.pair("device", fault.device)
      json.pair("time_ns", fault.time)
      json.pair("first_event", fault.events.lowerBound + 1)
      json.pair("last_event", fault.events.upperBound)
      json.key("expected")
      json.array { json in
        for kind in fault.reports.sorted(by: { $0.rawValue < $1.rawValue }) {
          json.string(kind.name)
        }
        for kind in fault.observations.map(\.rawValue).sorted() { json.string(kind) }
      }
      json.pair("leaks", fault.leaksMapping)
      json.pair("text", fault.text)
    }
  }

  private func append(_ observation: Observation, _ json: inout JSONWriter) {
    json.object { json in
      json.pair("kind", observation.kind.rawValue)
      json.pair("time_ns", observation.time)
      json.pair("device", observation.device)
      json.key("address")
      json.address(observation.address)
    }
  }
}
