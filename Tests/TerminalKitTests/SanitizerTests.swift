// SPDX-License-Identifier: MIT
import Testing

@testable import TerminalKit

@Suite struct SanitizerTests {
  @Test(
    arguments: [
      ("plain_driver-0000:00:1f.2", "plain_driver-0000:00:1f.2"),
      ("\u{1B}]0;owned\u{7}", "\\x1b]0;owned\\x07"),
      ("\u{1B}[2J\u{1B}[H", "\\x1b[2J\\x1b[H"),
      ("\u{9B}31m", "\\xc2\\x9b31m"),
      ("a\u{202E}b", "a\\xe2\\x80\\xaeb"),
      ("a\u{2066}b\u{200B}c", "a\\xe2\\x81\\xa6b\\xe2\\x80\\x8bc"),
      ("del\u{7F}", "del\\x7f"),
      ("tab\there\r\n", "tab\\x09here\\x0d\\x0a"),
      ("nul\0", "nul\\x00"),
      ("日本 é", "日本 é"),
      ("\u{2028}", "\\xe2\\x80\\xa8"),
    ]
  )
  func hostileNames(name: String, expected: String) {
    #expect(sanitized(name) == expected)
    #expect(sanitized(name.utf8) == expected)
  }

  @Test func asciiOnly() {
    #expect(sanitized("né日", asciiOnly: true) == "n\\xc3\\xa9\\xe6\\x97\\xa5")
  }

  @Test(
    arguments: [
      ([0xFF, 0x61], "\\xffa"),
      ([0xC3], "\\xc3"),
      ([0xC3, 0x28], "\\xc3("),
      ([0xC0, 0xAF], "\\xc0\\xaf"),
      ([0xE0, 0x80, 0xAF], "\\xe0\\x80\\xaf"),
      ([0xED, 0xA0, 0x80], "\\xed\\xa0\\x80"),
      ([0xF5, 0x80, 0x80, 0x80], "\\xf5\\x80\\x80\\x80"),
      ([0xF0, 0x9F, 0x98, 0x80], "😀"),
      ([0xF0, 0x9F, 0x98], "\\xf0\\x9f\\x98"),
      ([0xE2, 0x82, 0xC3, 0xA9], "\\xe2\\x82é"),
    ] as [([UInt8], String)]
  )
  func bytesThatAreNoUTF8(bytes: [UInt8], expected: String) {
    #expect(sanitized(bytes) == expected)
  }

  @Test func longNames() {
    let name = [UInt8](repeating: 0x1B, count: 4096)
    #expect(sanitized(name) == String(repeating: "\\x1b", count: 4096))
  }

  @Test func nothingDangerousSurvivesRandomBytes() {
    var random = SeededGenerator(seed: 7)
    for _ in 0..<500 {
      let bytes = (0..<64).map { _ in UInt8.random(in: 0...255, using: &random) }
      for scalar in sanitized(bytes).unicodeScalars {
        #expect(!Sanitizer.needsEscape(scalar))
      }
      #expect(sanitized(bytes, asciiOnly: true).utf8.allSatisfy { (0x20..<0x7F).contains($0) })
    }
  }
}
