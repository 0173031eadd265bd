// SPDX-License-Identifier: MIT

/// The bounce buffer (`kernel/dma/swiotlb.c`): slots of 2 KiB low in memory, at most 128 to a mapping.
struct SWIOTLB {
  static let slotSize: UInt64 = 2048
  /// Slots that one mapping may take (`IO_TLB_SEGSIZE`).
  static let segmentSlots = 128

  /// Physical address of the first slot.
  let start: UInt64
  let slots: Int
  private(set) var used = 0
  /// The most slots in use at any time.
  private(set) var peak = 0
  /// By slot: the original address of what is bounced there, `nil` when it is free.
  private var originals: [UInt64?]
  /// By first slot of a mapping: how many slots it has.
  private var lengths: [Int]
  private var cursor = 0

  init(start: UInt64, slots: Int) {
    self.start = start
    self.slots = slots
    originals = Array(repeating: nil, count: slots)
    lengths = Array(repeating: 0, count: slots)
  }

  var end: UInt64 { start + UInt64(slots) * Self.slotSize }

  /// `swiotlb_find_pool`
  @inline(__always)
  func contains(_ address: UInt64) -> Bool { address >= start && address < end }

  /// The largest mapping, `swiotlb_max_mapping_size`.
  ///
  /// - Parameter minimumAlignment: mask of the low bits that the device wants preserved.
  static func maximumMapping(minimumAlignment: UInt64) -> UInt64 {
    let lost = (minimumAlignment + slotSize) & ~(slotSize - 1)
    return slotSize * UInt64(segmentSlots) - (minimumAlignment == 0 ? 0 : lost)
  }

  /// Finds slots for a mapping (`swiotlb_find_slots`).
  ///
  /// - Returns: The address that stands for `original`, `nil` when the buffer is full or the mapping
  ///   too large.
  mutating func map(_ original: UInt64, _ size: UInt64, minimumAlignment: UInt64) -> UInt64? {
    let offset = original & minimumAlignment & (Self.slotSize - 1)
    let needed = Int((offset + size + Self.slotSize - 1) / Self.slotSize)
    guard needed > 0, needed <= Self.segmentSlots, needed <= slots - used else { return nil }
    // What is a page or more begins on a page.
    let stride = size >= PhysicalMemory.pageSize ? Int(PhysicalMemory.pageSize / Self.slotSize) : 1
    var index = (cursor + stride - 1) / stride * stride
    if index >= slots { index = 0 }
    let first = index
    repeat {
      let inSegment = index % Self.segmentSlots
      if inSegment + needed <= Self.segmentSlots, index + needed <= slots, isFree(index, needed) {
        for slot in 0..<needed {
          originals[index + slot] = original &- offset &+ UInt64(slot) * Self.slotSize
        }
        lengths[index] = needed
        used += needed
        peak = max(peak, used)
        cursor = index + needed < slots ? index + needed : 0
        return start + UInt64(index) * Self.slotSize + offset
      }
      index += stride
      if index >= slots { index = 0 }
    } while index != first
    return nil
  }

  private func isFree(_ index: Int, _ count: Int) -> Bool {
    for slot in index..<index + count where originals[slot] != nil { return false }
    return true
  }

  /// The memory that a bounced address stands for; `nil` when it stands for nothing.
  func original(_ address: UInt64) -> UInt64? {
    let slot = Int((address - start) / Self.slotSize)
    return originals[slot].map { $0 + (address - start) % Self.slotSize }
  }

  /// Frees as many slots as `size` says (`swiotlb_release_slots`): with a wrong size too few.
  mutating func unmap(_ address: UInt64, _ size: UInt64) {
    let index = Int((address - start) / Self.slotSize)
    let offset = (address - start) % Self.slotSize
    let count = Int((offset + size + Self.slotSize - 1) / Self.slotSize)
    for slot in index..<min(index + count, slots) where originals[slot] != nil {
      originals[slot] = nil
      used -= 1
    }
    lengths[index] = 0
  }
}
