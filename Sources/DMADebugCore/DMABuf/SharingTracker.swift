/// Buffers that devices share, the fences that order their work, IOVA ranges and channels of
/// dmaengine: everything about DMA that dma-debug knows nothing of.
///
/// A value like the engine that holds it. All of it is bounded: buffers that are gone are forgotten
/// after a while, fences when they are signaled and nobody needs them, and what a hostile trace
/// invents beyond the maximums is counted in ``untracked`` only.
public struct SharingTracker: Sendable {
  public static let maximumBuffers = 1 << 16
  /// Buffers that are (possibly) gone and still remembered.
  public static let rememberedBuffers = 1024
  public static let maximumAttachments = 1 << 17
  public static let maximumFences = 1 << 16
  public static let maximumTimelines = 1 << 14
  public static let maximumRanges = 1 << 16
  public static let maximumChannels = 1 << 12
  static let maximumExporters = 1 << 12
  static let maximumIncidents = 4096

  /// What the trace shows at all: without it the absence of an event says nothing.
  public struct Sightings: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
      self.rawValue = rawValue
    }

    static let mapAttachment = Sightings(rawValue: 1 << 0)
    static let vmap = Sightings(rawValue: 1 << 1)
    static let kmap = Sightings(rawValue: 1 << 2)
    static let access = Sightings(rawValue: 1 << 3)
    static let iovaSync = Sightings(rawValue: 1 << 4)
    static let completion = Sightings(rawValue: 1 << 5)
    static let descriptor = Sightings(rawValue: 1 << 6)
    static let issue = Sightings(rawValue: 1 << 7)
  }

  /// A total of an exporter.
  public struct Exporter: Sendable {
    public internal(set) var exported: UInt64 = 0
    public internal(set) var live: UInt64 = 0
    public internal(set) var bytes: UInt64 = 0
    public internal(set) var peak: UInt64 = 0
    public internal(set) var peakBytes: UInt64 = 0
    /// Bytes at some moments, in order: every change at first, fewer of many.
    public internal(set) var samples: [Sample] = []
    private var changes: UInt64 = 0
    private var step: UInt64 = 1

    /// The bytes of an exporter's live buffers from a time on.
    public struct Sample: Sendable {
      public var time: UInt64
      public var bytes: UInt64
    }

    static let maximumSamples = 64

    mutating func sample(_ time: UInt64) {
      changes += 1
      guard changes % step == 0 else { return }
      samples.append(Sample(time: time, bytes: bytes))
      if samples.count > Self.maximumSamples {
        samples = samples.enumerated().compactMap { $0.offset % 2 == 1 ? $0.element : nil }
        step *= 2
      }
    }
  }

  private struct DeviceSize: Hashable {
    var device: DeviceID
    var size: UInt64
  }

  /// A scatterlist that was mapped lately.
  struct RecentMap: Sendable {
    var pid: Int32
    var device: DeviceID
    var list: UInt32
    var order: UInt64
    /// Bytes; `nil` when the tracer cut the list off.
    var size: UInt64?
    var number: UInt64
    /// It was counted among ``undecidedLinks``.
    var isUndecided = false
  }

  /// A probe on `dma_buf_map_attachment` whose mapping is still to come.
  private struct AwaitedMap: Sendable {
    var pid: Int32
    var attachment: UInt64
    var number: UInt64
  }

  // MARK: State

  private var buffersByInode: [UInt64: DMABuf] = [:]
  private var attachmentsByID: [UInt64: DMABufAttachment] = [:]
  private var fencesByKey: [DMAFence.Key: DMAFence] = [:]
  private var timelinesByContext: [UInt64: DMAReplay] = [:]
  var channelsByName: [UInt32: DMAChannel] = [:]
  /// By device and address.
  var rangesByDevice: [DeviceID: [IOVARange]] = [:]
  /// Exporters by number of their name.
  public private(set) var exporters: [UInt32: Exporter] = [:]

  /// Attachments that no list is linked to, to find the one that a list was mapped for.
  private var unmapped: [DeviceSize: Set<UInt64>] = [:]
  /// Attachments by list.
  private var attachmentsOfLists: [UInt32: UInt64] = [:]
  /// Attachments by device.
  private var attachmentsOfDevices: [DeviceID: Set<UInt64>] = [:]
  private var recentMaps: [RecentMap] = []
  private var awaitedMaps: [AwaitedMap] = []
  /// Buffers in the order in which they (possibly) went.
  private var departures: [UInt64] = []
  private var firstDeparture = 0
  /// Fences in the order of their coming.
  private var fenceQueue: [DMAFence.Key] = []
  private var firstFence = 0
  private var nextOrder: UInt64 = 1
  /// What is older than this was there when events were lost.
  private var lossOrder: UInt64 = 0
  /// Of the last event before that.
  var lossTime: UInt64?
  var rangeCount = 0
  /// Channels by the slot of the mapping that a descriptor in flight uses.
  var channelsOfSlots: [UInt32: UInt32] = [:]
  /// What was unlinked from ranges lately, for those who ask what was at an address.
  var unlinked: [UnlinkedPiece] = []
  var nextUnlinked = 0
  /// Releases of channels that were perhaps at work: a completion will tell.
  var doubtfulReleases: [SharingIncident] = []
  /// Of the last event.
  var lastTime: UInt64 = 0

  /// Events of each group.
  public private(set) var bufferEvents: UInt64 = 0
  public private(set) var fenceEvents: UInt64 = 0
  public private(set) var iovaEvents: UInt64 = 0
  public private(set) var channelEvents: UInt64 = 0
  public internal(set) var sightings: Sightings = []
  /// Kinds of events of buffers that there were, a bit each.
  private var bufferKinds: UInt64 = 0
  /// Events came from the tracepoints, which are there since 7.0 and recorded together.
  private var hasTracepoints = false
  /// Fences that are not signaled.
  public private(set) var pendingFences = 0
  public private(set) var fencesSignaled: UInt64 = 0
  /// Maps of a list that could be of several attachments.
  public private(set) var undecidedLinks: UInt64 = 0
  /// Events about something that the trace did not show the beginning of.
  public internal(set) var undecidedOrigins: UInt64 = 0
  /// What there was no room for.
  public internal(set) var untracked: UInt64 = 0

  /// Keeps mistakes for ``takeIncidents()``.
  public var collectsIncidents = false
  private var incidents: [SharingIncident] = []
  /// Attachments that seem to have been detached while mapped, with the list that says so.
  private var suspects: [(link: DMABufAttachment.Link, incident: SharingIncident)] = []

  init() {}

  /// Whether there were no events of sharing so far.
  public var isEmpty: Bool {
    bufferEvents == 0 && fenceEvents == 0 && iovaEvents == 0 && channelEvents == 0
  }

  /// Bytes that a copy takes when everything in it has changed, about.
  var approximateBytes: Int {
    buffersByInode.count * (MemoryLayout<DMABuf>.stride + 128)
      + attachmentsByID.count * (MemoryLayout<DMABufAttachment>.stride + 96)
      + fencesByKey.count * (MemoryLayout<DMAFence>.stride + 48)
      + timelinesByContext.count * 128 + rangeCount * 512 + channelsByName.count * 1024
      + fenceQueue.count * 16
  }

  // MARK: Asking

  /// All buffers that are remembered, the newest first, as the kernel lists them.
  public func buffers() -> [DMABuf] {
    buffersByInode.values.sorted { $0.order > $1.order }.map(dated)
  }

  /// How many buffers are remembered.
  public var bufferCount: Int { buffersByInode.count }

  /// The buffer with an inode number.
  public func buffer(_ inode: UInt64) -> DMABuf? { buffersByInode[inode].map(dated) }

  public func attachment(_ id: UInt64) -> DMABufAttachment? { attachmentsByID[id] }

  /// Whether the trace would show events of this kind of buffer events: their absence says something.
  ///
  /// What has a tracepoint is shown with the other tracepoints; a probe shows its function only.
  public func shows(_ kind: DMAEvent.Kind) -> Bool {
    hasTracepoints && kind.hasBufferTracepoint || bufferKinds & Self.bit(kind) != 0
  }

  /// Whether all devices that are attached to a buffer are known. Otherwise there may be more than
  /// its attachments, which were proven by their use.
  public func showsAttachments(of buffer: DMABuf) -> Bool {
    buffer.isKnown && shows(.bufferAttach)
  }

  private static func bit(_ kind: DMAEvent.Kind) -> UInt64 {
    1 &<< UInt64(kind.rawValue &- DMAEvent.Kind.bufferExport.rawValue)
  }

  /// How many devices are attached to buffers.
  public var attachmentCount: Int { attachmentsByID.count }

  /// The fence with a key, while it is remembered.
  public func fence(_ key: DMAFence.Key) -> DMAFence? { fencesByKey[key] }

  /// All fences that are remembered, by context and number.
  public func fences() -> [DMAFence] {
    fencesByKey.values.sorted {
      ($0.key.context, $0.key.sequence) < ($1.key.context, $1.key.sequence)
    }
  }

  /// How many fences of a buffer are not signaled.
  public func pendingFences(of buffer: DMABuf) -> Int {
    buffer.pendingFences.count { fencesByKey[$0.fence]?.isSignaled == false }
  }

  /// Live buffers and their bytes, buffers that are possibly gone, and buffers that were exported.
  public var bufferTotals: (live: UInt64, bytes: UInt64, possiblyGone: UInt64) {
    var totals = (live: UInt64(0), bytes: UInt64(0), possiblyGone: UInt64(0))
    for buffer in buffersByInode.values {
      switch buffer.state {
      case .live:
        totals.live += 1
        totals.bytes &+= buffer.size
      case .possiblyGone: totals.possiblyGone += 1
      case .gone: break
      }
    }
    return totals
  }

  /// All timelines, by context.
  public func timelines() -> [DMAReplay] {
    timelinesByContext.values.sorted { $0.context < $1.context }
  }

  /// Whether there were fences other than the one of context 0, which each kernel makes as it boots.
  public var hasFences: Bool {
    timelinesByContext.count > (timelinesByContext[0] == nil ? 0 : 1)
  }

  public func timeline(_ context: UInt64) -> DMAReplay? { timelinesByContext[context] }

  /// All ranges of IOVA, by device and address.
  public func ranges() -> [IOVARange] {
    rangesByDevice.sorted { $0.key.rawValue < $1.key.rawValue }.flatMap(\.value)
  }

  /// How many ranges of IOVA are allocated.
  public var iovaRangeCount: Int { rangeCount }

  /// All channels, by number of the name.
  public func channels() -> [DMAChannel] {
    channelsByName.values.sorted { $0.name < $1.name }
  }

  /// The attachment that a scatterlist was mapped for.
  func attachment(ofList list: UInt32) -> DMABufAttachment? {
    attachmentsOfLists[list].flatMap { attachmentsByID[$0] }
  }

  /// Gives up the mistakes since the last call.
  public mutating func takeIncidents() -> [SharingIncident] {
    defer { incidents.removeAll(keepingCapacity: true) }
    return incidents
  }

  /// Whether there are mistakes to take.
  @inline(__always) public var hasIncidents: Bool { !incidents.isEmpty }

  mutating func report(_ incident: SharingIncident) {
    guard collectsIncidents, incidents.count < Self.maximumIncidents else { return }
    incidents.append(incident)
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
    number: UInt64
  ) {
    lastTime = max(lastTime, event.time)
    if event.kind.isBuffer {
      bufferEvents += 1
      buffer(event, driver, lists, number)
    } else if event.kind.isFence {
      fenceEvents += 1
      fence(event)
    } else if event.kind.isIOVA {
      iovaEvents += 1
      iova(event)
    } else {
      channelEvents += 1
      channel(event, slot: slot)
    }
  }

  /// The tracer lost events: what is remembered may have ended unseen.
  mutating func eventsLost() {
    lossOrder = nextOrder
    lossTime = lastTime
    for channel in channelsByName.values.indices {
      for descriptor in channelsByName.values[channel].descriptors.indices {
        channelsByName.values[channel].descriptors[descriptor].isDoubtful = true
      }
    }
  }

  /// Whether the trace shows all of it: from its beginning, and without losses since.
  private func isKnown(_ buffer: DMABuf) -> Bool { buffer.isKnown && buffer.order >= lossOrder }

  private func isKnown(_ attachment: DMABufAttachment) -> Bool {
    attachment.isKnown && attachment.id >= lossOrder
  }

  private func isKnown(_ fence: DMAFence) -> Bool { fence.isKnown && fence.order >= lossOrder }

  /// A copy for others, who do not know of losses.
  private func dated(_ buffer: DMABuf) -> DMABuf {
    var buffer = buffer
    buffer.isKnown = isKnown(buffer)
    return buffer
  }

  // MARK: Buffers

  private mutating func buffer(
    _ event: DMAEvent,
    _ driver: DriverID,
    _ lists: SGListTable,
    _ number: UInt64
  ) {
    let inode = event.address
    bufferKinds |= Self.bit(event.kind)
    if event.kind.hasBufferTracepoint, !event.flags.contains(.probe) { hasTracepoints = true }
    if event.kind == .bufferExport, let old = buffersByInode[inode] { forget(old, at: event) }
    if buffersByInode[inode] == nil {
      guard buffersByInode.count < Self.maximumBuffers else {
        untracked += 1
        return
      }
      var buffer = DMABuf(event, order: nextOrder)
      nextOrder += 1
      buffer.isKnown = event.kind == .bufferExport
      if event.kind != .bufferExport { undecidedOrigins += 1 }
      // The exporter's totals follow when size and exporter are known.
      buffersByInode[inode] = buffer
    }
    if event.size != 0 || event.site != NameTable.unknown { describe(inode, event) }
    if buffersByInode[inode]?.state != .live { reuse(inode, event) }
    note(inode, event)
    switch event.kind {
    case .bufferFD:
      sightings.insert(.descriptor)
      change(inode) {
        $0.descriptors &+= 1
        $0.lastDescriptor = Int32(bitPattern: event.mappedEntries)
      }
    case .bufferGet: change(inode) { $0.gets += 1 }
    case .bufferPut: put(inode, event)
    case .bufferMmap, .bufferMmapInternal: change(inode) { $0.mmaps &+= 1 }
    case .bufferAttach: attach(event)
    case .bufferDetach: detach(event, lists)
    case .bufferMapAttachment: mapAttachment(event, lists, number)
    case .bufferUnmapAttachment: unmapAttachment(event)
    case .bufferPin:
      prove(event)
      withAttachment(event) { $0.pins &+= 1 }
    case .bufferUnpin:
      prove(event)
      withAttachment(event) { $0.pins -= min($0.pins, 1) }
    case .bufferMoveNotify: change(inode) { $0.moves += 1 }
    case .bufferBeginAccess:
      sightings.insert(.access)
      let direction = Int(event.direction.rawValue)
      change(inode) {
        if $0.openAccesses == 0 { $0.isWrittenByCPU = false }
        $0.accesses[direction] &+= 1
      }
    case .bufferEndAccess: endAccess(inode, event)
    case .bufferVmap:
      sightings.insert(.vmap)
      change(inode) { $0.vmaps &+= 1 }
    case .bufferVunmap: unmapKernel(inode, event, \.vmaps, .vmap)
    case .bufferKmap:
      sightings.insert(.kmap)
      change(inode) { $0.kmaps &+= 1 }
    case .bufferKunmap: unmapKernel(inode, event, \.kmaps, .kmap)
    case .bufferAccess: access(inode, event, driver)
    default: break
    }
  }

  private mutating func change(_ inode: UInt64, _ body: (inout DMABuf) -> Void) {
    guard let index = buffersByInode.index(forKey: inode) else { return }
    body(&buffersByInode.values[index])
  }

  /// Size and exporter, which the first event may not have told.
  private mutating func describe(_ inode: UInt64, _ event: DMAEvent) {
    guard let buffer = buffersByInode[inode] else { return }
    let exporter = event.site != NameTable.unknown ? event.site : buffer.exporter
    let size = event.size != 0 ? event.size : buffer.size
    if exporter == buffer.exporter, size == buffer.size { return }
    if buffer.exporter != NameTable.unknown { leave(buffer, at: event.time) }
    change(inode) {
      $0.exporter = exporter
      $0.size = size
    }
    if exporter != NameTable.unknown, let changed = buffersByInode[inode] {
      join(changed, isNew: buffer.exporter == NameTable.unknown, at: event.time)
    }
  }

  private mutating func join(_ buffer: DMABuf, isNew: Bool, at time: UInt64) {
    guard buffer.state == .live else { return }
    if exporters[buffer.exporter] == nil, exporters.count >= Self.maximumExporters {
      untracked += 1
      return
    }
    var exporter = exporters[buffer.exporter] ?? Exporter()
    if isNew { exporter.exported += 1 }
    exporter.live += 1
    exporter.bytes &+= buffer.size
    exporter.peak = max(exporter.peak, exporter.live)
    exporter.peakBytes = max(exporter.peakBytes, exporter.bytes)
    exporter.sample(time)
    exporters[buffer.exporter] = exporter
  }

  private mutating func leave(_ buffer: DMABuf, at time: UInt64) {
    guard buffer.state == .live, var exporter = exporters[buffer.exporter] else { return }
    exporter.live -= min(exporter.live, 1)
    exporter.bytes &-= min(exporter.bytes, buffer.size)
    exporter.sample(time)
    exporters[buffer.exporter] = exporter
  }

  private mutating func note(_ inode: UInt64, _ event: DMAEvent) {
    change(inode) { buffer in
      buffer.last = event
      switch event.kind {
      case .bufferExport, .bufferFD, .bufferGet, .bufferAttach, .bufferMmap, .bufferMmapInternal,
        .bufferVmap:
        let holder = DMABuf.Holder(pid: event.pid, task: event.task)
        if event.pid >= 0, buffer.holders.count < DMABuf.rememberedHolders,
          !buffer.holders.contains(holder)
        {
          buffer.holders.append(holder)
        }
      default: break
      }
    }
  }

  private mutating func put(_ inode: UInt64, _ event: DMAEvent) {
    change(inode) { $0.puts += 1 }
    settle(inode, event)
  }

  /// Decides whether a buffer may be gone, after something that held it has let go.
  private mutating func settle(_ inode: UInt64, _ event: DMAEvent) {
    guard let buffer = buffersByInode[inode], buffer.state == .live, buffer.puts > 0,
      !buffer.isHeld
    else { return }
    if buffer.descriptors > 0 || !isKnown(buffer) {
      depart(buffer, .possiblyGone, event)
    } else if buffer.puts > buffer.gets {
      // The reference that came with the export is put too.
      depart(buffer, .gone, event)
    }
  }

  private mutating func depart(_ buffer: DMABuf, _ state: DMABuf.State, _ event: DMAEvent) {
    leave(buffer, at: event.time)
    change(buffer.inode) { $0.state = state }
    departures.append(buffer.inode)
    while departures.count - firstDeparture > Self.rememberedBuffers {
      let oldest = departures[firstDeparture]
      firstDeparture += 1
      if let buffer = buffersByInode[oldest], buffer.state != .live { forget(buffer, at: event) }
    }
    if firstDeparture > 4 * Self.rememberedBuffers {
      departures.removeFirst(firstDeparture)
      firstDeparture = 0
    }
  }

  /// Something happens to a buffer that is (possibly) gone: it was not, or it should not.
  private mutating func reuse(_ inode: UInt64, _ event: DMAEvent) {
    guard let buffer = buffersByInode[inode] else { return }
    switch event.kind {
    case .bufferPut: return
    case .bufferDetach, .bufferUnmapAttachment, .bufferVunmap, .bufferKunmap, .bufferUnpin,
      .bufferEndAccess, .bufferMoveNotify:
      // Cleaning up late: the rules of what is being cleaned up say what is to be said.
      return
    case .bufferGet, .bufferFD, .bufferMmapInternal, .bufferBeginAccess:
      // Through a descriptor that is still open.
      if buffer.state == .gone { useAfterPut(buffer, event) }
    default:
      // A kernel driver without a reference of its own, unless it is attached.
      if buffer.state == .gone || isKnown(buffer) && buffer.attachments.isEmpty {
        useAfterPut(buffer, event)
      }
    }
    if buffer.state == .possiblyGone, event.kind == .bufferGet || event.kind == .bufferFD {
      change(inode) { $0.state = .live }
      if let changed = buffersByInode[inode], changed.exporter != NameTable.unknown {
        join(changed, isNew: false, at: event.time)
      }
    }
  }

  private mutating func useAfterPut(_ buffer: DMABuf, _ event: DMAEvent) {
    guard isKnown(buffer) else { return }
    var incident = SharingIncident(kind: .useAfterPut, event: event, origin: buffer.last)
    incident.inode = buffer.inode
    incident.detail = buffer.state == .gone ? 1 : 0
    report(incident)
    // What follows is of the same mistake.
    change(buffer.inode) { $0.isKnown = false }
  }

  /// A buffer is forgotten: what is left of it is said first.
  private mutating func forget(_ buffer: DMABuf, at event: DMAEvent) {
    leftovers(buffer)
    leave(buffer, at: event.time)
    for id in buffer.attachments { removeAttachment(id) }
    for reservation in buffer.fences + buffer.pendingFences { release(reservation.fence) }
    buffersByInode[buffer.inode] = nil
  }

  /// What a buffer still has although its last known reference was put.
  ///
  /// Only of one without descriptors: each of them holds it until it is closed, which nothing shows,
  /// and who imports it by one (`drm_gem_prime_fd_to_handle()`) keeps a reference with get_dma_buf()
  /// when it puts that of the descriptor.
  private mutating func leftovers(_ buffer: DMABuf) {
    guard collectsIncidents, buffer.descriptors == 0, buffer.gets == 0,
      dated(buffer).outlivesReferences
    else { return }
    for id in buffer.attachments {
      guard let attachment = attachmentsByID[id], isKnown(attachment) else { continue }
      var incident = SharingIncident(kind: .leakedAttachment, event: attachment.event)
      incident.origin = buffer.last
      incident.inode = buffer.inode
      incident.detail = attachment.isMapped ? 1 : 0
      report(incident)
    }
    if buffer.vmaps > 0 || buffer.kmaps > 0 {
      var incident = SharingIncident(kind: .unbalancedKernelMapping, event: buffer.last)
      incident.inode = buffer.inode
      incident.value = UInt64(buffer.vmaps) + UInt64(buffer.kmaps)
      incident.detail = buffer.vmaps > 0 ? 2 : 3
      report(incident)
    }
    if buffer.openAccesses > 0 {
      var incident = SharingIncident(kind: .unbalancedAccess, event: buffer.last)
      incident.inode = buffer.inode
      incident.value = UInt64(buffer.openAccesses)
      incident.detail = 1
      report(incident)
    }
  }

  private mutating func unmapKernel(
    _ inode: UInt64,
    _ event: DMAEvent,
    _ count: WritableKeyPath<DMABuf, UInt32>,
    _ sighting: Sightings
  ) {
    guard let buffer = buffersByInode[inode] else { return }
    if buffer[keyPath: count] > 0 {
      change(inode) { $0[keyPath: count] -= 1 }
      settle(inode, event)
    } else if isKnown(buffer), sightings.contains(sighting) {
      var incident = SharingIncident(kind: .unbalancedKernelMapping, event: event)
      incident.origin = buffer.first
      incident.inode = inode
      incident.detail = sighting == .vmap ? 0 : 1
      report(incident)
    } else {
      undecidedOrigins += 1
    }
  }

  private mutating func endAccess(_ inode: UInt64, _ event: DMAEvent) {
    guard let buffer = buffersByInode[inode] else { return }
    let direction = Int(event.direction.rawValue)
    if event.flags.contains(.noDirection) {
      let open = buffer.accesses.firstIndex { $0 > 0 }
      if let open { change(inode) { $0.accesses[open] -= 1 } }
    } else if buffer.accesses[direction] > 0 {
      change(inode) { $0.accesses[direction] -= 1 }
    } else if isKnown(buffer), sightings.contains(.access) {
      var incident = SharingIncident(kind: .unbalancedAccess, event: event)
      incident.origin = buffer.first
      incident.inode = inode
      // It was begun, but with another direction.
      incident.detail = buffer.openAccesses > 0 ? 2 : 0
      report(incident)
      // It ends what was begun, so that one mistake is one finding.
      if let open = buffer.accesses.firstIndex(where: { $0 > 0 }) {
        change(inode) { $0.accesses[open] -= 1 }
      }
    } else {
      undecidedOrigins += 1
    }
  }

  /// Somebody touches the bytes: only a simulated machine can tell.
  private mutating func access(_ inode: UInt64, _ event: DMAEvent, _ driver: DriverID) {
    guard let buffer = buffersByInode[inode], buffer.state == .live else { return }
    let isWriter = event.direction != .toDevice
    let isCPU = event.device == .unknown
    if isCPU {
      // The CPU reads what a device wrote, and writes what it will read.
      let wanted: Direction = isWriter ? .toDevice : .fromDevice
      let mayLook =
        buffer.accesses[Int(wanted.rawValue)] > 0
        || buffer.accesses[Int(Direction.bidirectional.rawValue)] > 0
        || !isWriter && buffer.openAccesses > 0 && buffer.isWrittenByCPU
      if isWriter, mayLook { change(inode) { $0.isWrittenByCPU = true } }
      if !mayLook, isKnown(buffer) {
        var incident = SharingIncident(kind: .accessOutsideWindow, event: event)
        incident.origin = buffer.first
        incident.inode = inode
        incident.detail = (isWriter ? 1 : 0) | (buffer.openAccesses > 0 ? 2 : 0)
        report(incident)
        return
      }
    }
    if !isCPU, staleAccess(buffer, event) { return }
    // A device need not wait for what was asked of it, nor for what was asked of others later.
    var limit = UInt64.max
    if !isCPU, driver != .unknown {
      for reservation in buffer.pendingFences
      where fencesByKey[reservation.fence]?.driver == driver {
        limit = min(limit, reservation.order)
      }
    }
    for reservation in buffer.pendingFences where reservation.order < limit {
      guard let fence = fencesByKey[reservation.fence], !fence.isSignaled, isKnown(fence) else {
        continue
      }
      if !isCPU, driver != .unknown, fence.driver == driver { continue }
      // Readers wait for the kernel and for writers, writers for readers too.
      guard reservation.usage <= (isWriter ? 2 : 1) else { continue }
      var incident = SharingIncident(kind: .accessWithoutFence, event: event)
      incident.origin = fence.first
      incident.inode = inode
      incident.fence = fence.key
      incident.detail = isWriter ? 1 : 0
      report(incident)
      return
    }
  }

  /// Whether a device looks through a mapping from before the last move of a buffer, which it was
  /// told of: a dynamic importer has to map anew.
  private mutating func staleAccess(_ buffer: DMABuf, _ event: DMAEvent) -> Bool {
    guard buffer.moves > 0, isKnown(buffer) else { return false }
    let attachments = buffer.attachments.compactMap { attachmentsByID[$0] }
      .filter { $0.device == event.device }
    guard attachments.count == 1, let attachment = attachments.first, attachment.isDynamic,
      attachment.isMapped, isKnown(attachment), attachment.mapMoves < buffer.moves
    else { return false }
    var incident = SharingIncident(kind: .staleMapping, event: event, origin: attachment.event)
    incident.inode = buffer.inode
    incident.detail = event.direction != .toDevice ? 1 : 0
    report(incident)
    // Once for each move.
    if let index = attachmentsByID.index(forKey: attachment.id) {
      attachmentsByID.values[index].mapMoves = buffer.moves
    }
    return true
  }

  // MARK: Attachments

  private mutating func attach(_ event: DMAEvent) {
    guard attachmentsByID.count < Self.maximumAttachments,
      buffersByInode[event.address]?.attachments.count ?? 0 < DMABuf.maximumAttachments
    else {
      untracked += 1
      return
    }
    _ = newAttachment(event, isKnown: true)
  }

  private mutating func newAttachment(_ event: DMAEvent, isKnown: Bool) -> UInt64 {
    let id = nextOrder
    nextOrder += 1
    let attachment = DMABufAttachment(
      id: id,
      inode: event.address,
      device: event.device,
      pointer: event.dmaAddress,
      isDynamic: event.flags.contains(.dynamic),
      event: event,
      isKnown: isKnown
    )
    attachmentsByID[id] = attachment
    attachmentsOfDevices[event.device, default: []].insert(id)
    change(event.address) {
      $0.attachments.append(id)
      $0.attached += 1
    }
    setUnmapped(attachment, true)
    return id
  }

  /// What is done with an attachment proves that there is one, where the trace does not show when
  /// it came.
  private mutating func prove(_ event: DMAEvent) {
    guard event.device != .unknown, find(event) == nil, let buffer = buffersByInode[event.address],
      // Otherwise it was detached, unless it is older than the trace.
      !isKnown(buffer) || !shows(.bufferAttach),
      // Several of the device, and the pointer is none of theirs.
      !buffer.attachments.contains(where: {
        attachmentsByID[$0].map { $0.device == event.device && $0.event.kind == .bufferAttach }
          ?? false
      }),
      attachmentsByID.count < Self.maximumAttachments,
      buffer.attachments.count < DMABuf.maximumAttachments
    else { return }
    undecidedOrigins += 1
    _ = newAttachment(event, isKnown: false)
  }

  /// Finds what an event means by its pointer, or by its device where pointers are hashed in one
  /// event and not in the other.
  private func find(_ event: DMAEvent) -> UInt64? {
    guard let buffer = buffersByInode[event.address] else { return nil }
    var ofDevice: UInt64?
    var isUnique = true
    for id in buffer.attachments {
      guard let attachment = attachmentsByID[id] else { continue }
      let isDevice = event.device == .unknown || attachment.device == event.device
      if event.dmaAddress != 0, attachment.pointer == event.dmaAddress, isDevice { return id }
      // Probes all print the pointer itself, tracepoints all print its hash.
      let isOther =
        event.dmaAddress != 0 && attachment.pointer != 0
        && Self.isProbe(event) && Self.isProbe(attachment.event)
      if isDevice, !isOther {
        if ofDevice != nil { isUnique = false }
        ofDevice = id
      }
    }
    return isUnique ? ofDevice : nil
  }

  private static func isProbe(_ event: DMAEvent) -> Bool {
    !event.kind.hasBufferTracepoint || event.flags.contains(.probe)
  }

  private mutating func withAttachment(
    _ event: DMAEvent,
    _ body: (inout DMABufAttachment) -> Void
  ) {
    guard let id = find(event), let index = attachmentsByID.index(forKey: id) else {
      undecidedOrigins += 1
      return
    }
    body(&attachmentsByID.values[index])
  }

  private mutating func setUnmapped(_ attachment: DMABufAttachment, _ isUnmapped: Bool) {
    guard let size = buffersByInode[attachment.inode]?.size else { return }
    let key = DeviceSize(device: attachment.device, size: size)
    if isUnmapped {
      unmapped[key, default: []].insert(attachment.id)
    } else {
      unmapped[key]?.remove(attachment.id)
      if unmapped[key]?.isEmpty == true { unmapped[key] = nil }
    }
  }

  private mutating func removeAttachment(_ id: UInt64) {
    guard let attachment = attachmentsByID[id] else { return }
    setUnmapped(attachment, false)
    for link in attachment.links { attachmentsOfLists[link.list] = nil }
    attachmentsOfDevices[attachment.device]?.remove(id)
    if attachmentsOfDevices[attachment.device]?.isEmpty == true {
      attachmentsOfDevices[attachment.device] = nil
    }
    attachmentsByID[id] = nil
  }

  private mutating func detach(_ event: DMAEvent, _ lists: SGListTable) {
    guard let id = find(event), let attachment = attachmentsByID[id] else {
      undecidedOrigins += 1
      return
    }
    if attachment.pins > 0, isKnown(attachment) {
      var incident = SharingIncident(kind: .detachWhilePinned, event: event)
      incident.origin = attachment.event
      incident.inode = event.address
      incident.value = UInt64(attachment.pins)
      report(incident)
    }
    let links = attachment.links.filter { lists.isLive($0.list, $0.order) }
    if isKnown(attachment), attachment.maps > 0 || !links.isEmpty {
      let isProved = attachment.maps > 0 || attachment.isLinkExact
      var incident = SharingIncident(kind: .detachWhileMapped, event: event)
      incident.origin = attachment.event
      incident.inode = event.address
      incident.value = max(UInt64(attachment.maps), UInt64(links.count))
      incident.detail = isProved ? 1 : 0
      if isProved {
        report(incident)
      } else if collectsIncidents, suspects.count < 256, let link = links.first {
        // It may be a list of something else: only one that nobody ever unmaps tells.
        suspects.append((link, incident))
      }
    }
    removeAttachment(id)
    change(event.address) { $0.attachments.removeAll { $0 == id } }
    settle(event.address, event)
  }

  private mutating func mapAttachment(_ event: DMAEvent, _ lists: SGListTable, _ number: UInt64) {
    sightings.insert(.mapAttachment)
    prove(event)
    guard let id = find(event), let index = attachmentsByID.index(forKey: id) else {
      undecidedOrigins += 1
      return
    }
    attachmentsByID.values[index].maps &+= 1
    attachmentsByID.values[index].mapMoves = buffersByInode[event.address]?.moves ?? 0
    let attachment = attachmentsByID.values[index]
    let size = buffersByInode[attachment.inode]?.size
    // Its list may have been mapped just now, when the probe is on the return of the function.
    let position = recentMaps.lastIndex { map in
      map.pid == event.pid && map.device == attachment.device
        && (map.size == nil || map.size == size) && lists.isLive(map.list, map.order)
        && map.number &+ 64 > number
    }
    if let position {
      let map = recentMaps.remove(at: position)
      if map.isUndecided { undecidedLinks -= 1 }
      link(map.list, map.order, to: id, isExact: true)
    } else {
      if awaitedMaps.count >= 64 { awaitedMaps.removeFirst() }
      awaitedMaps.append(AwaitedMap(pid: event.pid, attachment: id, number: number))
    }
  }

  private mutating func unmapAttachment(_ event: DMAEvent) {
    prove(event)
    guard let id = find(event), let index = attachmentsByID.index(forKey: id) else {
      // Already detached, or attached before the trace.
      if let buffer = buffersByInode[event.address], isKnown(buffer),
        sightings.contains(.mapAttachment), buffer.attachments.isEmpty
      {
        var incident = SharingIncident(kind: .unmapWithoutMap, event: event, origin: buffer.first)
        incident.inode = buffer.inode
        incident.detail = 1
        report(incident)
      } else {
        undecidedOrigins += 1
      }
      return
    }
    let attachment = attachmentsByID.values[index]
    if attachment.maps > 0 {
      attachmentsByID.values[index].maps -= 1
    } else if isKnown(attachment), sightings.contains(.mapAttachment) {
      var incident = SharingIncident(kind: .unmapWithoutMap, event: event)
      incident.origin = attachment.event
      incident.inode = event.address
      report(incident)
    } else {
      undecidedOrigins += 1
    }
  }

  // MARK: Lists

  /// A scatterlist was mapped: it may be the one of an attachment.
  ///
  /// - Parameters:
  ///   - order: of the list.
  ///   - size: its bytes, `nil` when the tracer cut it off.
  mutating func mapped(
    _ list: UInt32,
    order: UInt64,
    size: UInt64?,
    _ event: DMAEvent,
    number: UInt64
  ) {
    unlink(list)
    guard attachmentsOfDevices[event.device] != nil else { return }
    awaitedMaps.removeAll { $0.number &+ 64 < number }
    let awaited = awaitedMaps.firstIndex { awaited in
      guard awaited.pid == event.pid, let attachment = attachmentsByID[awaited.attachment] else {
        return false
      }
      return attachment.device == event.device
        && (size == nil || size == buffersByInode[attachment.inode]?.size)
    }
    if let awaited {
      link(list, order, to: awaitedMaps.remove(at: awaited).attachment, isExact: true)
      return
    }
    if recentMaps.count >= 64 { recentMaps.removeFirst() }
    recentMaps.append(
      RecentMap(
        pid: event.pid,
        device: event.device,
        list: list,
        order: order,
        size: size,
        number: number
      )
    )
    guard let size, let candidates = unmapped[DeviceSize(device: event.device, size: size)] else {
      return
    }
    if candidates.count == 1, let only = candidates.first {
      link(list, order, to: only, isExact: false)
    } else {
      undecidedLinks += 1
      recentMaps[recentMaps.count - 1].isUndecided = true
    }
  }

  private mutating func link(_ list: UInt32, _ order: UInt64, to id: UInt64, isExact: Bool) {
    unlink(list)
    guard let index = attachmentsByID.index(forKey: id) else { return }
    guard attachmentsByID.values[index].links.count < 64 else {
      untracked += 1
      return
    }
    attachmentsByID.values[index].links.append(DMABufAttachment.Link(list: list, order: order))
    attachmentsByID.values[index].isLinkExact = isExact
    let inode = attachmentsByID.values[index].inode
    attachmentsByID.values[index].mapMoves = buffersByInode[inode]?.moves ?? 0
    attachmentsOfLists[list] = id
    setUnmapped(attachmentsByID.values[index], false)
  }

  /// A scatterlist was unmapped, or its number is given to another one.
  mutating func unlink(_ list: UInt32) {
    guard let id = attachmentsOfLists.removeValue(forKey: list),
      let index = attachmentsByID.index(forKey: id)
    else { return }
    attachmentsByID.values[index].links.removeAll { $0.list == list }
    let attachment = attachmentsByID.values[index]
    if attachment.links.isEmpty { setUnmapped(attachment, true) }
  }

  /// A driver has left its device.
  mutating func released(_ device: DeviceID, _ event: DMAEvent) {
    releasedRanges(device, event)
    guard let ids = attachmentsOfDevices[device] else { return }
    let known = ids.sorted().compactMap { attachmentsByID[$0] }.filter { isKnown($0) }
    guard let first = known.first else { return }
    var incident = SharingIncident(kind: .unboundWhileAttached, event: event)
    incident.event.device = device
    incident.origin = first.event
    incident.inode = first.inode
    incident.value = UInt64(known.count)
    report(incident)
  }

  // MARK: Fences

  private mutating func fence(_ event: DMAEvent) {
    let key = DMAFence.Key(context: event.address, sequence: event.size)
    let begins = event.kind == .fenceInit || event.kind == .fenceEmit
    if event.kind == .fenceInit, let old = fencesByKey[key] {
      // A number that comes again, as of the kernel's stub.
      if !old.isSignaled { pendingFences -= 1 }
      fencesByKey[key] = nil
    }
    if fencesByKey[key] == nil {
      guard event.kind != .fenceDestroy else { return }
      makeRoomForFence()
      var fence = DMAFence(
        key: key,
        driver: event.driver,
        timeline: event.site,
        first: event,
        order: nextOrder,
        isKnown: begins
      )
      nextOrder += 1
      // Fences of a context signal in order: an earlier one was signaled and is forgotten.
      fence.isSignaled =
        !begins
        && timelinesByContext[key.context].map {
          $0.lastSignaled ?? 0 >= key.sequence && $0.signaled > 0
        } ?? false
      if !fence.isSignaled { pendingFences += 1 }
      fencesByKey[key] = fence
      fenceQueue.append(key)
    }
    guard let index = fencesByKey.index(forKey: key) else { return }
    let names = Self.names(of: event)
    if event.driver != .unknown, names || fencesByKey.values[index].driver == .unknown {
      fencesByKey.values[index].driver = event.driver
    }
    if event.site != NameTable.unknown,
      names || fencesByKey.values[index].timeline == NameTable.unknown
    {
      fencesByKey.values[index].timeline = event.site
    }
    noteTimeline(event)
    switch event.kind {
    case .fenceEnableSignal: fencesByKey.values[index].isWanted = true
    case .fenceSignaled: signaled(key, event)
    case .fenceWaitStart:
      fencesByKey.values[index].isWanted = true
      if fencesByKey.values[index].waiters.count < 64 {
        fencesByKey.values[index].waiters.append(event)
      }
    case .fenceWaitEnd:
      if let waiter = fencesByKey.values[index].waiters.firstIndex(where: { $0.pid == event.pid }) {
        fencesByKey.values[index].waiters.remove(at: waiter)
      }
      forgetFence(key)
    case .fenceDestroy:
      let fence = fencesByKey.values[index]
      if !fence.isSignaled, isKnown(fence), fence.isWanted { neverSignaled(fence, at: event, 1) }
      if !fence.isSignaled { pendingFences -= 1 }
      fencesByKey[key] = nil
    case .fenceAdd: add(key, event)
    default: break
    }
    forgetFence(key)
  }

  /// Whether an event has the names that the driver gave: since 6.17 some events of a fence that is
  /// signaled have `detached-driver` and `signaled-timeline` in their place.
  private static func names(of event: DMAEvent) -> Bool {
    switch event.kind {
    case .fenceWaitStart, .fenceWaitEnd, .fenceDestroy: false
    default: true
    }
  }

  private mutating func makeRoomForFence() {
    while fencesByKey.count >= Self.maximumFences, firstFence < fenceQueue.count {
      let oldest = fenceQueue[firstFence]
      firstFence += 1
      guard let fence = fencesByKey.removeValue(forKey: oldest) else { continue }
      if !fence.isSignaled {
        pendingFences -= 1
        untracked += 1
      }
    }
    // Most of the queue are fences that are gone: keep it as short as the table.
    guard fenceQueue.count - firstFence > 2 * Self.maximumFences || firstFence > Self.maximumFences
    else { return }
    var seen = Set<DMAFence.Key>()
    fenceQueue = fenceQueue[firstFence...].filter {
      fencesByKey[$0] != nil && seen.insert($0).inserted
    }
    firstFence = 0
  }

  private mutating func noteTimeline(_ event: DMAEvent) {
    let context = event.address
    if timelinesByContext[context] == nil {
      guard timelinesByContext.count < Self.maximumTimelines else {
        untracked += 1
        return
      }
      timelinesByContext[context] = DMAReplay(context: context)
    }
    guard let index = timelinesByContext.index(forKey: context) else { return }
    let names = Self.names(of: event)
    if event.driver != .unknown, names || timelinesByContext.values[index].driver == .unknown {
      timelinesByContext.values[index].driver = event.driver
    }
    if event.site != NameTable.unknown,
      names || timelinesByContext.values[index].name == NameTable.unknown
    {
      timelinesByContext.values[index].name = event.site
    }
    switch event.kind {
    case .fenceEmit: timelinesByContext.values[index].emitted += 1
    case .fenceSignaled:
      timelinesByContext.values[index].signaled += 1
      timelinesByContext.values[index].lastSignaled = max(
        timelinesByContext.values[index].lastSignaled ?? 0,
        event.size
      )
      timelinesByContext.values[index].lastSignalTime = event.time
      timelinesByContext.values[index].noteSignal(event.size, at: event.time)
      guard !timelinesByContext.values[index].hasSeveralSignalers else { return }
      // An interrupt hits whatever thread runs.
      let signaler = timelinesByContext.values[index].signaler ?? event.pid
      if signaler != event.pid || event.flags.contains(.interrupt) {
        timelinesByContext.values[index].hasSeveralSignalers = true
        timelinesByContext.values[index].signaler = nil
      } else if event.pid > 0 {
        timelinesByContext.values[index].signaler = event.pid
      }
    default: break
    }
  }

  private mutating func signaled(_ key: DMAFence.Key, _ event: DMAEvent) {
    guard let index = fencesByKey.index(forKey: key), !fencesByKey.values[index].isSignaled else {
      return
    }
    fencesByKey.values[index].isSignaled = true
    pendingFences -= 1
    fencesSignaled += 1
    forgetFence(key)
  }

  /// Forgets a fence that is signaled when nobody needs to know.
  private mutating func forgetFence(_ key: DMAFence.Key) {
    guard let fence = fencesByKey[key], fence.isSignaled, fence.buffers == 0, fence.waiters.isEmpty
    else { return }
    // Its destruction is of no interest any more.
    fencesByKey[key] = nil
  }

  /// A reservation object lets go of a fence.
  private mutating func release(_ key: DMAFence.Key) {
    guard let index = fencesByKey.index(forKey: key) else { return }
    fencesByKey.values[index].buffers -= min(fencesByKey.values[index].buffers, 1)
    forgetFence(key)
  }

  /// `dma_resv_add_fence`: into the place of an earlier one of its context, or of a signaled one.
  private mutating func add(_ key: DMAFence.Key, _ event: DMAEvent) {
    let inode = event.dmaAddress
    guard let index = fencesByKey.index(forKey: key) else { return }
    if buffersByInode[inode] == nil {
      guard buffersByInode.count < Self.maximumBuffers else {
        untracked += 1
        return
      }
      buffersByInode[inode] = DMABuf(event, order: nextOrder)
      nextOrder += 1
      undecidedOrigins += 1
    }
    let reservation = DMABuf.Reservation(fence: key, usage: event.mappedEntries, order: nextOrder)
    nextOrder += 1
    guard var buffer = buffersByInode[inode] else { return }
    buffer.last = event
    var replaced: DMAFence.Key?
    let place = buffer.fences.firstIndex { old in
      if old.fence.context == key.context, old.usage >= reservation.usage,
        key.sequence >= old.fence.sequence
      {
        return true
      }
      return fencesByKey[old.fence]?.isSignaled ?? true
    }
    if let place {
      replaced = buffer.fences[place].fence
      buffer.fences[place] = reservation
    } else if buffer.fences.count < DMABuf.rememberedFences {
      buffer.fences.append(reservation)
    } else {
      untracked += 1
      return
    }
    var dropped: [DMAFence.Key] = []
    buffer.pendingFences.removeAll { old in
      guard fencesByKey[old.fence]?.isSignaled ?? true else { return false }
      dropped.append(old.fence)
      return true
    }
    if !fencesByKey.values[index].isSignaled,
      buffer.pendingFences.count < DMABuf.rememberedFences
    {
      buffer.pendingFences.append(reservation)
      fencesByKey.values[index].buffers += 1
    }
    fencesByKey.values[index].buffers += 1
    buffersByInode[inode] = buffer
    if let replaced { release(replaced) }
    for key in dropped { release(key) }
  }

  private mutating func neverSignaled(_ fence: DMAFence, at event: DMAEvent, _ detail: UInt64) {
    var incident = SharingIncident(kind: .neverSignaled, event: event, origin: fence.first)
    incident.fence = fence.key
    incident.value = UInt64(fence.waiters.count)
    incident.detail = detail
    report(incident)
  }

  // MARK: The end

  /// Ends the stream: says what was left undone.
  mutating func finish(lists: SGListTable) {
    guard collectsIncidents else { return }
    for suspect in suspects where lists.isLive(suspect.link.list, suspect.link.order) {
      report(suspect.incident)
    }
    suspects.removeAll()
    for buffer in buffers().reversed() {
      leftovers(buffer)
      lost(buffer)
    }
    finishFences()
  }

  /// How long something must have lasted, in nanoseconds, to be more than the moment at which the
  /// trace ends.
  static let longTime: UInt64 = 100_000_000

  /// A buffer that was exported, and of which nothing was seen since: no descriptor was made of it and
  /// no device attached, so that nobody but its exporter can know of it.
  private mutating func lost(_ buffer: DMABuf) {
    guard isKnown(buffer), buffer.state == .live, buffer.last.kind == .bufferExport,
      sightings.contains(.descriptor), lastTime &- buffer.first.time >= Self.longTime
    else { return }
    var incident = SharingIncident(kind: .lostBuffer, event: buffer.first)
    incident.inode = buffer.inode
    incident.value = lastTime &- buffer.first.time
    report(incident)
  }

  /// Who waits for whom in the end, and what was passed over.
  ///
  /// A wait that is open when the trace ends may end the next moment, and whoever asks whether a fence
  /// is signaled signals it: only threads that have waited for each other for long, without a signal
  /// of their timelines since, say something.
  private mutating func finishFences() {
    for index in timelinesByContext.values.indices {
      timelinesByContext.values[index].settle(at: lastTime)
    }
    let pending = fences().filter { !$0.isSignaled && isKnown($0) && $0.isWanted }
    var waitsFor: [Int32: Int32] = [:]
    for fence in pending {
      for waiter in fence.waiters {
        if let signaler = hangs(waiter, fence) { waitsFor[waiter.pid] = signaler }
      }
    }
    // Threads of which it is said.
    var circles: Set<Int32> = []
    for fence in pending {
      if let waiter = fence.waiters.first(where: { hangs($0, fence) != nil }) {
        var circle = [waiter.pid]
        var thread = waitsFor[waiter.pid]
        while let next = thread, next != waiter.pid, circle.count <= 64 {
          circle.append(next)
          thread = waitsFor[next]
        }
        if thread == waiter.pid, circle.count > 1 {
          guard circles.isDisjoint(with: circle) else { continue }
          circles.formUnion(circle)
          var incident = SharingIncident(kind: .deadlock, event: waiter, origin: fence.first)
          incident.fence = fence.key
          incident.value = UInt64(circle.count)
          incident.detail = (lastTime &- waiter.time) / 1_000_000
          report(incident)
          continue
        }
      }
      if let settled = timelinesByContext[fence.key.context]?.settled,
        settled > fence.key.sequence
      {
        neverSignaled(fence, at: fence.waiters.first ?? fence.first, 4)
      }
    }
  }

  /// The thread that signaled the timeline of a fence for whom another one has waited long, with
  /// nothing signaled since.
  private func hangs(_ waiter: DMAEvent, _ fence: DMAFence) -> Int32? {
    guard waiter.pid > 0, lastTime >= waiter.time, lastTime - waiter.time >= Self.longTime,
      let timeline = timelinesByContext[fence.key.context], let signaler = timeline.signaler,
      timeline.lastSignalTime <= waiter.time
    else { return nil }
    return signaler
  }
}
