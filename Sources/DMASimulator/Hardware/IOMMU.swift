// SPDX-License-Identifier: MIT
import DMADebugCore

/// Hands out addresses of a device's own address space (`drivers/iommu/iova.c`).
///
/// Addresses are given from the top down and lengths rounded up to powers of two, as the kernel
/// does; freed ranges are used again, the last one first.
struct IOVAAllocator {
  static let granule: UInt64 = 4096

  /// Page numbers below which the next range is cut off, below 4 GiB and above.
  private var top32: UInt64
  private var top64: UInt64
  /// Lowest page that may be used.
  private let bottom: UInt64
  /// Freed ranges by order, below 4 GiB and above.
  private var free32 = [[UInt64]](repeating: [], count: 64)
  private var free64 = [[UInt64]](repeating: [], count: 64)
  private(set) var allocatedPages: UInt64 = 0

  /// - Parameters:
  ///   - aperture: the highest address of the domain.
  ///   - bottom: the lowest address of the domain.
  init(aperture: UInt64, bottom: UInt64 = 0x1000) {
    top32 = (min(aperture, (1 << 32) - 1) >> 12) + 1
    top64 = (aperture >> 12) + 1
    self.bottom = max(1, bottom >> 12)
  }

  /// The order by which a length is rounded up.
  private static func order(_ pages: UInt64) -> Int {
    pages <= 1 ? 0 : 64 - (pages - 1).leadingZeroBitCount
  }

  /// A range of `pages` pages at or below `limit`.
  ///
  /// PCI devices get an address below 4 GiB while there is one, whatever their mask.
  mutating func allocate(_ pages: UInt64, limit: UInt64) -> UInt64? {
    let order = Self.order(pages)
    let size: UInt64 = 1 << UInt64(order)
    if let page = Self.cut(
      &free32,
      &top32,
      order,
      size,
      floor: bottom,
      limit: min(limit, (1 << 32) - 1)
    ) {
      allocatedPages += size
      return page << 12
    }
    guard limit >= 1 << 32 else { return nil }
    if let page = Self.cut(&free64, &top64, order, size, floor: 1 << 20, limit: limit) {
      allocatedPages += size
      return page << 12
    }
    return nil
  }

  private static func cut(
    _ free: inout [[UInt64]],
    _ top: inout UInt64,
    _ order: Int,
    _ size: UInt64,
    floor: UInt64,
    limit: UInt64
  ) -> UInt64? {
    if let last = free[order].last, (last + size) << 12 - 1 <= limit {
      free[order].removeLast()
      return last
    }
    let end = min(top, (limit >> 12) + 1) & ~(size - 1)
    if end >= floor + size {
      // What lies between by alignment goes to the free ranges.
      var gap = min(top, (limit >> 12) + 1)
      top = end - size
      while gap > end {
        gap -= 1
        free[0].append(gap)
      }
      return end - size
    }
    // A larger freed range is divided.
    for larger in order..<free.count {
      guard let index = free[larger].lastIndex(where: { ($0 + size) << 12 - 1 <= limit }) else {
        continue
      }
      let start = free[larger].remove(at: index)
      var rest = larger
      while rest > order {
        rest -= 1
        free[rest].append(start + 1 << UInt64(rest))
      }
      return start
    }
    return nil
  }

  mutating func free(_ address: UInt64, _ pages: UInt64) {
    let order = Self.order(pages)
    allocatedPages -= 1 << UInt64(order)
    if address < 1 << 32 {
      free32[order].append(address >> 12)
    } else {
      free64[order].append(address >> 12)
    }
  }
}

/// A device's own view of memory: addresses of its own, translated by page.
final class IOMMUDomain {
  /// What a device may do with a page.
  struct Access: OptionSet {
    let rawValue: UInt64

    static let read = Access(rawValue: 1)
    static let write = Access(rawValue: 2)

    /// What a mapping of a direction allows (`dma_info_to_prot`).
    init(_ direction: Direction) {
      switch direction {
      case .toDevice: self = .read
      case .fromDevice: self = .write
      case .bidirectional: self = [.read, .write]
      case .none: self = []
      }
    }

    init(rawValue: UInt64) { self.rawValue = rawValue }
  }

  private static let leafPages: UInt64 = 512
  @exclusivity(unchecked) var addresses: IOVAAllocator
  /// Page tables: by the upper part of the address a leaf of 512 entries, page | access, 0 for none.
  @exclusivity(unchecked) private var leaves: [UInt64: Int] = [:]
  @exclusivity(unchecked) private var entries: [UInt64] = []
  @exclusivity(unchecked) private var lastKey = UInt64.max
  @exclusivity(unchecked) private var lastLeaf = 0
  @exclusivity(unchecked) private(set) var mappedPages = 0

  init(aperture: UInt64) {
    addresses = IOVAAllocator(aperture: aperture)
  }

  @inline(__always)
  private func index(_ address: UInt64, creating: Bool) -> Int? {
    let page = address >> 12
    let key = page / Self.leafPages
    if key != lastKey {
      if let leaf = leaves[key] {
        lastLeaf = leaf
      } else if creating {
        lastLeaf = entries.count
        leaves[key] = lastLeaf
        entries.append(contentsOf: repeatElement(0, count: Int(Self.leafPages)))
      } else {
        return nil
      }
      lastKey = key
    }
    return lastLeaf + Int(page % Self.leafPages)
  }

  /// Maps pages (`iommu_map`); all three are multiples of the granule.
  func map(_ address: UInt64, _ physical: UInt64, _ size: UInt64, _ access: Access) {
    var offset: UInt64 = 0
    while offset < size {
      if let entry = index(address &+ offset, creating: true) {
        if entries[entry] == 0 { mappedPages += 1 }
        entries[entry] = (physical &+ offset) | access.rawValue
      }
      offset += IOVAAllocator.granule
    }
  }

  /// Takes pages out (`iommu_unmap`).
  ///
  /// - Returns: How many bytes were mapped.
  @discardableResult
  func unmap(_ address: UInt64, _ size: UInt64) -> UInt64 {
    var offset: UInt64 = 0
    var unmapped: UInt64 = 0
    while offset < size {
      if let entry = index(address &+ offset, creating: false), entries[entry] != 0 {
        entries[entry] = 0
        mappedPages -= 1
        unmapped += IOVAAllocator.granule
      }
      offset += IOVAAllocator.granule
    }
    return unmapped
  }

  /// Where an address leads to and what is allowed there; `nil` when nothing is mapped.
  func translate(_ address: UInt64) -> (physical: UInt64, access: Access)? {
    guard let entry = index(address, creating: false), entries[entry] != 0 else { return nil }
    return ((entries[entry] & ~4095) | (address & 4095), Access(rawValue: entries[entry] & 3))
  }
}
