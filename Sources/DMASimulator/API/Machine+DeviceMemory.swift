// SPDX-License-Identifier: MIT
import DMADebugCore

/// Memory that a device brings along (`kernel/dma/coherent.c`).
extension Machine {
  /// `dma_declare_coherent_memory()`
  ///
  /// - Parameters:
  ///   - physical: where the CPU finds it; whole pages of memory.
  ///   - deviceBase: where the device finds it.
  ///   - size: bytes, whole pages.
  /// - Returns: 0, -EBUSY (-16) when the device has such memory, -EINVAL (-22) for a wrong size.
  @discardableResult
  public func dmaDeclareCoherentMemory(
    _ device: Device,
    _ physical: UInt64,
    _ deviceBase: UInt64,
    _ size: UInt64
  ) -> Int {
    enter(.dmaDeclareCoherentMemory)
    return declare(device, physical, deviceBase, size)
  }

  private func declare(
    _ device: Device,
    _ physical: UInt64,
    _ deviceBase: UInt64,
    _ size: UInt64
  ) -> Int {
    guard device.declared == nil else { return -16 }
    guard size > 0, size % PhysicalMemory.pageSize == 0, memory.holds(physical, size) else {
      return -22
    }
    let base = space.map(pageList(physical, size), .io, uncached: true)
    cache?.discard(physical, size)
    share(physical, size)
    device.declared = DeclaredMemory(
      physical: physical,
      deviceBase: deviceBase,
      cpuBase: base,
      pages: Int(size / PhysicalMemory.pageSize)
    )
    return 0
  }

  /// `dma_release_coherent_memory()`
  public func dmaReleaseCoherentMemory(_ device: Device) {
    enter(.dmaReleaseCoherentMemory)
    releaseDeclared(device)
  }

  private func releaseDeclared(_ device: Device) {
    guard let declared = device.declared else { return }
    space.unmap(declared.cpuBase, pages: UInt64(declared.pages))
    device.declared = nil
  }

  /// `dma_alloc_from_dev_coherent()`: `nil` when the device has no such memory, or none left.
  public func dmaAllocFromCoherent(_ device: Device, _ size: UInt64) -> Allocation? {
    enter(.dmaAllocFromCoherent)
    return allocateFromCoherent(device, size)
  }

  func allocateFromCoherent(_ device: Device, _ size: UInt64) -> Allocation? {
    guard let declared = device.declared, size > 0, size <= UInt64(declared.pages) << 12,
      let page = declared.allocate(order: PageAllocator.order(size))
    else { return nil }
    let offset = UInt64(page) << 12
    memory.zero(declared.physical + offset, size)
    return Allocation(
      cpuAddress: declared.cpuBase + offset,
      dmaAddress: declared.deviceBase + offset
    )
  }

  /// `dma_release_from_dev_coherent()`
  ///
  /// - Returns: Whether the memory was the device's own.
  @discardableResult
  public func dmaReleaseFromCoherent(_ device: Device, _ order: Int, _ cpuAddress: UInt64) -> Bool {
    enter(.dmaReleaseFromCoherent)
    return releaseFromCoherent(device, order, cpuAddress)
  }

  func releaseFromCoherent(_ device: Device, _ order: Int, _ cpuAddress: UInt64) -> Bool {
    guard let declared = device.declared, declared.contains(cpuAddress) else { return false }
    declared.release(page: Int((cpuAddress - declared.cpuBase) >> 12), order: order)
    return true
  }

  /// `dma_mmap_from_dev_coherent()`: `nil` when the memory is not the device's own.
  public func dmaMmapFromCoherent(
    _ device: Device,
    _ cpuAddress: UInt64,
    offset: UInt64 = 0,
    pages: UInt64
  ) -> UserMapping? {
    enter(.dmaMmapFromCoherent)
    return mmapFromCoherent(device, cpuAddress, offset, pages)
  }

  func mmapFromCoherent(
    _ device: Device,
    _ cpuAddress: UInt64,
    _ offset: UInt64,
    _ pages: UInt64
  ) -> UserMapping? {
    guard let declared = device.declared, declared.contains(cpuAddress) else { return nil }
    let start = (cpuAddress - declared.cpuBase) >> 12
    let list = (start..<UInt64(declared.pages)).map { declared.physical + $0 << 12 }
    return window(list, offset, pages, uncached: true)
  }

  // MARK: Managed

  /// `dmam_alloc_coherent()`: freed when the driver leaves.
  public func dmamAllocCoherent(_ device: Device, _ size: UInt64) -> Allocation? {
    enter(.dmamAllocCoherent)
    return allocateManaged(device, size, [])
  }

  /// `dmam_alloc_attrs()`
  public func dmamAllocAttrs(
    _ device: Device,
    _ size: UInt64,
    _ attributes: DMAAttributes
  ) -> Allocation? {
    enter(.dmamAllocAttrs)
    return allocateManaged(device, size, attributes)
  }

  private func allocateManaged(
    _ device: Device,
    _ size: UInt64,
    _ attributes: DMAAttributes
  ) -> Allocation? {
    guard let allocation = allocate(device, size, attributes) else { return nil }
    device.resources.append(
      .coherent(
        cpuAddress: allocation.cpuAddress,
        dmaAddress: allocation.dmaAddress,
        size: size,
        attributes: attributes
      )
    )
    return allocation
  }

  /// `dmam_free_coherent()`
  public func dmamFreeCoherent(
    _ device: Device,
    _ size: UInt64,
    _ cpuAddress: UInt64,
    _ dmaAddress: UInt64
  ) {
    enter(.dmamFreeCoherent)
    device.resources.removeAll { resource in
      if case .coherent(let address, _, _, _) = resource { return address == cpuAddress }
      return false
    }
    free(device, size, cpuAddress, dmaAddress, [])
  }

  /// `dmam_declare_coherent_memory()`
  @discardableResult
  public func dmamDeclareCoherentMemory(
    _ device: Device,
    _ physical: UInt64,
    _ deviceBase: UInt64,
    _ size: UInt64
  ) -> Int {
    enter(.dmamDeclareCoherentMemory)
    let result = declare(device, physical, deviceBase, size)
    if result == 0 { device.resources.append(.declaredMemory) }
    return result
  }

  /// `dmam_release_declared_memory()`
  public func dmamReleaseDeclaredMemory(_ device: Device) {
    enter(.dmamReleaseDeclaredMemory)
    device.resources.removeAll { if case .declaredMemory = $0 { true } else { false } }
    releaseDeclared(device)
  }

  /// `dmam_pool_create()`
  public func dmamPoolCreate(
    _ name: String,
    _ device: Device,
    _ size: UInt64,
    _ alignment: UInt64,
    _ boundary: UInt64
  ) -> DMAPool? {
    enter(.dmamPoolCreate)
    guard let pool = createPool(name, device, size, alignment, boundary) else { return nil }
    device.resources.append(.pool(pool))
    return pool
  }

  /// `dmam_pool_destroy()`
  public func dmamPoolDestroy(_ pool: DMAPool) {
    enter(.dmamPoolDestroy)
    pool.device.resources.removeAll {
      if case .pool(let other) = $0 { other === pool } else { false }
    }
    destroyPool(pool)
  }

  /// `devres_release_all()`
  func releaseResources(_ device: Device) {
    while let resource = device.resources.popLast() {
      switch resource {
      case .coherent(let cpuAddress, let dmaAddress, let size, let attributes):
        free(device, size, cpuAddress, dmaAddress, attributes)
      case .declaredMemory: releaseDeclared(device)
      case .pool(let pool): destroyPool(pool)
      }
    }
  }
}
