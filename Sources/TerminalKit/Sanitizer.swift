// SPDX-License-Identifier: MIT

/// Makes foreign text harmless to show: nothing in a name can move the cursor, set a title, reorder
/// the line or hide in it.
public enum Sanitizer {
  /// Whether a code point must not reach a terminal as it is: control characters (C0, DEL, C1),
  /// format characters (bidirectional overrides, zero-width spaces and joiners), line separators,
  /// and code points that are no characters.
  public static func needsEscape(_ scalar: Unicode.Scalar) -> Bool {
    let value = scalar.value
    if value < 0x7F { return value < 0x20 }
    if value < 0xA0 { return true }
    if value < 0x300 { return value == 0xAD }
    if (0x2500...0x25FF).contains(value) { return false }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: return true
    case .unassigned: return value & 0xFFFE == 0xFFFE || (0xFDD0...0xFDEF).contains(value)
    default: return (0xFE00...0xFE0F).contains(value) || (0xE0100...0xE01EF).contains(value)
    }
  }

  /// The columns of `escape(_:)`'s answer.
  static func escapeWidth(_ scalar: Unicode.Scalar) -> Int {
    4 * UTF8.width(scalar)
  }

  /// The bytes of a code point as `\x1b`.
  public static func escape(_ scalar: Unicode.Scalar) -> String {
    var text = ""
    for byte in UTF8.encode(scalar)! { appendEscape(byte, to: &text) }
    return text
  }

  /// `\x1b` for a byte.
  static func appendEscape(_ byte: UInt8, to text: inout String) {
    text += "\\x"
    text.unicodeScalars.append(hexDigit(byte >> 4))
    text.unicodeScalars.append(hexDigit(byte & 15))
  }

  private static func hexDigit(_ value: UInt8) -> Unicode.Scalar {
    Unicode.Scalar(value < 10 ? 0x30 + value : 0x57 + value)
  }
}

/// The bytes of a foreign name as text that is safe to show.
///
/// What a terminal could take as a command, and every byte that is not UTF-8, becomes `\x1b` and
/// the like. With `asciiOnly` everything beyond ASCII does. The answer is not meant to be parsed
/// back: a backslash stays as it is.
public func sanitized(_ bytes: some Sequence<UInt8>, asciiOnly: Bool = false) -> String {
  var text = ""
  var decoder = EscapingUTF8Decoder(bytes.makeIterator())
  while let item = decoder.next() {
    switch item {
    case .scalar(let scalar):
      if Sanitizer.needsEscape(scalar) || (asciiOnly && !scalar.isASCII) {
        text += Sanitizer.escape(scalar)
      } else {
        text.unicodeScalars.append(scalar)
      }
    case .invalid(let byte):
      Sanitizer.appendEscape(byte, to: &text)
    }
  }
  return text
}

/// Foreign text that has already been decoded; see `sanitized(_:asciiOnly:)` for bytes.
public func sanitized(_ text: some StringProtocol, asciiOnly: Bool = false) -> String {
  sanitized(text.utf8, asciiOnly: asciiOnly)
}
