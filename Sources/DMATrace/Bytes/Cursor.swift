// SPDX-License-Identifier: MIT

/// A place in a line of text, and the tools to go on from there.
///
/// Words are loaded without looking at `end` first. That is allowed because a line stands in the
/// buffer of a ``ByteSource``, where at least ``ByteSource/padding`` readable bytes follow: `at`
/// never passes `end`, and no load reaches further than 40 bytes beyond `at`. A number or a literal
/// that would only be complete with bytes behind `end` does not count.
struct Cursor {
  var at: UnsafePointer<UInt8>
  let end: UnsafePointer<UInt8>

  @inline(__always)
  init(_ at: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) {
    self.at = at
    self.end = end
  }

  @inline(__always)
  var isAtEnd: Bool { at >= end }

  /// The byte here, 0 at the end of the line.
  @inline(__always)
  var byte: UInt8 { at < end ? at.pointee : 0 }

  @inline(__always)
  var count: Int { end - at }

  @inline(__always)
  static func load(_ place: UnsafePointer<UInt8>) -> UInt64 {
    UInt64(littleEndian: UnsafeRawPointer(place).loadUnaligned(as: UInt64.self))
  }

  /// The bytes of a literal from `from` on, at most 8, as a word.
  @inline(__always)
  static func word(_ literal: StaticString, _ from: Int) -> UInt64 {
    var word: UInt64 = 0
    let count = min(8, literal.utf8CodeUnitCount - from)
    for index in 0..<count {
      word |= UInt64(literal.utf8Start[from + index]) << UInt64(8 * index)
    }
    return word
  }

  /// Whether `literal`, of at most 40 bytes, stands here.
  @inline(__always)
  func isAt(_ literal: StaticString) -> Bool {
    let length = literal.utf8CodeUnitCount
    guard end - at >= length else { return false }
    var offset = 0
    while offset + 8 <= length {
      if Self.load(at + offset) != Self.word(literal, offset) { return false }
      offset += 8
    }
    let rest = length - offset
    if rest == 0 { return true }
    let mask = (UInt64(1) << UInt64(8 * rest)) - 1
    return Self.load(at + offset) & mask == Self.word(literal, offset)
  }

  /// Steps over `literal` when it stands here.
  @inline(__always)
  mutating func skip(_ literal: StaticString) -> Bool {
    guard isAt(literal) else { return false }
    at += literal.utf8CodeUnitCount
    return true
  }

  @inline(__always)
  mutating func skip(_ wanted: UInt8) -> Bool {
    guard at < end, at.pointee == wanted else { return false }
    at += 1
    return true
  }

  @inline(__always)
  mutating func skipSpaces() {
    while at < end, at.pointee == UInt8(ascii: " ") { at += 1 }
  }

  /// Goes to the next `byte`, or to the end of the line.
  ///
  /// - Returns: whether it stands there.
  @inline(__always)
  mutating func find(_ byte: UInt8) -> Bool {
    let pattern = 0x0101_0101_0101_0101 &* UInt64(byte)
    while at < end {
      let bits = Self.load(at) ^ pattern
      let hit = (bits &- 0x0101_0101_0101_0101) & ~bits & 0x8080_8080_8080_8080
      if hit != 0 {
        at += hit.trailingZeroBitCount >> 3
        if at < end { return true }
        at = end
        return false
      }
      at = end - at > 8 ? at + 8 : end
    }
    return false
  }

  /// How many bytes at the low end of a word are decimal digits.
  @inline(__always)
  private static func digits(_ word: UInt64) -> Int {
    let low = word & 0x7f7f_7f7f_7f7f_7f7f
    let ge0 = low &+ 0x5050_5050_5050_5050
    let gt9 = low &+ 0x4646_4646_4646_4646
    let valid = ge0 & ~gt9 & ~word & 0x8080_8080_8080_8080
    return (valid ^ 0x8080_8080_8080_8080).trailingZeroBitCount >> 3
  }

  /// The number of the first `count` (1…8) digits of a word.
  @inline(__always)
  private static func number(_ word: UInt64, _ count: Int) -> UInt64 {
    let aligned = word << UInt64(64 &- 8 &* count)
    var value = aligned & 0x0f0f_0f0f_0f0f_0f0f
    value = (value &* 10 &+ (value >> 8)) & 0x00ff_00ff_00ff_00ff
    value = (value &* 100 &+ (value >> 16)) & 0x0000_ffff_0000_ffff
    value = (value &* 10000 &+ (value >> 32)) & 0xffff_ffff
    return value
  }

  /// A decimal number, when one stands here that fits into 64 bits.
  @inline(__always)
  mutating func decimal() -> UInt64? {
    let word = Self.load(at)
    let count = Self.digits(word)
    if count < 8 {
      guard count > 0, end - at >= count else { return nil }
      at += count
      return Self.number(word, count)
    }
    return longDecimal()
  }

  @inline(never)
  private mutating func longDecimal() -> UInt64? {
    var value: UInt64 = 0
    var place = at
    while place < end, place.pointee >= 0x30, place.pointee <= 0x39 {
      let (product, high) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(place.pointee - 0x30))
      if high || carry { return nil }
      value = sum
      place += 1
    }
    // A part of a line may end inside of a number: then it is none.
    if place == at || place == end && Self.digits(Self.load(end)) > 0 { return nil }
    at = place
    return value
  }

  /// Up to eight hexadecimal digits at the low end of a word: their number and their value.
  @inline(__always)
  private static func hexDigits(_ word: UInt64) -> (count: Int, value: UInt64) {
    let low = word & 0x7f7f_7f7f_7f7f_7f7f
    let digit = (low &+ 0x5050_5050_5050_5050) & ~(low &+ 0x4646_4646_4646_4646)
    let folded = low | 0x2020_2020_2020_2020
    let letter = (folded &+ 0x1f1f_1f1f_1f1f_1f1f) & ~(folded &+ 0x1919_1919_1919_1919)
    let valid = (digit | letter) & ~word & 0x8080_8080_8080_8080
    let count = (valid ^ 0x8080_8080_8080_8080).trailingZeroBitCount >> 3
    if count == 0 { return (0, 0) }
    var value =
      (low & 0x0f0f_0f0f_0f0f_0f0f)
      &+ 9 &* ((low >> 6) & 0x0101_0101_0101_0101)
    value = (value << UInt64(64 &- 8 &* count)).byteSwapped
    value = (value | value >> 4) & 0x00ff_00ff_00ff_00ff
    value = (value | value >> 8) & 0x0000_ffff_0000_ffff
    value = (value | value >> 16) & 0xffff_ffff
    return (count, value)
  }

  /// A hexadecimal number without `0x`, of at most 16 digits.
  @inline(__always)
  mutating func bareHex() -> UInt64? {
    var (count, value) = Self.hexDigits(Self.load(at))
    guard count > 0 else { return nil }
    if count == 8 {
      let (more, low) = Self.hexDigits(Self.load(at + 8))
      value = more == 0 ? value : value << UInt64(4 &* more) | low
      count += more
      if more == 8, Self.hexDigits(Self.load(at + 16)).count != 0, end - at > 16 { return nil }
    }
    guard end - at >= count else { return nil }
    at += count
    return value
  }

  /// A hexadecimal number with or without `0x`.
  @inline(__always)
  mutating func hex() -> UInt64? {
    if end - at > 2, at[0] == UInt8(ascii: "0"), at[1] | 0x20 == UInt8(ascii: "x") { at += 2 }
    return bareHex()
  }

  /// A decimal number, or a hexadecimal one after `0x`.
  @inline(__always)
  mutating func number() -> UInt64? {
    if end - at > 2, at[0] == UInt8(ascii: "0"), at[1] | 0x20 == UInt8(ascii: "x") {
      at += 2
      return bareHex()
    }
    return decimal()
  }

  /// The digits behind the point of a time of seconds, as nanoseconds. At most nine count.
  @inline(__always)
  mutating func fraction() -> UInt64? {
    let word = Self.load(at)
    let count = Self.digits(word)
    guard count > 0, end - at >= count else { return nil }
    if count == 6 {
      at += 6
      return Self.number(word, 6) &* 1000
    }
    var value = Self.number(word, count)
    at += count
    var places = count
    while at < end, at.pointee >= 0x30, at.pointee <= 0x39 {
      guard places < 9 else { return nil }
      value = value &* 10 &+ UInt64(at.pointee - 0x30)
      at += 1
      places += 1
    }
    while places < 9 {
      value &*= 10
      places += 1
    }
    return value
  }

  /// `from` up to here.
  @inline(__always)
  func text(from start: UnsafePointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: start, count: at - start)
  }
}
