// SPDX-License-Identifier: MIT
import DMADebugCore
import Glibc

/// Prints one figure of a benchmark with the one it is held against.
func show(_ name: String, _ value: String, floor: String) {
  let padding = String(repeating: " ", count: max(1, 52 - name.count))
  print("\(name)\(padding)\(value)   (floor \(floor))")
}

let floors: [(live: Int, from: Int, to: Int, hit: Int)] = [
  (1_000, 115, 60, 40), (65_536, 200, 150, 90), (1_000_000, 500, 450, 400),
]
/// The memory of a million live mappings, measured before anything else needs any.
func showMemory() {
  let before = Measure.peakMemory()
  var configuration = Configuration(generation: .linux612)
  configuration.isComplete = true
  var engine = DMADebug(configuration)
  var names = TraceNames()
  var event = DMAEvent(.mapPage)
  event.device = DeviceID(rawValue: names.devices.intern("0000:00:03.0"))
  event.direction = .fromDevice
  event.size = 2048
  for number in 0..<UInt64(1_000_000) {
    event.dmaAddress = 0x1_0000_0000 + number << 12
    event.address = event.dmaAddress
    engine.apply(event, in: EventBatch(), names: names)
  }
  let used = Measure.peakMemory() - before
  show("memory of \(engine.liveCount) live mappings", "\(used >> 20) MB", floor: "250")
}

// `sim` as argument: the simulator only.
if CommandLine.arguments.dropFirst().first == "sim" {
  SimulationBenchmark.run()
  exit(0)
}
// `select` as argument: filtering and sorting only.
if CommandLine.arguments.dropFirst().first == "select" {
  SelectionBenchmark.run()
  exit(0)
}
// `compare` as argument: dmatop against other tools only.
if CommandLine.arguments.dropFirst().first == "compare" {
  CompareBenchmark.run()
  exit(0)
}
// `seek` as argument: time travel only.
if CommandLine.arguments.dropFirst().first == "seek" {
  SeekBenchmark.run()
  exit(0)
}
// `memory` as argument: long inputs only, and all of them.
if CommandLine.arguments.dropFirst().first == "memory" {
  MemoryBenchmark.run(isLong: true)
  exit(0)
}
// A number of live mappings as argument: the engine with that many only.
let only = CommandLine.arguments.dropFirst().first.flatMap { Int($0) }
if only == nil { showMemory() }
for (live, from, to, hit) in floors where only == nil || only == live {
  do {
    var benchmark = EngineBenchmark(live: live, direction: .fromDevice)
    show(
      "map + check + unmap, \(live) live, FROM_DEVICE",
      "\(benchmark.pairs()) ns",
      floor: "\(from)"
    )
    show("sync that hits, \(live) live", "\(benchmark.syncHits()) ns", floor: "\(hit)")
    show("sync that misses, \(live) live", "\(benchmark.syncMisses()) ns", floor: "10000")
  }
  var benchmark = EngineBenchmark(live: live, direction: .toDevice)
  show("map + check + unmap, \(live) live, TO_DEVICE", "\(benchmark.pairs()) ns", floor: "\(to)")
}
if only == nil {
  SimulationBenchmark.run()
  SeekBenchmark.run()
  SelectionBenchmark.run()
  TextBenchmark(megabytes: 50).show()
  CompareBenchmark.run()
  MemoryBenchmark.run(isLong: false)
}
show("peak memory of it all", "\(Measure.peakMemory() >> 20) MB", floor: "-")
