// SPDX-License-Identifier: MIT
import DMADebugCore

/// A small cache from the bytes of a name to its number, in front of a ``NameTable``.
///
/// The same few names come with every line. A name of at most 64 bytes is found by comparing words.
struct NameCache {
  private static let slots = 256
  private static let words = 8
  static let longest = 64
  /// What all marks of a capture share.
  static let empty = NameCache()

  /// Words of the names, `words` for each slot.
  private var names = [UInt64](repeating: 0, count: slots * words)
  /// Length of the name in the low byte (0 for none), its number above.
  private var numbers = [UInt64](repeating: 0, count: slots)

  @inline(__always)
  private static func mask(_ length: Int) -> UInt64 {
    let rest = length & 7
    return rest == 0 ? .max : (UInt64(1) << UInt64(8 * rest)) - 1
  }

  @inline(__always)
  private static func slot(_ name: UnsafePointer<UInt8>, _ length: Int) -> Int {
    var hash = UInt64(length)
    var offset = 0
    while offset + 8 < length {
      hash = (hash ^ Cursor.load(name + offset)) &* 0x9e37_79b9_7f4a_7c15
      offset += 8
    }
    hash = (hash ^ (Cursor.load(name + offset) & mask(length))) &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: hash >> 56)
  }

  /// The number of a name, when the cache has it.
  ///
  /// The name must stand in the buffer of a ``ByteSource``: whole words of it are loaded.
  @inline(__always)
  func find(_ name: UnsafePointer<UInt8>, _ length: Int) -> UInt32? {
    guard length > 0, length <= Self.longest else { return nil }
    let slot = Self.slot(name, length)
    let entry = numbers[slot]
    guard entry & 0xff == UInt64(length) else { return nil }
    var index = slot * Self.words
    var offset = 0
    while offset + 8 < length {
      if names[index] != Cursor.load(name + offset) { return nil }
      offset += 8
      index += 1
    }
    if names[index] != Cursor.load(name + offset) & Self.mask(length) { return nil }
    return UInt32(truncatingIfNeeded: entry >> 32)
  }

  /// Remembers a name, in place of another one.
  mutating func insert(_ name: UnsafePointer<UInt8>, _ length: Int, _ number: UInt32) {
    guard length > 0, length <= Self.longest else { return }
    let slot = Self.slot(name, length)
    var index = slot * Self.words
    var offset = 0
    while offset + 8 < length {
      names[index] = Cursor.load(name + offset)
      offset += 8
      index += 1
    }
    names[index] = Cursor.load(name + offset) & Self.mask(length)
    numbers[slot] = UInt64(number) << 32 | UInt64(length)
  }

  /// The number of a name in `table`.
  @inline(__always)
  mutating func number(
    _ name: UnsafePointer<UInt8>,
    _ length: Int,
    in table: inout NameTable
  ) -> UInt32 {
    if let number = find(name, length) { return number }
    let number = table.intern(UnsafeBufferPointer(start: name, count: length))
    insert(name, length, number)
    return number
  }
}
