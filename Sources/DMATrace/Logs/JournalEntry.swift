// SPDX-License-Identifier: MIT

/// A line of `journalctl -o json`.
///
/// Journals write flat objects whose values are texts, or lists of bytes where a text is not UTF-8.
struct JournalEntry {
  /// What was logged; it may have several lines.
  private(set) var message: [UInt8] = []
  /// Nanoseconds since boot: the kernel's own stamp, else when the journal took it.
  private(set) var time: UInt64?
  /// Nanoseconds since 1970.
  private(set) var wallTime: UInt64?
  /// Whether the kernel said it.
  private(set) var isKernel = true

  /// Values longer than this are cut off.
  private static let maximumValue = 1 << 16

  private enum Field {
    case message, sourceTime, time, wallTime, transport, identifier, other
  }

  /// Parses a line; `nil` when it is no object with a message.
  init?(_ line: Cursor) {
    var cursor = line
    guard cursor.skip(UInt8(ascii: "{")) else { return nil }
    var hasMessage = false
    var hasSourceTime = false
    var value: [UInt8] = []
    while true {
      Self.skipBlanks(&cursor)
      guard cursor.byte == UInt8(ascii: "\""), let field = Self.field(&cursor) else { return nil }
      Self.skipBlanks(&cursor)
      guard cursor.skip(UInt8(ascii: ":")) else { return nil }
      Self.skipBlanks(&cursor)
      guard Self.value(&cursor, &value, keeps: field != .other) else { return nil }
      switch field {
      case .message:
        hasMessage = true
        message = value
      case .sourceTime:
        if let micro = Self.number(value) {
          time = micro
          hasSourceTime = true
        }
      case .time: if !hasSourceTime { time = Self.number(value) }
      case .wallTime: wallTime = Self.number(value)
      case .transport:
        if !value.elementsEqual("kernel".utf8) { isKernel = false }
      case .identifier, .other: break
      }
      Self.skipBlanks(&cursor)
      if cursor.skip(UInt8(ascii: ",")) { continue }
      guard cursor.skip(UInt8(ascii: "}")) else { return nil }
      break
    }
    guard hasMessage else { return nil }
  }

  private static func skipBlanks(_ cursor: inout Cursor) {
    while cursor.byte == 0x20 || cursor.byte == 0x09 { cursor.at += 1 }
  }

  /// Microseconds as nanoseconds.
  private static func number(_ value: [UInt8]) -> UInt64? {
    guard let micro = UInt64(String(decoding: value.prefix(20), as: UTF8.self)) else { return nil }
    let (product, overflow) = micro.multipliedReportingOverflow(by: 1000)
    return overflow ? nil : product
  }

  private static func field(_ cursor: inout Cursor) -> Field? {
    if cursor.skip("\"MESSAGE\"") { return .message }
    if cursor.skip("\"_SOURCE_MONOTONIC_TIMESTAMP\"") { return .sourceTime }
    if cursor.skip("\"__MONOTONIC_TIMESTAMP\"") { return .time }
    if cursor.skip("\"__REALTIME_TIMESTAMP\"") { return .wallTime }
    if cursor.skip("\"_TRANSPORT\"") { return .transport }
    if cursor.skip("\"SYSLOG_IDENTIFIER\"") { return .identifier }
    var unused: [UInt8] = []
    return text(&cursor, &unused, keeps: false) ? .other : nil
  }

  /// A text, a number, a word, or a list; of a list of lists nothing is kept.
  private static func value(_ cursor: inout Cursor, _ bytes: inout [UInt8], keeps: Bool) -> Bool {
    bytes.removeAll(keepingCapacity: true)
    switch cursor.byte {
    case UInt8(ascii: "\""): return text(&cursor, &bytes, keeps: keeps)
    case UInt8(ascii: "["): return list(&cursor, &bytes, keeps: keeps)
    default:
      let start = cursor.at
      while !cursor.isAtEnd, cursor.byte != UInt8(ascii: ","), cursor.byte != UInt8(ascii: "}") {
        cursor.at += 1
      }
      if keeps {
        let count = min(cursor.at - start, maximumValue)
        bytes.append(contentsOf: UnsafeBufferPointer(start: start, count: count))
      }
      return cursor.at > start
    }
  }

  /// `[68,77,65]`: bytes. Fields that occur several times are lists of texts: the first one counts.
  private static func list(_ cursor: inout Cursor, _ bytes: inout [UInt8], keeps: Bool) -> Bool {
    cursor.at += 1
    var isFirstText = true
    while true {
      skipBlanks(&cursor)
      if cursor.skip(UInt8(ascii: "]")) { return true }
      if cursor.byte == UInt8(ascii: "\"") {
        guard text(&cursor, &bytes, keeps: keeps && isFirstText) else { return false }
        isFirstText = false
      } else {
        let start = cursor.at
        if let number = cursor.decimal() {
          if keeps, number < 256, bytes.count < maximumValue { bytes.append(UInt8(number)) }
        } else {
          // A sign or a word: passed over, but never without moving on.
          while !cursor.isAtEnd, cursor.byte != UInt8(ascii: ","), cursor.byte != UInt8(ascii: "]")
          {
            cursor.at += 1
          }
        }
        guard cursor.at > start else { return false }
      }
      skipBlanks(&cursor)
      if cursor.skip(UInt8(ascii: ",")) { continue }
      guard cursor.byte == UInt8(ascii: "]") else { return false }
    }
  }

  private static func text(_ cursor: inout Cursor, _ bytes: inout [UInt8], keeps: Bool) -> Bool {
    guard cursor.skip(UInt8(ascii: "\"")) else { return false }
    func put(_ byte: UInt8) {
      if keeps, bytes.count < maximumValue { bytes.append(byte) }
    }
    while !cursor.isAtEnd {
      let byte = cursor.byte
      cursor.at += 1
      switch byte {
      case UInt8(ascii: "\""): return true
      case UInt8(ascii: "\\"):
        guard !cursor.isAtEnd else { return false }
        let escape = cursor.byte
        cursor.at += 1
        switch escape {
        case UInt8(ascii: "n"): put(0x0a)
        case UInt8(ascii: "t"): put(0x09)
        case UInt8(ascii: "r"): put(0x0d)
        case UInt8(ascii: "b"): put(0x08)
        case UInt8(ascii: "f"): put(0x0c)
        case UInt8(ascii: "u"):
          guard let scalar = unicode(&cursor) else { return false }
          for unit in String(scalar).utf8 { put(unit) }
        default: put(escape)
        }
      default: put(byte)
      }
    }
    return false
  }

  /// The four digits of `\u`, and those of a second half.
  private static func unicode(_ cursor: inout Cursor) -> Unicode.Scalar? {
    guard let first = fourDigits(&cursor) else { return nil }
    if (0xd800..<0xdc00).contains(first), cursor.skip("\\u"), let second = fourDigits(&cursor),
      (0xdc00..<0xe000).contains(second)
    {
      return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
    }
    return Unicode.Scalar(first) ?? "\u{fffd}"
  }

  private static func fourDigits(_ cursor: inout Cursor) -> UInt32? {
    guard cursor.count >= 4 else { return nil }
    let digits = UnsafeBufferPointer(start: cursor.at, count: 4)
    guard let number = UInt32(String(decoding: digits, as: UTF8.self), radix: 16) else {
      return nil
    }
    cursor.at += 4
    return number
  }
}
