// SPDX-License-Identifier: MIT
import Testing

@testable import TerminalKit

@Suite struct LineEditorTests {
  private func type(_ keys: [Key], into editor: inout LineEditor) {
    for key in keys { _ = editor.type(key) }
  }

  private func letters(_ text: String) -> [Key] { text.map { .character($0) } }

  @Test func insertsAndRemovesWhereTheCursorIs() {
    var editor = LineEditor()
    type(letters("size>4k") + [.left, .left] + letters("x"), into: &editor)
    #expect(editor.text == "size>x4k")
    type([.backspace, .delete], into: &editor)
    #expect(editor.text == "size>k")
    type([.home] + letters("!") + [.end] + letters("b"), into: &editor)
    #expect(editor.text == "!size>kb")
    type([.home, .backspace, .end, .delete], into: &editor)
    #expect(editor.text == "!size>kb")
  }

  @Test func removesWordsAndLines() {
    var editor = LineEditor("one two  three")
    type([.control("w")], into: &editor)
    #expect(editor.text == "one two  ")
    type([.control("w"), .control("w"), .control("w")], into: &editor)
    #expect(editor.text == "")
    editor = LineEditor("one two")
    type([.control("a"), .right, .right, .right, .control("k")], into: &editor)
    #expect(editor.text == "one")
    type([.control("u")], into: &editor)
    #expect(editor.text.isEmpty && editor.cursor == 0)
  }

  @Test func goesThroughHistoryAndBack() {
    var editor = LineEditor("", history: ["first", "second"])
    type(letters("dra") + [.up], into: &editor)
    #expect(editor.text == "second")
    type([.up, .up], into: &editor)
    #expect(editor.text == "first")
    type([.down, .down], into: &editor)
    #expect(editor.text == "dra")
    type([.down], into: &editor)
    #expect(editor.text == "dra")
  }

  @Test func wideAndCombiningCharactersKeepTheCursorInPlace() {
    var editor = LineEditor()
    type(letters("日本") + [.left] + letters("e") + [.character("\u{301}")], into: &editor)
    #expect(editor.text == "日e\u{301}本")
    type([.backspace, .backspace, .backspace], into: &editor)
    #expect(editor.text.count <= 1)
    #expect(editor.cursor <= editor.text.count)
  }

  @Test func aLineHasAnEnd() {
    var editor = LineEditor()
    for _ in 0..<5000 { _ = editor.type(.character("é")) }
    #expect(editor.text.utf8.count <= LineEditor.maximumLength + 1)
    let isKnown = editor.type(.function(3))
    #expect(!isKnown)
  }

  @Test func base64IsThatOfTheStandard() {
    for (text, code) in [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
      ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ] {
      #expect(Base64.encode(Array(text.utf8)) == code)
    }
  }

  @Test(arguments: Theme.all)
  func aThemeTellsApartWhatMatters(_ theme: Theme) {
    // These must differ even for those who see no colours: by an attribute, or by their place.
    for role in [Theme.Role.selection, .heading, .bar, .openTab, .error, .warning] {
      #expect(theme[role] != theme[.plain], "\(theme.name) \(role)")
    }
    #expect(theme[.openTab] != theme[.tab])
    #expect(theme[.error] != theme[.warning])
    #expect(Theme(named: theme.name) == theme)
    if theme.name == "mono" {
      for role in Theme.Role.allCases {
        #expect(theme[role].foreground == .terminalDefault)
        #expect(theme[role].background == .terminalDefault)
      }
    }
  }

  @Test func takesAPasteAsText() {
    var editor = LineEditor("ab")
    type([.left, .paste("one\r\ntwo\tthree\u{1B}[2J\u{7}\u{202E}\n")], into: &editor)
    #expect(editor.text == "aone two three[2J b")
    #expect(editor.cursor == editor.text.count - 1)
    type([.paste("\u{301}"), .paste("")], into: &editor)
    #expect(editor.cursor <= editor.text.count)
    #expect(!editor.isFull)
  }

  @Test func aLineIsBounded() {
    var editor = LineEditor()
    type([.paste(String(repeating: "é", count: 1_000_000))], into: &editor)
    #expect(editor.text.utf8.count == LineEditor.maximumLength)
    #expect(editor.isFull)
    type([.character("x")], into: &editor)
    #expect(editor.text.utf8.count == LineEditor.maximumLength)
    type([.backspace], into: &editor)
    #expect(!editor.isFull)
    type([.control("u")] + Array(repeating: .character("x"), count: 5000), into: &editor)
    #expect(editor.text.utf8.count == LineEditor.maximumLength)
    #expect(editor.isFull)
  }
}
