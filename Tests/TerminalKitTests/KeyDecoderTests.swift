// SPDX-License-Identifier: MIT
import Testing

@testable import TerminalKit

@Suite struct KeyDecoderTests {
  private func keys(_ inputs: [KeyDecoder.Input]) -> [Key] {
    var rest = inputs[...]
    var keys: [Key] = []
    while let key = KeyDecoder.next({ rest.popFirst() }) { keys.append(key) }
    return keys
  }

  private func keys(_ text: String) -> [Key] {
    keys(text.unicodeScalars.map { .scalar($0) })
  }

  @Test func typedText() {
    #expect(keys("aé語") == [.character("a"), .character("é"), .character("語")])
    #expect(keys("\r\n\t\u{8}\u{7F}") == [.enter, .enter, .tab, .backspace, .backspace])
    #expect(
      keys("\u{1}\u{1A}\0\u{1C}") == [.control("a"), .control("z"), .control(" "), .control("\\")]
    )
  }

  @Test func escapeAndAlt() {
    #expect(keys("\u{1B}") == [.escape])
    #expect(keys("\u{1B}x") == [.alt("x")])
    #expect(keys("\u{1B}\u{1B}") == [.escape])
    #expect(keys("\u{1B}[") == [.alt("[")])
    #expect(keys([.scalar("\u{1B}"), .key(.up)]) == [.up])
  }

  @Test func unknownSequencesAreSwallowedWhole() {
    #expect(keys("\u{1B}[5;7uq") == [.unknown, .character("q")])
    #expect(keys("\u{1B}[<0;1;2Mq") == [.unknown, .character("q")])
    #expect(keys("\u{1B}Ozq") == [.unknown, .character("q")])
    #expect(
      keys("\u{1B}[" + String(repeating: "1", count: 31) + "~q") == [.unknown, .character("q")]
    )
  }

  @Test func passesOnWhatCursesKnows() {
    #expect(keys([.key(.function(5)), .key(.resize)]) == [.function(5), .resize])
  }

  @Test func theBeginningOfAPaste() {
    #expect(keys("\u{1B}[200~q") == [.paste(""), .character("q")])
    #expect(keys("\u{1B}[201~q") == [.unknown, .character("q")])
  }
}
