// SPDX-License-Identifier: MIT

/// Writes JSON, one value after the other, commas and escapes included.
///
/// Keys come out in the order in which they are written, so the same input gives the same bytes.
public struct JSONWriter: Sendable {
  public private(set) var text = TextBuffer()
  /// Whether a value stands before the next one in each open array or object.
  private var hasValue: [Bool] = [false]
  private let isIndented: Bool

  /// - Parameter indented: A line for each value, two blanks a level; else one line in all.
  public init(indented: Bool = false) {
    isIndented = indented
  }

  public mutating func removeAll() {
    text.removeAll()
    hasValue = [false]
  }

  /// Returns what was written so far, which the text no longer holds: long ones are written in
  /// pieces.
  public mutating func takeText() -> [UInt8] {
    defer { text.removeAll() }
    return text.bytes
  }

  private mutating func separate() {
    if hasValue[hasValue.count - 1] { text.append(",") }
    hasValue[hasValue.count - 1] = true
    if hasValue.count > 1 { breakLine(hasValue.count - 1) }
  }

  private mutating func breakLine(_ level: Int) {
    guard isIndented else { return }
    text.append("\n")
    for _ in 0..<level { text.append("  ") }
  }

  public mutating func object(_ body: (inout JSONWriter) -> Void) {
    nested("{", "}", body)
  }

  public mutating func array(_ body: (inout JSONWriter) -> Void) {
    nested("[", "]", body)
  }

  private mutating func nested(
    _ open: StaticString,
    _ close: StaticString,
    _ body: (inout JSONWriter) -> Void
  ) {
    if isAfterKey { isAfterKey = false } else { separate() }
    text.append(open)
    hasValue.append(false)
    body(&self)
    let hadValue = hasValue.removeLast()
    if hadValue { breakLine(hasValue.count - 1) }
    text.append(close)
  }

  private var isAfterKey = false

  /// The key of the next value.
  public mutating func key(_ name: some StringProtocol) {
    separate()
    append(quoted: name.unicodeScalars)
    text.append(isIndented ? ": " : ":")
    isAfterKey = true
  }

  private mutating func scalar(_ body: (inout TextBuffer) -> Void) {
    if isAfterKey { isAfterKey = false } else { separate() }
    body(&text)
  }

  public mutating func number(_ value: UInt64) {
    scalar { $0.append(decimal: value) }
  }

  public mutating func number(_ value: Int64) {
    scalar { $0.append(string: String(value)) }
  }

  /// An address as a string, because numbers of JSON lose digits beyond 2^53.
  public mutating func address(_ value: UInt64) {
    scalar {
      $0.append("\"0x")
      $0.append(hex: value)
      $0.append("\"")
    }
  }

  public mutating func bool(_ value: Bool) {
    scalar { $0.append(value ? "true" : "false") }
  }

  public mutating func null() {
    scalar { $0.append("null") }
  }

  public mutating func string(_ value: some StringProtocol) {
    if isAfterKey { isAfterKey = false } else { separate() }
    append(quoted: value.unicodeScalars)
  }

  /// A key and its value.
  public mutating func pair(_ name: String, _ value: UInt64) {
    key(name)
    number(value)
  }

  public mutating func pair(_ name: String, _ value: String?) {
    key(name)
    if let value { string(value) } else { null() }
  }

  public mutating func pair(_ name: String, _ value: Bool) {
    key(name)
    bool(value)
  }

  private mutating func append(quoted scalars: some Sequence<Unicode.Scalar>) {
    text.append("\"")
    for scalar in scalars {
      switch scalar {
      case "\"": text.append("\\\"")
      case "\\": text.append("\\\\")
      case "\n": text.append("\\n")
      case "\r": text.append("\\r")
      case "\t": text.append("\\t")
      default:
        if scalar.isHarmful {
          // Also what JSON would allow: the text may be shown on a terminal.
          for unit in UTF16.encode(scalar).map(Array.init) ?? [] {
            text.append("\\u")
            text.append(hex: UInt64(unit), digits: 4)
          }
        } else {
          text.append(scalar.utf8)
        }
      }
    }
    text.append("\"")
  }
}

extension Unicode.Scalar {
  /// The bytes of its UTF-8 form.
  fileprivate var utf8: UTF8.EncodedScalar { UTF8.encode(self) ?? UTF8.encodedReplacementCharacter }
}
