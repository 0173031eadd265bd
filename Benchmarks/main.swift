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
if CommandLine.arguments.contains("quick") {
  var benchmark = EngineBenchmark(live: 1000, direction: .fromDevice)
  print(benchmark.pairs())
  exit(0)
}
for (live, from, to, hit) in floors {
  var benchmark = EngineBenchmark(live: live, direction: .fromDevice)
  show(
    "map + check + unmap, \(live) live, FROM_DEVICE",
    "\(benchmark.pairs()) ns",
    floor: "\(from)"
  )
  show("sync that hits, \(live) live", "\(benchmark.syncHits()) ns", floor: "\(hit)")
  show("sync that misses, \(live) live", "\(benchmark.syncMisses()) ns", floor: "10000")
  var other = EngineBenchmark(live: live, direction: .toDevice)
  show("map + check + unmap, \(live) live, TO_DEVICE", "\(other.pairs()) ns", floor: "\(to)")
}
show("peak memory", "\(Measure.peakMemory() >> 20) MB", floor: "-")
