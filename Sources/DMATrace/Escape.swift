/// Makes foreign bytes fit to be shown: control and non-ASCII bytes become `\xNN`.
enum Escape {
  /// The bytes escaped, at most `limit` characters.
  static func bytes(_ bytes: UnsafeBufferPointer<UInt8>, limit: Int) -> String {
    var text = ""
    var room = limit
    for byte in bytes {
      if byte >= 0x20, byte < 0x7f, byte != UInt8(ascii: "\\") {
        if room < 1 { break }
        text.unicodeScalars.append(Unicode.Scalar(byte))
        room -= 1
      } else {
        if room < 4 { break }
        text += byte == UInt8(ascii: "\\") ? "\\\\" : "\\x" + hex(byte)
        room -= byte == UInt8(ascii: "\\") ? 2 : 4
      }
    }
    return text
  }

  /// A file name: letters of every language stay, control characters do not.
  static func name(_ name: String) -> String {
    var text = ""
    for scalar in name.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate:
        for byte in String(scalar).utf8 { text += "\\x" + hex(byte) }
      default:
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  private static func hex(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return digits.utf8.count == 1 ? "0" + digits : digits
  }
}
