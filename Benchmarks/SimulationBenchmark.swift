// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMASimulator
import DMATrace
import Glibc

/// Times the simulator: alone, with the engine, recording; and the replay of what it recorded.
enum SimulationBenchmark {
  private static let events: UInt64 = 2_000_000

  private static func simulation(_ name: String, events: UInt64) -> Simulation? {
    guard var scenario = try? ScenarioLibrary.scenario(name) else { return nil }
    scenario.duration = .max / 2
    return Simulation(scenario, eventLimit: events)
  }

  /// Thousands of events in a second of CPU time.
  private static func rate(_ events: UInt64, _ time: UInt64) -> String {
    "\(events * 1_000_000 / max(time, 1)) thousand/s"
  }

  static func run() {
    for name in ["nic-recycle", "nvme", "virtio", "desktop"] {
      guard let simulation = simulation(name, events: events) else { continue }
      var batch = EventBatch()
      let start = Measure.cpuTime()
      while simulation.read(into: &batch) {}
      let time = Measure.cpuTime() - start
      let floor = name == "desktop" ? "2000 thousand/s" : "-"
      show("simulate \(name)", rate(simulation.machine.eventCount, time), floor: floor)
    }
    record(10_000_000)
  }

  /// Ten million events through a file and back.
  private static func record(_ events: UInt64) {
    guard let simulation = simulation("desktop", events: events) else { return }
    let path = "/tmp/dmatop-bench.\(getpid()).txt"
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard file >= 0 else { return }
    defer { unlink(path) }
    var writer = FtraceWriter()
    writer.writeHeader(release: simulation.machine.options.generation.version, cpus: 4)
    var batch = EventBatch()
    var bytes = 0
    let start = Measure.cpuTime()
    while simulation.read(into: &batch) {
      writer.write(batch, names: simulation.machine.names)
      if writer.count > 1 << 18 {
        bytes += write(file, writer.bytes.baseAddress, writer.count)
        writer.removeAll()
      }
    }
    bytes += write(file, writer.bytes.baseAddress, writer.count)
    close(file)
    let recorded = Measure.cpuTime() - start
    let count = simulation.machine.eventCount
    show("simulate and record desktop, one thread", rate(count, recorded), floor: "-")
    let before = Measure.cpuTime()
    guard let reader = try? TextTraceReader(path: path),
      var replay = try? Replay(reader: reader, options: ReplayOptions())
    else { return }
    _ = try? replay.run(to: .end) { _, _ in }
    let replayed = Measure.cpuTime() - before
    show("read and replay it, \(bytes >> 20) MB", rate(count, replayed), floor: "-")
    precondition(replay.engine.eventCount == count && replay.engine.errorCount == 0)
    show(
      "memory of \(count / 1_000_000) million events",
      "\(Measure.peakMemory() >> 20) MB",
      floor: "1024"
    )
  }
}
