// SPDX-License-Identifier: MIT

/// The fields of a message of Protocol Buffers, decoded without a schema.
public struct ProtobufFields {
  public enum Value: Equatable {
    case varint(UInt64)
    case fixed64(UInt64)
    case bytes([UInt8])
    case fixed32(UInt32)
  }

  /// In the order of the message.
  public private(set) var fields: [(number: UInt64, value: Value)] = []

  /// `nil` when the bytes are no message.
  public init?(_ bytes: [UInt8]) {
    var position = 0
    func varint() -> UInt64? {
      var value: UInt64 = 0
      var shift: UInt64 = 0
      while position < bytes.count, shift < 64 {
        let byte = bytes[position]
        position += 1
        value |= UInt64(byte & 0x7f) << shift
        if byte < 0x80 { return value }
        shift += 7
      }
      return nil
    }
    func fixed(_ count: Int) -> UInt64? {
      guard position + count <= bytes.count else { return nil }
      defer { position += count }
      return (0..<count).reduce(0) { $0 | UInt64(bytes[position + $1]) << UInt64(8 * $1) }
    }
    while position < bytes.count {
      guard let tag = varint(), tag >> 3 > 0 else { return nil }
      switch tag & 7 {
      case 0:
        guard let value = varint() else { return nil }
        fields.append((tag >> 3, .varint(value)))
      case 1:
        guard let value = fixed(8) else { return nil }
        fields.append((tag >> 3, .fixed64(value)))
      case 2:
        guard let count = varint(), count <= UInt64(bytes.count - position) else { return nil }
        fields.append((tag >> 3, .bytes(Array(bytes[position..<position + Int(count)]))))
        position += Int(count)
      case 5:
        guard let value = fixed(4) else { return nil }
        fields.append((tag >> 3, .fixed32(UInt32(value))))
      default:
        return nil
      }
    }
  }

  public func all(_ number: UInt64) -> [Value] {
    fields.filter { $0.number == number }.map(\.value)
  }

  public func varint(_ number: UInt64) -> UInt64? {
    for case .varint(let value) in all(number) { return value }
    return nil
  }

  public func fixed64s(_ number: UInt64) -> [UInt64] {
    all(number).compactMap { if case .fixed64(let value) = $0 { value } else { nil } }
  }

  public func messages(_ number: UInt64) -> [ProtobufFields] {
    all(number).compactMap { value in
      if case .bytes(let bytes) = value { ProtobufFields(bytes) } else { nil }
    }
  }

  public func string(_ number: UInt64) -> String? {
    for case .bytes(let bytes) in all(number) { return String(validating: bytes, as: UTF8.self) }
    return nil
  }
}
