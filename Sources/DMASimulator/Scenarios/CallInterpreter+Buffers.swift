// SPDX-License-Identifier: MIT
import DMADebugCore

/// Shared buffers in hand-written calls. Errors come as the kernel's `ERR_PTR` does: a number that is
/// negative.
extension CallInterpreter {
  static let sharingArguments: [APIFunction: ClosedRange<Int>] = [
    .dmaBufExport: 3...3, .dmaBufExportNamed: 3...3, .dmaHeapBufferAlloc: 2...2, .dmaBufFD: 1...1,
    .dmaBufGet: 1...1, .dmaBufPut: 1...1, .dmaBufAttach: 2...2, .dmaBufDynamicAttach: 2...2,
    .dmaBufDetach: 2...2, .dmaBufMapAttachment: 2...2, .dmaBufMapAttachmentUnlocked: 2...2,
    .dmaBufUnmapAttachment: 3...3, .dmaBufUnmapAttachmentUnlocked: 3...3, .dmaBufPin: 1...1,
    .dmaBufUnpin: 1...1, .dmaBufMoveNotify: 1...1, .dmaBufBeginCPUAccess: 2...2,
    .dmaBufEndCPUAccess: 2...2, .dmaBufMmap: 3...4, .dmaBufMmapInternal: 3...4,
    .dmaBufVmap: 2...2, .dmaBufVunmap: 2...2, .dmaBufKmap: 2...2, .dmaBufKunmap: 3...3,
    .dmaBufKmapAtomic: 2...2, .dmaBufKunmapAtomic: 3...3, .dmaFenceContextAlloc: 1...1,
    .dmaFenceInit: 5...5, .dmaFenceGet: 1...1, .dmaFencePut: 1...1, .dmaFenceSignal: 1...1,
    .dmaFenceSetError: 2...2, .dmaFenceIsSignaled: 1...1, .dmaFenceEnableSWSignaling: 1...1,
    .dmaFenceAddCallback: 2...2, .dmaFenceRemoveCallback: 2...2, .dmaFenceWaitTimeout: 3...3,
    .dmaFenceArrayCreate: 3...8, .dmaResvLock: 1...2, .dmaResvUnlock: 1...1,
    .dmaResvReserveFences: 2...2, .dmaResvAddFence: 3...3, .dmaResvWaitTimeout: 4...4,
    .dmaResvTestSignaled: 2...2, .dmaResvGetSingleton: 2...2, .syncFileCreate: 1...1,
    .syncFileGetFence: 1...1, .dmaBufExportSyncFile: 2...2, .dmaBufImportSyncFile: 3...3,
    .dmaIOVATryAlloc: 4...4, .dmaUseIOVA: 1...1, .dmaIOVALink: 7...7, .dmaIOVASync: 4...4,
    .dmaIOVAUnlink: 6...6, .dmaIOVADestroy: 5...5, .dmaIOVAFree: 2...2, .dmaRequestChan: 2...2,
    .dmaengineSlaveConfig: 5...5, .dmaenginePrepSlaveSG: 4...4, .dmaenginePrepDMAMemcpy: 5...5,
    .dmaenginePrepDMACyclic: 6...6, .dmaengineSubmit: 1...1, .dmaAsyncIssuePending: 1...1,
    .dmaengineTxStatus: 3...3, .dmaengineTerminateSync: 1...1, .dmaengineTerminateAsync: 1...1,
    .dmaengineSynchronize: 1...1, .dmaReleaseChannel: 1...1,
  ]

  static let sharingHelpers: [String: ClosedRange<Int>] = [
    "IS_ERR": 1...1, "close": 1...1, "dma_buf_resv": 1...1, "resv_alloc": 0...0, "moves": 1...1,
    "dma_buf_count": 0...0, "fence_callback": 0...0, "fence_error": 1...1, "calls": 1...1,
    "ww_acquire_init": 0...0, "signal_after": 2...2, "device_write_after": 5...5,
    "dma_iova_addr": 1...1, "chan_fifo": 2...2, "poll": 2...2,
  ]

  /// Calls of the functions for sharing.
  mutating func share(_ function: APIFunction, _ a: [Expression]) throws(ScenarioError) -> Value {
    switch function {
    case .dmaBufExport, .dmaBufExportNamed, .dmaHeapBufferAlloc: return try export(function, a)
    case .dmaBufFD: return result(machine.dmaBufFD(try buffer(a[0])))
    case .dmaBufGet:
      return value(machine.dmaBufGet(Int(min(try number(a[0]), 1 << 30)))) { .buffer($0) }
    case .dmaBufPut: machine.dmaBufPut(try buffer(a[0]))
    case .dmaBufAttach:
      let buffer = try buffer(a[0])
      return value(machine.dmaBufAttach(buffer, try device(a[1]))) { .attachment($0) }
    case .dmaBufDynamicAttach:
      let buffer = try buffer(a[0])
      return value(machine.dmaBufDynamicAttach(buffer, try device(a[1])) { _ in }) {
        .attachment($0)
      }
    case .dmaBufDetach: machine.dmaBufDetach(try buffer(a[0]), try attachment(a[1]))
    case .dmaBufMapAttachment:
      let attachment = try attachment(a[0])
      return value(machine.dmaBufMapAttachment(attachment, try direction(a[1]))) { .list($0) }
    case .dmaBufMapAttachmentUnlocked:
      let attachment = try attachment(a[0])
      let direction = try direction(a[1])
      return value(machine.dmaBufMapAttachmentUnlocked(attachment, direction)) { .list($0) }
    case .dmaBufUnmapAttachment:
      let attachment = try attachment(a[0])
      machine.dmaBufUnmapAttachment(attachment, try list(a[1]), try direction(a[2]))
    case .dmaBufUnmapAttachmentUnlocked:
      let attachment = try attachment(a[0])
      machine.dmaBufUnmapAttachmentUnlocked(attachment, try list(a[1]), try direction(a[2]))
    case .dmaBufPin: return result(machine.dmaBufPin(try attachment(a[0])))
    case .dmaBufUnpin: machine.dmaBufUnpin(try attachment(a[0]))
    case .dmaBufMoveNotify: machine.dmaBufMoveNotify(try buffer(a[0]))
    case .dmaBufBeginCPUAccess:
      let buffer = try buffer(a[0])
      return result(machine.dmaBufBeginCPUAccess(buffer, try direction(a[1])))
    case .dmaBufEndCPUAccess:
      let buffer = try buffer(a[0])
      return result(machine.dmaBufEndCPUAccess(buffer, try direction(a[1])))
    case .dmaBufMmap, .dmaBufMmapInternal, .dmaBufVmap, .dmaBufVunmap, .dmaBufKmap, .dmaBufKunmap,
      .dmaBufKmapAtomic, .dmaBufKunmapAtomic:
      return try windows(function, a)
    default: return try synchronise(function, a)
    }
    return .null
  }

  func value<Object>(_ outcome: KernelResult<Object>, _ make: (Object) -> Value) -> Value {
    switch outcome {
    case .success(let object): make(object)
    case .failure(let error): result(error)
    }
  }

  private mutating func export(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    if function == .dmaHeapBufferAlloc {
      guard let heap = DMAHeap(rawValue: try text(a[0])) else {
        throw failure("a heap is wanted: \"system\", \"reserved\" or \"carveout\"")
      }
      return machine.dmaHeapBufferAlloc(heap, try number(a[1])).map { .buffer($0) }
        ?? result(KernelError.noMemory)
    }
    // dma_buf_export(name, ops, size), dma_buf_export_named(ops, size, name)
    let isNamed = function == .dmaBufExportNamed
    let name = try text(a[isNamed ? 2 : 0])
    let wanted = try text(a[isNamed ? 0 : 1])
    let size = try number(a[isNamed ? 1 : 2])
    guard (1...Machine.largestBuffer).contains(size) else { throw failure("1 byte to 64 MiB") }
    guard let memory = machine.takeMemory(.system, (size + 4095) & ~4095) else {
      return result(KernelError.noMemory)
    }
    let all = machine.movableOperations(memory)
    guard let operations = all.only(wanted.split(separator: " ")) else {
      machine.giveBack(memory)
      throw failure("operations are those of struct dma_buf_ops, such as \"map_dma_buf release\"")
    }
    let outcome =
      isNamed
      ? machine.dmaBufExportNamed(operations, size, name)
      : machine.dmaBufExport(name, operations, size)
    if outcome.value == nil { machine.giveBack(memory) }
    return value(outcome) { .buffer($0) }
  }

  private mutating func windows(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    let buffer = try buffer(a[0])
    switch function {
    case .dmaBufMmap, .dmaBufMmapInternal:
      // dma_buf_mmap(buf, &vma, size[, pgoff])
      let pages = (try number(a[2]) &+ 4095) / 4096
      let offset = a.count > 3 ? try number(a[3]) : 0
      let outcome =
        function == .dmaBufMmap
        ? machine.dmaBufMmap(buffer, pages: pages, offset: offset)
        : machine.dmaBufMmapInternal(buffer, pages: pages, offset: offset)
      try set(a[1], outcome.value ?? 0)
      return result(outcome.error)
    case .dmaBufVmap:
      let outcome = machine.dmaBufVmap(buffer)
      try set(a[1], outcome.value ?? 0)
      return result(outcome.error)
    case .dmaBufVunmap:
      _ = try number(a[1])
      machine.dmaBufVunmap(buffer)
    case .dmaBufKmap: return .number(machine.dmaBufKmap(buffer, try number(a[1])))
    case .dmaBufKmapAtomic: return .number(machine.dmaBufKmapAtomic(buffer, try number(a[1])))
    case .dmaBufKunmap:
      let page = try number(a[1])
      machine.dmaBufKunmap(buffer, page, try number(a[2]))
    default:
      let page = try number(a[1])
      machine.dmaBufKunmapAtomic(buffer, page, try number(a[2]))
    }
    return .null
  }

  // MARK: Objects

  mutating func buffer(_ expression: Expression) throws(ScenarioError) -> SharedBuffer {
    guard case .buffer(let buffer) = try evaluate(expression) else {
      throw failure("a buffer is wanted: dma_buf_export() makes one")
    }
    return buffer
  }

  private mutating func attachment(
    _ expression: Expression
  ) throws(ScenarioError) -> BufferAttachment {
    guard case .attachment(let attachment) = try evaluate(expression) else {
      throw failure("an attachment is wanted: dma_buf_attach() makes one")
    }
    return attachment
  }

  /// The CPU touches an address; when it is that of a shared buffer, the trace shows it.
  func touched(_ address: UInt64, writes: Bool) {
    if let buffer = machine.buffer(at: address) { machine.touch(buffer, nil, writes: writes) }
  }

  /// The same of a device.
  func touched(by device: Device, _ address: UInt64, writes: Bool) {
    if let attachment = machine.attachment(device, at: address) {
      machine.touch(attachment.buffer, device, writes: writes)
    }
  }

  // MARK: Helpers

  mutating func sharingHelper(_ name: String, _ a: [Expression]) throws(ScenarioError) -> Value {
    switch name {
    case "IS_ERR":
      guard case .number(let value) = try evaluate(a[0]) else { return .number(0) }
      return .number(value > UInt64.max - 4095 ? 1 : 0)
    case "close": return result(machine.close(Int(min(try number(a[0]), 1 << 30))))
    case "dma_buf_resv": return .reservation(try buffer(a[0]).reservation)
    case "resv_alloc": return .reservation(ReservationObject())
    case "moves": return .number(UInt64(try attachment(a[0]).moves))
    case "dma_buf_count": return .number(UInt64(machine.sharing.buffers.count))
    case "poll": return try poll(a)
    default: return try synchroniseHelper(name, a)
    }
  }

  /// `poll(buf, isWriter)`: a process waits until it may read, or write, the buffer.
  private mutating func poll(_ a: [Expression]) throws(ScenarioError) -> Value {
    let buffer = try buffer(a[0])
    let isWriter = try number(a[1]) != 0
    let usage = ReservationObject.Usage(isWriter: isWriter)
    return .number(machine.wait(buffer.reservation, usage, Machine.hungTask) > 0 ? 1 : 0)
  }
}
