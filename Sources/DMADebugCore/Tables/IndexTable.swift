// SPDX-License-Identifier: MIT

/// A hash table from keys that live elsewhere to indices of entries.
///
/// Open addressing with linear probing and backward-shift deletion. A slot is one word: the upper
/// half is a 32-bit hash, from whose upper bits the home slot follows, the lower half the index.
/// The hash is keyed at random per process, so that hostile input cannot choose collisions; nothing
/// is ever printed in the order of the table.
struct IndexTable: Sendable {
  private static let free: UInt64 = .max

  private var slots: Slab<UInt64>
  private var mask: Int
  private var shift: UInt32
  private(set) var count = 0

  init() {
    slots = Slab(repeating: Self.free, count: 64)
    mask = 63
    shift = 32 - 6
  }

  /// Bytes of its slots.
  var storageBytes: Int { slots.storageBytes }

  /// Where `hash` is with an index that `matches`, or `nil`.
  @inline(__always)
  func find(_ hash: UInt32, _ matches: (UInt32) -> Bool) -> UInt32? {
    var slot = Int(hash >> shift)
    while true {
      let word = slots[slot]
      if word == Self.free { return nil }
      if UInt32(truncatingIfNeeded: word >> 32) == hash {
        let index = UInt32(truncatingIfNeeded: word)
        if matches(index) { return index }
      }
      slot = (slot + 1) & mask
    }
  }

  /// Adds an index under a hash; the pair must not be in the table.
  @inline(__always)
  mutating func insert(_ hash: UInt32, _ index: UInt32) {
    if (count + 1) * 4 > slots.count { grow() } else { slots.makeUnique() }
    count += 1
    place(UInt64(hash) << 32 | UInt64(index))
  }

  /// Puts another index in the place of one that is in the table.
  mutating func replace(_ hash: UInt32, _ old: UInt32, with new: UInt32) {
    slots.makeUnique()
    slots[slot(of: UInt64(hash) << 32 | UInt64(old))] = UInt64(hash) << 32 | UInt64(new)
  }

  /// Takes out a pair that is in the table.
  @inline(__always)
  mutating func remove(_ hash: UInt32, _ index: UInt32) {
    slots.makeUnique()
    var hole = slot(of: UInt64(hash) << 32 | UInt64(index))
    var next = (hole + 1) & mask
    while slots[next] != Self.free {
      let home = Int(UInt32(truncatingIfNeeded: slots[next] >> 32) >> shift)
      // A slot may move back when its home is not between the hole and itself.
      if (next - home) & mask >= (next - hole) & mask {
        slots[hole] = slots[next]
        hole = next
      }
      next = (next + 1) & mask
    }
    slots[hole] = Self.free
    count -= 1
  }

  @inline(__always)
  private func slot(of word: UInt64) -> Int {
    var slot = Int(UInt32(truncatingIfNeeded: word >> 32) >> shift)
    while slots[slot] != word {
      precondition(slots[slot] != Self.free, "entry is not in the table")
      slot = (slot + 1) & mask
    }
    return slot
  }

  @inline(__always)
  private func place(_ word: UInt64) {
    var slot = Int(UInt32(truncatingIfNeeded: word >> 32) >> shift)
    while slots[slot] != Self.free { slot = (slot + 1) & mask }
    slots[slot] = word
  }

  @inline(never)
  private mutating func grow() {
    let old = slots
    slots = Slab(repeating: Self.free, count: old.count * 2)
    mask = slots.count - 1
    // Beyond 2^32 slots the hash would have no bits left; memory ends long before.
    shift -= 1
    for slot in old.indices where old[slot] != Self.free { place(old[slot]) }
  }
}

/// Keyed hashing of small keys.
///
/// Two multiplications: the first by a secret, so that nobody can choose keys that collide, the
/// second to spread what is left of regular strides.
struct KeyHasher: Sendable {
  private let secret: UInt64
  private let multiplier: UInt64

  init() {
    var generator = SystemRandomNumberGenerator()
    secret = generator.next()
    multiplier = generator.next() | 1
  }

  @inline(__always)
  func hash(_ a: UInt64, _ b: UInt64) -> UInt32 {
    var mixed = (a ^ secret &+ b &* 0x9e37_79b9_7f4a_7c15) &* multiplier
    mixed ^= mixed >> 32
    return UInt32(truncatingIfNeeded: (mixed &* 0xff51_afd7_ed55_8ccd) >> 32)
  }

  @inline(__always)
  func hash(_ a: UInt64, _ b: UInt64, _ c: UInt64) -> UInt32 {
    let inner = (c ^ secret) &* multiplier
    return hash(a ^ inner ^ inner >> 29, b)
  }
}
