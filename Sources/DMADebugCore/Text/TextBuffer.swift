// SPDX-License-Identifier: MIT

/// Bytes of output under construction, with the number formats of the kernel.
public struct TextBuffer: Sendable {
  public private(set) var bytes: [UInt8] = []

  public init() {}

  public var isEmpty: Bool { bytes.isEmpty }

  /// The text, wrong UTF-8 repaired.
  public var string: String { String(decoding: bytes, as: UTF8.self) }

  public mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
  }

  public mutating func append(_ text: StaticString) {
    text.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  public mutating func append(_ text: some Sequence<UInt8>) {
    bytes.append(contentsOf: text)
  }

  public mutating func append(byte: UInt8) {
    bytes.append(byte)
  }

  public mutating func append(string: some StringProtocol) {
    bytes.append(contentsOf: string.utf8)
  }

  /// `%llu`
  public mutating func append(decimal value: UInt64) {
    if value < 10 {
      bytes.append(0x30 + UInt8(value))
      return
    }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var rest = value
      var position = 20
      while rest > 0 {
        let next = rest / 10
        position -= 1
        digits[position] = 0x30 + UInt8(truncatingIfNeeded: rest &- next &* 10)
        rest = next
      }
      bytes.append(contentsOf: UnsafeBufferPointer(rebasing: digits[position...]))
    }
  }

  /// `%0*llu`
  public mutating func append(decimal value: UInt64, digits: Int) {
    var text: [UInt8] = []
    var rest = value
    repeat {
      text.append(0x30 + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    while text.count < digits { text.append(0x30) }
    bytes.append(contentsOf: text.reversed())
  }

  /// Nanoseconds as seconds with nine digits behind the point.
  public mutating func append(seconds nanoseconds: UInt64) {
    append(decimal: nanoseconds / 1_000_000_000)
    append(".")
    append(decimal: nanoseconds % 1_000_000_000, digits: 9)
  }

  /// `%llx`, or `%0*llx` with `digits`.
  public mutating func append(hex value: UInt64, digits: Int = 1) {
    let significant = max(digits, (64 - value.leadingZeroBitCount + 3) / 4)
    var shift = UInt64(significant) * 4
    while shift > 0 {
      shift -= 4
      let digit = UInt8(truncatingIfNeeded: value >> shift & 15)
      bytes.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
    }
  }

  /// `0x%016llx`, or `?` for what is not known.
  public mutating func append(address: UInt64?) {
    guard let address else {
      bytes.append(0x3f)
      return
    }
    append("0x")
    append(hex: address, digits: 16)
  }

  /// Appends foreign bytes so that they stay on their line and move no cursor: control characters,
  /// DEL and what is not UTF-8 become `\x1b` and the like.
  public mutating func append(escaped name: some Collection<UInt8>) {
    if name.allSatisfy({ $0 >= 0x20 && $0 < 0x7f && $0 != 0x5c }) {
      bytes.append(contentsOf: name)
      return
    }
    append(name, doublesBackslashes: true) { scalar, _ in scalar.isHarmful }
  }

  /// The line ends that ``escapeControls(from:keeping:)`` lets through.
  public enum LineEnd: Sendable {
    case newline
    /// CR LF, as in CSV; a CR of its own is escaped.
    case carriageReturnNewline
  }

  /// Makes what stands from a place on safe for a terminal: control characters but newline and tab,
  /// marks that reorder or hide text, and what is not UTF-8 become `\x1b` and the like.
  ///
  /// What was escaped before stays as it is: this is the last thing that is done to a text,
  /// whatever it was made of.
  public mutating func escapeControls(from start: Int, keeping lineEnd: LineEnd = .newline) {
    let place = bytes.withUnsafeBufferPointer { bytes in
      bytes[start...].firstIndex { $0 >= 0x7f || $0 < 0x20 && $0 != 0x0a && $0 != 0x09 }
    }
    guard let place else { return }
    let rest = Array(bytes[place...])
    bytes.removeSubrange(place...)
    append(rest, doublesBackslashes: false) { scalar, index in
      switch scalar {
      case "\n", "\t": false
      case "\r" where lineEnd == .carriageReturnNewline:
        !(index + 1 < rest.count && rest[index + 1] == 0x0a)
      default: scalar.isHarmful
      }
    }
  }

  /// Appends UTF-8; bytes that are none are escaped.
  ///
  /// - Parameter isEscaped: decides about a scalar, whose place it gets.
  private mutating func append<Text: Collection<UInt8>>(
    _ text: Text,
    doublesBackslashes: Bool,
    isEscaped: (Unicode.Scalar, Text.Index) -> Bool
  ) {
    var parser = Unicode.UTF8.ForwardParser()
    var iterator = text.makeIterator()
    var position = text.startIndex
    while true {
      switch parser.parseScalar(from: &iterator) {
      case .emptyInput: return
      case .valid(let encoded):
        let scalar = Unicode.UTF8.decode(encoded)
        if isEscaped(scalar, position) {
          for byte in encoded { append(escapedByte: byte) }
        } else {
          bytes.append(contentsOf: encoded)
          if doublesBackslashes, scalar == "\\" { bytes.append(0x5c) }
        }
        position = text.index(position, offsetBy: encoded.count)
      case .error(let length):
        let end = text.index(position, offsetBy: length)
        for byte in text[position..<end] { append(escapedByte: byte) }
        position = end
      }
    }
  }

  private mutating func append(escapedByte byte: UInt8) {
    append("\\x")
    append(hex: UInt64(byte), digits: 2)
  }
}

extension String {
  /// The text of foreign bytes, with control characters and the like escaped.
  public init(escaping bytes: some Collection<UInt8>) {
    var text = TextBuffer()
    text.append(escaped: bytes)
    self = text.string
  }
}

extension Unicode.Scalar {
  /// Control characters, and marks that reorder or hide the text around them.
  public var isHarmful: Bool {
    switch value {
    case 0..<0x20, 0x7f..<0xa0: true
    case 0x00ad, 0x061c, 0x180e, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f: true
    case 0xfeff, 0xfff9...0xfffb, 0xe0000...0xe007f: true
    default: false
    }
  }
}
