// SPDX-License-Identifier: MIT
import DMADebugCore

/// Ib: pools.
extension Machine {
  /// `dma_pool_create()`
  ///
  /// - Parameters:
  ///   - size: bytes of a block.
  ///   - alignment: a power of two, 0 for none.
  ///   - boundary: a power of two that blocks do not cross, 0 for none.
  /// - Returns: `nil` for what the kernel does not take.
  public func dmaPoolCreate(
    _ name: String,
    _ device: Device,
    _ size: UInt64,
    _ alignment: UInt64,
    _ boundary: UInt64
  ) -> DMAPool? {
    enter(.dmaPoolCreate)
    return createPool(name, device, size, alignment, boundary)
  }

  func createPool(
    _ name: String,
    _ device: Device,
    _ size: UInt64,
    _ alignment: UInt64,
    _ boundary: UInt64
  ) -> DMAPool? {
    let alignment = alignment == 0 ? 1 : alignment
    guard alignment & (alignment - 1) == 0, size > 0, size <= 1 << 31 else { return nil }
    let block = (max(size, 16) + alignment - 1) & ~(alignment - 1)
    let pageSize = max(block, PhysicalMemory.pageSize)
    let limit = boundary == 0 ? pageSize : boundary
    guard boundary == 0 || boundary >= block && boundary & (boundary - 1) == 0 else { return nil }
    return DMAPool(
      name: name,
      device: device,
      size: block,
      boundary: min(limit, pageSize),
      pageSize: pageSize
    )
  }

  /// `dma_pool_alloc()`: a block, filled with poison.
  public func dmaPoolAlloc(_ pool: DMAPool) -> Allocation? {
    enter(.dmaPoolAlloc)
    return takeBlock(pool, zeroed: false)
  }

  /// `dma_pool_zalloc()`: a block of zeroes.
  public func dmaPoolZalloc(_ pool: DMAPool) -> Allocation? {
    enter(.dmaPoolZalloc)
    return takeBlock(pool, zeroed: true)
  }

  private func takeBlock(_ pool: DMAPool, zeroed: Bool) -> Allocation? {
    var index = pool.pages.firstIndex { !$0.free.isEmpty }
    if index == nil {
      guard let allocation = allocate(pool.device, pool.pageSize, []) else { return nil }
      fill(allocation.cpuAddress, pool.pageSize, DMAPool.poisonFreed)
      pool.pages.append(DMAPool.Page(allocation: allocation, free: pool.blockOffsets().reversed()))
      index = pool.pages.count - 1
    }
    guard let index, let offset = pool.pages[index].free.popLast() else { return nil }
    pool.pages[index].inUse += 1
    let page = pool.pages[index].allocation
    let block = Allocation(
      cpuAddress: page.cpuAddress + offset,
      dmaAddress: page.dmaAddress + offset
    )
    if !isFilled(block.cpuAddress, pool.size, DMAPool.poisonFreed) {
      log(pool.device, "dma_pool_alloc \(pool.name), \(hexadecimal(block.cpuAddress)) (corrupted)")
      observe(.poolCorrupted, pool.device, block.dmaAddress)
    }
    fill(block.cpuAddress, pool.size, zeroed ? 0 : DMAPool.poisonAllocated)
    return block
  }

  /// `dma_pool_free()`
  public func dmaPoolFree(_ pool: DMAPool, _ cpuAddress: UInt64, _ dmaAddress: UInt64) {
    enter(.dmaPoolFree)
    let found = pool.pages.firstIndex { page in
      dmaAddress >= page.allocation.dmaAddress
        && dmaAddress - page.allocation.dmaAddress < pool.pageSize
    }
    guard let found else {
      log(pool.device, "dma_pool_free \(pool.name), 0x\(hexadecimal(dmaAddress)) (bad dma)")
      observe(.poolDoubleFree, pool.device, dmaAddress)
      return
    }
    let offset = dmaAddress - pool.pages[found].allocation.dmaAddress
    if pool.pages[found].free.contains(offset) {
      log(pool.device, "dma_pool_free \(pool.name), dma 0x\(hexadecimal(dmaAddress)) already free")
      observe(.poolDoubleFree, pool.device, dmaAddress)
      return
    }
    fill(cpuAddress, pool.size, DMAPool.poisonFreed)
    pool.pages[found].free.append(offset)
    pool.pages[found].inUse -= 1
  }

  /// `dma_pool_destroy()`: with blocks in use the kernel complains and keeps the memory.
  public func dmaPoolDestroy(_ pool: DMAPool) {
    enter(.dmaPoolDestroy)
    destroyPool(pool)
  }

  func destroyPool(_ pool: DMAPool) {
    if pool.activeBlocks > 0 {
      log(pool.device, "dma_pool_destroy \(pool.name) busy")
      observe(.poolBusy, pool.device, UInt64(pool.activeBlocks))
    } else {
      for page in pool.pages {
        free(
          pool.device,
          pool.pageSize,
          page.allocation.cpuAddress,
          page.allocation.dmaAddress,
          []
        )
      }
    }
    pool.pages.removeAll()
  }

  private func fill(_ address: UInt64, _ length: UInt64, _ byte: UInt8) {
    _ = access(address, length, writes: true) { piece, _, count in
      piece.initializeMemory(as: UInt8.self, repeating: byte, count: Int(count))
    }
  }

  private func isFilled(_ address: UInt64, _ length: UInt64, _ byte: UInt8) -> Bool {
    var isFilled = true
    _ = access(address, length, writes: false) { piece, _, count in
      for index in 0..<Int(count) where piece.load(fromByteOffset: index, as: UInt8.self) != byte {
        isFilled = false
      }
    }
    return isFilled
  }
}
