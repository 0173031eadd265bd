// SPDX-License-Identifier: MIT
import Testing

@testable import TerminalKit

@Suite struct CellBufferTests {
  private func drawn(
    width: Int = 10,
    height: Int = 1,
    _ draw: (inout CellBuffer) -> Void
  ) -> [String] {
    var buffer = CellBuffer(size: Size(width: width, height: height))
    draw(&buffer)
    expectWholeCharacters(buffer)
    return buffer.textRows
  }

  private func expectWholeCharacters(_ buffer: CellBuffer) {
    for y in 0..<buffer.height {
      for x in 0..<buffer.width {
        let cell = buffer[x, y]
        switch cell.width {
        case 2: #expect(x + 1 < buffer.width && buffer[x + 1, y].width == 0)
        case 0: #expect(x > 0 && buffer[x - 1, y].width == 2 && cell.text.isEmpty)
        default: #expect(cell.width == 1 && !cell.text.isEmpty)
        }
        #expect(cell.text.unicodeScalars.count <= Cell.maximumScalars)
        #expect(!cell.text.unicodeScalars.contains(where: Sanitizer.needsEscape))
      }
    }
  }

  @Test func clipsOnAllSides() {
    #expect(drawn { $0.put("abcdef", x: -2, y: 0) } == ["cdef"])
    #expect(drawn { $0.put("abcdef", x: 7, y: 0) } == ["       abc"])
    #expect(drawn { $0.put("abcdef", x: 0, y: 1) } == [""])
    #expect(drawn { $0.put("abcdef", x: 0, y: -1) } == [""])
    #expect(drawn { $0.put("abcdef", x: 10, y: 0) } == [""])
    #expect(drawn { $0.put("abcdef", x: 1, y: 0, maxWidth: 3) } == [" abc"])
    let clip = Rectangle(x: 2, y: 0, width: 3, height: 1)
    #expect(drawn { $0.put("abcdef", x: 0, y: 0, clip: clip) } == ["  cde"])
    #expect(drawn { $0.put("abc", x: 0, y: 0, clip: Rectangle(Size(width: 0, height: 0))) } == [""])
  }

  @Test func saysHowFarItGot() {
    var buffer = CellBuffer(size: Size(width: 10, height: 1))
    #expect(buffer.put("日本", x: 0, y: 0) == 4)
    #expect(buffer.put("abcdef", x: -3, y: 0) == 6)
    #expect(buffer.put("abcdef", x: 0, y: 0, maxWidth: 2) == 2)
    #expect(buffer.put("\u{1B}", x: 0, y: 0) == 4)
  }

  @Test func emptyAndHugeArguments() {
    var buffer = CellBuffer(size: Size(width: 0, height: 0))
    buffer.put("abc", x: 0, y: 0)
    buffer.fill(Rectangle(x: -5, y: -5, width: 50, height: 50), style: Style(bold: true))
    #expect(buffer.textRows.isEmpty)
    #expect(CellBuffer(size: Size(width: -3, height: 2)).textRows == ["", ""])
    #expect(drawn { $0.put("ab", x: 0, y: 0, maxWidth: -1) } == [""])
  }

  @Test func wideCharactersAreNeverHalved() {
    #expect(drawn(width: 4) { $0.put("a日本", x: 0, y: 0) } == ["a日"])
    #expect(drawn(width: 4) { $0.put("日本", x: -1, y: 0) } == [" 本"])
    #expect(drawn(width: 4) { $0.put("日x", x: 1, y: 0, maxWidth: 1) } == [""])
    // Overwriting one half blanks the other.
    #expect(
      drawn(width: 4) {
        $0.put("日本", x: 0, y: 0)
        $0.put("x", x: 1, y: 0)
      } == [" x本"]
    )
    #expect(
      drawn(width: 4) {
        $0.put("日本", x: 0, y: 0)
        $0.put("x", x: 2, y: 0)
      } == ["日x"]
    )
    #expect(
      drawn(width: 4) {
        $0.put("日本", x: 0, y: 0)
        $0.put("語", x: 1, y: 0)
      } == [" 語"]
    )
    #expect(
      drawn(width: 4) {
        $0.put("日本", x: 0, y: 0)
        $0.fill(Rectangle(x: 1, y: 0, width: 2, height: 1))
      } == [""]
    )
  }

  @Test func marksCombineAndAreLimited() {
    var buffer = CellBuffer(size: Size(width: 4, height: 1))
    buffer.put("e\u{301}x", x: 0, y: 0)
    #expect(buffer[0, 0].text == "e\u{301}")
    #expect(buffer[1, 0].text == "x")
    buffer.put("a" + String(repeating: "\u{301}", count: 100), x: 0, y: 0)
    #expect(buffer[0, 0].text.unicodeScalars.count == 5)
    // Nothing to combine with.
    buffer.put("\u{301}b", x: 0, y: 0)
    #expect(buffer[0, 0].text == "b")
    // At the right edge the mark still belongs to the last character.
    buffer.put("o\u{308}", x: 3, y: 0)
    #expect(buffer[3, 0].text == "o\u{308}")
  }

  @Test func controlCharactersAreShownEscaped() {
    #expect(drawn(width: 20) { $0.put("a\u{1B}[2Jb", x: 0, y: 0) } == ["a\\x1b[2Jb"])
    #expect(drawn(width: 20) { $0.put("\n\t", x: 0, y: 0) } == ["\\x0a\\x09"])
    #expect(drawn(width: 3) { $0.put("\u{1B}b", x: 0, y: 0) } == ["\\x1"])
    #expect(drawn(width: 3) { $0.fill($0.bounds, with: "\u{7}") } == [""])
  }

  @Test func linesAndHighlights() {
    var buffer = CellBuffer(size: Size(width: 4, height: 3))
    buffer.horizontalLine(x: 1, y: 0, width: 99, glyph: Glyphs.unicode.horizontalLine)
    buffer.verticalLine(x: 0, y: 1, height: 99, glyph: Glyphs.ascii.verticalLine)
    buffer.restyle(Rectangle(x: 0, y: 0, width: 9, height: 1)) { $0.reverse = true }
    #expect(buffer.textRows == [" ───", "|", "|"])
    #expect(buffer[3, 0].style.reverse)
    #expect(!buffer[0, 1].style.reverse)
  }

  @Test func randomDrawingKeepsCharactersWhole() {
    var random = SeededGenerator(seed: 1)
    let pieces = ["a", "日", "e\u{301}", "\u{1B}", "😀", " ", "\u{202E}", "한", "\u{301}"]
    for _ in 0..<300 {
      var buffer = CellBuffer(size: Size(width: 9, height: 2))
      for _ in 0..<12 {
        let text = (0..<4).map { _ in pieces.randomElement(using: &random)! }.joined()
        let clip = Rectangle(
          x: Int.random(in: -3...9, using: &random),
          y: 0,
          width: Int.random(in: 0...9, using: &random),
          height: 2
        )
        buffer.put(
          text,
          x: Int.random(in: -6...10, using: &random),
          y: Int.random(in: -1...2, using: &random),
          maxWidth: Int.random(in: 0...9, using: &random),
          clip: clip
        )
        if Bool.random(using: &random) { buffer.fill(clip) }
      }
      expectWholeCharacters(buffer)
    }
  }

  @Test(
    arguments: [
      ("abc", Alignment.leading, Truncation.tail, "|abc  |"),
      ("abc", .trailing, .tail, "|  abc|"),
      ("abcdefg", .leading, .tail, "|abcd…|"),
      ("abcdefg", .trailing, .tail, "|abcd…|"),
      ("abcdefg", .leading, .head, "|…defg|"),
      ("日本語", .leading, .tail, "|日本…|"),
      ("a日本語", .leading, .tail, "|a日 …|"),
      ("日本語a", .leading, .head, "|… 語a|"),
      ("", .leading, .tail, "|     |"),
    ]
  )
  func fields(text: String, alignment: Alignment, truncation: Truncation, expected: String) {
    let rows = drawn {
      $0.put("|xxxxx|", x: 0, y: 0)
      $0.putField(
        text,
        x: 1,
        y: 0,
        width: 5,
        alignment: alignment,
        truncation: truncation,
        ellipsis: "…"
      )
    }
    #expect(rows == [expected])
  }

  @Test func tinyFields() {
    #expect(drawn { $0.putField("abc", x: 0, y: 0, width: 1, ellipsis: "…") } == ["…"])
    #expect(drawn { $0.putField("abc", x: 0, y: 0, width: 0, ellipsis: "…") } == [""])
    #expect(drawn { $0.putField("abc", x: 8, y: 0, width: 9, ellipsis: "…") } == ["        ab"])
  }
}
