// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMATrace
import TestSupport

@testable import DMAMonitor
@testable import dmatop

/// Traces that have little to show, or the wrong things: for all views.
struct MonitorTrace: Sendable, CustomStringConvertible {
  let name: String
  let make: @Sendable () throws -> (path: String, options: ReplayOptions)

  var description: String { name }

  func timeline() throws -> Timeline {
    let (path, options) = try make()
    return try Timeline(ReplayArguments.reader(path), options: options)
  }
}

enum MonitorTraces {
  private static func text(_ name: String, _ lines: [String]) -> MonitorTrace {
    MonitorTrace(name: name) {
      (Fixtures.temporary("trace.txt", TraceText.kernel(lines)), ReplayOptions())
    }
  }

  private static func file(_ name: String, _ bytes: [UInt8]) -> MonitorTrace {
    MonitorTrace(name: name) { (Fixtures.temporary("trace", bytes), ReplayOptions()) }
  }

  /// The first part of a file of the fixtures.
  private static func cut(_ path: String, _ part: Double) -> MonitorTrace {
    let bytes = Fixtures.bytes(Fixtures.root + "/fixtures/" + path) ?? []
    let kept = Array(bytes.prefix(Int(Double(bytes.count) * part)))
    return file("\(path) cut at \(part)", kept)
  }

  private static func map(_ address: String, _ size: String, _ device: String = "n") -> String {
    "dma_map_phys: \(device) dir=TO_DEVICE dma_addr=\(address) size=\(size) phys_addr=\(address) attrs="
  }

  /// Lines at moments of their own, microseconds as text.
  private static func timed(_ lines: [(time: String, line: String)]) -> [UInt8] {
    var text = "# tracer: nop\n#\n"
    for (time, line) in lines { text += "   test-1       [000] .....  \(time): \(line)\n" }
    return Array(text.utf8)
  }

  private static let dump =
    Fixtures.root + "/fixtures/dumps/linux-6.1-bug-map-error-unchecked-mid"

  static let all: [MonitorTrace] =
    [
      text("no events", []),
      text("markers only", ["tracing_mark_write: one", "tracing_mark_write: \u{1b}[2Jtwo"]),
      text("no dma events", ["sched_switch: prev_comm=a", "irq_handler_entry: irq=1 name=a"]),
      text("one event", [map("1000", "64")]),
      text(
        "all unmapped",
        [
          map("1000", "64"), "dma_unmap_phys: n dir=TO_DEVICE dma_addr=1000 size=64 attrs=",
        ]
      ),
      text("only an error", ["dma_unmap_phys: n dir=TO_DEVICE dma_addr=1000 size=64 attrs="]),
      file(
        "ends of all numbers",
        timed([
          ("0.000000", map("0", "0")),
          ("0.000000", map("ffffffffffffffff", "18446744073709551615")),
          ("9223372036.854775", map("fffffffffffff000", "4096", "m")),
          ("18446744073.709551", map("8000000000000000", "9223372036854775808", "m")),
          ("18446744073.709551", "dma_unmap_phys: n dir=TO_DEVICE dma_addr=5 size=1 attrs="),
          ("0.000001", map("1", "18446744073709551615", "o")),
        ])
      ),
      MonitorTrace(name: "dump as the beginning") {
        var options = ReplayOptions()
        options.startDump = try MappingDump(path: dump)
        return (Fixtures.temporary("trace.txt", TraceText.kernel([])), options)
      },
    ]
    + [0.1, 0.6, 0.99].flatMap { part in
      [
        cut("kernel/linux-7.3/real-nvme-stack/trace.txt", part), cut("formats/synth-v6.dat", part),
        cut("formats/synth-v7-zstd.dat", part), cut("formats/synth-perf.data", part),
      ]
    }
}
