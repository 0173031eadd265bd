import TerminalKit
import Testing

@Suite struct CellBufferTests {
  private func line(_ text: String, width: Int = 20, x: Int = 0, limit: Int = .max) -> String {
    var buffer = CellBuffer(width: width, height: 1)
    buffer.put(text, x: x, y: 0, limit: limit)
    return buffer.lines[0]
  }

  @Test func textIsClipped() {
    #expect(line("abcdef", width: 4) == "abcd")
    #expect(line("abcdef", limit: 3) == "abc")
    #expect(line("abcdef", width: 4, x: 2) == "  ab")
    #expect(line("abcdef", width: 4, x: -2) == "cdef")
    #expect(line("abc", width: 0).isEmpty)
  }

  @Test func nothingIsDrawnOutside() {
    var buffer = CellBuffer(width: 3, height: 2)
    buffer.put("x", x: 0, y: 2)
    buffer.put("x", x: 0, y: -1)
    buffer.put("x", x: 5, y: 0)
    buffer.fill(x: -5, y: -5, width: 100, height: 3, style: .plain)
    buffer.fill(x: 50, y: 50, width: 100, height: 3, style: .plain)
    #expect(buffer.lines == ["", ""])
  }

  @Test func wideCharactersAreNeverHalved() {
    #expect(line("日本", width: 3) == "日")
    var buffer = CellBuffer(width: 6, height: 1)
    buffer.put("日本語", x: 0, y: 0)
    buffer.put("x", x: 1, y: 0)
    #expect(buffer.lines == [" x本語"])
    #expect(buffer[2, 0].scalars == ["本"])
    #expect(buffer[3, 0].scalars.isEmpty)
  }

  @Test func marksSitOnTheirCharacter() {
    var buffer = CellBuffer(width: 6, height: 1)
    let used = buffer.put("e\u{301}x", x: 0, y: 0)
    #expect(used == 2)
    #expect(buffer[0, 0].scalars == ["e", "\u{301}"])
    #expect(buffer[1, 0].scalars == ["x"])
    buffer.put("a" + String(repeating: "\u{301}", count: 100), x: 2, y: 0)
    #expect(buffer[2, 0].scalars.count == 5)
  }

  @Test(arguments: [
    ("\u{1b}]0;x\u{7}", "\\x1b]0;x\\x07"), ("\u{9b}2J", "\\x9b2J"), ("a\u{202e}b", "a\\u{202e}b"),
    ("\n\r\t\u{7f}", "\\x0a\\x0d\\x09\\x7f"),
  ])
  func harmfulCharactersAreShownEscaped(_ input: String, _ shown: String) {
    #expect(line(input, width: 40) == shown)
  }

  @Test func widths() {
    #expect(CellWidth.columns(of: "a") == 1)
    #expect(CellWidth.columns(of: "é") == 1)
    #expect(CellWidth.columns(of: "日") == 2)
    #expect(CellWidth.columns(of: "🙂") == 2)
    #expect(CellWidth.columns(of: "\u{301}") == 0)
    #expect(CellWidth.columns(of: "\u{fe0f}") == 0)
    #expect(CellWidth.columns(of: "█") == 1)
  }
}
