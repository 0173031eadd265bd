// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

@testable import DMATrace

/// Texts that other programs have been through: byte order marks, other encodings, other line ends;
/// and how much of a text has to be understood.
@Suite struct SmallInputTests {
  private static let trace =
    "# tracer: nop\n" + BadInputTests.good + "between them\n" + BadInputTests.good

  private static let mark: [UInt8] = [0xef, 0xbb, 0xbf]

  @Test("a byte order mark is passed over", arguments: [1, 3, 4, 4096])
  func byteOrderMark(_ chunk: Int) {
    let plain = Reading(Self.trace)
    let marked = Reading(bytes: Self.mark + Array(Self.trace.utf8), chunk: chunk)
    #expect(plain.events.count == 2)
    #expect(marked.events == plain.events)
    #expect(marked.summary.malformedLines == plain.summary.malformedLines)
    let packed = Packing.zlib(Self.mark + Array(Self.trace.utf8), gzip: true)
    #expect(Reading(bytes: packed, chunk: chunk).events == plain.events)
  }

  @Test("rewinding goes to the right byte behind a byte order mark")
  func rewinding() throws {
    let text = String(repeating: BadInputTests.good, count: 3000)
    var reader = TextTraceReader(bytes: Self.mark + Array(text.utf8), name: "test")
    var batch = EventBatch()
    _ = try reader.read(into: &batch)
    var again = try reader.resumed(at: reader.mark())
    var (rest, other) = (0, 0)
    while try again.read(into: &batch) { rest += batch.events.count }
    while try reader.read(into: &batch) { other += batch.events.count }
    #expect(rest == other && rest > 0)
    #expect(again.summary.malformedLines == 0)
  }

  @Test("carriage returns alone end lines", arguments: [1, 2, 7, 4096])
  func carriageReturns(_ chunk: Int) {
    let plain = Reading(Self.trace)
    let old = Reading(
      bytes: Self.trace.utf8.map { $0 == 0x0a ? 0x0d : $0 },
      chunk: chunk
    )
    #expect(old.events == plain.events)
    #expect(old.summary.lines == plain.summary.lines)
  }

  @Test("carriage returns before line feeds end no lines of their own", arguments: [1, 2, 7, 4096])
  func pairs(_ chunk: Int) {
    let plain = Reading(Self.trace)
    for ending in ["\r\n", "\r\r\n"] {
      var bytes: [UInt8] = []
      for byte in Self.trace.utf8 {
        if byte == 0x0a { bytes += Array(ending.utf8) } else { bytes.append(byte) }
      }
      let reading = Reading(bytes: bytes, chunk: chunk)
      #expect(reading.events.map(\.event.line) == plain.events.map(\.event.line))
    }
  }

  /// The trace with zeros around each byte.
  private static func wide(before: Int = 0, after: Int = 0) -> [UInt8] {
    var bytes: [UInt8] = []
    for byte in trace.utf8 {
      bytes += [UInt8](repeating: 0, count: before) + [byte]
      bytes += [UInt8](repeating: 0, count: after)
    }
    return bytes
  }

  @Test("UTF-16 and UTF-32 are named, whatever reads them")
  func otherEncodings() {
    let little = Self.wide(after: 1)
    let big = Self.wide(before: 1)
    for bytes in [[0xff, 0xfe] + little, [0xfe, 0xff] + big, little, big] as [[UInt8]] {
      #expect(Reading(anything: bytes).error?.problem == "is UTF-16 text")
    }
    let wide = [0xff, 0xfe, 0, 0] + Self.wide(after: 3)
    #expect(Reading(anything: wide).error?.problem == "is UTF-32 text")
    #expect(throws: TraceError.self) { try DeviceTable(bytes: [0xff, 0xfe] + little, name: "x") }
    #expect(throws: TraceError.self) { try MappingDump(bytes: [0xff, 0xfe] + little, name: "x") }
  }

  @Test("a dump with a byte order mark and old line ends")
  func dump() throws {
    let lines = [
      "dmax_edu 0000:00:04.0 single idx 13080 P=0x0000000006630000 D=6630000 L=1000"
        + " cln=0x0000000000198c00 DMA_BIDIRECTIONAL dma map error checked",
      "ahci 0000:00:1f.2 coherent idx 13568 P=0x0000000006a00000 D=6a00000 L=16500"
        + " cln=0x00000000001a8000 DMA_BIDIRECTIONAL dma map error check not applicable",
    ]
    let bytes = Self.mark + Array((lines.joined(separator: "\r") + "\r").utf8)
    #expect(try MappingDump(bytes: bytes, name: "dump").entries.count == 2)
    // Prose that quotes a line or two is not a dump.
    let prose = Array((lines[0] + "\nas the kernel prints it\nand more of it\n").utf8)
    #expect(throws: TraceError.self) { try MappingDump(bytes: prose, name: "dump") }
  }

  // MARK: How much is understood

  private static let broken =
    PayloadTests.prefix + "dma_unmap_page: nvme dir=SIDEWAYS dma_addr=1 size=1 attrs=\n"

  @Test("only lines that look like records count as broken ones")
  func share() {
    let good = String(repeating: BadInputTests.good, count: 99)
    let prose = String(repeating: "prose\n[    1.000000] usb 1-1: new device\n", count: 50)
    let foreign = PayloadTests.prefix + "sched_switch: prev_comm=a\n"
    let few = Reading(good + prose + foreign).summary
    #expect(few.malformedLines == 100)
    #expect(few.damage(maximumMalformed: 0) == nil)
    let one = Reading(good + prose + Self.broken).summary
    #expect(one.brokenRecords == 1)
    #expect(one.damage(maximumMalformed: 1) == nil)
    let two = Reading(good + Self.broken + Self.broken).summary
    #expect(
      two.damage(maximumMalformed: 1)?.hasPrefix("2 of 101 trace records could not be understood")
        == true
    )
    #expect(two.damage(maximumMalformed: 2) == nil)
  }

  @Test("a list that is too long is missing for certain; other long lines are not")
  func longLines() {
    let list = String(repeating: "0x1000,", count: 200_000)
    let long =
      PayloadTests.prefix + "dma_map_sg: nvme dir=TO_DEVICE dma_addrs={\(list)0x1000} attrs=\n"
    let summary = Reading(BadInputTests.good + long + BadInputTests.good).summary
    #expect(summary.undecoded == 1 && summary.events == 2)
    #expect(summary.damage(maximumMalformed: 100) != nil)
    for line in ["x: ", "and so on ", PayloadTests.prefix + "sched_switch: "] {
      let prose = line + String(repeating: "y", count: 1_500_000) + "\n"
      let summary = Reading(BadInputTests.good + prose).summary
      #expect(summary.malformedLines == 1)
      #expect(summary.damage(maximumMalformed: 0) == nil)
    }
  }
}
