// SPDX-License-Identifier: MIT
import Testing

@testable import TerminalKit

@Suite struct CellWidthTests {
  @Test(
    arguments: [
      ("a", 1), ("~", 1), ("é", 1), ("e\u{301}", 1), ("█", 1), ("─", 1), ("日", 2), ("한", 2),
      ("ａ", 2), ("😀", 2), ("\u{1100}\u{1161}\u{11A8}", 2), ("‼", 1), ("☃", 1), ("⌚", 2),
      ("𠀀", 2), ("\u{0E01}\u{0E34}", 1), ("日本 ab", 7), ("", 0),
    ]
  )
  func width(text: String, expected: Int) {
    #expect(CellWidth.of(text) == expected)
  }

  @Test func escapesCount() {
    #expect(CellWidth.of("\u{1B}") == 4)
    #expect(CellWidth.of("a\u{7F}b") == 6)
    #expect(CellWidth.of("\u{202E}") == 12)
  }

  @Test func everyScalarIsDrawnAsWideAsItIsMeasured() {
    var buffer = CellBuffer(size: Size(width: 40, height: 1))
    for value in UInt32(0)...0x10FFFF {
      // All of the first planes' blocks, a sample of the rest.
      guard value < 0x3400 || value % 61 == 0, let scalar = Unicode.Scalar(value) else { continue }
      let drawn = buffer.put("x\(scalar)", x: 0, y: 0)
      #expect(drawn == CellWidth.of("x\(scalar)"), "U+\(String(value, radix: 16))")
    }
  }
}
