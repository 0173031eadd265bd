// SPDX-License-Identifier: MIT

/// Where the simulated kernel keeps what: virtual addresses and what is behind them.
///
/// The machine is one whose kernel image lies in the direct map and whose stacks are ordinary
/// pages, so that every check of dma-debug for the kind of memory can be met.
struct AddressSpace {
  static let directMap: UInt64 = 0xff11_0000_0000_0000
  static let directMapSize: UInt64 = 1 << 46
  static let vmalloc: Range<UInt64> = 0xffa0_0000_0000_0000..<0xffd2_0000_0000_0000
  /// Memory of devices that was mapped for the CPU.
  static let ioremap: Range<UInt64> = 0xffd4_0000_0000_0000..<0xffd6_0000_0000_0000
  /// Where processes have what they map.
  static let user: UInt64 = 0x7f00_0000_0000

  /// Physical ranges of the kernel itself.
  static let text: Range<UInt64> = 0x100_0000..<0x120_0000
  static let readOnlyData: Range<UInt64> = 0x120_0000..<0x130_0000
  static let stacks: Range<UInt64> = 0x140_0000..<0x150_0000
  static let reserved: [Range<UInt64>] = [0..<0x10_0000, 0x100_0000..<0x150_0000]

  /// Page of a remapped virtual address to page of memory.
  private var pages: [UInt64: UInt64] = [:]
  private var nextVmalloc = vmalloc.lowerBound
  private var nextIO = ioremap.lowerBound
  private var nextUser = user
  /// Freed ranges of vmalloc space by size in pages.
  private var freeRanges: [UInt64: [UInt64]] = [:]
  /// Virtual pages that bypass the cache.
  private var uncached: Set<UInt64> = []

  static func direct(_ physical: UInt64) -> UInt64 { directMap + physical }

  /// The physical address behind a virtual one; `nil` when nothing is mapped there.
  @inline(__always)
  func physical(_ address: UInt64) -> UInt64? {
    if address >= Self.directMap, address - Self.directMap < Self.directMapSize {
      return address - Self.directMap
    }
    return pages[address >> 12].map { $0 << 12 | address & 4095 }
  }

  /// Whether the CPU's cache stands before this address.
  @inline(__always)
  func isCached(_ address: UInt64) -> Bool {
    uncached.isEmpty || !uncached.contains(address >> 12)
  }

  static func isVmalloc(_ address: UInt64) -> Bool { vmalloc.contains(address) }

  enum Area {
    case vmalloc
    case io
    case user
  }

  /// Maps pages of memory one behind the other (`vmap`, `memremap`, `mmap`).
  mutating func map(_ memory: [UInt64], _ area: Area, uncached isUncached: Bool = false) -> UInt64 {
    let count = UInt64(memory.count)
    let start: UInt64
    switch area {
    case .vmalloc:
      if let free = freeRanges[count]?.popLast() {
        start = free
      } else {
        start = nextVmalloc
        // A guard page behind each range.
        nextVmalloc += (count + 1) << 12
      }
    case .io:
      start = nextIO
      nextIO += (count + 1) << 12
    case .user:
      start = nextUser
      nextUser += (count + 1) << 12
    }
    for (index, page) in memory.enumerated() {
      pages[start >> 12 + UInt64(index)] = page >> 12
      if isUncached { uncached.insert(start >> 12 + UInt64(index)) }
    }
    return start
  }

  /// Takes away what ``map(_:_:uncached:)`` mapped.
  mutating func unmap(_ start: UInt64, pages count: UInt64) {
    for page in 0..<count {
      pages[start >> 12 + page] = nil
      uncached.remove(start >> 12 + page)
    }
    if Self.isVmalloc(start) { freeRanges[count, default: []].append(start) }
  }
}
