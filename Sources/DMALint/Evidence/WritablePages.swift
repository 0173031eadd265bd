// SPDX-License-Identifier: MIT
import DMADebugCore

/// A new mapping that a device may write over, or that lies over one of those.
struct Overlap {
  /// The mapping that was there.
  var other: Mapping
  /// The new one.
  var mapping: Mapping
  var physical: UInt64
  /// They are segments of one list that is mapped again.
  var isSameList: Bool
}

/// The pages of memory that devices may write.
struct WritablePages {
  /// Mappings of more pages are left out.
  private static let indexedPages: UInt64 = 64

  private var index = PageIndex()

  @inline(__always)
  private static func forEachPage(_ change: MappingChange, _ body: (UInt64) -> Void) {
    guard let physical = change.physicalAddress, change.size > 0 else { return }
    let last = (physical &+ (change.size - 1)) >> 12
    let first = physical >> 12
    guard last >= first, last - first < indexedPages else { return }
    for page in first...last { body(page) }
  }

  /// Adds a mapping that is not to be held against others.
  mutating func adopt(_ change: MappingChange) {
    Self.forEachPage(change) { index.insert($0, change.slot) }
  }

  @inline(__always)
  mutating func remove(_ change: MappingChange) {
    Self.forEachPage(change) { index.remove($0, change.slot) }
  }

  /// Adds a mapping.
  ///
  /// - Parameter line: Of the event that made it: segments of one list may share what they like.
  /// - Returns: The mapping that it lies over.
  @inline(__always)
  mutating func add(
    _ change: MappingChange,
    _ physical: UInt64,
    line: UInt64,
    _ state: LentState
  ) -> Overlap? {
    let end = physical &+ change.size
    var other: UInt32?
    let isMeant = change.attributes.contains(.skipCPUSync)
    Self.forEachPage(change) { page in
      if other == nil, !isMeant {
        index.forEach(page) { candidate in
          guard candidate != change.slot,
            Self.overlaps(candidate, physical, end, line, state)
          else { return true }
          other = candidate
          return false
        }
      }
      index.insert(page, change.slot)
    }
    return other.map { Self.overlap(of: change.slot, with: $0, physical, state) }
  }

  /// Whether a live mapping lets a device write some bytes of a range.
  private static func overlaps(
    _ slot: UInt32,
    _ start: UInt64,
    _ end: UInt64,
    _ line: UInt64,
    _ state: LentState
  ) -> Bool {
    let live = state.engine.mapping(inSlot: slot)
    guard live.sequence != 0, let from = state.engine.physicalAddress(of: live) else {
      return false
    }
    return from < end && start < from &+ live.size && live.line != line
      && !live.attributes.contains(.skipCPUSync)
  }

  @inline(never)
  private static func overlap(
    of slot: UInt32,
    with other: UInt32,
    _ physical: UInt64,
    _ state: LentState
  ) -> Overlap {
    let live = state.engine.mapping(inSlot: other)
    let mapping = state.engine.mapping(inSlot: slot)
    let isSameList =
      mapping.type == .scatterGather && live.type == .scatterGather
      && live.device == mapping.device && live.sgCallEntries == mapping.sgCallEntries
      && state.engine.physicalAddress(of: live) == physical && live.size == mapping.size
    return Overlap(other: live, mapping: mapping, physical: physical, isSameList: isSameList)
  }
}
