// SPDX-License-Identifier: MIT
import DMADebugCore

/// One mistake on its way: calls of the API that are wrong, with memory of their own.
struct Misdeed {
  let machine: Machine
  let device: Device
  let size: UInt64
  var leaksMapping = false
  var leaksResources = false
  var text = ""

  /// - Parameter size: bytes that the driver maps at the moment; the misdeed takes about as much.
  init(_ machine: Machine, _ device: Device, _ size: UInt64) {
    self.machine = machine
    self.device = device
    self.size = min(max((size + 63) & ~63, 128), 4096)
  }

  func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  func take(_ bytes: UInt64) -> UInt64 {
    guard let address = machine.kmalloc(bytes) else { preconditionFailure("no memory left") }
    return address
  }

  /// Maps and asks for the error, as one should; `nil` when the map failed.
  private func map(
    _ address: UInt64,
    _ bytes: UInt64,
    _ direction: Direction,
    asks: Bool = true
  ) -> UInt64? {
    let dma = machine.dmaMapSingle(device, address, bytes, direction)
    if asks { _ = machine.dmaMappingError(device, dma) }
    return dma == Machine.mappingError ? nil : dma
  }

  /// A buffer of its own, mapped, given to `body` and freed.
  private func withMapped(
    _ direction: Direction,
    _ body: (_ address: UInt64, _ dma: UInt64) -> Void
  ) {
    let address = take(size)
    if let dma = map(address, size, direction) { body(address, dma) }
    machine.kfree(address, size)
  }

  mutating func commit(_ fault: Fault) {
    switch fault {
    case .unmapInvalid:
      machine.dmaUnmapSingle(device, Machine.mappingError, size, .fromDevice)
      text = "unmapped DMA_MAPPING_ERROR"
    case .doubleUnmap: doubleUnmap()
    case .unmapSize:
      withMapped(.toDevice) { _, dma in machine.dmaUnmapSingle(device, dma, size / 2, .toDevice) }
      text = "mapped \(size) bytes, unmapped \(size / 2)"
      leaksResources = size > SWIOTLB.slotSize
    case .unmapFunction: unmapFunction()
    case .unmapDirection:
      withMapped(.fromDevice) { _, dma in machine.dmaUnmapSingle(device, dma, size, .toDevice) }
      text = "mapped \(size) bytes DMA_FROM_DEVICE, unmapped them DMA_TO_DEVICE"
    case .unmapAttributes:
      withMapped(.toDevice) { _, dma in
        machine.dmaUnmapSingle(device, dma, size, .toDevice, .privileged)
      }
      text = "unmapped \(size) bytes with DMA_ATTR_PRIVILEGED"
    case .unmapOtherDevice:
      guard let other = fault.other(machine, device) else { return }
      withMapped(.toDevice) { _, dma in
        machine.dmaUnmapSingle(other, dma, size, .toDevice)
        machine.dmaUnmapSingle(device, dma, size, .toDevice)
      }
      text = "unmapped \(size) bytes for \(other.options.name)"
    case .unmapSGCount: unmapSGCount()
    case .freeCPUAddress, .freeCoherentSize, .forgottenFree: coherent(fault)
    case .unchecked:
      let address = take(size)
      if let dma = map(address, size, .toDevice, asks: false) {
        machine.dmaUnmapSingle(device, dma, size, .toDevice)
      }
      machine.kfree(address, size)
      text = "mapped and unmapped \(size) bytes without dma_mapping_error()"
    case .failedMapUsed: failedMapUsed()
    case .syncUnallocated, .syncTooLong, .syncOutside, .syncDirection, .syncReadOnlyForCPU,
      .syncWriteOnlyToDevice:
      sync(fault)
    case .syncSGCount: syncSGCount()
    case .overlap: overlap(1)
    case .overlapOverflow: overlap(8)
    case .segmentTooLong, .segmentBoundary: segment(fault)
    case .mapStack, .mapText, .mapVmalloc, .mapInvalid, .mapRAMAsResource: area(fault)
    case .forgottenUnmap:
      let address = take(size)
      if let dma = map(address, size, .fromDevice) {
        text = "left \(size) bytes at \(hex(dma)) mapped"
        leaksMapping = true
        leaksResources = true
      }
    case .poolBusy, .poolDoubleFree, .poolUseAfterFree: pool(fault)
    case .missingSyncForCPU, .missingSyncForDevice, .useAfterUnmap, .freeWhileMapped,
      .deviceOverrun, .wrongMapDirection, .sharedCacheline, .wrongMask:
      corrupt(fault)
    case .leakedIOVA: leakIOVA()
    case .leakedAttachment, .detachWhileMapped, .unmapAttachmentTwice, .unbalancedVmap,
      .unbalancedKmap, .unbalancedPin, .leakedBuffer:
      misuse(fault)
    case .unendedCPUAccess, .cpuAccessOutside, .accessBeforeFence, .useAfterPut, .ignoredMove:
      misread(fault)
    case .fenceNeverSignaled: neverSignal()
    case .fenceDeadlock: deadlock()
    case .leakedRange, .unsyncedRange, .useAfterUnlink: range(fault)
    case .releaseInFlight, .unmapInFlight, .neverIssued: offload(fault)
    }
  }

  // MARK: Unmapping

  private mutating func doubleUnmap() {
    withMapped(.toDevice) { _, dma in
      machine.dmaUnmapSingle(device, dma, size, .toDevice)
      machine.dmaUnmapSingle(device, dma, size, .toDevice)
    }
    text = "unmapped \(size) bytes twice"
  }

  private mutating func unmapFunction() {
    let address = take(size)
    let list = ScatterList([
      ScatterList.Entry(address: address - AddressSpace.directMap, length: size)
    ])
    if machine.dmaMapSG(device, list, .toDevice) > 0 {
      machine.dmaUnmapSingle(device, list.segments[0].address, size, .toDevice)
    }
    machine.kfree(address, size)
    text = "mapped a list of 1 entry, freed it with dma_unmap_single()"
  }

  /// Three buffers of their own as a list.
  private func threeBuffers() -> (buffers: [UInt64], list: ScatterList) {
    let buffers = (0..<3).map { _ in take(size) }
    let entries = buffers.map {
      ScatterList.Entry(address: $0 - AddressSpace.directMap, length: size)
    }
    return (buffers, ScatterList(entries))
  }

  private mutating func unmapSGCount() {
    let (buffers, list) = threeBuffers()
    let mapped = machine.dmaMapSG(device, list, .toDevice)
    guard mapped > 0 else { return }
    machine.dmaUnmapSG(device, list, .toDevice, count: 2)
    text = "mapped a list of 3 entries, unmapped 2"
    leaksMapping = mapped > 2
    leaksResources = mapped > 2
    for buffer in leaksMapping ? buffers.prefix(2) : buffers[...] { machine.kfree(buffer, size) }
  }

  private mutating func coherent(_ fault: Fault) {
    let bytes: UInt64 = fault == .freeCoherentSize ? 8192 : 4096
    guard let memory = machine.dmaAllocCoherent(device, bytes) else { return }
    switch fault {
    case .freeCPUAddress:
      machine.dmaFreeCoherent(device, bytes, memory.cpuAddress + 64, memory.dmaAddress)
      text = "freed \(hex(memory.cpuAddress)) as \(hex(memory.cpuAddress + 64))"
    case .freeCoherentSize:
      machine.dmaFreeCoherent(device, bytes / 2, memory.cpuAddress, memory.dmaAddress)
      text = "allocated \(bytes) bytes, freed \(bytes / 2)"
    default:
      text = "left \(bytes) bytes of coherent memory at \(hex(memory.dmaAddress))"
      leaksMapping = true
      leaksResources = true
    }
  }

  private mutating func failedMapUsed() {
    guard let address = machine.vmalloc(4096) else { return }
    let dma = machine.dmaMapSingle(device, address, size, .fromDevice)
    _ = machine.deviceWrite(device, dma, 64, machine.nextPattern(device))
    machine.dmaUnmapSingle(device, dma, size, .fromDevice)
    machine.vfree(address, 4096)
    text = "gave DMA_MAPPING_ERROR to the device"
  }

  // MARK: Syncing

  private mutating func sync(_ fault: Fault) {
    let direction: Direction =
      fault == .syncDirection || fault == .syncWriteOnlyToDevice ? .fromDevice : .toDevice
    withMapped(direction) { _, dma in
      switch fault {
      case .syncUnallocated:
        machine.dmaUnmapSingle(device, dma, size, direction)
        machine.dmaSyncSingleForDevice(device, dma, size, direction)
        return
      case .syncTooLong: machine.dmaSyncSingleForDevice(device, dma, size + 64, direction)
      case .syncOutside:
        machine.dmaSyncSingleForDevice(device, dma + 64, UInt64.max - 31, direction)
      case .syncDirection: machine.dmaSyncSingleForCPU(device, dma, size, .toDevice)
      case .syncReadOnlyForCPU: machine.dmaSyncSingleForCPU(device, dma, size, .fromDevice)
      default: machine.dmaSyncSingleForDevice(device, dma, size, .toDevice)
      }
      machine.dmaUnmapSingle(device, dma, size, direction)
    }
    text = "\(fault.summary), \(size) bytes"
  }

  private mutating func syncSGCount() {
    let (buffers, list) = threeBuffers()
    if machine.dmaMapSG(device, list, .fromDevice) > 0 {
      machine.dmaSyncSGForCPU(device, list, .fromDevice, count: 2)
      machine.dmaUnmapSG(device, list, .fromDevice)
    }
    for buffer in buffers { machine.kfree(buffer, size) }
    text = "mapped a list of 3 entries, synced 2"
  }

  // MARK: Mapping

  private mutating func overlap(_ extra: Int) {
    withMapped(.fromDevice) { address, dma in
      var others: [(UInt64, UInt64)] = []
      for index in 1...extra {
        let offset = UInt64(index) * 4
        if let other = map(address + offset, 8, .fromDevice) { others.append((other, 8)) }
      }
      for (other, bytes) in others { machine.dmaUnmapSingle(device, other, bytes, .fromDevice) }
      machine.dmaUnmapSingle(device, dma, size, .fromDevice)
    }
    text = "mapped \(extra + 1) buffers in one cacheline"
  }

  private mutating func segment(_ fault: Fault) {
    let order = 5
    guard let block = machine.allocPages(order: order) else { return }
    let entry: ScatterList.Entry
    let boundary = device.segmentBoundary
    if fault == .segmentTooLong {
      entry = ScatterList.Entry(address: block, length: device.maximumSegmentSize + 4096)
      if entry.length > PhysicalMemory.pageSize << UInt64(order) {
        machine.freePages(block, order: order)
        return
      }
    } else {
      machine.dmaSetSegBoundary(device, 0xffff)
      entry = ScatterList.Entry(address: block + 0xf000, length: 0x2000)
    }
    let list = ScatterList([entry])
    if machine.dmaMapSG(device, list, .toDevice) > 0 {
      machine.dmaUnmapSG(device, list, .toDevice)
    }
    if fault == .segmentBoundary { machine.dmaSetSegBoundary(device, boundary) }
    machine.freePages(block, order: order)
    text = "mapped a segment of \(entry.length) bytes at \(hex(entry.address))"
  }

  private mutating func area(_ fault: Fault) {
    let address: UInt64
    switch fault {
    case .mapStack: address = AddressSpace.direct(AddressSpace.stacks.lowerBound + 0x3e00)
    case .mapText: address = AddressSpace.direct(AddressSpace.readOnlyData.lowerBound + 0x40)
    case .mapVmalloc:
      guard let memory = machine.vmalloc(4096) else { return }
      _ = map(memory, size, .toDevice)
      machine.vfree(memory, 4096)
      text = "mapped vmalloc memory at \(hex(memory)), which failed"
      return
    case .mapInvalid:
      guard let page = machine.allocPages(order: 0, isLow: true) else { return }
      address = machine.space.map([page], .io)
      if let dma = map(address, 64, .toDevice) {
        machine.dmaUnmapSingle(device, dma, 64, .toDevice)
      }
      machine.space.unmap(address, pages: 1)
      machine.freePages(page, order: 0)
      text = "mapped \(hex(address)), which is no memory"
      return
    default:
      guard let page = machine.allocPages(order: 0, isLow: true) else { return }
      let dma = machine.dmaMapResource(device, page, 4096, .toDevice)
      _ = machine.dmaMappingError(device, dma)
      if dma != Machine.mappingError { machine.dmaUnmapResource(device, dma, 4096, .toDevice) }
      machine.freePages(page, order: 0)
      text = "mapped RAM at \(hex(page)) as a resource"
      return
    }
    if let dma = map(address, 64, .toDevice) { machine.dmaUnmapSingle(device, dma, 64, .toDevice) }
    text = "mapped 64 bytes at \(hex(address))"
  }

  // MARK: Pools

  private mutating func pool(_ fault: Fault) {
    guard let pool = machine.dmaPoolCreate("misused", device, 64, 64, 0),
      let block = machine.dmaPoolAlloc(pool)
    else { return }
    switch fault {
    case .poolBusy:
      machine.dmaPoolDestroy(pool)
      text = "destroyed a pool with 1 block in use"
      leaksMapping = true
      leaksResources = true
      return
    case .poolDoubleFree:
      machine.dmaPoolFree(pool, block.cpuAddress, block.dmaAddress)
      machine.dmaPoolFree(pool, block.cpuAddress, block.dmaAddress)
      text = "freed block \(hex(block.dmaAddress)) twice"
    default:
      machine.dmaPoolFree(pool, block.cpuAddress, block.dmaAddress)
      machine.storeWord(block.cpuAddress, 0x1234)
      if let next = machine.dmaPoolAlloc(pool) {
        machine.dmaPoolFree(pool, next.cpuAddress, next.dmaAddress)
      }
      text = "wrote to block \(hex(block.dmaAddress)) after freeing it"
    }
    machine.dmaPoolDestroy(pool)
  }

  // MARK: What only the bytes show

  private mutating func corrupt(_ fault: Fault) {
    text = "\(fault.summary), \(size) bytes"
    switch fault {
    case .missingSyncForCPU:
      let address = take(size)
      machine.write(address, size, machine.nextPattern(device))
      if let dma = map(address, size, .fromDevice) {
        let pattern = machine.nextPattern(device)
        machine.deviceWrite(device, dma, size, pattern)
        machine.check(device, address, size, pattern)
        machine.dmaUnmapSingle(device, dma, size, .fromDevice)
      }
      machine.kfree(address, size)
    case .missingSyncForDevice:
      let address = take(size)
      machine.write(address, size, machine.nextPattern(device))
      if let dma = map(address, size, .toDevice) {
        let pattern = machine.nextPattern(device)
        machine.write(address, size, pattern)
        machine.deviceCheck(device, dma, size, pattern)
        machine.dmaUnmapSingle(device, dma, size, .toDevice)
      }
      machine.kfree(address, size)
    case .wrongMapDirection:
      let address = take(size)
      machine.write(address, size, machine.nextPattern(device))
      if let dma = map(address, size, .toDevice) {
        let pattern = machine.nextPattern(device)
        let isWritten = machine.deviceWrite(device, dma, size, pattern)
        machine.dmaUnmapSingle(device, dma, size, .toDevice)
        if isWritten { machine.check(device, address, size, pattern) }
      }
      machine.kfree(address, size)
    case .useAfterUnmap: useAfterUnmap()
    case .freeWhileMapped: freeWhileMapped()
    case .deviceOverrun: deviceOverrun()
    case .sharedCacheline: sharedCacheline()
    default: wrongMask()
    }
  }

  private func useAfterUnmap() {
    let address = take(size)
    if let dma = map(address, size, .fromDevice) {
      machine.deviceWrite(device, dma, size, machine.nextPattern(device))
      machine.dmaUnmapSingle(device, dma, size, .fromDevice)
      let owners = machine.nextPattern(device)
      machine.write(address, size, owners)
      machine.cache?.discard(address - AddressSpace.directMap, size)
      let isWritten = machine.deviceWrite(device, dma, size, machine.nextPattern(device))
      if isWritten { machine.check(device, address, size, owners) }
    }
    machine.kfree(address, size)
  }

  private func freeWhileMapped() {
    let address = take(size)
    if let dma = map(address, size, .fromDevice) {
      machine.kfree(address, size)
      let victim = take(size)
      let owners = machine.nextPattern(device)
      machine.write(victim, size, owners)
      machine.deviceWrite(device, dma, size, machine.nextPattern(device))
      machine.dmaUnmapSingle(device, dma, size, .fromDevice)
      machine.check(device, victim, size, owners)
      machine.kfree(victim, size)
    } else {
      machine.kfree(address, size)
    }
  }

  private func deviceOverrun() {
    // Three pages: an IOMMU's addresses come in powers of two, so behind them there is nothing.
    let mapped: UInt64 = 3 * 4096
    guard let block = machine.allocPages(order: 2) else { return }
    let address = AddressSpace.direct(block)
    let neighbour = machine.nextPattern(device)
    machine.write(address + mapped, 4096, neighbour)
    machine.cache?.discard(block + mapped, 4096)
    if let dma = map(address, mapped, .fromDevice) {
      let isWritten = machine.deviceWrite(device, dma, mapped + 512, machine.nextPattern(device))
      machine.dmaUnmapSingle(device, dma, mapped, .fromDevice)
      if isWritten { machine.check(device, address + mapped, 4096, neighbour) }
    }
    machine.freePages(block, order: 2)
  }

  private func sharedCacheline() {
    let address = take(128)
    machine.write(address, 128, machine.nextPattern(device))
    if let dma = map(address, 96, .fromDevice) {
      // The last 32 bytes belong to the CPU and share a line with the buffer's end.
      machine.storeWord(address + 96, 1)
      let pattern = machine.nextPattern(device)
      machine.deviceWrite(device, dma, 96, pattern)
      machine.dmaUnmapSingle(device, dma, 96, .fromDevice)
      machine.check(device, address, 96, pattern)
    }
    machine.kfree(address, 128)
  }

  private func wrongMask() {
    guard let page = machine.pages.allocateHigh() else { return }
    let mask = device.dmaMask
    machine.dmaSetMask(device, .max)
    let pattern = machine.nextPattern(device)
    machine.write(AddressSpace.direct(page), 512, pattern)
    let dma = machine.dmaMapPage(device, page, 0, 512, .toDevice)
    if machine.dmaMappingError(device, dma) == 0 {
      machine.deviceCheck(device, dma, 512, pattern)
      machine.dmaUnmapPage(device, dma, 512, .toDevice)
    }
    machine.dmaSetMask(device, mask)
    machine.freePages(page, order: 0)
  }

  private mutating func leakIOVA() {
    guard let block = machine.allocPages(order: 2) else { return }
    let address = AddressSpace.direct(block)
    if let dma = map(address, 3 * 4096, .toDevice) {
      machine.dmaUnmapSingle(device, dma, 4096, .toDevice)
      text = "mapped 3 pages at \(hex(dma)), unmapped 1"
      leaksResources = true
    } else {
      machine.freePages(block, order: 2)
    }
  }
}
