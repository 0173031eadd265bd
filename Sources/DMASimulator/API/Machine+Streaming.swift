// SPDX-License-Identifier: MIT
import DMADebugCore

/// Id: streaming mappings of one area. Addresses are CPU addresses of ``AddressSpace``.
extension Machine {
  /// Bytes that a mapping may have; nothing asks for more by intention.
  static let largestMapping: UInt64 = 1 << 32

  // MARK: dma_map_…

  /// `dma_map_single()`
  ///
  /// - Returns: The DMA address, or ``mappingError``.
  @discardableResult
  public func dmaMapSingle(
    _ device: Device,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) -> UInt64 {
    enter(.dmaMapSingle)
    if AddressSpace.isVmalloc(address) {
      log(device, "rejecting DMA map of vmalloc memory")
      observe(.vmallocRejected, device, address)
      return Self.mappingError
    }
    let isDirect =
      address >= AddressSpace.directMap
      && address - AddressSpace.directMap < AddressSpace.directMapSize
    if !isDirect {
      // The probe on debug_dma_map_single has a filter for what is not in the direct map.
      var event = event(.mapSingleCheck, device)
      event.address = address
      event.size = size
      emit(event)
    }
    return map(device, physicalOfPointer(address), size, direction, attributes)
  }

  /// `virt_to_phys()`, which takes any pointer.
  func physicalOfPointer(_ address: UInt64) -> UInt64 {
    space.physical(address) ?? (address &- AddressSpace.directMap) & Device.bitMask(46)
  }

  /// `dma_map_page()` of a page at a physical address.
  @discardableResult
  public func dmaMapPage(
    _ device: Device,
    _ page: UInt64,
    _ offset: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) -> UInt64 {
    enter(.dmaMapPage)
    return map(device, page &+ offset, size, direction, attributes)
  }

  /// `dma_map_phys()`, from 6.18 on; before that the same as ``dmaMapPage(_:_:_:_:_:_:)``.
  @discardableResult
  public func dmaMapPhys(
    _ device: Device,
    _ physical: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) -> UInt64 {
    enter(.dmaMapPhys)
    if attributes.contains(.mmio) {
      return mapResource(device, physical, size, direction, attributes)
    }
    return map(device, physical, size, direction, attributes)
  }

  /// `dma_map_resource()` of registers or memory of another device.
  @discardableResult
  public func dmaMapResource(
    _ device: Device,
    _ physical: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) -> UInt64 {
    enter(.dmaMapResource)
    return mapResource(device, physical, size, direction, attributes)
  }

  private func mapResource(
    _ device: Device,
    _ physical: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) -> UInt64 {
    let isPhys = options.generation.hasPhyType
    if !isPhys, memory.extent(physical) > 0 {
      log(device, "dma_map_resource called for RAM")
      observe(.resourceRejected, device, physical)
      return Self.mappingError
    }
    let flags = isPhys ? attributes.union(.mmio) : attributes
    let address: UInt64
    if device.forcesBounce || size > Self.largestMapping {
      address = Self.mappingError
    } else {
      switch device.backend {
      case .direct:
        address = device.isCapable(physical, size) ? physical : overflow(device, physical, size)
      case .iommu(let domain):
        address = translated(device, domain, physical, size, direction)
      case .ops(let ops):
        address = ops.map(device, physical, size, direction)
      }
    }
    var event = event(isPhys ? .mapPhys : .mapResource, device)
    event.direction = direction
    event.dmaAddress = address
    event.size = size
    event.address = physical
    event.attributes = flags
    emit(event)
    // Before 6.18 dma-debug did not ask for the map error of a resource.
    if isPhys { hook(device, address, isOwn: true) }
    return address
  }

  /// `dma_map_page_attrs()`, `dma_map_phys()`: back end, trace, dma-debug.
  private func map(
    _ device: Device,
    _ physical: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) -> UInt64 {
    let address = mapped(device, physical, size, direction, attributes)
    var event = event(options.generation.hasPhyType ? .mapPhys : .mapPage, device)
    event.direction = direction
    event.dmaAddress = address
    event.size = size
    event.address = physical
    event.attributes = attributes
    emit(event)
    hook(device, address, isOwn: true)
    return address
  }

  /// The back end's part of a map.
  func mapped(
    _ device: Device,
    _ physical: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) -> UInt64 {
    guard size <= Self.largestMapping else { return overflow(device, physical, size) }
    switch device.backend {
    case .direct:
      // dma_direct_map_phys
      if device.forcesBounce { return bounced(device, physical, size, direction, attributes) }
      if !device.isCapable(physical, size) {
        if swiotlb != nil { return bounced(device, physical, size, direction, attributes) }
        return overflow(device, physical, size)
      }
      syncForDevice(device, physical, size, direction, attributes)
      return physical
    case .iommu(let domain):
      syncForDevice(device, physical, size, direction, attributes)
      return translated(device, domain, physical, size, direction)
    case .ops(let ops):
      syncForDevice(device, physical, size, direction, attributes)
      let address = ops.map(device, physical, size, direction)
      return address == Self.mappingError ? overflow(device, physical, size) : address
    }
  }

  /// Addresses that the device cannot reach (`dma_direct_map_phys`, `err_overflow`).
  private func overflow(_ device: Device, _ physical: UInt64, _ size: UInt64) -> UInt64 {
    log(
      device,
      "DMA addr 0x\(hexadecimal(physical))+\(size) overflow"
        + " (mask \(String(device.dmaMask, radix: 16)),"
        + " bus limit \(String(device.options.busLimit, radix: 16)))."
    )
    observe(.addressOverflow, device, physical)
    return Self.mappingError
  }

  func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// `swiotlb_map()`
  private func bounced(
    _ device: Device,
    _ physical: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) -> UInt64 {
    var event = event(.swiotlbBounced, device)
    event.dmaAddress = physical
    event.size = size
    event.address = device.dmaMask
    if device.forcesBounce { event.flags.insert(.forced) }
    emit(event)
    guard memory.holds(physical, size),
      let slot = swiotlb?.map(physical, size, minimumAlignment: device.minimumAlignment)
    else {
      log(
        device,
        "swiotlb buffer is full (sz: \(size) bytes), total \(swiotlb?.slots ?? 0) (slots),"
          + " used \(swiotlb?.used ?? 0) (slots)"
      )
      observe(.swiotlbFull, device, physical)
      return Self.mappingError
    }
    guard device.isCapable(slot, size) else {
      swiotlb?.unmap(slot, size)
      return overflow(device, slot, size)
    }
    // Always copied, also for a device that will write: what it does not write must not be what
    // another device left in the slot.
    copyForDevice(slot, size)
    syncForDevice(device, slot, size, direction, attributes)
    return slot
  }

  /// `__iommu_dma_map()`
  private func translated(
    _ device: Device,
    _ domain: IOMMUDomain,
    _ physical: UInt64,
    _ size: UInt64,
    _ direction: Direction
  ) -> UInt64 {
    let offset = physical & (IOVAAllocator.granule - 1)
    let length = (offset + size + IOVAAllocator.granule - 1) & ~(IOVAAllocator.granule - 1)
    guard
      let address = domain.addresses.allocate(
        length / IOVAAllocator.granule,
        limit: device.addressLimit
      )
    else {
      observe(.iovaExhausted, device, physical)
      return Self.mappingError
    }
    domain.map(address, physical - offset, length, IOMMUDomain.Access(direction))
    return address + offset
  }

  // MARK: dma_unmap_…

  /// `dma_unmap_single()`
  public func dmaUnmapSingle(
    _ device: Device,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) {
    enter(.dmaUnmapSingle)
    unmap(device, address, size, direction, attributes)
  }

  /// `dma_unmap_page()`
  public func dmaUnmapPage(
    _ device: Device,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) {
    enter(.dmaUnmapPage)
    unmap(device, address, size, direction, attributes)
  }

  /// `dma_unmap_phys()`
  public func dmaUnmapPhys(
    _ device: Device,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) {
    enter(.dmaUnmapPhys)
    if attributes.contains(.mmio) {
      unmapResource(device, address, size, direction, attributes)
    } else {
      unmap(device, address, size, direction, attributes)
    }
  }

  /// `dma_unmap_resource()`
  public func dmaUnmapResource(
    _ device: Device,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) {
    enter(.dmaUnmapResource)
    unmapResource(device, address, size, direction, attributes)
  }

  private func unmapResource(
    _ device: Device,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) {
    if case .iommu(let domain) = device.backend, address != Self.mappingError {
      release(domain, address, size)
    }
    let isPhys = options.generation.hasPhyType
    var event = event(isPhys ? .unmapPhys : .unmapResource, device)
    event.direction = direction
    event.dmaAddress = address
    event.size = size
    event.attributes = isPhys ? attributes.union(.mmio) : attributes
    emit(event)
  }

  private func unmap(
    _ device: Device,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) {
    unmapped(device, address, size, direction, attributes)
    var event = event(options.generation.hasPhyType ? .unmapPhys : .unmapPage, device)
    event.direction = direction
    event.dmaAddress = address
    event.size = size
    event.attributes = attributes
    emit(event)
  }

  /// The back end's part of an unmap.
  func unmapped(
    _ device: Device,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) {
    guard address != Self.mappingError, size <= Self.largestMapping else { return }
    switch device.backend {
    case .direct:
      let inBounce = swiotlb?.contains(address) == true
      if inBounce || memory.holds(address, size) {
        syncForCPU(device, address, size, direction, attributes)
      }
      guard inBounce else { return }
      if direction == .fromDevice || direction == .bidirectional,
        !attributes.contains(.skipCPUSync)
      {
        copyForCPU(address, size)
      }
      swiotlb?.unmap(address, size)
    case .iommu(let domain):
      if !device.options.isCoherent, let target = domain.translate(address) {
        syncForCPU(device, target.physical, size, direction, attributes)
      }
      release(domain, address, size)
    case .ops(let ops):
      if let physical = ops.physical(address), memory.holds(physical, size) {
        syncForCPU(device, physical, size, direction, attributes)
      }
      ops.unmap(device, address, size, direction)
    }
  }

  /// `__iommu_dma_unmap()`
  func release(_ domain: IOMMUDomain, _ address: UInt64, _ size: UInt64) {
    let offset = address & (IOVAAllocator.granule - 1)
    let length = (offset &+ size &+ IOVAAllocator.granule - 1) & ~(IOVAAllocator.granule - 1)
    guard length > 0, length <= 1 << 32 else { return }
    // What was not mapped is not given back either: the kernel warns here.
    guard domain.unmap(address - offset, length) > 0 else { return }
    domain.addresses.free(address - offset, length / IOVAAllocator.granule)
  }

  /// `dma_mapping_error()`: 0, or -ENOMEM for a map that failed.
  @discardableResult
  public func dmaMappingError(_ device: Device, _ address: UInt64) -> Int {
    enter(.dmaMappingError)
    hook(device, address, isOwn: false)
    return address == Self.mappingError ? -12 : 0
  }
}
