// SPDX-License-Identifier: MIT
import DMADebugCore
import TestSupport
import Testing

@testable import DMATrace

@Suite struct MergedReaderTests {
  private static func line(_ time: String, _ task: String, _ device: String, _ address: String)
    -> String
  {
    "           \(task)-7       [000] d..1.  \(time): dma_map_page: \(device) dir=TO_DEVICE"
      + " dma_addr=\(address) size=4096 phys_addr=\(address) attrs=\n"
  }

  private static func read(_ texts: [[UInt8]]) throws -> (events: [Seen], summary: TraceSummary) {
    var reader = MergedReader(try texts.map { try Capture.openTrace($0, name: "part") })
    var batch = EventBatch()
    var events: [Seen] = []
    while try reader.read(into: &batch) {
      for event in batch.events { events.append(Reading.seen(event, batch, reader)) }
    }
    return (events, reader.summary)
  }

  @Test("events by time, names in one set of tables")
  func merges() throws {
    let first =
      Self.line("1.000000", "dd", "0000:00:03.0", "1000")
      + Self.line("3.000000", "cat", "0000:00:04.0", "2000") + " => one\n => two\n"
    let second =
      Self.line("2.000000", "cat", "0000:00:04.0", "3000") + " => two\n => three\n"
      + Self.line("3.000000", "ls", "0000:00:03.0", "4000")
      + "           ls-7       [000] d..1.  4.000000: tracing_mark_write: a marker\n"
    let merged = try Self.read([Array(first.utf8), Array(second.utf8)])
    #expect(merged.events.map(\.event.dmaAddress) == [0x1000, 0x3000, 0x2000, 0x4000, 0])
    #expect(
      merged.events.map(\.device) == [
        "0000:00:03.0", "0000:00:04.0", "0000:00:04.0", "0000:00:03.0", "?",
      ]
    )
    #expect(merged.events.map(\.task) == ["dd", "cat", "cat", "ls", "ls"])
    // The same name has one number.
    #expect(merged.events[1].event.device == merged.events[2].event.device)
    #expect(merged.events.last?.text == "a marker")
    #expect(merged.summary.events == 5)
    #expect(merged.summary.dmaEvents == 4)
  }

  @Test("a text and a trace.dat")
  func kinds() throws {
    var builder = TraceDatBuilder()
    builder.buffers = [
      TraceDatBuilder.Buffer(cpus: [
        [.record(delta: 5, builder.list(0xe000)), .record(delta: 5, builder.map(0x1000))]
      ])
    ]
    let text = Self.line("0.500000", "dd", "vdma0", "7000")
    let merged = try Self.read([builder.build(), Array(text.utf8)])
    #expect(merged.events.map(\.kind) == [.mapPage, .mapSG, .mapPhys])
    #expect(merged.events[1].physical == [0x7000, 0x9000])
    #expect(merged.events[1].addresses == [0xe000])
  }

  @Test("halves of a capture are the capture")
  func halves() throws {
    let path = Fixtures.root + "/fixtures/kernel/linux-7.3/fuzz-02/trace.txt"
    let lines = Fixtures.lines(path)
    func part(_ parity: Int) -> [UInt8] {
      Array(
        lines.enumerated().filter { $0.offset % 2 == parity || $0.element.hasPrefix("#") }
          .map(\.element).joined(separator: "\n").utf8
      )
    }
    let whole = try Reading(path: path).events.map { "\($0.meaning) \($0.event.time)" }
    let merged = try Self.read([part(0), part(1)]).events.map { "\($0.meaning) \($0.event.time)" }
    #expect(merged.sorted() == whole.sorted())
    #expect(merged.count > 500)
  }

  @Test("records of a binary capture and lines of a packed text can be shown")
  func excerpts() throws {
    let dat = Fixtures.root + "/fixtures/formats/synth-v7-zstd.dat"
    let records = CaptureExcerpts.records(dat, [1])
    let first = String(decoding: records[1] ?? [], as: UTF8.self)
    #expect(first.contains("dma_map_page: 0000:00:03.0 dir=FROM_DEVICE dma_addr=fffff000"))
    let text = "one\ntwo\n" + String(repeating: "x", count: 500) + "\nfour"
    let packed = Fixtures.temporary("t.gz", Packing.zlib(Array(text.utf8), gzip: true))
    let lines = CaptureExcerpts.lines(packed, [2, 3, 4, 9], limit: 10)
    #expect(lines[2] == Array("two".utf8))
    #expect(lines[3]?.count == 11)
    #expect(lines[4] == Array("four".utf8))
    #expect(lines[9] == nil)
  }
}
