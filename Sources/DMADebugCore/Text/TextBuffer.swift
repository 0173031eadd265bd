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
    var decoder = UTF8()
    var iterator = name.makeIterator()
    var position = name.startIndex
    decoding: while true {
      switch decoder.decode(&iterator) {
      case .emptyInput:
        break decoding
      case .scalarValue(let scalar):
        let length = UTF8.width(scalar)
        let end = name.index(position, offsetBy: length)
        if scalar.isHarmful {
          for byte in name[position..<end] { append(escapedByte: byte) }
        } else if scalar == "\\" {
          append("\\\\")
        } else {
          bytes.append(contentsOf: name[position..<end])
        }
        position = end
      case .error:
        // The decoder has skipped an unknown number of bytes: take the rest byte by byte.
        for byte in name[position...] {
          if byte >= 0x20 && byte < 0x7f && byte != 0x5c {
            bytes.append(byte)
          } else if byte == 0x5c {
            append("\\\\")
          } else {
            append(escapedByte: byte)
          }
        }
        break decoding
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
  var isHarmful: Bool {
    switch value {
    case 0..<0x20, 0x7f..<0xa0: true
    case 0x00ad, 0x061c, 0x180e, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f: true
    case 0xfeff, 0xfff9...0xfffb, 0xe0000...0xe007f: true
    default: false
    }
  }
}
