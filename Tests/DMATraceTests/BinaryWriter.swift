// SPDX-License-Identifier: MIT

/// Numbers in either byte order, for files made by hand.
struct BinaryWriter {
  var bytes: [UInt8] = []
  var isBigEndian = false

  mutating func put(_ value: UInt64, _ size: Int) {
    for index in 0..<size {
      let shift = UInt64(8 * (isBigEndian ? size - 1 - index : index))
      bytes.append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }
  mutating func put(_ other: [UInt8]) { bytes.append(contentsOf: other) }

  mutating func string(_ text: String) {
    put(text)
    bytes.append(0)
  }

  /// Overwrites a number.
  mutating func set(_ value: UInt64, _ size: Int, at place: Int) {
    var other = BinaryWriter(isBigEndian: isBigEndian)
    other.put(value, size)
    bytes.replaceSubrange(place..<place + size, with: other.bytes)
  }

  mutating func align(_ size: Int) {
    while bytes.count % size != 0 { bytes.append(0) }
  }
}
