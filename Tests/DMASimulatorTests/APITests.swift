// SPDX-License-Identifier: MIT
import DMADebugCore
import TestSupport
import Testing

@testable import DMASimulator

/// The functions of the DMA-API, one by one. docs/API.md names these tests.
@Suite struct APITests {
  /// A machine with one device that has a driver.
  private func machine(
    _ change: (inout MachineOptions, inout DeviceOptions) -> Void = { _, _ in }
  ) -> (Machine, Device) {
    var options = MachineOptions()
    options.lowMemory = 128 << 20
    options.highMemory = 64 << 20
    var device = DeviceOptions(name: "0000:01:00.0", driver: "example")
    change(&options, &device)
    let machine = Machine(options)
    let added = machine.addDevice(device)
    machine.driverBind(added) { machine.setMasks(added) }
    return (machine, added)
  }

  /// The names of the events since the last call.
  private func events(_ machine: Machine) -> [DMAEvent] {
    var batch = EventBatch()
    machine.takeEvents(&batch)
    return batch.events
  }

  @Test func coherentMemory() throws {
    for isCoherent in [true, false] {
      let (machine, device) = machine {
        $1.isCoherent = isCoherent
        $0.isCoherent = isCoherent
      }
      _ = events(machine)
      let memory = try #require(machine.dmaAllocCoherent(device, 5000))
      #expect(machine.loadWord(memory.cpuAddress + 4992) == 0)
      machine.storeWord(memory.cpuAddress, 42)
      #expect(machine.deviceLoadWord(device, memory.dmaAddress) == 42)
      #expect(machine.deviceStoreWord(device, memory.dmaAddress + 8, 43))
      #expect(machine.loadWord(memory.cpuAddress + 8) == 43)
      // Without sight of the cache the CPU gets an uncached mapping of its own.
      #expect(AddressSpace.isVmalloc(memory.cpuAddress) == !isCoherent)
      let free = machine.pages.freePages
      machine.dmaFreeCoherent(device, 5000, memory.cpuAddress, memory.dmaAddress)
      #expect(machine.pages.freePages == free + 2)
      let other = try #require(machine.dmaAllocAttrs(device, 64, .writeCombine))
      machine.dmaFreeAttrs(device, 64, other.cpuAddress, other.dmaAddress, .writeCombine)
      let seen = events(machine)
      #expect(seen.map(\.kind) == [.alloc, .free, .alloc, .free])
      #expect(seen.map(\.size) == [5000, 5000, 64, 64])
      #expect(seen[2].attributes == .writeCombine)
    }
    // More than there is.
    let (machine, device) = machine()
    #expect(machine.dmaAllocCoherent(device, 8 << 20) == nil)
    #expect(machine.dmaAllocCoherent(device, 0) == nil)
    #expect(machine.observations.map(\.kind) == [.allocationFailed])
  }

  @Test func coherentMemoryKeepsToTheMask() throws {
    let (machine, device) = machine { $1.coherentMaskBits = 24 }
    let memory = try #require(machine.dmaAllocCoherent(device, 4096))
    #expect(memory.dmaAddress + 4096 <= 1 << 24)
  }

  @Test func pools() throws {
    let (machine, device) = machine()
    #expect(machine.dmaPoolCreate("odd", device, 64, 48, 0) == nil)
    #expect(machine.dmaPoolCreate("small", device, 64, 64, 32) == nil)
    let pool = try #require(machine.dmaPoolCreate("blocks", device, 100, 32, 1024))
    #expect(pool.size == 128)
    var blocks: [Machine.Allocation] = []
    for index in 0..<40 {
      let block = try #require(
        index % 2 == 0 ? machine.dmaPoolAlloc(pool) : machine.dmaPoolZalloc(pool)
      )
      #expect(block.dmaAddress % 32 == 0)
      #expect(block.dmaAddress / 1024 == (block.dmaAddress + 127) / 1024)
      #expect(machine.loadWord(block.cpuAddress) == (index % 2 == 0 ? 0xa9a9_a9a9_a9a9_a9a9 : 0))
      blocks.append(block)
    }
    #expect(Set(blocks.map(\.dmaAddress)).count == 40)
    #expect(pool.activeBlocks == 40)
    for block in blocks { machine.dmaPoolFree(pool, block.cpuAddress, block.dmaAddress) }
    #expect(machine.loadWord(blocks[3].cpuAddress) == 0xa7a7_a7a7_a7a7_a7a7)
    machine.dmaPoolFree(pool, blocks[3].cpuAddress, blocks[3].dmaAddress)
    #expect(machine.observations.map(\.kind) == [.poolDoubleFree])
    // The one that was freed last in the first page is the next one to be handed out.
    machine.storeWord(blocks[31].cpuAddress, 1)
    _ = machine.dmaPoolAlloc(pool)
    #expect(machine.observations.map(\.kind) == [.poolDoubleFree, .poolCorrupted])
    machine.dmaPoolDestroy(pool)
    #expect(machine.observations.last?.kind == .poolBusy)
    #expect(machine.kernelLog.last == "example 0000:01:00.0: dma_pool_destroy blocks busy")
  }

  @Test func addressing() {
    let (machine, device) = machine()
    #expect(machine.dmaSetMask(device, Device.bitMask(40)) == 0)
    #expect(device.dmaMask == Device.bitMask(40))
    #expect(machine.dmaSetCoherentMask(device, Device.bitMask(36)) == 0)
    #expect(device.coherentMask == Device.bitMask(36))
    #expect(machine.dmaSetMaskAndCoherent(device, 0xffff) == -5)
    #expect(device.dmaMask == Device.bitMask(40))
    #expect(machine.dmaGetRequiredMask(device) == Device.bitMask(33))
    #expect(!machine.dmaAddressingLimited(device))
    #expect(machine.dmaMaxMappingSize(device) == .max)
    #expect(machine.dmaOptMappingSize(device) == .max)
    #expect(machine.dmaGetMergeBoundary(device) == 0)
    machine.dmaSetMaskAndCoherent(device, Device.bitMask(32))
    #expect(machine.dmaAddressingLimited(device))
    #expect(machine.dmaMaxMappingSize(device) == 256 << 10)
    #expect(!machine.dmaNeedSync(device, 0x10_0000))
    #expect(machine.dmaNeedSync(device, machine.swiotlb?.start ?? 0))
    _ = events(machine)
    machine.dmaSetMaxSegSize(device, 4096)
    machine.dmaSetSegBoundary(device, 0xffff)
    let last = events(machine).last
    #expect(last?.kind == .deviceDescription)
    #expect(last?.size == 4096)
    #expect(last?.dmaAddress == 0xffff)
  }

  @Test(arguments: [true, false])
  func streaming(_ isOld: Bool) throws {
    let (machine, device) = machine { options, _ in
      if isOld { options.generation = .linux612 }
    }
    _ = events(machine)
    let buffer = try #require(machine.kmalloc(512))
    let dma = machine.dmaMapSingle(device, buffer, 512, .toDevice)
    #expect(dma == buffer - AddressSpace.directMap)
    #expect(machine.dmaMappingError(device, dma) == 0)
    machine.dmaUnmapSingle(device, dma, 512, .toDevice)
    let page = machine.dmaMapPage(device, 0x20_0000, 256, 64, .fromDevice, .skipCPUSync)
    #expect(page == 0x20_0100)
    machine.dmaUnmapPage(device, page, 64, .fromDevice, .skipCPUSync)
    let physical = machine.dmaMapPhys(device, 0x20_0000, 64, .bidirectional)
    machine.dmaUnmapPhys(device, physical, 64, .bidirectional)
    let registers = machine.dmaMapResource(device, 0xfe00_1000, 4096, .toDevice)
    #expect(registers == 0xfe00_1000)
    machine.dmaUnmapResource(device, registers, 4096, .toDevice)
    let seen = events(machine)
    let map: DMAEvent.Kind = isOld ? .mapPage : .mapPhys
    let unmap: DMAEvent.Kind = isOld ? .unmapPage : .unmapPhys
    let resources: [DMAEvent.Kind] =
      isOld ? [.mapResource, .unmapResource] : [.mapPhys, .mappingError, .unmapPhys]
    #expect(
      seen.map(\.kind) == [
        map, .mappingError, .mappingError, unmap, map, .mappingError, unmap, map, .mappingError,
        unmap,
      ] + resources
    )
    #expect(seen[1].caller == .mapping)
    #expect(seen[4].attributes == .skipCPUSync)
    // What cannot be mapped.
    let vmalloc = try #require(machine.vmalloc(4096))
    #expect(machine.dmaMapSingle(device, vmalloc, 64, .toDevice) == Machine.mappingError)
    #expect(machine.dmaMappingError(device, Machine.mappingError) == -12)
    let ram = machine.dmaMapResource(device, 0x20_0000, 4096, .toDevice)
    #expect((ram == Machine.mappingError) == isOld)
  }

  @Test func scatterLists() {
    let entries = (0..<3).map {
      ScatterList.Entry(address: 0x20_0000 + UInt64($0) << 14, length: 4096)
    }
    let (direct, device) = machine()
    let list = ScatterList(entries)
    #expect(direct.dmaMapSG(device, list, .toDevice) == 3)
    #expect(list.segments == entries)
    direct.dmaUnmapSG(device, list, .toDevice)
    let (machine, behind) = machine { $1.backend = .iommu }
    _ = events(machine)
    #expect(machine.dmaMapSG(behind, list, .toDevice) == 1)
    #expect(list.segments[0].length == 12288)
    #expect(list.segments[1] == ScatterList.Entry(address: .max, length: 0))
    machine.dmaUnmapSG(behind, list, .toDevice)
    #expect(machine.dmaMapSGTable(behind, list, .fromDevice) == 0)
    machine.dmaUnmapSGTable(behind, list, .fromDevice)
    let seen = events(machine)
    #expect(seen.map(\.kind) == [.mapSG, .unmapSG, .mapSG, .unmapSG])
    #expect(seen[0].requestedEntries == 3)
    #expect(seen[0].mappedEntries == 1)
    #expect(seen[1].physicalCount == 3)
    if case .iommu(let domain) = behind.backend { #expect(domain.addresses.allocatedPages == 0) }
    // Long lists are cut off in the trace.
    let long = ScatterList(
      (0..<200).map { ScatterList.Entry(address: 0x20_0000 + $0 << 12, length: 64) }
    )
    #expect(direct.dmaMapSG(device, long, .toDevice) == 200)
    let cut = events(direct).last
    #expect(cut?.flags.contains(.truncated) == true)
    #expect(cut?.segmentCount == 128)
  }

  @Test func synchronisation() throws {
    let (machine, device) = machine {
      $1.isCoherent = false
      $0.isCoherent = false
    }
    let buffer = try #require(machine.kmalloc(1024))
    let dma = machine.dmaMapSingle(device, buffer, 1024, .bidirectional)
    _ = events(machine)
    func fromDevice(_ sync: () -> Void) {
      let pattern = machine.nextPattern(device)
      _ = machine.mismatch(buffer, 1024, pattern)
      machine.deviceWrite(device, dma, 1024, pattern)
      #expect(machine.mismatch(buffer, 1024, pattern) != nil)
      sync()
      #expect(machine.mismatch(buffer, 1024, pattern) == nil)
    }
    func toDevice(_ sync: () -> Void) {
      let pattern = machine.nextPattern(device)
      machine.write(buffer, 1024, pattern)
      #expect(!machine.deviceCheck(device, dma, 1024, pattern))
      sync()
      #expect(machine.deviceCheck(device, dma, 1024, pattern))
    }
    let list = ScatterList([
      ScatterList.Entry(address: buffer - AddressSpace.directMap, length: 1024)
    ])
    machine.dmaMapSG(device, list, .bidirectional)
    fromDevice { machine.dmaSyncSingleForCPU(device, dma, 1024, .bidirectional) }
    fromDevice { machine.dmaSyncSingleRangeForCPU(device, dma, 0, 1024, .bidirectional) }
    fromDevice { machine.dmaSyncSGForCPU(device, list, .bidirectional) }
    fromDevice { machine.dmaSyncSGTableForCPU(device, list, .bidirectional) }
    toDevice { machine.dmaSyncSingleForDevice(device, dma, 1024, .bidirectional) }
    toDevice { machine.dmaSyncSingleRangeForDevice(device, dma, 0, 1024, .bidirectional) }
    toDevice { machine.dmaSyncSGForDevice(device, list, .bidirectional) }
    toDevice { machine.dmaSyncSGTableForDevice(device, list, .bidirectional) }
    #expect(
      events(machine).dropFirst().map(\.kind) == [
        .syncSingleForCPU, .syncSingleForCPU, .syncSGForCPU, .syncSGForCPU, .syncSingleForDevice,
        .syncSingleForDevice, .syncSGForDevice, .syncSGForDevice,
      ]
    )
  }

  @Test func noncoherentMemory() throws {
    let (machine, device) = machine { $1.backend = .iommu }
    let pages = try #require(machine.dmaAllocPages(device, 8192, .fromDevice))
    let pattern = machine.nextPattern(device)
    machine.deviceWrite(device, pages.dmaAddress, 8192, pattern)
    #expect(machine.check(device, pages.cpuAddress, 8192, pattern))
    guard case .address(let window) = machine.dmaMmapPages(device, pages.cpuAddress, pages: 2)
    else {
      Issue.record("no window")
      return
    }
    #expect(machine.mismatch(window, 8192, pattern) == nil)
    #expect(machine.dmaMmapPages(device, pages.cpuAddress, pages: 3) == .failed(-6))
    machine.dmaFreePages(device, 8192, pages.cpuAddress, pages.dmaAddress, .fromDevice)
    let plain = try #require(machine.dmaAllocNoncoherent(device, 100, .toDevice))
    machine.dmaFreeNoncoherent(device, 100, plain.cpuAddress, plain.dmaAddress, .toDevice)
    let table = try #require(machine.dmaAllocNoncontiguous(device, 60000, .bidirectional))
    #expect(table.length == 61440)
    #expect(table.mappedEntries == 1)
    let address = machine.dmaVmapNoncontiguous(device, 61440, table)
    machine.write(address, 61440, pattern)
    #expect(machine.deviceCheck(device, table.segments[0].address, 61440, pattern))
    guard case .address(let user) = machine.dmaMmapNoncontiguous(device, table, pages: 15) else {
      Issue.record("no window")
      return
    }
    #expect(machine.mismatch(user, 61440, pattern) == nil)
    machine.dmaVunmapNoncontiguous(device, address, 61440)
    machine.dmaFreeNoncontiguous(device, 60000, table, .bidirectional)
    if case .iommu(let domain) = device.backend { #expect(domain.addresses.allocatedPages == 0) }
  }

  @Test func deviceMemory() throws {
    let (machine, device) = machine()
    let own = try #require(machine.allocPages(order: 3, isLow: true))
    #expect(machine.dmaDeclareCoherentMemory(device, own, 0x5000_0000, 100) == -22)
    #expect(machine.dmaDeclareCoherentMemory(device, own, 0x5000_0000, 32768) == 0)
    #expect(machine.dmaDeclareCoherentMemory(device, own, 0x5000_0000, 32768) == -16)
    let memory = try #require(machine.dmaAllocFromCoherent(device, 8192))
    #expect(memory.dmaAddress == 0x5000_0000)
    let window = machine.dmaMmapFromCoherent(device, memory.cpuAddress, pages: 2)
    #expect(window != nil && window != .failed(-6))
    #expect(machine.dmaAllocCoherent(device, 4096)?.dmaAddress == 0x5000_2000)
    #expect(machine.dmaAllocFromCoherent(device, 65536) == nil)
    #expect(machine.dmaReleaseFromCoherent(device, 1, memory.cpuAddress))
    #expect(!machine.dmaReleaseFromCoherent(device, 0, AddressSpace.direct(own)))
    #expect(device.declared?.usedPages == 1)
    machine.dmaReleaseCoherentMemory(device)
    #expect(machine.dmaAllocFromCoherent(device, 4096) == nil)
  }

  @Test func managedMemory() throws {
    let (machine, device) = machine()
    let free = machine.pages.freePages
    let early = try #require(machine.dmamAllocCoherent(device, 4096))
    machine.dmamFreeCoherent(device, 4096, early.cpuAddress, early.dmaAddress)
    #expect(device.resources.isEmpty)
    _ = machine.dmamAllocCoherent(device, 8192)
    _ = machine.dmamAllocAttrs(device, 4096, .writeCombine)
    let pool = try #require(machine.dmamPoolCreate("managed", device, 32, 32, 0))
    let block = try #require(machine.dmaPoolAlloc(pool))
    machine.dmaPoolFree(pool, block.cpuAddress, block.dmaAddress)
    machine.dmamPoolDestroy(try #require(machine.dmamPoolCreate("short", device, 32, 32, 0)))
    #expect(machine.dmamDeclareCoherentMemory(device, 0x40_0000, 0x5000_0000, 4096) == 0)
    machine.dmamReleaseDeclaredMemory(device)
    #expect(machine.dmamDeclareCoherentMemory(device, 0x40_0000, 0x5000_0000, 4096) == 0)
    #expect(device.resources.count == 4)
    machine.driverUnbind(device)
    #expect(device.declared == nil)
    #expect(machine.pages.freePages == free)
    #expect(device.coherent.isEmpty)
  }

  @Test func userMappings() throws {
    let (machine, device) = machine { $1.backend = .iommu }
    let memory = try #require(machine.dmaAllocCoherent(device, 16384))
    guard
      case .address(let window) = machine.dmaMmapCoherent(
        device,
        memory.cpuAddress,
        offset: 1,
        pages: 3
      )
    else {
      Issue.record("no window")
      return
    }
    machine.storeWord(window, 7)
    #expect(machine.deviceLoadWord(device, memory.dmaAddress + 4096) == 7)
    let address = memory.cpuAddress
    #expect(machine.dmaMmapCoherent(device, address, offset: 2, pages: 3) == .failed(-6))
    #expect(machine.dmaMmapAttrs(device, address, pages: 5, []) == .failed(-6))
    #expect(machine.dmaMmapWritecombine(device, address, pages: 4) != .failed(-6))
    let table = try #require(machine.dmaGetSGTable(device, address, 16384))
    #expect(table.length == 16384)
    #expect(machine.dmaGetSGTable(device, address, 32768) == nil)
  }

  @Test func drivers() {
    let (machine, device) = machine()
    _ = events(machine)
    machine.driverUnbind(device)
    machine.setDMAOps(device)
    machine.driverBind(device) {
      #expect(machine.dmaSetMask(device, Device.bitMask(40)) == 0)
      let dma = machine.dmaMapPage(device, 0x30_0000, 0, 64, .toDevice)
      #expect(dma == 0x30_0000 + BridgeWindow.offset)
      machine.dmaUnmapPage(device, dma, 64, .toDevice)
    }
    machine.moduleUnload("example")
    #expect(!device.isBound)
    let actions = events(machine).filter { $0.kind == .busNotify }.map(\.address)
    #expect(actions == [5, 6, 3, 4, 5, 6])
  }

  // MARK: The table

  @Test func theTableHasEveryFunctionAndEveryTestExists() {
    let listed = APITable.groups.flatMap(\.functions)
    #expect(Set(listed) == Set(APIFunction.allCases))
    #expect(listed.count == APIFunction.allCases.count)
    for group in APITable.groups {
      let names = group.test.split(separator: ".")
      let source = Fixtures.lines(Fixtures.root + "/Tests/DMASimulatorTests/\(names[0]).swift")
      guard let start = source.firstIndex(where: { $0.contains("func \(names[1])(") }) else {
        Issue.record("no test \(group.test)")
        continue
      }
      let body = source[start...].prefix { $0 != "  }" }.joined(separator: "\n")
      for function in group.functions {
        #expect(body.contains(".\(function)("), "\(group.test) does not call \(function)")
      }
    }
  }

  @Test func everyFunctionIsRunByAScenario() {
    for line in APITable.markdown().split(separator: "\n") where line.hasPrefix("| `") {
      #expect(!line.contains("|  |"), "\(line)")
    }
  }
}
