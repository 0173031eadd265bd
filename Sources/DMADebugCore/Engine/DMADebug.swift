// SPDX-License-Identifier: MIT

/// The machine: a user-space twin of the kernel's dma-debug.
///
/// A value. A copy is a checkpoint, from which the same events lead to the same state. Applying an
/// event allocates nothing once the tables have grown to the size that the trace needs.
public struct DMADebug: Sendable {
  public let configuration: Configuration

  var table = MappingTable()
  var pool: EntryPool
  var cachelines = CachelineTracker()
  var lists = SGListTable()
  var devices: [DeviceState] = []
  /// By ``DeviceState/details``; the first are nobody's and stay as they are.
  var details: [DeviceDetails] = [DeviceDetails()]
  /// Segments of lists that came from a saved dump.
  var adoptedSegments = AdoptedSegments()
  /// A dump said what was mapped before the first event.
  var adoptedEverything = false
  var directMap = DirectMap()
  /// What a marker told about the kernel's address space.
  var layout: KernelLayout?
  /// What dma-debug knows nothing of: dma-bufs, fences, IOVA ranges, channels.
  public internal(set) var sharing = SharingTracker()
  var filter: DriverFilter

  /// Everything is disabled for good: `dma_debug=off`, or out of memory.
  public internal(set) var isDisabled: Bool
  public internal(set) var errorCount: UInt32 = 0
  public internal(set) var allErrors: UInt32
  public internal(set) var numErrors: UInt32
  var hasLoggedExceededOverlap = false

  /// Events applied so far.
  public internal(set) var eventCount: UInt64 = 0
  public internal(set) var undecided = Undecided()
  /// Writes to virtual files that the kernel refused.
  public internal(set) var refusedWrites: UInt64 = 0

  // Evidence.
  /// How often the tracer lost events.
  var losses: UInt32 = 0
  /// Entries that are older than this may have been freed unseen.
  var lossSequence: UInt64 = 0
  /// The map-error hook was hit at all, so checks show.
  var hookSeen = false
  /// It was hit by dma-debug itself, so failed unmaps show.
  var hookShowsInternals = false
  /// Frees that found nothing and wait for the kernel's own hook hit as proof.
  var waitingFrees: [WaitingFree] = []
  /// Devices that a driver is leaving, whose managed memory is being released.
  var leavingDevices: [LeavingDevice] = []

  /// A free that found nothing.
  struct WaitingFree: Sendable {
    var reference: Reference
    var event: DMAEvent
    var number: UInt64
    var isList: Bool
  }

  /// A device between `device_unbind_cleanup` and the end of its release.
  struct LeavingDevice: Sendable {
    var event: DMAEvent
    var number: UInt64
  }

  public init(_ configuration: Configuration) {
    self.configuration = configuration
    pool = EntryPool(requested: configuration.entries, maximum: configuration.maximumEntries)
    filter = DriverFilter(bootParameter: configuration.driverFilter)
    isDisabled = configuration.isOff
    allErrors = configuration.allErrors
    numErrors = configuration.numErrors
  }

  // MARK: State

  /// Live mappings that the trace lists.
  public var liveCount: Int { table.count }

  /// Every live mapping in the order of `dma-api/dump`.
  public func liveMappings() -> [Mapping] {
    liveSlots().map { table[$0] }
  }

  /// The slots (``withMappings(_:)``) of the live mappings, in the order of `dma-api/dump`.
  public func liveSlots() -> [UInt32] {
    table.inDumpOrder()
  }

  /// Calls `body` with every live mapping, in no particular order.
  public func forEachLiveMapping(_ body: (Mapping) -> Void) {
    let entries = table.entries
    for index in entries.indices where entries[index].sequence != 0 { body(entries[index]) }
  }

  /// Lends the table of mappings: those with sequence 0 are free. The position of a mapping in it is
  /// its slot, which it keeps while it lives.
  public func withMappings<Result>(
    _ body: (UnsafeBufferPointer<Mapping>) throws -> Result
  ) rethrows -> Result {
    try table.entries.withUnsafeElements(body)
  }

  /// The mapping in a slot (``withMappings(_:)``).
  public func mapping(inSlot slot: UInt32) -> Mapping {
    table[slot]
  }

  /// The slot of the mapping that was made last of those of a device at a DMA address.
  @inline(__always)
  public func slot(of device: DeviceID, at address: UInt64) -> UInt32? {
    table.last(device, address)
  }

  /// Entries the pool has now, had left at worst, and has left.
  public var poolCounters: (total: UInt32, minimumFree: UInt32, free: UInt32) {
    configuration.isOff ? (0, 0, 0) : (pool.total, pool.minimumFree, pool.free)
  }

  /// The name of the driver filter, empty when it is off.
  public var driverFilter: [UInt8] { filter.name }

  /// What dma-debug prints before the device: its driver, or its bus when none is bound.
  @inline(__always)
  public func driver(of device: DeviceID) -> DriverID {
    guard Int(device.rawValue) < devices.count else { return .unknown }
    let state = devices[Int(device.rawValue)]
    switch state.binding {
    case .unknown: return .unknown
    case .bound(let driver): return driver
    case .unbound: return state.bus
    }
  }

  /// Whether the DMA addresses of a device are physical addresses, as far as the trace shows.
  @inline(__always)
  public func isDirect(_ device: DeviceID) -> Bool {
    Int(device.rawValue) < devices.count && devices[Int(device.rawValue)].isDirect
  }

  /// The physical address of a mapping, or `nil` when the trace does not give it.
  @inline(__always)
  public func physicalAddress(of mapping: Mapping) -> UInt64? {
    if mapping.flags.contains(.physicalKnown) { return mapping.physicalAddress }
    return physicalAddress(
      pointer: mapping.cpuAddress,
      isHashed: mapping.flags.contains(.hashedPointer),
      device: mapping.device,
      dmaAddress: mapping.dmaAddress
    )
  }

  @inline(__always)
  func physicalAddress(
    pointer: UInt64,
    isHashed: Bool,
    device: DeviceID,
    dmaAddress: UInt64
  ) -> UInt64? {
    if !isHashed, let physical = directMap.physical(of: pointer) { return physical }
    guard Int(device.rawValue) < devices.count, devices[Int(device.rawValue)].isDirect else {
      return nil
    }
    return dmaAddress
  }

  /// The sequence number that the next mapping will get.
  public var nextSequence: UInt64 { table.nextSequence }

  /// Grows with everything that is mapped or freed.
  public var changeCount: UInt64 { 2 * table.nextSequence - UInt64(table.count) }

  /// Bytes that a copy takes once everything in the original has changed.
  public var storageBytes: Int {
    let tables =
      table.storageBytes + cachelines.storageBytes + lists.storageBytes
      + adoptedSegments.storageBytes + directMap.storageBytes + sharing.storageBytes
    let deviceBytes =
      devices.storageBytes
      + details.reduce(details.storageBytes) { $0 + $1.untracked.storageBytes }
    let queues =
      waitingFrees.storageBytes + leavingDevices.storageBytes
    return tables + deviceBytes + queues + MemoryLayout<DMADebug>.stride
  }

  // MARK: Before the first event

  /// Tells what a table beside the trace says of a device. A probe in the trace wins over it.
  public mutating func describe(_ device: DeviceID, _ description: DeviceDescription) {
    let index = state(of: device)
    devices[index].bus = description.bus
    devices[index].binding = description.driver.map { .bound($0) } ?? .unbound
    let isLimited =
      description.maximumSegmentSize != nil || description.segmentBoundary != nil
      || description.mask != nil
    guard isLimited || devices[index].details != 0 else { return }
    let details = ownDetails(index)
    self.details[details].maximumSegmentSize = description.maximumSegmentSize
    self.details[details].segmentBoundary = description.segmentBoundary
    self.details[details].mask = description.mask
  }

  /// The largest DMA address that a device can use, as far as somebody told.
  @inline(__always)
  public func mask(of device: DeviceID) -> UInt64? {
    let index = Int(device.rawValue)
    return index < devices.count ? details[Int(devices[index].details)].mask : nil
  }

  /// A line of a device table in the trace itself; the driver comes with its probe.
  private mutating func describe(_ event: DMAEvent, _ names: TraceNames) {
    let index = state(of: event.device)
    if event.bus != .unknown { devices[index].bus = event.bus }
    guard event.maximumSegmentSize != 0 || event.segmentBoundary != 0 || event.maskBits != 0
    else { return }
    let details = ownDetails(index)
    if event.maximumSegmentSize != 0 {
      self.details[details].maximumSegmentSize = event.maximumSegmentSize
    }
    if event.segmentBoundary != 0 { self.details[details].segmentBoundary = event.segmentBoundary }
    if event.maskBits != 0 {
      self.details[details].mask = event.maskBits >= 64 ? .max : 1 << event.maskBits - 1
    }
  }

  /// The index of a device's own details, which are made when it has none.
  mutating func ownDetails(_ device: Int) -> Int {
    if devices[device].details == 0 {
      devices[device].details = UInt32(details.count)
      details.append(DeviceDetails())
    }
    return Int(devices[device].details)
  }

  /// The index of a device's state, which is made when it is new.
  @inline(__always)
  mutating func state(of device: DeviceID) -> Int {
    let index = Int(device.rawValue)
    if index >= devices.count { addDevices(upTo: index) }
    return index
  }

  private mutating func addDevices(upTo index: Int) {
    devices.append(contentsOf: repeatElement(DeviceState(), count: index + 1 - devices.count))
  }

  // MARK: Events

  /// Applies one event of a batch for those who want the state only.
  public mutating func apply(_ event: DMAEvent, in batch: EventBatch, names: TraceNames) {
    var output = EngineOutput([])
    apply(event, in: batch, names: names, to: &output)
  }

  /// Applies one event of a batch, and adds what comes of it to an output.
  public mutating func apply(
    _ event: DMAEvent,
    in batch: EventBatch,
    names: TraceNames,
    to output: inout EngineOutput
  ) {
    eventCount += 1
    if !leavingDevices.isEmpty { finishLeaving(before: event, names, to: &output) }
    if !waitingFrees.isEmpty { expireWaiting() }
    switch event.kind {
    case .driverProbe: driverProbe(event, names)
    case .busNotify: busNotify(event, names, to: &output)
    case .driverUnbind: driverUnbind(event)
    case .lost: eventsLost()
    case .deviceDescription: describe(event, names)
    default:
      if isDisabled {
        if event.kind == .marker { marker(event, batch, names, to: &output) }
        if event.kind.isSharing { share(event, to: &output) }
        return
      }
      applyCall(event, batch, names, to: &output)
    }
  }

  // Calls that pass an event are inlined on the way of the common kinds: an event is 112 bytes,
  // and copying it at each level was half the cost of a map.
  @inline(__always)
  private mutating func applyCall(
    _ event: DMAEvent,
    _ batch: EventBatch,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    switch event.kind {
    case .mapPage, .mapResource, .mapPhys: mapSingle(event, names, to: &output)
    case .unmapPage, .unmapResource, .unmapPhys: unmapSingle(event, names, to: &output)
    case .mapSG: mapSG(event, batch, names, to: &output)
    case .unmapSG: unmapSG(event, batch, names, to: &output)
    case .alloc, .allocPages: allocate(event, names, to: &output)
    case .free, .freePages: free(event, names, to: &output)
    case .allocSGTable: allocateSGTable(event, batch, names, to: &output)
    case .freeSGTable: freeSGTable(event, names, to: &output)
    case .syncSingleForCPU, .syncSingleForDevice: syncSingle(event, names, to: &output)
    case .syncSGForCPU, .syncSGForDevice: syncSG(event, batch, names, to: &output)
    case .mappingError: mappingErrorHook(event, names, to: &output)
    case .marker: marker(event, batch, names, to: &output)
    case .mapSingleCheck: checkMapSingle(event, names, to: &output)
    default: if event.kind.isSharing { share(event, to: &output) }
    }
  }

  /// Ends the stream: what waits for proof stays undecided, what is being released is released.
  public mutating func finish(names: TraceNames, to output: inout EngineOutput) {
    for waiting in waitingFrees { countUndecided(waiting) }
    waitingFrees.removeAll()
    let leaving = leavingDevices
    leavingDevices.removeAll()
    for device in leaving {
      released(device.event.device, device.event, number: device.number, names, to: &output)
    }
    if !sharing.isEmpty { sharing.finish(lists: lists, to: &output.incidentLog) }
  }

  /// A marker of user space may write a virtual file: `dma-api: write FILE VALUE`.
  private mutating func marker(
    _ event: DMAEvent,
    _ batch: EventBatch,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    let text = batch.markerText(event)
    if text.starts(with: Self.layoutMarker) {
      learn(KernelLayout(text.dropFirst(Self.layoutMarker.count)))
      return
    }
    guard text.starts(with: Self.writeMarker) else { return }
    let rest = text.dropFirst(Self.writeMarker.count)
    let file = rest.prefix { $0 != 0x20 }
    guard let name = VirtualFile(file) else {
      refusedWrites += 1
      return
    }
    let outcome = write(name, rest.dropFirst(file.count + 1), event: event, to: &output)
    if outcome != nil { refusedWrites += 1 }
  }

  private static let layoutMarker = Array("dma-api: layout ".utf8)
  private static let writeMarker = Array("dma-api: write ".utf8)

  private mutating func eventsLost() {
    losses += 1
    lossSequence = table.nextSequence
    if !sharing.isEmpty { sharing.eventsLost() }
  }

  // MARK: Errors

  /// `err_printk`: counts an error and decides whether the log shows it.
  mutating func report(
    _ kind: Report.Kind,
    _ event: DMAEvent,
    device: DeviceID,
    names: TraceNames,
    reference: Reference? = nil,
    mapping: Mapping? = nil,
    value: UInt64 = 0,
    freedPhysical: UInt64? = nil,
    number: UInt64? = nil,
    to output: inout EngineOutput
  ) {
    if let mapping, mapping.sequence < lossSequence {
      // An entry from before a loss may be a ghost.
      undecided.afterLoss += 1
      return
    }
    errorCount &+= 1
    let hasTurn = allErrors != 0 || numErrors > 0
    if allErrors == 0, numErrors > 0 { numErrors -= 1 }
    guard output.content.contains(.reports) else { return }
    var report = Report(kind, event: event)
    report.eventNumber = number ?? eventCount - 1
    report.device = device
    report.driver = driver(of: device)
    report.reference = reference
    report.mapping = mapping
    report.mappedPhysical = mapping.flatMap { physicalAddress(of: $0) }
    report.freedPhysical = freedPhysical
    report.value = value
    report.isPrinted = hasTurn && passesFilter(device, names)
    output.add(report)
  }

  /// A line of the log that is no error.
  func log(
    _ kind: Report.Kind,
    _ event: DMAEvent,
    value: UInt64 = 0,
    base: UInt64 = 0,
    mapping: Mapping? = nil,
    text: [UInt8] = [],
    to output: inout EngineOutput
  ) {
    guard output.content.contains(.reports) else { return }
    var report = Report(kind, event: event)
    report.eventNumber = eventCount == 0 ? 0 : eventCount - 1
    report.isPrinted = true
    report.value = value
    report.base = base
    report.mapping = mapping
    report.text = text
    report.device = event.device
    report.driver = driver(of: event.device)
    output.add(report)
  }

  private func passesFilter(_ device: DeviceID, _ names: TraceNames) -> Bool {
    guard filter.isOn else { return true }
    guard Int(device.rawValue) < devices.count,
      case .bound(let driver) = devices[Int(device.rawValue)].binding
    else { return filter.passes(nil) }
    return filter.passes(names.drivers[driver.rawValue])
  }

  // MARK: Evidence

  /// Whether every mapping of the device that is alive now was made inside the trace.
  func knowsOrigin(of device: DeviceID) -> Bool {
    if (configuration.isComplete || adoptedEverything) && losses == 0 { return true }
    guard Int(device.rawValue) < devices.count else { return false }
    return devices[Int(device.rawValue)].bornAtLoss == losses
  }

  /// Waiting for proof ends when the proof would long have come.
  private mutating func expireWaiting() {
    while let oldest = waitingFrees.first, oldest.number + 512 < eventCount {
      countUndecided(oldest)
      waitingFrees.removeFirst()
    }
  }

  private mutating func countUndecided(_ waiting: WaitingFree) {
    if waiting.isList { undecided.unknownLists += 1 } else { undecided.unknownFrees += 1 }
  }
}
