// SPDX-License-Identifier: MIT
import Testing

@testable import TerminalKit

@Suite struct PasteDecoderTests {
  /// The text of a paste whose bytes arrive in pieces of a size, and what came after it.
  private func paste(_ text: String, pieces: Int) -> (text: String, rest: String?) {
    var decoder = PasteDecoder()
    var result = ""
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let (part, rest) = decoder.take(bytes.prefix(pieces))
      bytes = bytes.dropFirst(pieces)
      result += part
      if let rest { return (result, String(decoding: rest + bytes, as: UTF8.self)) }
    }
    return (result, nil)
  }

  @Test(arguments: [1, 2, 3, 5, 7, 4096])
  func endsWhereTheTerminalSaysSo(_ pieces: Int) {
    let text = "é語😀 \u{1B}[2J \u{1B}\u{1B}[201 \u{1B}[20 q\r\n"
    let (taken, rest) = paste(text + "\u{1B}[201~\u{1B}q", pieces: pieces)
    #expect(taken == text)
    #expect(rest == "\u{1B}q")
  }

  @Test(arguments: [1, 4096])
  func anEndThatNeverComes(_ pieces: Int) {
    let (taken, rest) = paste(String(repeating: "x\u{1B}[", count: 1000), pieces: pieces)
    // The last two bytes may be the beginning of the end.
    #expect(taken.utf8.count == 2998)
    #expect(rest == nil)
  }

  @Test func bytesThatAreNoText() {
    var decoder = PasteDecoder()
    #expect(decoder.take([0x61, 0xC3]).text == "a")
    #expect(decoder.take([0xFF, 0x62]).text == "\u{FFFD}\u{FFFD}b")
    #expect(decoder.take([0xF0, 0x9F]).text == "")
    #expect(decoder.take(Array("\u{1B}[201~".utf8)).text == "\u{FFFD}")
  }

  @Test func anEscapeThatNothingFollows() {
    var decoder = PasteDecoder()
    #expect(decoder.take(Array("abc\u{1B}".utf8)).text == "abc")
    #expect(decoder.endsWithEscape)
    #expect(decoder.take(Array("[".utf8)).text == "")
    #expect(!decoder.endsWithEscape)
  }
}
