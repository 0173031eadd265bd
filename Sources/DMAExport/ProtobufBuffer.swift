// SPDX-License-Identifier: MIT

/// Messages of Protocol Buffers under construction.
struct ProtobufBuffer {
  private(set) var bytes: [UInt8] = []

  var count: Int { bytes.count }

  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
  }

  mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  private mutating func tag(_ field: UInt64, _ type: UInt64) {
    varint(field << 3 | type)
  }

  mutating func field(_ number: UInt64, _ value: UInt64) {
    tag(number, 0)
    varint(value)
  }

  mutating func fixed(_ number: UInt64, _ value: UInt64) {
    tag(number, 1)
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func field(_ number: UInt64, _ text: String) {
    tag(number, 2)
    varint(UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  mutating func field(_ number: UInt64, message: ProtobufBuffer) {
    tag(number, 2)
    varint(UInt64(message.bytes.count))
    bytes.append(contentsOf: message.bytes)
  }

  /// How many bytes a varint takes.
  static func size(_ value: UInt64) -> Int {
    value == 0 ? 1 : (70 - value.leadingZeroBitCount) / 7
  }
}
