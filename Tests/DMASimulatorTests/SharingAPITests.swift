// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

@testable import DMASimulator

/// Shared buffers, one function after the other. docs/API.md names these tests.
@Suite struct SharingAPITests {
  /// A machine with two devices that have drivers.
  private func machine(
    _ change: (inout MachineOptions, inout DeviceOptions) -> Void = { _, _ in }
  ) -> (Machine, Device, Device) {
    var options = MachineOptions()
    options.lowMemory = 128 << 20
    options.highMemory = 64 << 20
    var first = DeviceOptions(name: "0000:01:00.0", driver: "producer")
    var second = DeviceOptions(name: "0000:02:00.0", driver: "consumer")
    change(&options, &first)
    change(&options, &second)
    let machine = Machine(options)
    let devices = [first, second].map { machine.addDevice($0) }
    for device in devices { machine.driverBind(device) { machine.setMasks(device) } }
    _ = events(machine)
    return (machine, devices[0], devices[1])
  }

  private func events(_ machine: Machine) -> [DMAEvent] {
    var batch = EventBatch()
    machine.takeEvents(&batch)
    return batch.events
  }

  private func locked<Value>(_ machine: Machine, _ buffer: SharedBuffer, _ body: () -> Value)
    -> Value
  {
    machine.dmaResvLock(buffer.reservation)
    defer { machine.dmaResvUnlock(buffer.reservation) }
    return body()
  }

  @Test func bufferLife() throws {
    let (machine, device, _) = machine()
    let free = machine.pages.freePages
    let buffer = try #require(machine.dmaHeapBufferAlloc(.system, 10_000))
    #expect(buffer.size == 12288)
    let descriptor = machine.dmaBufFD(buffer)
    #expect(descriptor == 3)
    #expect(buffer.references == 1)
    let imported = try #require(machine.dmaBufGet(descriptor).value)
    #expect(imported === buffer)
    #expect(machine.dmaBufGet(99).error == -9)
    machine.close(descriptor)
    #expect(!buffer.isReleased)
    machine.dmaBufPut(imported)
    #expect(buffer.isReleased)
    #expect(machine.pages.freePages == free)
    let seen = events(machine)
    #expect(seen.map(\.kind) == [.bufferExport, .bufferFD, .bufferGet, .bufferPut])
    #expect(seen.allSatisfy { $0.address == 1 && $0.size == 12288 })
    #expect(seen[1].mappedEntries == 3)
    #expect(machine.names.exporters.string(seen[0].site) == "system")
    // One put too many.
    machine.dmaBufPut(buffer)
    #expect(machine.observations.map(\.kind) == [.kernelWarning])
    // An exporter without what it needs.
    let memory = try #require(machine.takeMemory(.contiguous, 8192))
    let all = machine.movableOperations(memory)
    for missing in ["", "map_dma_buf", "map_dma_buf unmap_dma_buf", "map_dma_buf release"] {
      let operations = try #require(all.only(missing.split(separator: " ")))
      #expect(machine.dmaBufExport("half", operations, 8192).error == -22)
    }
    let least = "map_dma_buf unmap_dma_buf release"
    for pins in [" pin", " unpin"] {
      let operations = try #require(all.only((least + pins).split(separator: " ")))
      #expect(machine.dmaBufExport("half", operations, 8192).error == -22)
    }
    let operations = try #require(all.only(least.split(separator: " ")))
    let other = try #require(machine.dmaBufExportNamed(operations, 8192, "old").value)
    #expect(other.inode == 2)
    let attachment = try #require(machine.dmaBufAttach(other, device).value)
    machine.dmaBufDetach(other, attachment)
    machine.dmaBufPut(other)
    // Apart from the page that has room for such structures.
    #expect(machine.pages.freePages == free - 1)
    #expect(DMABufOperations().only(["magic"]) == nil)
  }

  @Test func attachments() throws {
    for backend in [DeviceOptions.Backend.direct, .iommu, .swiotlb] {
      let (machine, first, second) = machine { $1.backend = backend }
      let buffer = try #require(machine.dmaHeapBufferAlloc(.system, 16384))
      let a = try #require(machine.dmaBufAttach(buffer, first).value)
      let b = try #require(machine.dmaBufDynamicAttach(buffer, second) { _ in }.value)
      #expect(!a.isDynamic && b.isDynamic)
      _ = events(machine)
      let list = try #require(machine.dmaBufMapAttachmentUnlocked(a, .fromDevice).value)
      #expect(a.isMapped)
      let pattern = machine.nextPattern(first)
      #expect(machine.deviceWrite(buffer, first, list, pattern))
      machine.dmaBufUnmapAttachmentUnlocked(a, list, .fromDevice)
      let mapped = locked(machine, buffer) { machine.dmaBufMapAttachment(b, .toDevice).value }
      let other = try #require(mapped)
      #expect(machine.deviceCheck(buffer, second, other, pattern))
      locked(machine, buffer) { machine.dmaBufUnmapAttachment(b, other, .toDevice) }
      machine.dmaBufDetach(buffer, a)
      machine.dmaBufDetach(buffer, b)
      // The mapping stands before the attachment's event, and so does the unmapping.
      let seen = events(machine).filter { $0.kind != .swiotlbBounced }
      #expect(
        seen.map(\.kind) == [
          .mapSG, .bufferMapAttachment, .bufferAccess, .unmapSG, .bufferUnmapAttachment, .mapSG,
          .bufferMapAttachment, .bufferAccess, .unmapSG, .bufferUnmapAttachment, .bufferDetach,
          .bufferDetach,
        ]
      )
      #expect(seen[1].dmaAddress == a.address && seen[1].direction == .fromDevice)
      #expect(seen[11].flags.contains(.dynamic) && seen[11].device == second.id)
      machine.dmaBufPut(buffer)
      #expect(machine.observations.isEmpty)
      // Detached already, of a buffer that is gone.
      machine.dmaBufDetach(buffer, b)
      #expect(machine.observations.map(\.kind) == [.kernelWarning])
    }
  }

  /// Importers that can follow a move, and those that pin.
  @Test func moving() throws {
    let (machine, first, second) = machine()
    let memory = try #require(machine.takeMemory(.system, 4096))
    let buffer = try #require(
      machine.dmaBufExport("movable", machine.movableOperations(memory), 4096).value
    )
    var told = 0
    let follower = try #require(machine.dmaBufDynamicAttach(buffer, first) { _ in told += 1 }.value)
    let pinner = try #require(machine.dmaBufAttach(buffer, second).value)
    let list = try #require(machine.dmaBufMapAttachmentUnlocked(pinner, .toDevice).value)
    #expect(pinner.pinCount == 1)
    machine.dmaBufUnmapAttachmentUnlocked(pinner, list, .toDevice)
    #expect(pinner.pinCount == 0)
    _ = events(machine)
    locked(machine, buffer) {
      #expect(machine.dmaBufPin(follower) == 0)
      #expect(follower.pinCount == 1)
      machine.dmaBufUnpin(follower)
      machine.dmaBufMoveNotify(buffer)
    }
    #expect(told == 1)
    #expect(events(machine).map(\.kind) == [.bufferPin, .bufferUnpin, .bufferMoveNotify])
    #expect(machine.observations.isEmpty)
    // Without the lock the kernel warns.
    machine.dmaBufMoveNotify(buffer)
    #expect(machine.observations.map(\.kind) == [.kernelWarning])
  }

  @Test(arguments: [DeviceOptions.Backend.direct, .iommu, .swiotlb], [true, false])
  func cpuAccess(_ backend: DeviceOptions.Backend, _ isCoherent: Bool) throws {
    let (machine, device, _) = machine {
      $1.backend = backend
      $1.isCoherent = isCoherent
      $0.isCoherent = isCoherent
    }
    let buffer = try #require(machine.dmaHeapBufferAlloc(.system, 8192))
    let window = try #require(machine.dmaBufMmapInternal(buffer, pages: 2).value)
    let attachment = try #require(machine.dmaBufAttach(buffer, device).value)
    machine.write(buffer, window, 8192, machine.nextPattern(device))
    let list = try #require(machine.dmaBufMapAttachmentUnlocked(attachment, .bidirectional).value)
    let needsSync = backend == .swiotlb || !isCoherent
    // From the device: stale until begin.
    let written = machine.nextPattern(device)
    _ = machine.mismatch(window, 8192, written)
    machine.deviceWrite(buffer, device, list, written)
    #expect((machine.mismatch(window, 8192, written) != nil) == needsSync)
    #expect(machine.dmaBufBeginCPUAccess(buffer, .bidirectional) == 0)
    #expect(machine.mismatch(window, 8192, written) == nil)
    // To the device: stale until end.
    let answer = machine.nextPattern(device)
    machine.write(buffer, window, 8192, answer)
    let count = machine.observations.count
    machine.deviceCheck(buffer, device, list, answer)
    #expect((machine.observations.count > count) == needsSync)
    #expect(machine.dmaBufEndCPUAccess(buffer, .bidirectional) == 0)
    #expect(machine.deviceCheck(buffer, device, list, answer))
    machine.dmaBufUnmapAttachmentUnlocked(attachment, list, .bidirectional)
    machine.dmaBufDetach(buffer, attachment)
    machine.munmap(buffer, window, pages: 2)
    machine.dmaBufPut(buffer)
    let kinds = events(machine).map(\.kind)
    #expect(kinds.contains(.bufferMmapInternal) && kinds.contains(.bufferBeginAccess))
    let begin = try #require(kinds.firstIndex(of: .bufferBeginAccess))
    #expect(kinds[begin - 1] == .syncSGForCPU)
    let end = try #require(kinds.firstIndex(of: .bufferEndAccess))
    #expect(kinds[end - 1] == .syncSGForDevice)
  }

  @Test func windows() throws {
    let (machine, _, _) = machine()
    let memory = try #require(machine.takeMemory(.carveout, 16384))
    let operations = machine.heapOperations(memory)
    let buffer = try #require(machine.dmaBufExport("carveout", operations, 16384).value)
    let second = try #require(machine.dmaBufMmap(buffer, pages: 2, offset: 2).value)
    machine.storeWord(second, 5)
    #expect(machine.dmaBufMmap(buffer, pages: 3, offset: 2).error == -22)
    #expect(machine.dmaBufMmap(buffer, pages: 3, offset: .max).error == -75)
    #expect(machine.dmaBufMmapInternal(buffer, pages: 0).error == -22)
    locked(machine, buffer) {
      let address = machine.dmaBufVmap(buffer).value
      #expect(machine.dmaBufVmap(buffer).value == address)
      #expect(buffer.vmapCount == 2)
      #expect(machine.loadWord((address ?? 0) + 8192) == 5)
      #expect(machine.buffer(at: (address ?? 0) + 100) === buffer)
      machine.dmaBufVunmap(buffer)
      machine.dmaBufVunmap(buffer)
      #expect(machine.buffer(at: address ?? 0) == nil)
    }
    let page = machine.dmaBufKmap(buffer, 2)
    #expect(machine.loadWord(page) == 5)
    machine.dmaBufKunmap(buffer, 2, page)
    #expect(machine.dmaBufKmap(buffer, 4) == 0)
    let atomic = machine.dmaBufKmapAtomic(buffer, 2)
    #expect(atomic == page)
    machine.dmaBufKunmapAtomic(buffer, 2, atomic)
    #expect(
      events(machine).map(\.kind) == [
        .bufferExport, .bufferMmap, .bufferVmap, .bufferVmap, .bufferVunmap, .bufferVunmap,
        .bufferKmap, .bufferKunmap, .bufferKmap, .bufferKunmap,
      ]
    )
    #expect(machine.observations.isEmpty)
    locked(machine, buffer) { machine.dmaBufVunmap(buffer) }
    #expect(machine.observations.map(\.kind) == [.kernelWarning])
    // An exporter without windows.
    let bare = try #require(operations.only(["map_dma_buf", "unmap_dma_buf", "release"]))
    let other = try #require(machine.dmaBufExport("bare", bare, 4096).value)
    #expect(machine.dmaBufMmap(other, pages: 1).error == -22)
    #expect(machine.dmaBufMmapInternal(other, pages: 1).error == -22)
    #expect(locked(machine, other) { machine.dmaBufVmap(other).error } == -22)
    #expect(machine.dmaBufKmapAtomic(other, 0) == 0)
  }

  /// Kernels before 7.0 have no tracepoints of dma-buf; probes on functions they can have.
  @Test func olderKernelsTraceNoBuffers() throws {
    let (machine, device, _) = machine { options, _ in options.generation = .linux612 }
    let buffer = try #require(machine.dmaHeapBufferAlloc(.system, 4096))
    let attachment = try #require(machine.dmaBufAttach(buffer, device).value)
    let list = try #require(machine.dmaBufMapAttachmentUnlocked(attachment, .toDevice).value)
    machine.dmaBufUnmapAttachmentUnlocked(attachment, list, .toDevice)
    machine.dmaBufDetach(buffer, attachment)
    machine.dmaBufPut(buffer)
    #expect(
      events(machine).map(\.kind) == [
        .mapSG, .bufferMapAttachment, .unmapSG, .bufferUnmapAttachment,
      ]
    )
  }

  // MARK: IOVA-based mappings

  @Test func ranges() throws {
    let (machine, device, other) = machine {
      $1.backend = $1.driver == "producer" ? .iommu : .direct
    }
    let page = try #require(machine.allocPages(order: 0))
    let next = try #require(machine.allocPages(order: 0))
    let state = IOVAState()
    #expect(!machine.dmaIOVATryAlloc(other, state, page, 4096))
    #expect(!machine.dmaUseIOVA(state))
    #expect(!machine.dmaIOVATryAlloc(device, state, page, 0))
    #expect(machine.dmaIOVATryAlloc(device, state, page + 256, 7936))
    #expect(machine.dmaUseIOVA(state))
    #expect(state.address % 4096 == 256)
    #expect(machine.dmaIOVALink(device, state, page + 256, 0, 3840, .toDevice) == 0)
    #expect(machine.dmaIOVALink(device, state, next, 3840, 4096, .toDevice) == 0)
    #expect(machine.dmaIOVALink(device, state, next, 3840, 4096, .toDevice) == -98)
    #expect(machine.dmaIOVALink(device, state, next, 100, 64, .toDevice) == -22)
    #expect(machine.dmaIOVALink(device, state, next + 1, 3840, 64, .toDevice) == -5)
    let pattern = machine.nextPattern(device)
    machine.write(AddressSpace.direct(next), 4096, pattern)
    // The IOMMU does not know the pieces before the sync.
    #expect(!machine.deviceCheck(device, state.address + 3840, 4096, pattern))
    #expect(machine.dmaIOVASync(device, state, 0, 7936) == 0)
    #expect(machine.deviceCheck(device, state.address + 3840, 4096, pattern))
    // DMA_TO_DEVICE: the device may not write.
    #expect(!machine.deviceWrite(device, state.address, 64, pattern))
    machine.dmaIOVAUnlink(device, state, 3840, 4096, .toDevice)
    #expect(!machine.deviceCheck(device, state.address + 3840, 4096, pattern))
    machine.dmaIOVADestroy(device, state, 3840, .toDevice)
    #expect(!machine.dmaUseIOVA(state))
    #expect(machine.dmaIOVATryAlloc(device, state, page, 4096))
    machine.dmaIOVAFree(device, state)
    guard case .iommu(let domain) = device.backend else { return }
    #expect(domain.addresses.allocatedPages == 0)
    #expect(domain.mappedPages == 0)
    let kinds = events(machine).map(\.kind).filter { $0 != .iommuFault }
    #expect(
      kinds == [
        .iovaAlloc, .iovaAlloc, .iovaAlloc, .iovaLink, .iovaLink, .iovaSync, .iovaUnlink,
        .iovaDestroy, .iovaAlloc, .iovaFree,
      ]
    )
    // Without sight of the cache, linking writes it back and unlinking drops it.
    let (board, blind, _) = self.machine {
      $1.backend = .iommu
      $1.isCoherent = false
      $0.isCoherent = false
    }
    let memory = try #require(board.allocPages(order: 0))
    board.write(AddressSpace.direct(memory), 4096, board.nextPattern(blind))
    #expect(board.dmaIOVATryAlloc(blind, state, memory, 4096))
    #expect(board.dmaIOVALink(blind, state, memory, 0, 4096, .fromDevice) == 0)
    board.dmaIOVASync(blind, state, 0, 4096)
    let arrived = board.nextPattern(blind)
    board.deviceWrite(blind, state.address, 4096, arrived)
    #expect(board.mismatch(AddressSpace.direct(memory), 4096, arrived) != nil)
    board.dmaIOVADestroy(blind, state, 4096, .fromDevice)
    #expect(board.mismatch(AddressSpace.direct(memory), 4096, arrived) == nil)
  }

  // MARK: dmaengine

  @Test(arguments: [DeviceOptions.Backend.direct, .iommu, .swiotlb], [true, false])
  func channels(_ backend: DeviceOptions.Backend, _ isCoherent: Bool) throws {
    let (machine, controller, client) = machine {
      $1.backend = backend
      $1.isCoherent = isCoherent
      $0.isCoherent = isCoherent
    }
    let channel = try #require(machine.dmaRequestChan(client, controller: controller))
    #expect(channel.name == "dma0chan0")
    let page = try #require(machine.allocPages(order: 1))
    let cpu = AddressSpace.direct(page)
    let list = ScatterList([ScatterList.Entry(address: page, length: 8192)])
    machine.dmaMapSG(controller, list, .fromDevice)
    #expect(machine.dmaenginePrepSlaveSG(channel, list, .fromDevice) == nil)
    var configuration = DMASlaveConfiguration(direction: .fromDevice, fifo: 0xfe00_0000, width: 3)
    #expect(machine.dmaengineSlaveConfig(channel, configuration) == -22)
    configuration.width = 4
    #expect(machine.dmaengineSlaveConfig(channel, configuration) == 0)
    let pattern = machine.nextPattern(controller)
    channel.source = pattern
    _ = events(machine)
    let descriptor = try #require(machine.dmaenginePrepSlaveSG(channel, list, .fromDevice))
    var told = 0
    descriptor.callback = { _ in told += 1 }
    let cookie = machine.dmaengineSubmit(descriptor)
    #expect(machine.dmaengineSubmit(descriptor) == cookie)
    machine.sleep(1_000_000)
    #expect(machine.dmaengineTxStatus(channel, cookie) == (.inProgress, 8192))
    machine.dmaAsyncIssuePending(channel)
    machine.sleep(20_000)
    let middle = machine.dmaengineTxStatus(channel, cookie)
    #expect(middle.status == .inProgress && middle.residue > 0 && middle.residue < 8192)
    machine.sleep(100_000)
    #expect(machine.dmaengineTxStatus(channel, cookie) == (.complete, 0))
    #expect(told == 1)
    machine.dmaUnmapSG(controller, list, .fromDevice)
    #expect(machine.check(controller, cpu, 8192, pattern))
    let seen = events(machine)
    #expect(
      seen.map(\.kind).filter { $0 != .swiotlbBounced } == [
        .descriptorPrepare, .descriptorSubmit, .channelStatus, .channelIssuePending,
        .channelStatus, .descriptorComplete, .channelStatus, .unmapSG,
      ]
    )
    #expect(seen[0].device == client.id && seen[0].size == 8192)
    // A copy, terminated in the middle.
    let source = machine.dmaMapPage(controller, page, 0, 4096, .toDevice)
    let target = machine.dmaMapPage(controller, page, 4096, 4096, .fromDevice)
    let copy = try #require(
      machine.dmaenginePrepDMAMemcpy(channel, to: target, from: source, 4096)
    )
    let other = machine.dmaengineSubmit(copy)
    machine.dmaAsyncIssuePending(channel)
    machine.sleep(10_000)
    machine.dmaengineTerminateSync(channel)
    #expect(channel.inFlight == 0)
    machine.sleep(100_000)
    #expect(copy.completions == 0 && copy.moved > 0 && copy.moved < 4096)
    #expect(machine.dmaengineTxStatus(channel, other).status == .complete)
    machine.dmaUnmapPage(controller, source, 4096, .toDevice)
    machine.dmaUnmapPage(controller, target, 4096, .fromDevice)
    machine.dmaReleaseChannel(channel)
    #expect(machine.observations.isEmpty)
    machine.dmaReleaseChannel(channel)
    #expect(machine.observations.map(\.kind) == [.kernelWarning])
    // As many as there are.
    let all = (0..<9).map { _ in machine.dmaRequestChan(client, controller: controller) }
    #expect(all.compactMap { $0 }.count == 8)
  }

  @Test func cyclicTransfers() throws {
    let (machine, controller, client) = machine()
    let channel = try #require(machine.dmaRequestChan(client, controller: controller))
    let fifo = DMASlaveConfiguration(direction: .fromDevice, fifo: 0xfe00_0000)
    #expect(machine.dmaengineSlaveConfig(channel, fifo) == 0)
    let ring = try #require(machine.dmaAllocCoherent(controller, 16384))
    func prepare(_ period: UInt64) -> DMADescriptor? {
      machine.dmaenginePrepDMACyclic(channel, ring.dmaAddress, 16384, period: period, .fromDevice)
    }
    #expect(prepare(3000) == nil)
    #expect(prepare(0) == nil)
    let descriptor = try #require(prepare(4096))
    machine.dmaengineSubmit(descriptor)
    machine.dmaAsyncIssuePending(channel)
    machine.sleep(500_000)
    // 16 us a period and 5 us before the first.
    #expect(descriptor.completions == 30)
    #expect(descriptor.residue == 16384 - descriptor.moved % 16384)
    var late = 0
    descriptor.callback = { _ in late += 1 }
    machine.dmaengineTerminateAsync(channel)
    #expect(late == 0)
    machine.dmaengineSynchronize(channel)
    #expect(late == 1)
    machine.sleep(500_000)
    #expect(descriptor.completions == 30)
    // Released while it runs: it goes on.
    let again = try #require(prepare(4096))
    machine.dmaengineSubmit(again)
    machine.dmaAsyncIssuePending(channel)
    machine.dmaReleaseChannel(channel)
    #expect(machine.observations.map(\.kind) == [.channelBusy])
    machine.sleep(100_000)
    #expect(again.completions > 3)
  }
}
