// SPDX-License-Identifier: MIT

/// Buffers that devices share, the fences that order their work, IOVA ranges and channels of
/// dmaengine: everything about DMA that dma-debug knows nothing of.
///
/// A value like the engine that holds it. Each tracker keeps one kind of thing and knows as little as
/// possible of the others; what concerns several of them is put together here. All of it is bounded:
/// buffers that are gone are forgotten after a while, fences when they are signaled and nobody needs
/// them, and what a hostile trace invents beyond the maximums is counted in ``untracked`` only.
public struct SharingTracker: Sendable {
  /// The most fences and timelines that are remembered.
  public static let maximumFences = FenceTracker.maximumFences
  public static let maximumTimelines = FenceTracker.maximumTimelines
  /// Buffers that are (possibly) gone and still remembered.
  public static let rememberedBuffers = BufferTracker.rememberedBuffers

  private var evidence = SharingEvidence()
  private var bufferTracker = BufferTracker()
  private var links = AttachmentLinks()
  private var fenceTracker = FenceTracker()
  private var iova = IOVATracker()
  private var channelTracker = ChannelTracker()

  /// Events of each group.
  public private(set) var bufferEvents: UInt64 = 0
  public private(set) var fenceEvents: UInt64 = 0
  public private(set) var iovaEvents: UInt64 = 0
  public private(set) var channelEvents: UInt64 = 0

  init() {}

  /// Whether there were no events of sharing so far.
  public var isEmpty: Bool {
    bufferEvents == 0 && fenceEvents == 0 && iovaEvents == 0 && channelEvents == 0
  }

  /// Bytes that a copy takes when everything in it has changed, about.
  var storageBytes: Int {
    bufferTracker.storageBytes + links.storageBytes + fenceTracker.storageBytes
      + iova.storageBytes + channelTracker.storageBytes
  }

  // MARK: Events

  /// Takes in an event of a buffer, fence, range or channel.
  ///
  /// - Parameters:
  ///   - driver: who is bound to the device of the event.
  ///   - lists: the scatterlists of the engine.
  ///   - slot: of the mapping that a prepared descriptor uses.
  ///   - number: of the event.
  mutating func apply(
    _ event: DMAEvent,
    driver: DriverID,
    lists: SGListTable,
    slot: UInt32?,
    number: UInt64,
    to log: inout IncidentLog
  ) {
    evidence.note(event)
    if event.kind.isBuffer {
      bufferEvents += 1
      buffer(event, driver: driver, lists: lists, number: number, &log)
    } else if event.kind.isFence {
      fenceEvents += 1
      fence(event, &log)
    } else if event.kind.isIOVA {
      iovaEvents += 1
      iova.apply(event, &evidence, &log)
    } else {
      channelEvents += 1
      channelTracker.apply(event, slot: slot, &evidence, &log)
    }
  }

  /// The tracer lost events: what is remembered may have ended unseen.
  mutating func eventsLost() {
    evidence.eventsLost()
    channelTracker.eventsLost()
  }

  /// A driver has left its device.
  mutating func released(_ device: DeviceID, _ event: DMAEvent, to log: inout IncidentLog) {
    iova.released(device, event, evidence, &log)
    links.released(device, event, evidence, &log)
  }

  /// Ends the stream: says what was left undone.
  mutating func finish(lists: SGListTable, to log: inout IncidentLog) {
    guard log.isKept else { return }
    links.finish(lists, &log)
    for buffer in bufferTracker.all.reversed() {
      leftovers(buffer, &log)
      BufferTracker.lost(buffer, evidence, &log)
    }
    fenceTracker.finish(evidence, &log)
  }

  private mutating func fence(_ event: DMAEvent, _ log: inout IncidentLog) {
    guard fenceTracker.apply(event, &evidence, &log) else { return }
    if event.kind == .fenceAdd, bufferTracker.appear(event, &evidence),
      var buffer = bufferTracker[event.inode]
    {
      buffer.last = event
      fenceTracker.add(event, to: &buffer, &evidence)
      bufferTracker.update(buffer)
    }
    fenceTracker.forget(event.fenceKey)
  }

  // MARK: Buffers

  private mutating func buffer(
    _ event: DMAEvent,
    driver: DriverID,
    lists: SGListTable,
    number: UInt64,
    _ log: inout IncidentLog
  ) {
    if event.kind == .bufferExport, let old = bufferTracker[event.inode] {
      forget(old, at: event.time, &log)
    }
    guard bufferTracker.appear(event, &evidence) else { return }
    bufferTracker.describe(event, &evidence)
    bufferTracker.reuse(event, &evidence, &log)
    bufferTracker.note(event)
    switch event.kind {
    case .bufferFD:
      evidence.sightings.insert(.descriptor)
      bufferTracker.change(event.inode) {
        $0.descriptors &+= 1
        $0.lastDescriptor = event.descriptor
      }
    case .bufferGet: bufferTracker.change(event.inode) { $0.gets += 1 }
    case .bufferPut:
      bufferTracker.change(event.inode) { $0.puts += 1 }
      settle(event, &log)
    case .bufferMmap, .bufferMmapInternal: bufferTracker.change(event.inode) { $0.mmaps &+= 1 }
    case .bufferMoveNotify: bufferTracker.change(event.inode) { $0.moves += 1 }
    case .bufferAttach, .bufferDetach, .bufferMapAttachment, .bufferUnmapAttachment, .bufferPin,
      .bufferUnpin:
      attachment(event, lists, number, &log)
    default: access(event, driver, &log)
    }
  }

  /// What is done with an attachment.
  private mutating func attachment(
    _ event: DMAEvent,
    _ lists: SGListTable,
    _ number: UInt64,
    _ log: inout IncidentLog
  ) {
    guard var buffer = bufferTracker[event.inode] else { return }
    switch event.kind {
    case .bufferAttach: links.attach(event, to: &buffer, &evidence)
    case .bufferDetach:
      let isDetached = links.detach(event, from: &buffer, lists, &evidence, &log)
      bufferTracker.update(buffer)
      if isDetached { settle(event, &log) }
      return
    default: links.prove(event, of: &buffer, &evidence)
    }
    bufferTracker.update(buffer)
    switch event.kind {
    case .bufferMapAttachment:
      evidence.sightings.insert(.mapAttachment)
      links.map(event, of: bufferTracker, lists, number: number, &evidence)
    case .bufferUnmapAttachment: links.unmap(event, of: buffer, &evidence, &log)
    case .bufferPin: links.change(event, of: buffer, &evidence) { $0.pins &+= 1 }
    case .bufferUnpin:
      links.change(event, of: buffer, &evidence) { $0.pins -= min($0.pins, 1) }
    default: break
    }
  }

  /// Somebody looks at the bytes, or gets ready to.
  private mutating func access(
    _ event: DMAEvent,
    _ driver: DriverID,
    _ log: inout IncidentLog
  ) {
    switch event.kind {
    case .bufferBeginAccess:
      evidence.sightings.insert(.access)
      bufferTracker.beginAccess(event)
    case .bufferEndAccess: bufferTracker.endAccess(event, &evidence, &log)
    case .bufferVmap:
      evidence.sightings.insert(.vmap)
      bufferTracker.change(event.inode) { $0.vmaps &+= 1 }
    case .bufferVunmap:
      if bufferTracker.unmapKernel(event, \.vmaps, &evidence, &log) { settle(event, &log) }
    case .bufferKmap:
      evidence.sightings.insert(.kmap)
      bufferTracker.change(event.inode) { $0.kmaps &+= 1 }
    case .bufferKunmap:
      if bufferTracker.unmapKernel(event, \.kmaps, &evidence, &log) { settle(event, &log) }
    case .bufferAccess:
      guard let buffer = bufferTracker[event.inode], buffer.state == .live else { return }
      let isCPU = event.device == .unknown
      let goesOn =
        isCPU
        ? bufferTracker.access(event, evidence, &log)
        : !links.isStaleAccess(event, of: buffer, evidence, &log)
      guard goesOn else { return }
      fenceTracker.access(event, of: buffer, by: isCPU ? .unknown : driver, evidence, &log)
    default: break
    }
  }

  /// Something that held a buffer has let go.
  private mutating func settle(_ event: DMAEvent, _ log: inout IncidentLog) {
    if let oldest = bufferTracker.settle(event, evidence) { forget(oldest, at: event.time, &log) }
  }

  /// A buffer is forgotten: what is left of it is said first.
  private mutating func forget(_ buffer: DMABuf, at time: UInt64, _ log: inout IncidentLog) {
    leftovers(buffer, &log)
    for id in buffer.attachments { links.remove(id, of: buffer) }
    for reservation in buffer.fences + buffer.pendingFences {
      fenceTracker.release(reservation.fence)
    }
    bufferTracker.remove(buffer, at: time)
  }

  /// What a buffer still has although its last known reference was put.
  ///
  /// Only of one without descriptors: each of them holds it until it is closed, which nothing shows,
  /// and who imports it by one (`drm_gem_prime_fd_to_handle()`) keeps a reference with get_dma_buf()
  /// when it puts that of the descriptor.
  private func leftovers(_ buffer: DMABuf, _ log: inout IncidentLog) {
    guard log.isKept, buffer.descriptors == 0, buffer.gets == 0,
      evidence.dated(buffer).outlivesReferences
    else { return }
    links.leftovers(buffer, evidence, &log)
    BufferTracker.leftovers(buffer, &log)
  }

  // MARK: Lists

  /// A scatterlist was mapped: it may be the one of an attachment.
  mutating func mapped(_ map: AttachmentLinks.RecentMap) {
    links.mapped(map, bufferTracker, &evidence)
  }

  /// A scatterlist was unmapped, or its number is given to another one.
  mutating func unlink(_ list: UInt32) {
    links.unlink(list, bufferTracker)
  }
}

// MARK: Asking

extension SharingTracker {
  /// All buffers that are remembered, the newest first, as the kernel lists them.
  public func buffers() -> [DMABuf] { bufferTracker.all.map(evidence.dated) }

  /// How many buffers are remembered.
  public var bufferCount: Int { bufferTracker.count }

  /// The buffer with an inode number.
  public func buffer(_ inode: UInt64) -> DMABuf? { bufferTracker[inode].map(evidence.dated) }

  /// Live buffers and their bytes, and buffers that are possibly gone.
  public var bufferTotals: (live: UInt64, bytes: UInt64, possiblyGone: UInt64) {
    bufferTracker.totals
  }

  /// Exporters by number of their name.
  public var exporters: [UInt32: ExporterTotals] { bufferTracker.exporters }

  /// The attachment with a number.
  public func attachment(_ id: UInt64) -> DMABufAttachment? { links[id] }

  /// The attachment that a scatterlist was mapped for.
  func attachment(ofList list: UInt32) -> DMABufAttachment? { links.attachment(ofList: list) }

  /// How many devices are attached to buffers.
  public var attachmentCount: Int { links.count }

  /// Whether the trace would show events of this kind of buffer events: their absence says something.
  public func shows(_ kind: DMAEvent.Kind) -> Bool { evidence.shows(kind) }

  /// Whether all devices that are attached to a buffer are known. Otherwise there may be more than
  /// its attachments, which were proven by their use.
  public func showsAttachments(of buffer: DMABuf) -> Bool {
    buffer.isKnown && evidence.shows(.bufferAttach)
  }

  /// Maps of a list that could be of several attachments.
  public var undecidedLinks: UInt64 { links.undecidedLinks }

  /// Events about something that the trace did not show the beginning of.
  public var undecidedOrigins: UInt64 { evidence.undecidedOrigins }

  /// What there was no room for.
  public var untracked: UInt64 { evidence.untracked }

  /// The fence with a key, while it is remembered.
  public func fence(_ key: DMAFence.Key) -> DMAFence? { fenceTracker[key] }

  /// All fences that are remembered, by context and number.
  public func fences() -> [DMAFence] { fenceTracker.all }

  /// How many fences of a buffer are not signaled.
  public func pendingFences(of buffer: DMABuf) -> Int { fenceTracker.pending(of: buffer) }

  /// Fences that are not signaled.
  public var pendingFences: Int { fenceTracker.pending }

  /// Fences that were signaled.
  public var fencesSignaled: UInt64 { fenceTracker.signaledCount }

  /// All timelines, by context.
  public func timelines() -> [FenceTimeline] { fenceTracker.timelines }

  /// The timeline of a context.
  public func timeline(_ context: UInt64) -> FenceTimeline? { fenceTracker.timeline(context) }

  /// Whether there were fences other than the one of context 0, which each kernel makes as it boots.
  public var hasFences: Bool { fenceTracker.hasFences }

  /// All ranges of IOVA, by device and address.
  public func ranges() -> [IOVARange] { iova.all }

  /// How many ranges of IOVA are allocated.
  public var iovaRangeCount: Int { iova.count }

  /// What the ranges of a device have, or had last, at a DMA address; `nil` when it never lay in one.
  public func rangeContent(_ device: DeviceID, at address: UInt64) -> IOVARange.Content? {
    iova.content(device, at: address)
  }

  /// Whether the trace shows `dma_iova_sync()` at all.
  public var showsSyncs: Bool { evidence.sightings.contains(.iovaSync) }

  /// All channels, by number of the name.
  public func channels() -> [DMAChannel] { channelTracker.all }

  /// Whether mappings that go must be held against descriptors in flight.
  @inline(__always) public var watchesMappings: Bool { channelTracker.watchesMappings }

  /// A mapping went: the channel and descriptor that still work on it.
  ///
  /// - Parameters:
  ///   - slot: where it was in the table.
  ///   - address: its DMA address.
  ///   - size: its bytes.
  public func inFlight(
    slot: UInt32,
    address: UInt64,
    size: UInt64
  ) -> (channel: DMAChannel, descriptor: DMAChannel.Descriptor)? {
    channelTracker.inFlight(slot: slot, address: address, size: size)
  }
}
