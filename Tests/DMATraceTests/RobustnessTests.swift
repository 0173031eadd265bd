// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

@testable import DMATrace

/// The same bytes in other pieces, and bytes that mean nothing.
@Suite struct RobustnessTests {
  /// A trace with something of everything.
  static let everything: String = {
    var text = "# tracer: nop\n#\n# entries-in-buffer/entries-written: 1/3   #P:2\n"
    for line in PrefixDialectTests.lines {
      text += line.prefix + PrefixDialectTests.payload + "\n"
    }
    for group in PayloadTests.groups {
      for line in group.lines { text += PayloadTests.prefix + line + "\n" }
    }
    text += StackTests.event(0, 10, 1) + StackTests.event(1, 20, 2)
    text += StackTests.stack(0, 10, ["zero", "one"]) + StackTests.stack(1, 20, ["two"])
    text += "CPU:3 [LOST 3099 EVENTS]\nrubbish\n\u{0}\u{0}é\r\n"
    text += PayloadTests.prefix + "tracing_mark_write: a marker  \r\n"
    text +=
      PayloadTests.prefix
      + "p: (debug_dma_mapping_error+0x4/0xa0) device=\"a b\" dma_addr=0x1 caller=x+0x1/0x2 [m]\n"
    return text
  }()

  @Test(arguments: [1, 2, 3, 7, 64, 4096])
  func chunks(_ size: Int) {
    let text = Self.everything + Self.everything
    let whole = Reading(text)
    let pieces = Reading(text, chunk: size)
    #expect(whole.events.count > 150)
    #expect(pieces.events == whole.events)
    #expect(pieces.summary.lines == whole.summary.lines)
    #expect(pieces.summary.malformedLines == whole.summary.malformedLines)
    #expect(whole.summary.malformedLines == 4)
  }

  @Test func manyBatches() {
    let text = String(repeating: Self.everything, count: 40)
    let whole = Reading(text)
    let pieces = Reading(text, chunk: 1000)
    #expect(whole.batches > 3)
    #expect(whole.summary.events == UInt64(whole.events.count))
    #expect(pieces.events == whole.events)
  }

  @Test func randomBytes() {
    var generator = Seeded(state: 1)
    for _ in 0..<300 {
      let count = Int.random(in: 0..<2000, using: &generator)
      var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      if Bool.random(using: &generator) { bytes = Array("# tracer: nop\n".utf8) + bytes }
      let reading = Reading(bytes: bytes, chunk: Int.random(in: 1...500, using: &generator))
      #expect(reading.summary.lines <= UInt64(bytes.count + 1))
    }
  }

  /// Damaged traces: whatever comes of them, it is the same for every size of piece.
  @Test func mutations() {
    var generator = Seeded(state: 2)
    let original = Array(Self.everything.utf8)
    let alphabet = Array("0123456789abcdefx={}[]()<>:,./|-+ \n\r\t\"#ARRAY\u{0}".utf8) + [0xff]
    for _ in 0..<250 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...40, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[place] = alphabet.randomElement(using: &generator) ?? 0
        case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2:
          let end = min(bytes.count, place + Int.random(in: 1...30, using: &generator))
          bytes.removeSubrange(place..<end)
        default:
          let end = min(bytes.count, place + Int.random(in: 1...60, using: &generator))
          bytes.insert(contentsOf: bytes[place..<end], at: place)
        }
      }
      if Bool.random(using: &generator) {
        bytes.removeLast(Int.random(in: 0..<bytes.count / 2, using: &generator))
      }
      let whole = Reading(bytes: bytes)
      let pieces = Reading(bytes: bytes, chunk: Int.random(in: 1...300, using: &generator))
      #expect(whole.events == pieces.events)
      #expect(whole.summary.malformedLines == pieces.summary.malformedLines)
    }
  }

  /// What the path for the kernel's columns reads, the generic one reads as well.
  @Test func bothPathsAgree() {
    var plain = ""
    var shifted = ""
    for group in PayloadTests.groups {
      for line in group.lines {
        plain += PayloadTests.prefix + line + "\n"
        shifted += " " + PayloadTests.prefix + line + "\n"
      }
    }
    #expect(Reading(plain).events == Reading(shifted).events)
  }
}
