// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMASimulator
import DMATrace

/// A simulation that was run, and what dma-debug made of it.
public struct SimulatedRun {
  /// What can be compared: the files and the log.
  public struct Outcome: Equatable {
    public var files: [String: String] = [:]
    public var log = ""
    public var mistakes: [String] = []
  }

  public let simulation: Simulation
  public var outcome = Outcome()
  /// The files at each snapshot marker.
  public var snapshots: [String: [String: String]] = [:]
  public private(set) var verdict = Verdict()
  /// The events as ftrace text.
  public let recording: [UInt8]

  /// Runs a scenario to its end and records it.
  public init(_ scenario: Scenario, eventLimit: UInt64 = .max) {
    simulation = Simulation(scenario, eventLimit: eventLimit)
    let machine = simulation.machine
    let generation = machine.options.generation
    var engine = DMADebug(ReplayOptions().configuration(generation))
    var writer = FtraceWriter(writesStacks: scenario.machine.hasStacks)
    writer.writeHeader(release: generation.version, cpus: machine.options.cpus)
    var batch = EventBatch()
    var output = EngineOutput(.reports)
    var log = TextBuffer()
    var mistakes: [String] = []
    func take(_ verdict: inout Verdict) {
      for report in output.reports {
        verdict.add(report)
        Self.note(report, machine.names, generation, &log, &mistakes)
      }
      output.clear()
    }
    while simulation.read(into: &batch) {
      writer.write(batch, names: machine.names)
      for event in batch.events {
        engine.apply(event, in: batch, names: machine.names, to: &output)
        if event.kind == .marker {
          let text = String(decoding: batch.markerText(event), as: UTF8.self)
          snapshots[text] = Self.files(engine, machine.names)
        }
      }
      take(&verdict)
    }
    engine.finish(names: machine.names, to: &output)
    take(&verdict)
    outcome = Outcome(
      files: Self.files(engine, machine.names),
      log: log.string,
      mistakes: mistakes
    )
    recording = Array(writer.bytes)
    verdict.judge(simulation)
  }

  private static func note(
    _ report: Report,
    _ names: TraceNames,
    _ generation: KernelGeneration,
    _ log: inout TextBuffer,
    _ mistakes: inout [String]
  ) {
    var line = TextBuffer()
    KernelMessage.append(report, names, generation, to: &line)
    KernelMessage.appendStack(report, names, to: &line)
    if report.isPrinted { log.append(line.bytes) }
    mistakes.append("\(report.eventNumber) \(line.string)")
  }

  private static func files(_ engine: DMADebug, _ names: TraceNames) -> [String: String] {
    var files: [String: String] = [:]
    for file in VirtualFile.allCases {
      files[file.rawValue] = String(decoding: engine.read(file, names: names), as: UTF8.self)
    }
    return files
  }

  /// Replays the recording.
  public func replayed() throws -> (outcome: Outcome, snapshots: [String: [String: String]]) {
    let reader = TextTraceReader(bytes: recording, name: "recording")
    var replay = try Replay(reader: reader, options: ReplayOptions())
    var outcome = Outcome()
    var log = TextBuffer()
    var snapshots: [String: [String: String]] = [:]
    replay.collect(.reports)
    func take(_ replay: borrowing Replay) {
      for report in replay.output.reports {
        let generation = replay.engine.configuration.generation
        Self.note(report, replay.names, generation, &log, &outcome.mistakes)
      }
    }
    _ = try replay.run(to: .end) { replay, event in
      if event.kind == .marker {
        let text = String(decoding: replay.batch.markerText(event), as: UTF8.self)
        snapshots[text] = Self.files(replay.engine, replay.names)
      }
      take(replay)
    }
    take(replay)
    outcome.files = Self.files(replay.engine, replay.names)
    outcome.log = log.string
    return (outcome, snapshots)
  }
}

extension SimulatedRun {
  /// A reader of a bundled scenario that ends after some events.
  public static func reader(
    _ name: String,
    events: UInt64,
    faults: String? = nil
  ) throws -> SimulationReader {
    guard var scenario = try ScenarioLibrary.scenario(name) else {
      throw TraceError(path: name, problem: "there is no such scenario")
    }
    scenario.duration = .max / 2
    scenario.machine.hasStacks = true
    if let faults { scenario.faults += FaultPlan.parse(faults) ?? [] }
    return SimulationReader(Simulation(scenario, eventLimit: events))
  }

  /// A timeline over a bundled scenario that ends after some events.
  public static func timeline(
    _ name: String,
    events: UInt64,
    faults: String? = nil
  ) throws -> Timeline {
    try Timeline(reader(name, events: events, faults: faults), options: ReplayOptions())
  }
}
