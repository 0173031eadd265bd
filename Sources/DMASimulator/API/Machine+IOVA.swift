// SPDX-License-Identifier: MIT
import DMADebugCore

/// A range of IO virtual addresses that a driver fills piece by piece (`struct dma_iova_state`).
public final class IOVAState {
  /// Where a piece of memory is linked.
  struct Link {
    var address: UInt64
    var physical: UInt64
    var size: UInt64
    /// What was asked for, which need not be whole pages.
    var start: UInt64
    var bytes: UInt64
    var access: IOMMUDomain.Access
    /// Whether the IOMMU knows it: after `dma_iova_sync()`.
    var isVisible = false
  }

  /// The DMA address of the first byte, and bytes; 0 bytes for none.
  public internal(set) var address: UInt64 = 0
  public internal(set) var size: UInt64 = 0
  /// Pieces, by whole pages.
  var links: [Link] = []

  public init() {}
}

/// IOVA-based mappings (`drivers/iommu/dma-iommu.c`, from 6.16 on; older machines of the simulator have
/// them too). Offsets count from the start of the range.
extension Machine {
  private func granules(_ size: UInt64, _ pad: UInt64) -> UInt64 {
    (size &+ pad &+ IOVAAllocator.granule - 1) & ~(IOVAAllocator.granule - 1)
  }

  private func pad(_ address: UInt64) -> UInt64 { address & (IOVAAllocator.granule - 1) }

  private func event(
    _ kind: DMAEvent.Kind,
    _ device: Device,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction = .bidirectional
  ) -> DMAEvent {
    var event = event(kind, device)
    event.dmaAddress = address
    event.size = size
    event.direction = direction
    return event
  }

  /// `dma_iova_try_alloc()`: only devices behind an IOMMU get a range.
  ///
  /// - Parameters:
  ///   - physical: of the first piece: the range begins at the same offset in its page.
  ///   - size: bytes of all pieces.
  @discardableResult
  public func dmaIOVATryAlloc(
    _ device: Device,
    _ state: IOVAState,
    _ physical: UInt64,
    _ size: UInt64
  ) -> Bool {
    enter(.dmaIOVATryAlloc)
    (state.address, state.size, state.links) = (0, 0, [])
    var address: UInt64 = 0
    if case .iommu(let domain) = device.backend, size > 0, size <= Self.largestMapping {
      let pad = pad(physical)
      let pages = granules(size, pad) / IOVAAllocator.granule
      if let start = domain.addresses.allocate(pages, limit: device.dmaMask) {
        address = start + pad
        (state.address, state.size) = (address, size)
      } else {
        observe(.iovaExhausted, device, physical)
      }
    }
    emit(event(.iovaAlloc, device, address, state.size))
    return state.size > 0
  }

  /// `dma_use_iova()`: whether there is a range, or every piece has to be mapped for itself.
  public func dmaUseIOVA(_ state: IOVAState) -> Bool {
    enter(.dmaUseIOVA)
    return state.size > 0
  }

  /// `dma_iova_link()`: puts memory into the range. The IOMMU learns of it by
  /// ``dmaIOVASync(_:_:_:_:)``.
  ///
  /// - Parameter offset: bytes from the start of the range; only the first piece may begin inside a
  ///   page.
  /// - Returns: 0; -EIO for a later piece that begins inside a page; -EINVAL for an offset that does;
  ///   -EADDRINUSE where something is linked already.
  @discardableResult
  public func dmaIOVALink(
    _ device: Device,
    _ state: IOVAState,
    _ physical: UInt64,
    _ offset: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) -> Int {
    enter(.dmaIOVALink)
    guard case .iommu(let domain) = device.backend, state.size > 0, size > 0,
      size <= Self.largestMapping, offset <= Self.largestMapping
    else { return KernelError.invalid }
    let pad = pad(physical)
    if pad != 0, offset > 0 {
      warn(device, "WARNING: at drivers/iommu/dma-iommu.c: dma_iova_link")
      return KernelError.io
    }
    let address = state.address &+ offset &- pad
    guard self.pad(address) == 0 else {
      log(device, "unaligned: iova 0x\(String(address, radix: 16))")
      return KernelError.invalid
    }
    let length = granules(size, pad)
    let isTaken = state.links.contains {
      address < $0.address + $0.size && $0.address < address + length
    }
    if isTaken || domain.translate(address) != nil { return KernelError.addressInUse }
    if !attributes.contains(.mmio) { syncForDevice(device, physical, size, direction, attributes) }
    state.links.append(
      IOVAState.Link(
        address: address,
        physical: physical - pad,
        size: length,
        start: physical,
        bytes: size,
        access: IOMMUDomain.Access(direction)
      )
    )
    var event = event(.iovaLink, device, state.address &+ offset, size, direction)
    event.address = physical
    event.attributes = attributes
    emit(event)
    return 0
  }

  /// `dma_iova_sync()`: from here on the IOMMU translates what is linked there (`iommu_sync_map`).
  @discardableResult
  public func dmaIOVASync(
    _ device: Device,
    _ state: IOVAState,
    _ offset: UInt64,
    _ size: UInt64
  ) -> Int {
    enter(.dmaIOVASync)
    guard case .iommu(let domain) = device.backend, state.size > 0, offset <= Self.largestMapping,
      size <= Self.largestMapping
    else { return KernelError.invalid }
    let start = state.address &+ offset
    for index in state.links.indices {
      let link = state.links[index]
      guard !link.isVisible, link.address < start &+ size, link.address &+ link.size > start else {
        continue
      }
      domain.map(link.address, link.physical, link.size, link.access)
      state.links[index].isVisible = true
    }
    emit(event(.iovaSync, device, start, size))
    return 0
  }

  /// `dma_iova_unlink()`: takes memory out; the range stays.
  public func dmaIOVAUnlink(
    _ device: Device,
    _ state: IOVAState,
    _ offset: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) {
    enter(.dmaIOVAUnlink)
    guard offset <= Self.largestMapping, size <= Self.largestMapping else { return }
    unlink(device, state, offset, size, direction, attributes)
    emit(event(.iovaUnlink, device, state.address &+ offset, size, direction))
  }

  private func unlink(
    _ device: Device,
    _ state: IOVAState,
    _ offset: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) {
    guard case .iommu(let domain) = device.backend, state.size > 0 else { return }
    let start = state.address &+ offset
    var unlinked: UInt64 = 0
    state.links.removeAll { link in
      guard link.address < start &+ size, link.address &+ link.size > start else { return false }
      if !attributes.contains(.mmio) {
        syncForCPU(device, link.start, link.bytes, direction, attributes)
      }
      if link.isVisible { domain.unmap(link.address, link.size) }
      unlinked += link.size
      return true
    }
    if unlinked < size { warn(device, "WARNING: at drivers/iommu/dma-iommu.c: dma_iova_unlink") }
  }

  /// `dma_iova_destroy()`: unlinks and frees.
  ///
  /// - Parameter linked: bytes that were linked, from the start; 0 when nothing was.
  public func dmaIOVADestroy(
    _ device: Device,
    _ state: IOVAState,
    _ linked: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) {
    enter(.dmaIOVADestroy)
    if linked > 0, linked <= Self.largestMapping {
      unlink(device, state, 0, linked, direction, attributes)
    }
    let (address, size) = (state.address, state.size)
    release(device, state)
    emit(event(.iovaDestroy, device, address, size, direction))
  }

  /// `dma_iova_free()`: of a range into which nothing is linked.
  public func dmaIOVAFree(_ device: Device, _ state: IOVAState) {
    enter(.dmaIOVAFree)
    let (address, size) = (state.address, state.size)
    release(device, state)
    emit(event(.iovaFree, device, address, size))
  }

  private func release(_ device: Device, _ state: IOVAState) {
    guard case .iommu(let domain) = device.backend, state.size > 0 else { return }
    let pad = pad(state.address)
    domain.addresses.free(
      state.address - pad,
      granules(state.size, pad) / IOVAAllocator.granule
    )
    (state.address, state.size) = (0, 0)
  }
}
