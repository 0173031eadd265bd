// SPDX-License-Identifier: MIT
import DMADebugCore

/// Ia and II: memory that is allocated for DMA.
extension Machine {
  /// Bytes that an allocation may have.
  private static let largestAllocation: UInt64 = 1 << 30

  // MARK: Ia: coherent

  /// `dma_alloc_coherent()`: zeroed memory, `nil` when there is none that the device can reach.
  public func dmaAllocCoherent(_ device: Device, _ size: UInt64) -> Allocation? {
    enter(.dmaAllocCoherent)
    return allocate(device, size, [])
  }

  /// `dma_alloc_attrs()`
  public func dmaAllocAttrs(
    _ device: Device,
    _ size: UInt64,
    _ attributes: DMAAttributes
  ) -> Allocation? {
    enter(.dmaAllocAttrs)
    return allocate(device, size, attributes)
  }

  func allocate(
    _ device: Device,
    _ size: UInt64,
    _ attributes: DMAAttributes
  ) -> Allocation? {
    guard size > 0, size <= Self.largestAllocation else { return nil }
    var result = allocateFromCoherent(device, size)
    var length = size
    if result == nil {
      length = (size + PhysicalMemory.pageSize - 1) & ~(PhysicalMemory.pageSize - 1)
      if case .iommu(let domain) = device.backend {
        result = allocateScattered(device, domain, length)
      } else {
        result = allocateContiguous(device, length, attributes)
      }
    }
    var event = event(.alloc, device)
    event.direction = .bidirectional
    event.dmaAddress = result?.dmaAddress ?? 0
    event.size = size
    event.address = result?.cpuAddress ?? 0
    event.attributes = attributes
    emit(event)
    if result == nil { observe(.allocationFailed, device, size) }
    return result
  }

  /// `dma_direct_alloc()`, and what an operation of a device's own does.
  private func allocateContiguous(
    _ device: Device,
    _ length: UInt64,
    _ attributes: DMAAttributes
  ) -> Allocation? {
    let order = PageAllocator.order(length)
    guard let physical = takePages(device, order) else { return nil }
    memory.zero(physical, PhysicalMemory.pageSize << UInt64(order))
    share(physical, PhysicalMemory.pageSize << UInt64(order))
    let dmaAddress: UInt64
    switch device.backend {
    case .ops(let ops):
      dmaAddress = ops.map(device, physical, length, .bidirectional)
      if dmaAddress == Self.mappingError {
        freePages(physical, order: order)
        return nil
      }
    default: dmaAddress = physical
    }
    let isRemapped = !device.options.isCoherent
    let cpuAddress: UInt64
    if isRemapped {
      cache?.discard(physical, length)
      cpuAddress = space.map(pageList(physical, length), .vmalloc, uncached: true)
    } else {
      cpuAddress = AddressSpace.direct(physical)
    }
    device.coherent[cpuAddress] = CoherentAllocation(
      kind: isRemapped ? .remapped : .pages,
      size: length,
      dmaAddress: dmaAddress,
      blocks: [(physical, order)]
    )
    return Allocation(cpuAddress: cpuAddress, dmaAddress: dmaAddress)
  }

  func pageList(_ physical: UInt64, _ length: UInt64) -> [UInt64] {
    (0..<length / PhysicalMemory.pageSize).map { physical + $0 << 12 }
  }

  /// `__dma_direct_alloc_pages()`: from the zone that the coherent mask allows.
  private func takePages(_ device: Device, _ order: Int) -> UInt64? {
    let limit = device.coherentLimit
    for zone in PageAllocator.Zone.zones(below: limit) {
      guard let physical = pages.allocate(order: order, from: [zone]) else { continue }
      if physical + PhysicalMemory.pageSize << UInt64(order) - 1 <= limit { return physical }
      if case .ops = device.backend { return physical }
      freePages(physical, order: order)
    }
    return nil
  }

  /// `iommu_dma_alloc_remap()`: single pages, one behind the other for the CPU and the device.
  private func allocateScattered(
    _ device: Device,
    _ domain: IOMMUDomain,
    _ length: UInt64
  ) -> Allocation? {
    let count = length / PhysicalMemory.pageSize
    guard
      let start = domain.addresses.allocate(
        length / IOVAAllocator.granule,
        limit: device.coherentLimit
      )
    else {
      observe(.iovaExhausted, device, length)
      return nil
    }
    var list: [UInt64] = []
    for _ in 0..<count {
      guard let page = allocPages(order: 0) else {
        for page in list { freePages(page, order: 0) }
        domain.addresses.free(start, length / IOVAAllocator.granule)
        return nil
      }
      memory.zero(page, PhysicalMemory.pageSize)
      cache?.discard(page, PhysicalMemory.pageSize)
      share(page, PhysicalMemory.pageSize)
      list.append(page)
    }
    for (index, page) in list.enumerated() {
      domain.map(
        start + UInt64(index) << 12,
        page,
        PhysicalMemory.pageSize,
        [.read, .write]
      )
    }
    let cpuAddress = space.map(list, .vmalloc, uncached: !device.options.isCoherent)
    device.coherent[cpuAddress] = CoherentAllocation(
      kind: .scattered,
      size: length,
      dmaAddress: start,
      blocks: list.map { ($0, 0) }
    )
    return Allocation(cpuAddress: cpuAddress, dmaAddress: start)
  }

  /// `dma_free_coherent()`
  public func dmaFreeCoherent(
    _ device: Device,
    _ size: UInt64,
    _ cpuAddress: UInt64,
    _ dmaAddress: UInt64
  ) {
    enter(.dmaFreeCoherent)
    free(device, size, cpuAddress, dmaAddress, [])
  }

  /// `dma_free_attrs()`
  public func dmaFreeAttrs(
    _ device: Device,
    _ size: UInt64,
    _ cpuAddress: UInt64,
    _ dmaAddress: UInt64,
    _ attributes: DMAAttributes
  ) {
    enter(.dmaFreeAttrs)
    free(device, size, cpuAddress, dmaAddress, attributes)
  }

  func free(
    _ device: Device,
    _ size: UInt64,
    _ cpuAddress: UInt64,
    _ dmaAddress: UInt64,
    _ attributes: DMAAttributes
  ) {
    if releaseFromCoherent(device, PageAllocator.order(size), cpuAddress) { return }
    var event = event(.free, device)
    event.direction = .bidirectional
    event.dmaAddress = dmaAddress
    event.size = size
    event.address = cpuAddress
    event.attributes = attributes
    emit(event)
    release(device, cpuAddress)
  }

  /// Gives the memory of an allocation back; a pointer into its first page will do.
  func release(_ device: Device, _ cpuAddress: UInt64) {
    let start = cpuAddress & ~(PhysicalMemory.pageSize - 1)
    guard let allocation = device.coherent.removeValue(forKey: start) else { return }
    if allocation.kind != .pages {
      space.unmap(start, pages: allocation.size / PhysicalMemory.pageSize)
    }
    switch device.backend {
    case .iommu(let domain): release(domain, allocation.dmaAddress, allocation.size)
    case .ops(let ops): ops.unmap(device, allocation.dmaAddress, allocation.size, .bidirectional)
    case .direct: break
    }
    for block in allocation.blocks {
      unshare(block.address, PhysicalMemory.pageSize << UInt64(block.order))
      freePages(block.address, order: block.order)
    }
  }

  // MARK: II: non-coherent pages

  /// `dma_alloc_pages()`: pages that the CPU caches, mapped for the device.
  ///
  /// - Returns: The CPU address of the pages.
  public func dmaAllocPages(
    _ device: Device,
    _ size: UInt64,
    _ direction: Direction
  ) -> Allocation? {
    enter(.dmaAllocPages)
    return allocatePages(device, size, direction)
  }

  /// `dma_alloc_noncoherent()`
  public func dmaAllocNoncoherent(
    _ device: Device,
    _ size: UInt64,
    _ direction: Direction
  ) -> Allocation? {
    enter(.dmaAllocNoncoherent)
    return allocatePages(device, size, direction)
  }

  private func allocatePages(
    _ device: Device,
    _ size: UInt64,
    _ direction: Direction
  ) -> Allocation? {
    let length =
      (min(size, Self.largestAllocation) + PhysicalMemory.pageSize - 1)
      & ~(PhysicalMemory.pageSize - 1)
    let order = PageAllocator.order(length)
    var result: Allocation?
    if length > 0, let physical = takePages(device, order) {
      memory.zero(physical, PhysicalMemory.pageSize << UInt64(order))
      cache?.discard(physical, length)
      share(physical, PhysicalMemory.pageSize << UInt64(order))
      let address: UInt64
      switch device.backend {
      case .direct: address = physical
      case .iommu, .ops: address = mapped(device, physical, length, direction, [.skipCPUSync])
      }
      if address == Self.mappingError {
        freePages(physical, order: order)
      } else {
        let cpuAddress = AddressSpace.direct(physical)
        device.coherent[cpuAddress] = CoherentAllocation(
          kind: .pages,
          size: length,
          dmaAddress: address,
          blocks: [(physical, order)]
        )
        result = Allocation(cpuAddress: cpuAddress, dmaAddress: address)
      }
    }
    var event = event(.allocPages, device)
    event.direction = direction
    event.dmaAddress = result?.dmaAddress ?? 0
    event.size = length
    event.address = result?.cpuAddress ?? 0
    emit(event)
    if result == nil { observe(.allocationFailed, device, size) }
    return result
  }

  /// `dma_free_pages()`
  public func dmaFreePages(
    _ device: Device,
    _ size: UInt64,
    _ cpuAddress: UInt64,
    _ dmaAddress: UInt64,
    _ direction: Direction
  ) {
    enter(.dmaFreePages)
    freeAllocatedPages(device, size, cpuAddress, dmaAddress, direction)
  }

  /// `dma_free_noncoherent()`
  public func dmaFreeNoncoherent(
    _ device: Device,
    _ size: UInt64,
    _ cpuAddress: UInt64,
    _ dmaAddress: UInt64,
    _ direction: Direction
  ) {
    enter(.dmaFreeNoncoherent)
    freeAllocatedPages(device, size, cpuAddress, dmaAddress, direction)
  }

  private func freeAllocatedPages(
    _ device: Device,
    _ size: UInt64,
    _ cpuAddress: UInt64,
    _ dmaAddress: UInt64,
    _ direction: Direction
  ) {
    var event = event(.freePages, device)
    event.direction = direction
    event.dmaAddress = dmaAddress
    event.size = (size &+ PhysicalMemory.pageSize - 1) & ~(PhysicalMemory.pageSize - 1)
    event.address = cpuAddress
    emit(event)
    release(device, cpuAddress)
  }

  // MARK: II: non-contiguous memory

  /// `dma_alloc_noncontiguous()`: pages anywhere that the device sees as one segment.
  ///
  /// - Returns: The table, `nil` when there is no memory or no address.
  public func dmaAllocNoncontiguous(
    _ device: Device,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) -> ScatterList? {
    enter(.dmaAllocNoncontiguous)
    guard size <= Self.largestAllocation else { return nil }
    let length = (size + PhysicalMemory.pageSize - 1) & ~(PhysicalMemory.pageSize - 1)
    guard length > 0 else { return nil }
    let list = ScatterList()
    if case .iommu(let domain) = device.backend {
      guard let allocation = allocateScattered(device, domain, length) else {
        return failedTable(device, length, direction, attributes)
      }
      // Neighbours are joined, as sg_alloc_table_from_pages() does.
      for block in device.coherent[allocation.cpuAddress]?.blocks ?? [] {
        if let last = list.entries.last, last.address + last.length == block.address {
          list.entries[list.entries.count - 1].length += PhysicalMemory.pageSize
        } else {
          list.entries.append(
            ScatterList.Entry(address: block.address, length: PhysicalMemory.pageSize)
          )
        }
      }
      // The CPU gets at it through dma_vmap_noncontiguous() only.
      space.unmap(allocation.cpuAddress, pages: length / PhysicalMemory.pageSize)
      let record = device.coherent.removeValue(forKey: allocation.cpuAddress)
      device.tables[allocation.dmaAddress] = record
      list.segments = [ScatterList.Entry(address: allocation.dmaAddress, length: length)]
    } else {
      let order = PageAllocator.order(length)
      guard let physical = takePages(device, order) else {
        return failedTable(device, length, direction, attributes)
      }
      memory.zero(physical, PhysicalMemory.pageSize << UInt64(order))
      share(physical, PhysicalMemory.pageSize << UInt64(order))
      var address = physical
      if case .ops(let ops) = device.backend {
        address = ops.map(device, physical, length, direction)
      }
      list.entries = [ScatterList.Entry(address: physical, length: length)]
      list.segments = [ScatterList.Entry(address: address, length: length)]
      device.tables[address] = CoherentAllocation(
        kind: .pages,
        size: length,
        dmaAddress: address,
        blocks: [(physical, order)]
      )
    }
    list.mappedEntries = 1
    let unused = ScatterList.Entry(address: Self.mappingError, length: 0)
    list.segments += Array(repeating: unused, count: list.entries.count - 1)
    for entry in list.entries { cache?.discard(entry.address, entry.length) }
    emitTable(.allocSGTable, device, list, length, direction, attributes)
    return list
  }

  private func failedTable(
    _ device: Device,
    _ length: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) -> ScatterList? {
    var event = event(.allocSGTableError, device)
    event.direction = direction
    event.size = length
    event.attributes = attributes
    emit(event)
    observe(.allocationFailed, device, length)
    return nil
  }

  private func emitTable(
    _ kind: DMAEvent.Kind,
    _ device: Device,
    _ list: ScatterList,
    _ length: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) {
    var event = event(kind, device)
    event.direction = direction
    event.dmaAddress = list.segments.first?.address ?? 0
    event.size = length
    event.payload = UInt32(batch.payload.count)
    for entry in list.entries { batch.payload.append(entry.address) }
    event.physicalCount = UInt32(list.entries.count)
    event.requestedEntries = event.physicalCount
    if kind == .allocSGTable { event.attributes = attributes }
    emit(event)
  }

  /// `dma_free_noncontiguous()`
  public func dmaFreeNoncontiguous(
    _ device: Device,
    _ size: UInt64,
    _ list: ScatterList,
    _ direction: Direction
  ) {
    enter(.dmaFreeNoncontiguous)
    let length = (size &+ PhysicalMemory.pageSize - 1) & ~(PhysicalMemory.pageSize - 1)
    emitTable(.freeSGTable, device, list, length, direction, [])
    guard let address = list.segments.first?.address,
      let allocation = device.tables.removeValue(forKey: address)
    else { return }
    switch device.backend {
    case .iommu(let domain): release(domain, address, allocation.size)
    case .ops(let ops): ops.unmap(device, address, allocation.size, direction)
    case .direct: break
    }
    for block in allocation.blocks {
      unshare(block.address, PhysicalMemory.pageSize << UInt64(block.order))
      freePages(block.address, order: block.order)
    }
  }

  /// `dma_vmap_noncontiguous()`: a CPU address for all of it.
  public func dmaVmapNoncontiguous(_ device: Device, _ size: UInt64, _ list: ScatterList) -> UInt64
  {
    enter(.dmaVmapNoncontiguous)
    let pages = list.entries.flatMap { pageList($0.address, $0.length) }
    return space.map(pages, .vmalloc)
  }

  /// `dma_vunmap_noncontiguous()`
  public func dmaVunmapNoncontiguous(_ device: Device, _ address: UInt64, _ size: UInt64) {
    enter(.dmaVunmapNoncontiguous)
    space.unmap(
      address,
      pages: (min(size, Self.largestAllocation) + PhysicalMemory.pageSize - 1)
        / PhysicalMemory.pageSize
    )
  }

  // MARK: Mapping for processes

  /// What `dma_mmap_…()` answers: an address in the process, or an error number.
  public enum UserMapping: Equatable, Sendable {
    case address(UInt64)
    /// `-ENXIO` (-6): the window is larger than the memory.
    case failed(Int)
  }

  /// `dma_mmap_coherent()`
  ///
  /// - Parameters:
  ///   - offset: pages from the beginning of the memory (`vm_pgoff`).
  ///   - pages: pages of the window.
  public func dmaMmapCoherent(
    _ device: Device,
    _ cpuAddress: UInt64,
    offset: UInt64 = 0,
    pages: UInt64
  ) -> UserMapping {
    enter(.dmaMmapCoherent)
    return mmap(device, cpuAddress, offset, pages)
  }

  /// `dma_mmap_attrs()`
  public func dmaMmapAttrs(
    _ device: Device,
    _ cpuAddress: UInt64,
    offset: UInt64 = 0,
    pages: UInt64,
    _ attributes: DMAAttributes
  ) -> UserMapping {
    enter(.dmaMmapAttrs)
    return mmap(device, cpuAddress, offset, pages)
  }

  /// `dma_mmap_wc()`, once `dma_mmap_writecombine()`
  public func dmaMmapWritecombine(
    _ device: Device,
    _ cpuAddress: UInt64,
    offset: UInt64 = 0,
    pages: UInt64
  ) -> UserMapping {
    enter(.dmaMmapWritecombine)
    return mmap(device, cpuAddress, offset, pages)
  }

  private func mmap(
    _ device: Device,
    _ cpuAddress: UInt64,
    _ offset: UInt64,
    _ pages: UInt64
  ) -> UserMapping {
    if let window = mmapFromCoherent(device, cpuAddress, offset, pages) { return window }
    guard let allocation = device.coherent[cpuAddress] else { return .failed(-6) }
    return window(
      (0..<allocation.size >> 12).compactMap { space.physical(cpuAddress + $0 << 12) },
      offset,
      pages,
      uncached: !device.options.isCoherent
    )
  }

  /// A window of a process on pages.
  func window(
    _ list: [UInt64],
    _ offset: UInt64,
    _ pages: UInt64,
    uncached: Bool
  ) -> UserMapping {
    let count = UInt64(list.count)
    guard offset < count, pages <= count - offset, pages > 0 else { return .failed(-6) }
    let part = Array(list[Int(offset)..<Int(offset + pages)])
    return .address(space.map(part, .user, uncached: uncached))
  }

  /// `dma_mmap_pages()`, for what ``dmaAllocPages(_:_:_:)`` gave.
  public func dmaMmapPages(_ device: Device, _ cpuAddress: UInt64, pages: UInt64) -> UserMapping {
    enter(.dmaMmapPages)
    guard let allocation = device.coherent[cpuAddress] else { return .failed(-6) }
    let list = (0..<allocation.size >> 12).compactMap { space.physical(cpuAddress + $0 << 12) }
    return window(list, 0, pages, uncached: false)
  }

  /// `dma_mmap_noncontiguous()`
  public func dmaMmapNoncontiguous(
    _ device: Device,
    _ list: ScatterList,
    offset: UInt64 = 0,
    pages: UInt64
  ) -> UserMapping {
    enter(.dmaMmapNoncontiguous)
    let all = list.entries.flatMap { pageList($0.address, $0.length) }
    return window(all, offset, pages, uncached: false)
  }

  /// `munmap()` of such a window.
  func munmap(_ address: UInt64, pages: UInt64) {
    space.unmap(address, pages: pages)
  }

  /// `dma_get_sgtable()`: the pages of a coherent allocation as a list.
  public func dmaGetSGTable(_ device: Device, _ cpuAddress: UInt64, _ size: UInt64) -> ScatterList?
  {
    enter(.dmaGetSGTable)
    guard let allocation = device.coherent[cpuAddress], size <= allocation.size else { return nil }
    let list = ScatterList()
    for block in allocation.blocks {
      let length = min(PhysicalMemory.pageSize << UInt64(block.order), size - list.length)
      if length > 0 {
        list.entries.append(ScatterList.Entry(address: block.address, length: length))
      }
    }
    return list
  }
}
