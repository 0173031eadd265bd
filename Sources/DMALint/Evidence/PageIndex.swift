// SPDX-License-Identifier: MIT

/// Which mappings have bytes in a page: numbers of mappings by the number of the page, several each.
///
/// Open addressing with the same page in several places; removing closes the gap that it leaves.
struct PageIndex {
  private struct Entry: BitwiseCopyable {
    var page: UInt64
    /// A mapping's slot and 1; 0 is a free place.
    var slot: UInt32
  }

  private var entries: [Entry]
  private var mask: Int
  private var count = 0

  init() {
    entries = Array(repeating: Entry(page: 0, slot: 0), count: 1024)
    mask = 1023
  }

  @inline(__always)
  private static func hash(_ page: UInt64) -> Int {
    Int(truncatingIfNeeded: (page &* 0x9e37_79b9_7f4a_7c15) >> 32)
  }

  mutating func insert(_ page: UInt64, _ slot: UInt32) {
    if count * 2 >= entries.count { grow() }
    var place = Self.hash(page) & mask
    while entries[place].slot != 0 { place = (place + 1) & mask }
    entries[place] = Entry(page: page, slot: slot + 1)
    count += 1
  }

  mutating func remove(_ page: UInt64, _ slot: UInt32) {
    var place = Self.hash(page) & mask
    while entries[place].slot != 0 {
      if entries[place].slot == slot + 1, entries[place].page == page {
        close(place)
        return
      }
      place = (place + 1) & mask
    }
  }

  /// Moves up what would no longer be found behind a free place.
  private mutating func close(_ gap: Int) {
    var gap = gap
    var place = (gap + 1) & mask
    while entries[place].slot != 0 {
      let home = Self.hash(entries[place].page) & mask
      if (place - home) & mask >= (place - gap) & mask {
        entries[gap] = entries[place]
        gap = place
      }
      place = (place + 1) & mask
    }
    entries[gap].slot = 0
    count -= 1
  }

  private mutating func grow() {
    let old = entries
    mask = entries.count * 2 - 1
    entries = Array(repeating: Entry(page: 0, slot: 0), count: mask + 1)
    count = 0
    for entry in old where entry.slot != 0 { insert(entry.page, entry.slot - 1) }
  }

  /// Calls `body` with the mappings of a page until it says that it is enough.
  @inline(__always)
  func forEach(_ page: UInt64, _ body: (UInt32) -> Bool) {
    var place = Self.hash(page) & mask
    while entries[place].slot != 0 {
      if entries[place].page == page, !body(entries[place].slot - 1) { return }
      place = (place + 1) & mask
    }
  }
}
