// SPDX-License-Identifier: MIT

extension DMAEvent.Kind {
  /// Whether it is an event of the `dma:` system: a call into the DMA-API, with direction and attributes.
  @inlinable
  public var isCall: Bool { rawValue <= Self.syncSGForDevice.rawValue }

  /// Whether it is about a dma-buf and has a tracepoint since 7.0. What else there is of buffers
  /// comes from probes.
  public var hasBufferTracepoint: Bool {
    switch self {
    case .bufferExport, .bufferFD, .bufferGet, .bufferPut, .bufferMmap, .bufferMmapInternal,
      .bufferAttach, .bufferDetach:
      true
    default: false
    }
  }

  /// Whether it is about a dma-buf: its tracepoints and the probes of its functions.
  @inlinable
  public var isBuffer: Bool {
    rawValue >= Self.bufferExport.rawValue && rawValue <= Self.bufferAccess.rawValue
  }

  /// Whether it is about a fence.
  @inlinable
  public var isFence: Bool {
    rawValue >= Self.fenceInit.rawValue && rawValue <= Self.fenceAdd.rawValue
  }

  /// Whether it is about an IOVA-based mapping.
  @inlinable
  public var isIOVA: Bool {
    rawValue >= Self.iovaAlloc.rawValue && rawValue <= Self.iovaFree.rawValue
  }

  /// Whether it is about a channel of dmaengine.
  @inlinable
  public var isChannel: Bool { rawValue >= Self.channelRequest.rawValue }

  /// Whether it is about a buffer that devices share, a fence, an IOVA range or a channel: what
  /// dma-debug knows nothing of.
  @inlinable
  public var isSharing: Bool { rawValue >= Self.bufferExport.rawValue }

  /// Whether ``DMAEvent/direction`` says something in an event of a buffer, range or channel.
  public var hasSharingDirection: Bool {
    switch self {
    case .bufferMapAttachment, .bufferUnmapAttachment, .bufferBeginAccess, .bufferEndAccess,
      .bufferAccess, .iovaLink, .iovaUnlink, .iovaDestroy, .descriptorPrepare:
      true
    default: false
    }
  }
}

extension TraceNames {
  /// The name in ``DMAEvent/site``: an exporter, a timeline, a channel or the caller of the
  /// map-error check; `nil` when the event has none.
  public func subject(of event: DMAEvent) -> ArraySlice<UInt8>? {
    if event.site == NameTable.unknown { return nil }
    if event.kind.isBuffer { return exporters[event.site] }
    if event.kind.isFence { return timelines[event.site] }
    if event.kind.isChannel { return channels[event.site] }
    return event.kind.isIOVA ? nil : symbols[event.site]
  }
}
