// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMASimulator
import DMATrace
import Glibc

/// Times going anywhere in a long trace with many live mappings.
enum SeekBenchmark {
  private static let live: UInt64 = 65_536
  private static let events: UInt64 = 10_000_000

  /// A trace in which 65 536 mappings are alive all the time.
  private static func write(_ path: String) -> Bool {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard file >= 0 else { return false }
    defer { close(file) }
    var names = TraceNames()
    let device = DeviceID(rawValue: names.devices.intern("0000:00:03.0"))
    let task = names.tasks.intern("bench")
    var writer = FtraceWriter()
    writer.writeHeader(release: "7.3", cpus: 1)
    var batch = EventBatch()
    var time: UInt64 = 1_000_000_000
    var count: UInt64 = 0
    func add(_ kind: DMAEvent.Kind, _ number: UInt64) {
      var event = DMAEvent(kind)
      event.device = device
      event.task = task
      event.pid = 1
      event.direction = .toDevice
      event.size = 2048
      event.dmaAddress = 0x1_0000_0000 + (number &* 0x9e37) % (4 * live) << 12
      event.address = event.dmaAddress
      event.time = time
      time += 1000
      count += 1
      batch.events.append(event)
    }
    var next: UInt64 = 0
    while count < events {
      add(.mapPhys, next)
      if next >= live { add(.unmapPhys, next - live) }
      next += 1
      if batch.events.count > 1000 {
        writer.write(batch, names: names)
        batch.removeAll()
        if writer.count > 1 << 18 {
          _ = Glibc.write(file, writer.bytes.baseAddress, writer.count)
          writer.removeAll()
        }
      }
    }
    writer.write(batch, names: names)
    return Glibc.write(file, writer.bytes.baseAddress, writer.count) == writer.count
  }

  static func run() {
    let path = "/tmp/dmatop-seek.\(getpid()).txt"
    defer { unlink(path) }
    guard write(path), let reader = try? TextTraceReader(path: path),
      let timeline = try? Timeline(reader, options: ReplayOptions())
    else { return }
    let start = Measure.cpuTime()
    while !timeline.isComplete { _ = try? timeline.read(limit: 100_000) }
    let indexing = Measure.cpuTime() - start
    let rate = timeline.eventCount * 1_000_000 / max(indexing, 1)
    show(
      "index \(timeline.eventCount / 1_000_000) million events",
      "\(rate) thousand/s",
      floor: "-"
    )
    var random = SplitMix64(seed: 5)
    var times: [UInt64] = []
    for _ in 0..<40 {
      let target = random.next() % timeline.eventCount
      let before = Measure.cpuTime()
      try? timeline.seek(event: target)
      times.append(Measure.cpuTime() - before)
    }
    times.sort()
    let use = timeline.checkpointUse
    show("seek, median of 40", "\(times[20] / 1_000_000) ms", floor: "100")
    show("seek, worst of 40", "\((times.last ?? 0) / 1_000_000) ms", floor: "100")
    show("checkpoints", "\(use.count), \(use.bytes >> 20) MB", floor: "256")
  }
}
