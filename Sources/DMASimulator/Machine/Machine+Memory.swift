// SPDX-License-Identifier: MIT
import DMADebugCore

/// The machine's memory: pages, slabs and areas of vmalloc.
extension Machine {
  /// A pattern that no transfer had before.
  func nextPattern(_ device: Device?) -> Pattern {
    serial += 1
    return Pattern(owner: device?.index ?? 0xfffe, serial: serial)
  }

  /// `kmalloc()`: CPU address of at least `size` bytes, `nil` when there are none.
  ///
  /// - Parameter isLow: below 4 GiB (`GFP_DMA32`).
  public func kmalloc(_ size: UInt64, isLow: Bool = false) -> UInt64? {
    guard size > 0, let address = slab.allocate(size, isLow: isLow, &pages, memory) else {
      return nil
    }
    return AddressSpace.direct(address)
  }

  /// `kfree()`; `size` is what was asked for.
  public func kfree(_ address: UInt64, _ size: UInt64) {
    slab.free(address - AddressSpace.directMap, size, &pages, memory)
  }

  /// `alloc_pages()`: physical address of 2^order pages.
  func allocPages(order: Int, isLow: Bool = false) -> UInt64? {
    pages.allocate(order: order, from: isLow ? [.dma32, .dma] : [.normal, .dma32, .dma])
  }

  /// Whether there is memory for a few buffers, below 4 GiB too.
  var hasRoom: Bool {
    for zone in [PageAllocator.Zone.dma32, .normal] {
      guard let block = pages.allocate(order: 7, from: [zone, .dma]) else { return false }
      pages.free(block, order: 7)
    }
    return true
  }

  func freePages(_ address: UInt64, order: Int) {
    pages.free(address, order: order)
  }

  /// `vmalloc()`: whole pages, one behind the other for the CPU only.
  func vmalloc(_ size: UInt64) -> UInt64? {
    var list: [UInt64] = []
    for _ in 0..<(size + PhysicalMemory.pageSize - 1) / PhysicalMemory.pageSize {
      guard let page = allocPages(order: 0) else {
        for page in list { freePages(page, order: 0) }
        return nil
      }
      list.append(page)
    }
    return space.map(list, .vmalloc)
  }

  func vfree(_ address: UInt64, _ size: UInt64) {
    let count = (size + PhysicalMemory.pageSize - 1) / PhysicalMemory.pageSize
    for page in 0..<count {
      if let physical = space.physical(address + page << 12) { freePages(physical, order: 0) }
    }
    space.unmap(address, pages: count)
  }

  /// Makes memory visible to devices of a confidential machine (`set_memory_decrypted`).
  func share(_ address: UInt64, _ size: UInt64) {
    setShared(address, size, true)
  }

  /// And takes it back (`set_memory_encrypted`).
  func unshare(_ address: UInt64, _ size: UInt64) {
    setShared(address, size, false)
  }

  private func setShared(_ address: UInt64, _ size: UInt64, _ value: Bool) {
    guard options.isConfidential, size > 0 else { return }
    for page in memory.pageIndex(address)...memory.pageIndex(address + size - 1) {
      isShared[page] = value
    }
  }
}

extension Machine {
  /// What an allocation returns: where the CPU and where the device finds it.
  public struct Allocation: Sendable, Equatable {
    public var cpuAddress: UInt64
    public var dmaAddress: UInt64
  }
}
