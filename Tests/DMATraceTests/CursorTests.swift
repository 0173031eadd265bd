// SPDX-License-Identifier: MIT
import Testing

@testable import DMATrace

/// Words instead of bytes: the same answers.
@Suite struct CursorTests {
  /// Runs `body` on a cursor over `text`, which stands in a buffer with its padding.
  private func with<T>(_ text: String, _ body: (inout Cursor) -> T) -> T {
    let bytes = Array(text.utf8) + [UInt8](repeating: 0, count: ByteSource.padding)
    return bytes.withUnsafeBufferPointer { all in
      let start = all.baseAddress!
      var cursor = Cursor(start, start + text.utf8.count)
      let result = body(&cursor)
      #expect(cursor.at <= cursor.end)
      return result
    }
  }

  private func decimal(_ text: String) -> UInt64? { with(text) { $0.decimal() } }
  private func bareHex(_ text: String) -> UInt64? { with(text) { $0.bareHex() } }
  private func hex(_ text: String) -> UInt64? { with(text) { $0.hex() } }
  private func number(_ text: String) -> UInt64? { with(text) { $0.number() } }
  private func fraction(_ text: String) -> UInt64? { with(text) { $0.fraction() } }

  /// What is left behind the literal, or nothing when it is not there.
  private func rest(_ text: String, _ literal: Literal) -> Int? {
    with(text) { $0.skip(literal) ? $0.count : nil }
  }

  /// What is left from the byte on, or nothing when it is not there.
  private func found(_ text: String) -> Int? {
    with(text) { $0.find(UInt8(ascii: "]")) ? $0.count : nil }
  }

  @Test func literals() {
    for (literal, text) in Literal.all {
      #expect(literal.text == text)
      #expect(rest(text, literal) == 0)
      #expect(rest(text + "x", literal) == 1)
      #expect(rest(String(text.dropLast()), literal) == nil)
      for index in text.utf8.indices {
        var wrong = Array(text.utf8)
        wrong[text.utf8.distance(from: text.startIndex, to: index)] ^= 1
        #expect(rest(String(decoding: wrong, as: UTF8.self), literal) == nil)
      }
    }
  }

  @Test func numbers() {
    var generator = Seeded(state: 3)
    var samples: [UInt64] = [0, 1, 9, 10, 99_999_999, 100_000_000, .max, .max - 1, 1 << 32]
    for shift in 0..<64 {
      samples.append(UInt64.random(in: 0...UInt64.max, using: &generator) >> shift)
    }
    for value in samples {
      for tail in ["", " ", ",1", "\n9"] {
        #expect(decimal("\(value)\(tail)") == value)
        let digits = String(value, radix: 16)
        #expect(bareHex(digits + tail) == value)
        #expect(hex("0x" + digits + tail) == value)
        #expect(number("0x" + digits.uppercased() + tail) == value)
        let padded = String(repeating: "0", count: 16 - digits.count) + digits
        #expect(bareHex(padded + tail) == value)
      }
    }
    #expect(decimal("18446744073709551616") == nil)
    #expect(bareHex("10000000000000000") == nil)
    for text in ["", "x", "-1", "/", ":", "@", "`", "g", "G", "\u{b1}"] {
      #expect(decimal(text) == nil)
      #expect(bareHex(text) == nil)
    }
  }

  @Test func fractions() {
    #expect(fraction("000001:") == 1000)
    #expect(fraction("123456789:") == 123_456_789)
    #expect(fraction("12345678:") == 123_456_780)
    #expect(fraction("5:") == 500_000_000)
    #expect(fraction("1234567890:") == nil)
    #expect(fraction(":") == nil)
  }

  @Test func find() {
    for length in 0..<40 {
      let text = String(repeating: "a", count: length)
      #expect(found(text) == nil)
      #expect(found(text + "]bc") == 3)
    }
  }

  /// A cursor over a part of a line does not read on behind the part.
  @Test func partsOfALine() {
    let bytes = Array("12345678 ffff,".utf8) + [UInt8](repeating: 0, count: ByteSource.padding)
    bytes.withUnsafeBufferPointer { all in
      let start = all.baseAddress!
      for length in 0..<8 {
        var cursor = Cursor(start, start + length)
        let value = cursor.decimal()
        #expect(value == nil)
        #expect(!cursor.isAt("12345678"))
      }
      for length in 0..<4 {
        var cursor = Cursor(start + 9, start + 9 + length)
        let value = cursor.bareHex()
        #expect(value == nil)
        let isThere = cursor.find(UInt8(ascii: ","))
        #expect(!isThere)
      }
    }
  }
}
