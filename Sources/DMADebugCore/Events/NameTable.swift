// SPDX-License-Identifier: MIT

/// Byte strings interned to small integers, in order of first appearance.
///
/// Device, driver, task and symbol names arrive with every event; they are compared and stored as
/// numbers. Names are only ever added, so a number stays valid for every copy of the engine that
/// was made later or earlier. The table is bounded: see ``maximumCount`` and ``maximumBytes``.
public struct NameTable: Sendable {
  /// The longest name that is kept, in bytes; the rest is cut off.
  public static let maximumLength = 4096
  /// The most names that are kept; later ones all become ``overflow``.
  public static let maximumCount = 1 << 20
  /// The most bytes of names that are kept, for a capture that invents long ones.
  public static let maximumBytes = 64 << 20
  /// The number of the name that stands for "unknown", printed `?`.
  public static let unknown: UInt32 = 0
  /// The number that names get when the table is full.
  public static let overflow: UInt32 = 1

  private var bytes: [UInt8] = []
  private var starts: [UInt32] = []
  /// Open addressing, `number + 1`, 0 for a free slot.
  private var slots: [UInt32]
  private var mask: Int
  private let seed: UInt64
  private let maximumBytes: Int

  /// - Parameter maximumBytes: of all names together.
  public init(maximumBytes: Int = maximumBytes) {
    self.maximumBytes = maximumBytes
    slots = Array(repeating: 0, count: 64)
    mask = 63
    var generator = SystemRandomNumberGenerator()
    // Hostile input must not be able to choose colliding names; no output depends on the seed.
    seed = generator.next()
    starts.append(0)
    add("?")
    add("(too many names)")
  }

  /// How many names there are; valid numbers are below it.
  public var count: Int { starts.count - 1 }

  private mutating func add(_ name: StaticString) {
    _ = name.withUTF8Buffer { intern($0) }
  }

  /// The number of `name`, which is added when it is new.
  ///
  /// - Complexity: O(length) on average.
  public mutating func intern(_ name: UnsafeBufferPointer<UInt8>) -> UInt32 {
    let length = min(name.count, Self.maximumLength)
    let name = UnsafeBufferPointer(rebasing: name[0..<length])
    var slot = Int(truncatingIfNeeded: hash(name)) & mask
    while slots[slot] != 0 {
      let number = slots[slot] - 1
      if equals(number, name) { return number }
      slot = (slot + 1) & mask
    }
    if count >= Self.maximumCount || bytes.count + length > maximumBytes {
      return Self.overflow
    }
    let number = UInt32(count)
    bytes.append(contentsOf: name)
    starts.append(UInt32(bytes.count))
    slots[slot] = number + 1
    if count * 2 > slots.count { grow() }
    return number
  }

  /// The number of `name`, which is added when it is new.
  public mutating func intern(_ name: some StringProtocol) -> UInt32 {
    var bytes = Array(name.utf8)
    return bytes.withUnsafeMutableBufferPointer { intern(UnsafeBufferPointer($0)) }
  }

  /// The number of `name`, or `nil` when it was never interned.
  public func find(_ name: UnsafeBufferPointer<UInt8>) -> UInt32? {
    var slot = Int(truncatingIfNeeded: hash(name)) & mask
    while slots[slot] != 0 {
      let number = slots[slot] - 1
      if equals(number, name) { return number }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// The bytes of a name; those of `?` for a number that the table does not know.
  public subscript(number: UInt32) -> ArraySlice<UInt8> {
    let index = Int(number) < count ? Int(number) : Int(Self.unknown)
    return bytes[Int(starts[index])..<Int(starts[index + 1])]
  }

  /// The name as a `String`, wrong UTF-8 repaired. It may hold control characters.
  public func string(_ number: UInt32) -> String {
    String(decoding: self[number], as: UTF8.self)
  }

  private func equals(_ number: UInt32, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
    let start = Int(starts[Int(number)])
    let end = Int(starts[Int(number) + 1])
    guard end - start == name.count else { return false }
    for index in 0..<name.count where bytes[start + index] != name[index] { return false }
    return true
  }

  private func hash(_ name: UnsafeBufferPointer<UInt8>) -> UInt64 {
    var state = seed ^ 0xcbf2_9ce4_8422_2325
    for byte in name {
      state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }
    state = (state ^ (state >> 32)) &* (seed | 1)
    return state ^ (state >> 29)
  }

  private mutating func grow() {
    let size = slots.count * 2
    slots = Array(repeating: 0, count: size)
    mask = size - 1
    for number in 0..<count {
      let range = Int(starts[number])..<Int(starts[number + 1])
      let slot = bytes.withUnsafeBufferPointer { all in
        Int(truncatingIfNeeded: hash(UnsafeBufferPointer(rebasing: all[range]))) & mask
      }
      var free = slot
      while slots[free] != 0 { free = (free + 1) & mask }
      slots[free] = UInt32(number) + 1
    }
  }
}
