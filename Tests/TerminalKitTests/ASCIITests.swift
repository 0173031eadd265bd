// SPDX-License-Identifier: MIT
import Testing

@testable import TerminalKit

@Suite struct ASCIITests {
  @Test func nothingElseIsLeft() {
    var buffer = CellBuffer(size: Size(width: 16, height: 2))
    buffer.put("1.5 µs 4× 日本e\u{301}", x: 0, y: 0)
    buffer.put("plain", x: 0, y: 1)
    buffer.restrictToASCII()
    #expect(buffer.textRows == ["1.5 us 4x ? ? ?", "plain"])
  }
}
