// SPDX-License-Identifier: MIT
import DMADebugCore

/// Fences, IOVA-based mappings and dmaengine in hand-written calls. Times are microseconds.
extension CallInterpreter {
  mutating func synchronise(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    switch function {
    case .dmaFenceContextAlloc:
      return .number(machine.dmaFenceContextAlloc(min(try number(a[0]), 1 << 16)))
    case .dmaFenceInit:
      // dma_fence_init(&fence, driver, timeline, context, seqno)
      let (driver, timeline) = (try text(a[1]), try text(a[2]))
      let (context, seqno) = (try number(a[3]), try number(a[4]))
      let fence = machine.dmaFenceInit(
        driver: driver,
        timeline: timeline,
        context: context,
        seqno: seqno,
        enableSignaling: { true }
      )
      try set(a[0], to: .fence(fence))
    case .dmaFenceGet: return .fence(machine.dmaFenceGet(try fence(a[0])))
    case .dmaFencePut: machine.dmaFencePut(try fence(a[0]))
    case .dmaFenceSignal: return result(machine.dmaFenceSignal(try fence(a[0])))
    case .dmaFenceSetError:
      let fence = try fence(a[0])
      machine.dmaFenceSetError(fence, Int(Int64(bitPattern: try number(a[1]))))
    case .dmaFenceIsSignaled: return .number(machine.dmaFenceIsSignaled(try fence(a[0])) ? 1 : 0)
    case .dmaFenceEnableSWSignaling: machine.dmaFenceEnableSWSignaling(try fence(a[0]))
    case .dmaFenceAddCallback:
      let fence = try fence(a[0])
      return result(machine.dmaFenceAddCallback(fence, try callback(a[1])))
    case .dmaFenceRemoveCallback:
      let fence = try fence(a[0])
      return .number(machine.dmaFenceRemoveCallback(fence, try callback(a[1])) ? 1 : 0)
    case .dmaFenceWaitTimeout:
      let fence = try fence(a[0])
      return microseconds(machine.dmaFenceWaitTimeout(fence, timeout: try timeout(a[2])))
    case .dmaFenceArrayCreate:
      // dma_fence_array_create(context, seqno, fence…)
      let (context, seqno) = (try number(a[0]), try number(a[1]))
      var fences: [Fence] = []
      for expression in a.dropFirst(2) { fences.append(try fence(expression)) }
      return .fence(machine.dmaFenceArrayCreate(fences, context: context, seqno: seqno))
    case .dmaResvLock, .dmaResvUnlock, .dmaResvReserveFences, .dmaResvAddFence,
      .dmaResvWaitTimeout, .dmaResvTestSignaled, .dmaResvGetSingleton:
      return try reserve(function, a)
    case .syncFileCreate: return result(machine.syncFileCreate(try fence(a[0])))
    case .syncFileGetFence:
      return machine.syncFileGetFence(Int(min(try number(a[0]), 1 << 30))).map { .fence($0) }
        ?? .null
    case .dmaBufExportSyncFile:
      let buffer = try buffer(a[0])
      return result(machine.dmaBufExportSyncFile(buffer, isWriter: try number(a[1]) != 0))
    case .dmaBufImportSyncFile:
      let buffer = try buffer(a[0])
      let descriptor = Int(min(try number(a[1]), 1 << 30))
      return result(
        machine.dmaBufImportSyncFile(buffer, descriptor, isWriter: try number(a[2]) != 0)
      )
    case .dmaIOVATryAlloc, .dmaUseIOVA, .dmaIOVALink, .dmaIOVASync, .dmaIOVAUnlink,
      .dmaIOVADestroy, .dmaIOVAFree:
      return try ranges(function, a)
    default: return try engine(function, a)
    }
    return .null
  }

  private mutating func reserve(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    guard case .reservation(let object) = try evaluate(a[0]) else {
      throw failure("a reservation object is wanted: dma_buf_resv() or resv_alloc()")
    }
    switch function {
    case .dmaResvLock:
      return result(machine.dmaResvLock(object, ticket: a.count > 1 ? try number(a[1]) : 0))
    case .dmaResvUnlock: machine.dmaResvUnlock(object)
    case .dmaResvReserveFences:
      return result(machine.dmaResvReserveFences(object, Int(min(try number(a[1]), 1 << 16))))
    case .dmaResvAddFence:
      let fence = try fence(a[1])
      machine.dmaResvAddFence(object, fence, try usage(a[2]))
    case .dmaResvWaitTimeout:
      let usage = try usage(a[1])
      return microseconds(machine.dmaResvWaitTimeout(object, usage, timeout: try timeout(a[3])))
    case .dmaResvTestSignaled:
      return .number(machine.dmaResvTestSignaled(object, try usage(a[1])) ? 1 : 0)
    default:
      return machine.dmaResvGetSingleton(object, try usage(a[1])).map { .fence($0) } ?? .null
    }
    return .null
  }

  private mutating func ranges(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    if function == .dmaUseIOVA { return .number(machine.dmaUseIOVA(try iova(a[0])) ? 1 : 0) }
    let device = try device(a[0])
    if function == .dmaIOVATryAlloc {
      let state = IOVAState()
      let physical = try number(a[2])
      let isThere = machine.dmaIOVATryAlloc(device, state, physical, try number(a[3]))
      try set(a[1], to: .iova(state))
      return .number(isThere ? 1 : 0)
    }
    let state = try iova(a[1])
    switch function {
    case .dmaIOVALink:
      let (physical, offset, size) = (try number(a[2]), try number(a[3]), try number(a[4]))
      let direction = try direction(a[5])
      let flags = try attributes(a[6])
      return result(machine.dmaIOVALink(device, state, physical, offset, size, direction, flags))
    case .dmaIOVASync:
      let offset = try number(a[2])
      return result(machine.dmaIOVASync(device, state, offset, try number(a[3])))
    case .dmaIOVAUnlink:
      let (offset, size) = (try number(a[2]), try number(a[3]))
      let direction = try direction(a[4])
      machine.dmaIOVAUnlink(device, state, offset, size, direction, try attributes(a[5]))
    case .dmaIOVADestroy:
      let linked = try number(a[2])
      let direction = try direction(a[3])
      machine.dmaIOVADestroy(device, state, linked, direction, try attributes(a[4]))
    default: machine.dmaIOVAFree(device, state)
    }
    return .null
  }

  private mutating func engine(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    switch function {
    case .dmaRequestChan:
      let client = try device(a[0])
      return machine.dmaRequestChan(client, controller: try device(a[1])).map { .channel($0) }
        ?? result(KernelError.busy)
    case .dmaengineSubmit: return .number(machine.dmaengineSubmit(try descriptor(a[0])))
    default: break
    }
    let channel = try channel(a[0])
    switch function {
    case .dmaengineSlaveConfig:
      // dmaengine_slave_config(chan, direction, fifo, width, burst)
      let configuration = DMASlaveConfiguration(
        direction: try direction(a[1]),
        fifo: try number(a[2]),
        width: try number(a[3]),
        burst: try number(a[4])
      )
      return result(machine.dmaengineSlaveConfig(channel, configuration))
    case .dmaenginePrepSlaveSG:
      let list = try list(a[1])
      return machine.dmaenginePrepSlaveSG(channel, list, try direction(a[2])).map {
        .descriptor($0)
      } ?? .null
    case .dmaenginePrepDMAMemcpy:
      let (target, source) = (try number(a[1]), try number(a[2]))
      let length = try number(a[3])
      return machine.dmaenginePrepDMAMemcpy(channel, to: target, from: source, length).map {
        .descriptor($0)
      } ?? .null
    case .dmaenginePrepDMACyclic:
      let (address, length, period) = (try number(a[1]), try number(a[2]), try number(a[3]))
      let direction = try direction(a[4])
      return machine.dmaenginePrepDMACyclic(channel, address, length, period: period, direction).map
      { .descriptor($0) } ?? .null
    case .dmaAsyncIssuePending: machine.dmaAsyncIssuePending(channel)
    case .dmaengineTxStatus:
      let status = machine.dmaengineTxStatus(channel, try number(a[1]))
      try set(a[2], status.residue)
      return .number(status.status.rawValue)
    case .dmaengineTerminateSync: machine.dmaengineTerminateSync(channel)
    case .dmaengineTerminateAsync: machine.dmaengineTerminateAsync(channel)
    case .dmaengineSynchronize: machine.dmaengineSynchronize(channel)
    default: machine.dmaReleaseChannel(channel)
    }
    return .null
  }

  // MARK: Values

  /// Nanoseconds of a time in microseconds.
  private mutating func timeout(_ expression: Expression) throws(ScenarioError) -> UInt64 {
    let value = try number(expression)
    return value >= Machine.endless / 1000 ? Machine.endless : value * 1000
  }

  /// What is left of a time, in microseconds: at least 1 when something is.
  private func microseconds(_ left: Int) -> Value {
    result(left <= 0 ? left : max(1, left / 1000))
  }

  private mutating func fence(_ expression: Expression) throws(ScenarioError) -> Fence {
    guard case .fence(let fence) = try evaluate(expression) else {
      throw failure("a fence is wanted: dma_fence_init() makes one")
    }
    return fence
  }

  private mutating func callback(_ expression: Expression) throws(ScenarioError) -> FenceCallback {
    guard case .callback(let callback) = try evaluate(expression) else {
      throw failure("a callback is wanted: fence_callback() makes one")
    }
    return callback
  }

  private mutating func usage(
    _ expression: Expression
  ) throws(ScenarioError) -> ReservationObject.Usage {
    let value = try number(expression)
    guard value <= 3, let usage = ReservationObject.Usage(rawValue: UInt32(value)) else {
      throw failure("a usage is wanted: DMA_RESV_USAGE_WRITE")
    }
    return usage
  }

  private mutating func iova(_ expression: Expression) throws(ScenarioError) -> IOVAState {
    guard case .iova(let state) = try evaluate(expression) else {
      throw failure("a range is wanted: dma_iova_try_alloc() makes one")
    }
    return state
  }

  private mutating func channel(_ expression: Expression) throws(ScenarioError) -> EngineChannel {
    guard case .channel(let channel) = try evaluate(expression) else {
      throw failure("a channel is wanted: dma_request_chan() gives one")
    }
    return channel
  }

  private mutating func descriptor(
    _ expression: Expression
  ) throws(ScenarioError) -> DMADescriptor {
    guard case .descriptor(let descriptor) = try evaluate(expression) else {
      throw failure("a descriptor is wanted: dmaengine_prep_slave_sg() makes one")
    }
    return descriptor
  }

  // MARK: Helpers

  mutating func synchroniseHelper(
    _ name: String,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    switch name {
    case "fence_callback": return .callback(FenceCallback())
    case "fence_error": return result(try fence(a[0]).error)
    case "calls":
      switch try evaluate(a[0]) {
      case .callback(let callback): return .number(UInt64(callback.calls))
      case .descriptor(let descriptor): return .number(UInt64(descriptor.completions))
      default: throw failure("a callback or a descriptor is wanted")
      }
    case "ww_acquire_init": return .number(machine.makeTicket())
    case "signal_after":
      // signal_after(fence, us): the device is done then, and raises an interrupt.
      let fence = try fence(a[0])
      let delay = min(try number(a[1]), 86_400_000_000) * 1000
      machine.raise(after: delay, cpu: 0) { [unowned machine] in machine.dmaFenceSignal(fence) }
    case "device_write_after":
      // device_write_after(dev, dma, len, tag, us)
      let device = try device(a[0])
      let (address, length) = (try number(a[1]), try number(a[2]))
      guard length <= 1 << 24 else { throw failure("at most 16 MiB") }
      let tag = Pattern(owner: 0, serial: try number(a[3]))
      let delay = min(try number(a[4]), 86_400_000_000) * 1000
      let interpreter = self
      machine.raise(after: delay, cpu: 0) { [unowned machine] in
        interpreter.touched(by: device, address, writes: true)
        machine.deviceWrite(device, address, length, tag)
      }
    case "dma_iova_addr": return .number(try iova(a[0]).address)
    default:
      // chan_fifo(chan, tag): what the client's device sends, and expects.
      let channel = try channel(a[0])
      let tag = Pattern(owner: 0, serial: try number(a[1]))
      (channel.source, channel.sink) = (tag, tag)
    }
    return .null
  }
}
