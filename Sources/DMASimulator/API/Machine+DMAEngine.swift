// SPDX-License-Identifier: MIT
import DMADebugCore

/// The client's side of dmaengine (`drivers/dma/dmaengine.c`).
///
/// Memory has to be mapped for the controller, ``EngineChannel/controller``.
extension Machine {
  /// Channels of a controller.
  static let channelsOfController = 8

  /// `dma_request_chan()`: a free channel of the controller; -EBUSY (-16) when none is free, as
  /// `nil`.
  ///
  /// - Parameter controller: what the client's description in firmware points to.
  public func dmaRequestChan(_ client: Device, controller: Device) -> EngineChannel? {
    enter(.dmaRequestChan)
    let used = sharing.channels.filter { $0.controller === controller }.map(\.number)
    guard let number = (0..<Self.channelsOfController).first(where: { !used.contains($0) }) else {
      return nil
    }
    let name = "dma\(controller.index)chan\(number)"
    let channel = EngineChannel(
      name: name,
      id: names.channels.intern(name),
      controller: controller,
      client: client,
      number: number
    )
    sharing.channels.append(channel)
    emit(event(.channelRequest, channel))
    return channel
  }

  /// `dmaengine_slave_config()`: 0, or -EINVAL for a width or burst that no FIFO has.
  @discardableResult
  public func dmaengineSlaveConfig(
    _ channel: EngineChannel,
    _ configuration: DMASlaveConfiguration
  ) -> Int {
    enter(.dmaengineSlaveConfig)
    guard [1, 2, 4, 8].contains(configuration.width), (1...256).contains(configuration.burst) else {
      return KernelError.invalid
    }
    channel.configuration = configuration
    var event = event(.channelConfigure, channel)
    event.direction = configuration.direction
    emit(event)
    return 0
  }

  private func prepare(_ descriptor: DMADescriptor) -> DMADescriptor {
    descriptor.pattern =
      descriptor.direction == .fromDevice ? descriptor.channel.source : descriptor.channel.sink
    var event = event(.descriptorPrepare, descriptor.channel)
    event.direction = descriptor.direction
    event.dmaAddress = descriptor.segments[0].address
    event.size = descriptor.segments[0].length
    event.requestedEntries = UInt32(descriptor.segments.count)
    event.mappedEntries = descriptor.kind.rawValue
    emit(event)
    return descriptor
  }

  /// `dmaengine_prep_slave_sg()`: between the FIFO and a list that is mapped for the controller.
  ///
  /// - Returns: `nil` without configuration, or when the list is not mapped.
  public func dmaenginePrepSlaveSG(
    _ channel: EngineChannel,
    _ list: ScatterList,
    _ direction: Direction
  ) -> DMADescriptor? {
    enter(.dmaenginePrepSlaveSG)
    let segments = list.liveSegments.filter { $0.length > 0 }
    guard channel.configuration != nil, !channel.isReleased, !segments.isEmpty,
      direction == .toDevice || direction == .fromDevice
    else { return nil }
    return prepare(DMADescriptor(channel, .slaveSG, direction, Array(segments)))
  }

  /// `dmaengine_prep_dma_memcpy()`: from one DMA address to another.
  ///
  /// - Parameter length: bytes, 1 … 16 MiB; `nil` is returned for others.
  public func dmaenginePrepDMAMemcpy(
    _ channel: EngineChannel,
    to target: UInt64,
    from source: UInt64,
    _ length: UInt64
  ) -> DMADescriptor? {
    enter(.dmaenginePrepDMAMemcpy)
    guard (1...16 << 20).contains(length), !channel.isReleased else { return nil }
    let segments = [ScatterList.Entry(address: target, length: length)]
    return prepare(DMADescriptor(channel, .memcpy, .bidirectional, segments, source: source))
  }

  /// `dmaengine_prep_dma_cyclic()`: round and round, with an interrupt at the end of each period.
  ///
  /// - Returns: `nil` without configuration, or when the buffer is no multiple of the period.
  public func dmaenginePrepDMACyclic(
    _ channel: EngineChannel,
    _ address: UInt64,
    _ length: UInt64,
    period: UInt64,
    _ direction: Direction
  ) -> DMADescriptor? {
    enter(.dmaenginePrepDMACyclic)
    guard channel.configuration != nil, !channel.isReleased, period >= 64, length <= 16 << 20,
      length > 0, length % period == 0, period % 64 == 0,
      direction == .toDevice || direction == .fromDevice
    else { return nil }
    let segments = stride(from: 0, to: length, by: UInt64.Stride(period)).map {
      ScatterList.Entry(address: address &+ $0, length: period)
    }
    return prepare(DMADescriptor(channel, .cyclic, direction, segments))
  }

  /// `dmaengine_submit()`: the cookie of the transfer, which waits to be issued.
  @discardableResult
  public func dmaengineSubmit(_ descriptor: DMADescriptor) -> UInt64 {
    enter(.dmaengineSubmit)
    let channel = descriptor.channel
    // A descriptor belongs to the channel from here on; submitting it again is no new one.
    guard descriptor.cookie == 0 else { return descriptor.cookie }
    channel.cookie += 1
    descriptor.cookie = channel.cookie
    channel.submitted.append(descriptor)
    var event = event(.descriptorSubmit, channel)
    event.address = descriptor.cookie
    emit(event)
    return descriptor.cookie
  }

  /// `dma_async_issue_pending()`: the controller begins with what was submitted.
  public func dmaAsyncIssuePending(_ channel: EngineChannel) {
    enter(.dmaAsyncIssuePending)
    emit(event(.channelIssuePending, channel))
    channel.issued += channel.submitted
    channel.submitted = []
    startNext(channel)
  }

  /// `dmaengine_tx_status()`: how far a transfer is, and the bytes that are left (`residue`).
  public func dmaengineTxStatus(
    _ channel: EngineChannel,
    _ cookie: UInt64
  ) -> (status: DMADescriptor.Status, residue: UInt64) {
    enter(.dmaengineTxStatus)
    let pending = channel.issued + channel.submitted
    var result: (status: DMADescriptor.Status, residue: UInt64) = (.complete, 0)
    if let descriptor = pending.first(where: { $0.cookie == cookie }) {
      advance(descriptor)
      result = (descriptor.status, descriptor.residue)
    }
    var event = event(.channelStatus, channel)
    event.address = cookie
    event.size = result.residue
    emit(event)
    return result
  }

  /// `dmaengine_terminate_sync()`: stops the channel and forgets its transfers; no callback runs any
  /// more.
  public func dmaengineTerminateSync(_ channel: EngineChannel) {
    enter(.dmaengineTerminateSync)
    terminate(channel)
    channel.lateCallbacks = []
  }

  /// `dmaengine_terminate_async()`: the same without waiting for callbacks that run on another CPU:
  /// ``dmaengineSynchronize(_:)`` does.
  public func dmaengineTerminateAsync(_ channel: EngineChannel) {
    enter(.dmaengineTerminateAsync)
    let running = channel.issued.first
    terminate(channel)
    if let running, let callback = running.callback, running.moved > 0 {
      channel.lateCallbacks.append { callback(running) }
    }
  }

  private func terminate(_ channel: EngineChannel) {
    for descriptor in channel.issued {
      advance(descriptor)
      descriptor.isRunning = false
    }
    channel.epoch += 1
    channel.issued = []
    channel.submitted = []
    emit(event(.channelTerminate, channel))
  }

  /// `dmaengine_synchronize()`: callbacks that were running have ended.
  public func dmaengineSynchronize(_ channel: EngineChannel) {
    enter(.dmaengineSynchronize)
    let late = channel.lateCallbacks
    channel.lateCallbacks = []
    for callback in late { callback() }
  }

  /// `dma_release_channel()`: the channel is free for others. What still runs goes on writing, which
  /// the machine notices.
  public func dmaReleaseChannel(_ channel: EngineChannel) {
    enter(.dmaReleaseChannel)
    guard !channel.isReleased else {
      warn(channel.client, "WARNING: chan reference count -1 != 0")
      return
    }
    channel.isReleased = true
    if channel.inFlight > 0 {
      log(channel.client, "\(channel.name): freed with \(channel.inFlight) descriptors in flight")
      observe(.channelBusy, channel.client, UInt64(channel.inFlight))
    }
    channel.submitted = []
    sharing.channels.removeAll { $0 === channel }
    emit(event(.channelRelease, channel))
  }
}
