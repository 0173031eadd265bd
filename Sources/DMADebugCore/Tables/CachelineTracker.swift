// SPDX-License-Identifier: MIT

/// The kernel's tree of active cachelines, of which it counts how many mappings begin in each.
///
/// Mirrors `active_cacheline_insert` and `active_cacheline_remove`, saturation included.
struct CachelineTracker: Sendable {
  /// What an insertion found.
  enum Outcome {
    /// Nobody had the cacheline.
    case new
    /// Somebody had; `intended` says that the first one had declared the overlap as intended.
    case overlap(intended: Bool, exceeded: Bool)
  }

  /// Bytes of a cacheline (`L1_CACHE_BYTES`).
  static let lineSize: UInt64 = 64
  /// The largest overlap that is stored.
  static let maximumOverlap: UInt64 = 7

  // A word a cacheline: number (58 bits), overlap (3), intended (1), used (1).
  private static let overlapShift: UInt64 = 58
  private static let intended: UInt64 = 1 << 61
  private static let used: UInt64 = 1 << 62
  private static let numberMask: UInt64 = (1 << 58) - 1

  private var slots = Slab<UInt64>(repeating: 0, count: 64)
  private var count = 0
  private let hasher = KeyHasher()

  init() {}

  /// Bytes of its slots.
  var storageBytes: Int { slots.storageBytes }

  /// The cacheline of a physical address (`to_cacheline_number`).
  @inline(__always)
  static func number(_ physicalAddress: UInt64) -> UInt64 { physicalAddress >> 6 }

  @inline(__always)
  mutating func insert(_ number: UInt64, intended: Bool) -> Outcome {
    if (count + 1) * 4 > slots.count { grow() } else { slots.makeUnique() }
    let slot = slot(number)
    let word = slots[slot]
    guard word != 0 else {
      slots[slot] = number | Self.used | (intended ? Self.intended : 0)
      count += 1
      return .new
    }
    let overlap = word >> Self.overlapShift & Self.maximumOverlap
    let exceeded = overlap == Self.maximumOverlap
    if !exceeded { slots[slot] = word + 1 << Self.overlapShift }
    return .overlap(intended: word & Self.intended != 0, exceeded: exceeded)
  }

  /// Does nothing for a line that is not active: after saturation there are more ends than counted.
  @inline(__always)
  mutating func remove(_ number: UInt64) {
    slots.makeUnique()
    let slot = slot(number)
    let word = slots[slot]
    if word == 0 { return }
    if word >> Self.overlapShift & Self.maximumOverlap > 0 {
      slots[slot] = word - 1 << Self.overlapShift
      return
    }
    let mask = slots.count - 1
    var hole = slot
    var next = (hole + 1) & mask
    while slots[next] != 0 {
      let home = home(slots[next] & Self.numberMask)
      if (next - home) & mask >= (next - hole) & mask {
        slots[hole] = slots[next]
        hole = next
      }
      next = (next + 1) & mask
    }
    slots[hole] = 0
    count -= 1
  }

  @inline(__always)
  private func home(_ number: UInt64) -> Int {
    Int(hasher.hash(number, 0)) & (slots.count - 1)
  }

  /// The slot of a line, or the free one where it would go.
  @inline(__always)
  private func slot(_ number: UInt64) -> Int {
    let mask = slots.count - 1
    var slot = home(number)
    while slots[slot] != 0, slots[slot] & Self.numberMask != number { slot = (slot + 1) & mask }
    return slot
  }

  @inline(never)
  private mutating func grow() {
    let old = slots
    slots = Slab(repeating: 0, count: old.count * 2)
    for slot in old.indices where old[slot] != 0 {
      slots[self.slot(old[slot] & Self.numberMask)] = old[slot]
    }
  }
}
