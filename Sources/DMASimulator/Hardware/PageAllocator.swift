// SPDX-License-Identifier: MIT

/// Hands out pages in blocks of powers of two, like the kernel's buddy allocator.
struct PageAllocator {
  /// Blocks have 2^order pages, order 0 … ``maximumOrder``.
  static let maximumOrder = 10

  /// Which addresses will do (`GFP_DMA`, `GFP_DMA32`, `GFP_KERNEL`).
  enum Zone: Int, CaseIterable {
    /// Below 16 MiB.
    case dma
    /// Below 4 GiB.
    case dma32
    /// Everything.
    case normal

    /// The zone of an address.
    init(_ address: UInt64) {
      self = address < 16 << 20 ? .dma : address < 1 << 32 ? .dma32 : .normal
    }

    /// The zones to try for a mask, the highest first: what a device may use and no more.
    static func zones(below limit: UInt64) -> [Zone] {
      if limit >= 1 << 33 { return [.normal, .dma32, .dma] }
      if limit >= (1 << 32) - 1 { return [.dma32, .dma] }
      return [.dma]
    }
  }

  private static let none: Int32 = -1
  private static let orders = maximumOrder + 1

  private let memory: PhysicalMemory
  /// Of the first page of a free block its order, of every other page -1.
  private var freeOrder: [Int8]
  private var next: [Int32]
  private var previous: [Int32]
  /// First block by zone and order.
  private var heads = [Int32](repeating: none, count: Zone.allCases.count * orders)
  private(set) var freePages = 0

  /// - Parameter reserved: What is never handed out: the kernel's image, stacks, the first pages.
  init(_ memory: PhysicalMemory, reserved: [Range<UInt64>]) {
    self.memory = memory
    freeOrder = Array(repeating: -1, count: memory.pageCount)
    next = Array(repeating: Self.none, count: memory.pageCount)
    previous = Array(repeating: Self.none, count: memory.pageCount)
    for range in memory.ranges {
      // From the top down, so that low blocks end up at the heads and are handed out first.
      var blocks: [(UInt64, Int)] = []
      var address = range.lowerBound
      while address < range.upperBound {
        if let hole = reserved.first(where: { $0.contains(address) }) {
          address = hole.upperBound
          continue
        }
        var order = Self.maximumOrder
        while order > 0 {
          let block = address..<address + PhysicalMemory.pageSize << UInt64(order)
          let isAligned = address & (PhysicalMemory.pageSize << UInt64(order) - 1) == 0
          if isAligned, block.upperBound <= range.upperBound,
            !reserved.contains(where: { $0.overlaps(block) })
          {
            break
          }
          order -= 1
        }
        blocks.append((address, order))
        address += PhysicalMemory.pageSize << UInt64(order)
      }
      for (address, order) in blocks.reversed() {
        push(Int32(memory.pageIndex(address)), order)
        freePages += 1 << order
      }
    }
  }

  private func head(_ zone: Zone, _ order: Int) -> Int { zone.rawValue * Self.orders + order }

  private mutating func push(_ page: Int32, _ order: Int) {
    let list = head(Zone(memory.pageAddress(Int(page))), order)
    freeOrder[Int(page)] = Int8(order)
    next[Int(page)] = heads[list]
    previous[Int(page)] = Self.none
    if heads[list] != Self.none { previous[Int(heads[list])] = page }
    heads[list] = page
  }

  private mutating func unlink(_ page: Int32) {
    let order = Int(freeOrder[Int(page)])
    let list = head(Zone(memory.pageAddress(Int(page))), order)
    let before = previous[Int(page)]
    let behind = next[Int(page)]
    if before == Self.none { heads[list] = behind } else { next[Int(before)] = behind }
    if behind != Self.none { previous[Int(behind)] = before }
    freeOrder[Int(page)] = -1
  }

  /// A block of 2^order pages from one of the zones, tried in their order.
  ///
  /// - Returns: Its physical address, `nil` when there is none.
  mutating func allocate(order: Int, from zones: [Zone]) -> UInt64? {
    for zone in zones {
      if let address = allocate(order: order, zone) { return address }
    }
    return nil
  }

  private mutating func allocate(order: Int, _ zone: Zone) -> UInt64? {
    guard order <= Self.maximumOrder else { return nil }
    for larger in order...Self.maximumOrder {
      let page = heads[head(zone, larger)]
      guard page != Self.none else { continue }
      unlink(page)
      var split = larger
      while split > order {
        split -= 1
        push(page + Int32(1 << split), split)
      }
      freePages -= 1 << order
      let address = memory.pageAddress(Int(page))
      memory.prepare(address, PhysicalMemory.pageSize << UInt64(order))
      return address
    }
    return nil
  }

  /// A page above 4 GiB.
  mutating func allocateHigh() -> UInt64? {
    allocate(order: 0, .normal)
  }

  /// Gives a block back; free neighbours are joined.
  mutating func free(_ address: UInt64, order: Int) {
    var address = address
    var order = order
    freePages += 1 << order
    let zone = Zone(address)
    while order < Self.maximumOrder {
      let buddy = address ^ (PhysicalMemory.pageSize << UInt64(order))
      guard memory.extent(buddy) >= PhysicalMemory.pageSize << UInt64(order) else { break }
      let page = Int32(memory.pageIndex(buddy))
      guard Int(freeOrder[Int(page)]) == order, Zone(buddy) == zone else { break }
      unlink(page)
      address = min(address, buddy)
      order += 1
    }
    push(Int32(memory.pageIndex(address)), order)
  }

  /// The order of the smallest block that holds `size` bytes (`get_order`).
  static func order(_ size: UInt64) -> Int {
    let pages = max(
      1,
      size / PhysicalMemory.pageSize + (size % PhysicalMemory.pageSize > 0 ? 1 : 0)
    )
    return pages == 1 ? 0 : 64 - (pages - 1).leadingZeroBitCount
  }
}

/// Memory in small pieces, like `kmalloc`: each size class takes its pieces from its own pages.
struct SlabAllocator {
  private static let classes: [UInt64] = [
    8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192,
  ]
  /// The smallest class: `ARCH_DMA_MINALIGN` where devices do not see the CPU's caches.
  private let minimum: UInt64
  private var free: [[UInt64]]
  /// By page of memory: the class whose pieces it holds, -1 for none.
  private var classOf: [Int8]

  init(pageCount: Int, minimum: UInt64) {
    self.minimum = minimum
    free = Array(repeating: [], count: Self.classes.count * 2)
    classOf = Array(repeating: -1, count: pageCount)
  }

  /// A piece of at least `size` bytes; larger than the largest class means whole pages.
  mutating func allocate(
    _ size: UInt64,
    isLow: Bool,
    _ pages: inout PageAllocator,
    _ memory: PhysicalMemory
  ) -> UInt64? {
    let zones: [PageAllocator.Zone] = isLow ? [.dma32, .dma] : [.normal, .dma32, .dma]
    let wanted = max(size, minimum)
    guard let index = Self.classes.firstIndex(where: { $0 >= wanted && $0 % minimum == 0 }) else {
      return pages.allocate(order: PageAllocator.order(size), from: zones)
    }
    let list = index * 2 + (isLow ? 1 : 0)
    if let piece = free[list].popLast() { return piece }
    let length = Self.classes[index]
    let order = length <= 256 ? 0 : 3
    guard let block = pages.allocate(order: order, from: zones) else { return nil }
    let total = PhysicalMemory.pageSize << UInt64(order)
    for page in 0..<(total / PhysicalMemory.pageSize) {
      classOf[memory.pageIndex(block) + Int(page)] = Int8(list)
    }
    var piece = block + (total / length) * length
    while piece > block {
      piece -= length
      if piece != block { free[list].append(piece) }
    }
    return block
  }

  /// Gives a piece back; `size` is what was asked for.
  mutating func free(
    _ address: UInt64,
    _ size: UInt64,
    _ pages: inout PageAllocator,
    _ memory: PhysicalMemory
  ) {
    let list = classOf[memory.pageIndex(address)]
    guard list >= 0 else {
      pages.free(address, order: PageAllocator.order(size))
      return
    }
    free[Int(list)].append(address)
  }
}
