// SPDX-License-Identifier: MIT

/// Decodes UTF-8 and hands out, one by one, the bytes that are none. The standard library's
/// decoders replace those, and the reader of a trace wants to see what was there.
struct EscapingUTF8Decoder<Bytes: IteratorProtocol> where Bytes.Element == UInt8 {
  enum Item: Equatable {
    case scalar(Unicode.Scalar)
    case invalid(UInt8)
  }

  private var bytes: Bytes
  /// Bytes that were read ahead: at most the four of one sequence.
  private var pending: [UInt8] = []

  init(_ bytes: Bytes) {
    self.bytes = bytes
  }

  mutating func next() -> Item? {
    guard let first = peek(0) else { return nil }
    let length: Int
    var value: UInt32
    switch first {
    case 0x00...0x7F: (length, value) = (1, UInt32(first))
    case 0xC2...0xDF: (length, value) = (2, UInt32(first & 0x1F))
    case 0xE0...0xEF: (length, value) = (3, UInt32(first & 0x0F))
    case 0xF0...0xF4: (length, value) = (4, UInt32(first & 0x07))
    default: return invalid()
    }
    for index in 1..<length {
      guard let byte = peek(index), byte & 0xC0 == 0x80 else { return invalid() }
      value = value << 6 | UInt32(byte & 0x3F)
    }
    let smallest: UInt32 = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0
    guard value >= smallest, let scalar = Unicode.Scalar(value) else { return invalid() }
    pending.removeFirst(length)
    return .scalar(scalar)
  }

  private mutating func invalid() -> Item {
    .invalid(pending.removeFirst())
  }

  private mutating func peek(_ index: Int) -> UInt8? {
    while pending.count <= index {
      guard let byte = bytes.next() else { return nil }
      pending.append(byte)
    }
    return pending[index]
  }
}
