import DMADebugCore

/// Looks beyond what the kernel checks: rules DMA101 and up.
///
/// It sees each event after the engine has, with what that changed. What it holds is bounded by the
/// live mappings and the names of the trace.
public struct Judge {
  /// What the configuration says.
  public struct Options: Sendable {
    /// Live mappings of a site from which on growth is a leak.
    public var leakMinimum = 32
    /// Bytes of a cacheline that the machine's DMA needs; below 64 caches are coherent.
    public var alignment: UInt64 = 1
    /// Mappings that are gone are kept, because faults of a kernel log will ask for them.
    public var joinsLog = false

    public init() {}
  }

  private static let endedMappings = 4096
  private static let joinedMappings = 1 << 16
  private static let churnPlaces = 4096
  private static let churnMinimum: UInt64 = 512
  private static let coherentMinimum: UInt64 = 256
  private static let uselessMinimum: UInt64 = 128
  private static let heldMinimum: UInt64 = 200
  /// Mappings of more pages are found by looking at all of them.
  private static let indexedPages: UInt64 = 64

  /// A mapping that is gone.
  private struct Ended {
    var device: DeviceID
    var address: UInt64
    var size: UInt64
    var time: UInt64
    var line: UInt64
  }

  /// A buffer that is mapped again and again.
  private struct Churn {
    var device = DeviceID.unknown
    var direction = Direction.bidirectional
    var physical: UInt64 = 0
    var size: UInt64 = 0
    var count: UInt64 = 0
    var first: DMAEvent?
  }

  /// What a device did, counted. There may be a million of them: events are elsewhere.
  private struct DeviceCounts {
    var allocations: UInt64 = 0
    var frees: UInt64 = 0
    var uselessSyncs: UInt64 = 0
    var syncs: UInt64 = 0
    var bounces: UInt64 = 0
    /// Places in ``firsts``, 0 for none.
    var firstAllocation: UInt32 = 0
    var firstUseless: UInt32 = 0
    var firstBounce: UInt32 = 0
    /// Somebody asked about a map that had failed.
    var askedAboutFailure = false
  }

  /// Who has a mapping, as far as syncs told.
  private enum Owner: UInt8 {
    /// Of a mapping from a saved dump nobody knows.
    case unknown
    case fresh
    case cpu
    case device
  }

  private let options: Options
  private let comparesAttributes: Bool
  private var pages = PageIndex()
  private var sites: [SiteHistory] = []
  /// Without stacks each device and direction is a site: those that mapped, and where they are by
  /// device and direction, 0 for nowhere.
  private var plainSites = [SiteHistory()]
  private var plainPlaces: [UInt32] = []
  private var owners: [Owner] = []
  private var ended: [Ended] = []
  private var nextEnded = 0
  /// The mappings of ``ended``, with ``Options/joinsLog`` only.
  private var goneMappings: [Mapping] = []
  private var churns = [Churn](repeating: Churn(), count: churnPlaces)
  private var devices: [DeviceCounts] = []
  /// The first events of a kind that devices had; the one at place 0 is none.
  private var firsts = [DMAEvent(.other)]
  private var lastTime: UInt64 = 0
  /// Who was bound to a device when it mapped last, by device number.
  private var drivers: [DriverID] = []
  /// What is wrong, to be taken by whoever calls.
  private var verdicts: [Verdict] = []

  /// What it says of sharing.
  public var buffers: BufferJudge

  public init(_ generation: KernelGeneration, options: Options = Options()) {
    self.options = options
    buffers = BufferJudge(leakMinimum: options.leakMinimum)
    comparesAttributes = generation.comparesAttributes
  }

  // MARK: Events

  /// Whether an event is of interest even if it changed nothing.
  @inline(__always)
  public static func wants(_ event: borrowing DMAEvent) -> Bool {
    switch event.kind {
    case .syncSingleForCPU, .syncSingleForDevice, .swiotlbBounced, .iommuFault: true
    case .mappingError: event.dmaAddress == .max
    default: false
    }
  }

  /// Takes in an event that was applied: one that changed something, that dma-debug had something
  /// to say about, or that ``wants(_:)`` names.
  ///
  /// - Parameters:
  ///   - changes: what it changed in the engine.
  ///   - reports: what dma-debug said about it.
  @inline(__always)
  public mutating func observe(
    _ event: DMAEvent,
    _ engine: DMADebug,
    _ changes: [MappingChange],
    _ reports: [Report]
  ) {
    switch event.kind {
    case .syncSingleForCPU, .syncSingleForDevice: sync(event, engine)
    case .swiotlbBounced: bounce(event)
    case .iommuFault: fault(event, engine)
    case .mappingError:
      if event.caller == .driver, event.dmaAddress == .max {
        count(event.device) { $0.askedAboutFailure = true }
      }
    default: break
    }
    for change in changes { take(change, event, engine, reports) }
    if !reports.isEmpty { refine(event, engine, reports) }
  }

  /// Whether there are verdicts to take.
  @inline(__always)
  public var hasVerdicts: Bool { !verdicts.isEmpty || buffers.hasVerdicts }

  /// Gives up what was found since the last call.
  public mutating func takeVerdicts() -> [Verdict] {
    defer { verdicts.removeAll() }
    return buffers.hasVerdicts ? verdicts + buffers.takeVerdicts() : verdicts
  }

  /// A mistake beyond the kernel's rules.
  public struct Verdict {
    public var rule: Rule
    public var event: DMAEvent
    public var message: String
    public var mapping: Mapping?
    public var count: UInt64 = 1
  }

  /// Keeps the first event of a kind of a device.
  private mutating func keepFirst(
    _ event: DMAEvent,
    of device: DeviceID,
    _ place: WritableKeyPath<DeviceCounts, UInt32>
  ) {
    devices[Int(device.rawValue)][keyPath: place] = UInt32(firsts.count)
    firsts.append(event)
  }

  private mutating func count(_ device: DeviceID, _ change: (inout DeviceCounts) -> Void) {
    let index = Int(device.rawValue)
    if index >= devices.count {
      devices.append(contentsOf: repeatElement(DeviceCounts(), count: index + 1 - devices.count))
    }
    change(&devices[index])
  }

  @inline(__always)
  private mutating func take(
    _ change: MappingChange,
    _ event: DMAEvent,
    _ engine: DMADebug,
    _ reports: [Report]
  ) {
    let isStreaming = change.type != .coherent && change.type != .noncoherent
    if isStreaming, !change.isAdopted {
      withSite(change) { site in
        if change.isAdded {
          site.map(event.time)
        } else {
          site.unmap(event.time > change.time ? event.time - change.time : 0)
        }
      }
    } else if !change.isAdopted {
      count(change.device) { counts in
        if change.isAdded { counts.allocations += 1 } else { counts.frees += 1 }
      }
      if change.isAdded, devices[Int(change.device.rawValue)].firstAllocation == 0 {
        keepFirst(event, of: change.device, \.firstAllocation)
      }
    }
    if change.isAdded {
      noteDriver(change.device, engine.driver(of: change.device))
      setOwner(change.slot, .fresh)
      if isStreaming, let physical = change.physicalAddress, change.size > 0 {
        added(change, physical, event, engine, reports)
      }
      if let mask = engine.mask(of: change.device) { checkMask(change, mask, event) }
    } else {
      remember(change, event, options.joinsLog ? engine.mapping(inSlot: change.slot) : nil)
      if isStreaming, change.direction != .toDevice {
        Self.forEachPage(change) { pages.remove($0, change.slot) }
      }
      if !comparesAttributes { compareAttributes(change, event, engine) }
    }
  }

  @inline(__always)
  private mutating func noteDriver(_ device: DeviceID, _ driver: DriverID) {
    let index = Int(device.rawValue)
    if index >= drivers.count {
      drivers.append(contentsOf: repeatElement(.unknown, count: index + 1 - drivers.count))
    }
    drivers[index] = driver
  }

  /// The driver that a device had when it mapped last: in the end it may have left.
  public func driver(of device: DeviceID) -> DriverID? {
    let index = Int(device.rawValue)
    return index < drivers.count && drivers[index] != .unknown ? drivers[index] : nil
  }

  @inline(__always)
  private mutating func withSite(_ change: MappingChange, _ body: (inout SiteHistory) -> Void) {
    if change.stack != StackTable.none {
      let index = Int(change.stack)
      if index >= sites.count {
        sites.append(contentsOf: repeatElement(SiteHistory(), count: index + 1 - sites.count))
      }
      body(&sites[index])
    } else {
      let index = Int(change.device.rawValue) << 2 | Int(change.direction.rawValue)
      if index >= plainPlaces.count {
        plainPlaces.append(contentsOf: repeatElement(0, count: index + 1 - plainPlaces.count))
      }
      if plainPlaces[index] == 0 {
        plainPlaces[index] = UInt32(plainSites.count)
        plainSites.append(SiteHistory())
      }
      body(&plainSites[Int(plainPlaces[index])])
    }
  }

  @inline(__always)
  private mutating func setOwner(_ slot: UInt32, _ owner: Owner) {
    let index = Int(slot)
    if index >= owners.count {
      owners.append(contentsOf: repeatElement(.fresh, count: index + 1 - owners.count))
    }
    owners[index] = owner
  }

  @inline(__always)
  private mutating func remember(
    _ change: MappingChange,
    _ event: DMAEvent,
    _ mapping: Mapping?
  ) {
    let entry = Ended(
      device: change.device,
      address: change.dmaAddress,
      size: change.size,
      time: event.time,
      line: event.line
    )
    let maximum = options.joinsLog ? Self.joinedMappings : Self.endedMappings
    if ended.count < maximum {
      ended.append(entry)
      if let mapping { goneMappings.append(mapping) }
    } else {
      ended[nextEnded] = entry
      if let mapping { goneMappings[nextEnded] = mapping }
      nextEnded = (nextEnded + 1) % maximum
    }
  }

  /// What was at a DMA address when an IOMMU stopped an access to it.
  public struct FaultedMapping {
    public var mapping: Mapping
    /// When it was unmapped, and the line of that; `nil` while it lives.
    public var unmapped: (time: UInt64, line: UInt64)?
  }

  /// The mapping of a device that holds an address, or had held it last.
  ///
  /// IOMMUs know pages: mappings that hold the byte go before those that only touch its page, which
  /// is all that some of them name.
  public func mapping(at address: UInt64, of device: DeviceID, _ engine: DMADebug)
    -> FaultedMapping?
  {
    func nearness(_ start: UInt64, _ size: UInt64) -> Int {
      guard size > 0 else { return 0 }
      if address >= start, address - start < size { return 2 }
      let (last, overflow) = start.addingReportingOverflow(size - 1)
      return (start >> 12...max(start >> 12, (overflow ? .max : last) >> 12))
        .contains(address >> 12) ? 1 : 0
    }
    var best: (nearness: Int, mapping: Mapping)?
    engine.forEachLiveMapping { live in
      guard live.device == device else { return }
      let value = nearness(live.dmaAddress, live.size)
      guard value > 0 else { return }
      if let known = best,
        (known.nearness, known.mapping.sequence) > (value, live.sequence)
      {
        return
      }
      best = (value, live)
    }
    if let best { return FaultedMapping(mapping: best.mapping, unmapped: nil) }
    var gone: (nearness: Int, place: Int)?
    for (place, entry) in ended.enumerated() where entry.device == device {
      let value = nearness(entry.address, entry.size)
      guard value > 0, place < goneMappings.count else { continue }
      if let known = gone, (known.nearness, ended[known.place].time) > (value, entry.time) {
        continue
      }
      gone = (value, place)
    }
    guard let gone else { return nil }
    let entry = ended[gone.place]
    return FaultedMapping(mapping: goneMappings[gone.place], unmapped: (entry.time, entry.line))
  }

  /// Takes over what was mapped before the first event, of a saved dump: nothing is said of it.
  public mutating func adopt(_ changes: [MappingChange], _ engine: DMADebug) {
    for change in changes {
      noteDriver(change.device, engine.driver(of: change.device))
      setOwner(change.slot, .unknown)
      if change.type != .coherent, change.type != .noncoherent, change.direction != .toDevice {
        Self.forEachPage(change) { pages.insert($0, change.slot) }
      }
    }
  }

  // MARK: Maps

  @inline(__always)
  private static func forEachPage(_ change: MappingChange, _ body: (UInt64) -> Void) {
    guard let physical = change.physicalAddress, change.size > 0 else { return }
    let last = (physical &+ (change.size - 1)) >> 12
    let first = physical >> 12
    guard last >= first, last - first < indexedPages else { return }
    for page in first...last { body(page) }
  }

  @inline(__always)
  private mutating func added(
    _ change: MappingChange,
    _ physical: UInt64,
    _ event: DMAEvent,
    _ engine: DMADebug,
    _ reports: [Report]
  ) {
    if change.direction != .toDevice {
      if change.type != .resource { overlap(change, physical, event, engine, reports) }
      if options.alignment >= 64, !change.attributes.contains(.skipCPUSync),
        physical % options.alignment != 0 || (physical &+ change.size) % options.alignment != 0
      {
        verdicts.append(
          Verdict(
            rule: .unalignedFromDevice,
            event: event,
            message: "buffer of \(change.size) bytes at 0x\(String(physical, radix: 16)) shares a"
              + " cacheline of \(options.alignment) bytes with what lies beside it"
          )
        )
      }
    }
    churn(change, physical, event)
  }

  private mutating func overlap(
    _ change: MappingChange,
    _ physical: UInt64,
    _ event: DMAEvent,
    _ engine: DMADebug,
    _ reports: [Report]
  ) {
    // Behind an IOMMU a segment is in one piece for the device only.
    if change.type == .scatterGather, !engine.isDirect(change.device) { return }
    let end = physical &+ change.size
    var other: UInt32?
    let isMeant = change.attributes.contains(.skipCPUSync)
    Self.forEachPage(change) { page in
      if other == nil, !isMeant {
        pages.forEach(page) { candidate in
          guard candidate != change.slot,
            overlaps(candidate, engine, physical, end, event.line)
          else { return true }
          other = candidate
          return false
        }
      }
      pages.insert(page, change.slot)
    }
    guard let other, !reports.contains(where: { $0.kind == .overlappingCacheline }) else { return }
    let live = engine.mapping(inSlot: other)
    let mapping = engine.mapping(inSlot: change.slot)
    let isSameList =
      mapping.type == .scatterGather && live.type == .scatterGather
      && live.device == mapping.device && live.sgCallEntries == mapping.sgCallEntries
      && engine.physicalAddress(of: live) == physical && live.size == mapping.size
    verdicts.append(
      Verdict(
        rule: isSameList ? .sgMappedTwice : .rangeOverlap,
        event: event,
        message: isSameList
          ? "sg list of \(mapping.sgCallEntries) entries is mapped again while it is mapped"
          : "\(change.size) bytes at 0x\(String(physical, radix: 16)) overlap a live"
            + " \(live.direction.traceName) mapping of \(live.size) bytes",
        mapping: live
      )
    )
  }

  /// Whether a live mapping lets a device write some bytes of a range.
  private func overlaps(
    _ slot: UInt32,
    _ engine: DMADebug,
    _ start: UInt64,
    _ end: UInt64,
    _ line: UInt64
  ) -> Bool {
    let live = engine.mapping(inSlot: slot)
    guard live.sequence != 0, let from = engine.physicalAddress(of: live) else { return false }
    // Segments of one list may share what they like.
    return from < end && start < from &+ live.size && live.line != line
      && !live.attributes.contains(.skipCPUSync)
  }

  @inline(__always)
  private mutating func churn(_ mapping: MappingChange, _ physical: UInt64, _ event: DMAEvent) {
    let hash = (physical ^ mapping.size << 40 ^ UInt64(mapping.device.rawValue) << 20)
    let place = Int(truncatingIfNeeded: (hash &* 0x9e37_79b9_7f4a_7c15) >> 40) % Self.churnPlaces
    if churns[place].physical == physical, churns[place].size == mapping.size,
      churns[place].device == mapping.device, churns[place].direction == mapping.direction
    {
      churns[place].count += 1
      return
    }
    // Who comes more often wins in the end.
    if churns[place].count > 1, churns[place].count < Self.churnMinimum {
      churns[place].count -= 1
    } else if churns[place].count <= 1 {
      churns[place] = Churn(
        device: mapping.device,
        direction: mapping.direction,
        physical: physical,
        size: mapping.size,
        count: 1,
        first: event
      )
    }
  }

  private mutating func checkMask(
    _ mapping: MappingChange,
    _ mask: UInt64,
    _ event: DMAEvent
  ) {
    guard mask != .max, mapping.size > 0, mapping.dmaAddress &+ (mapping.size - 1) > mask else {
      return
    }
    verdicts.append(
      Verdict(
        rule: .beyondMask,
        event: event,
        message:
          "DMA address 0x\(String(mapping.dmaAddress, radix: 16)) of \(mapping.size) bytes is"
          + " beyond the mask 0x\(String(mask, radix: 16)) of the device"
      )
    )
  }

  // MARK: Unmaps, syncs

  private mutating func compareAttributes(
    _ mapping: MappingChange,
    _ event: DMAEvent,
    _ engine: DMADebug
  ) {
    switch event.kind {
    case .unmapPage, .unmapPhys, .unmapResource, .unmapSG, .free, .freePages: break
    default: return
    }
    let mapped = mapping.attributes.intersection(.comparedOnUnmap)
    let freed = event.attributes.intersection(.comparedOnUnmap)
    // Kernels that do not compare them do not print them in a dump either.
    guard mapped != freed, !mapping.attributes.contains(.mmio), !mapping.isAdopted else { return }
    verdicts.append(
      Verdict(
        rule: .unmapAttributes,
        event: event,
        message: "mapped with attributes '\(mapped.traceText)', freed with '\(freed.traceText)'",
        mapping: engine.mapping(inSlot: mapping.slot)
      )
    )
  }

  private mutating func sync(_ event: DMAEvent, _ engine: DMADebug) {
    count(event.device) { $0.syncs += 1 }
    guard let slot = engine.slot(of: event.device, at: event.dmaAddress) else { return }
    let mapping = engine.mapping(inSlot: slot)
    // Parts of a buffer may go their own ways.
    guard mapping.size == event.size, mapping.direction == event.direction,
      Int(slot) < owners.count
    else { return }
    let owner = owners[Int(slot)]
    if event.kind == .syncSingleForCPU {
      if owner == .cpu, mapping.direction == .bidirectional {
        verdicts.append(
          Verdict(
            rule: .missingSync,
            event: event,
            message: "synced for the CPU again without a sync for the device in between",
            mapping: mapping
          )
        )
      }
      owners[Int(slot)] = .cpu
    } else {
      if owner == .fresh || owner == .device, mapping.direction == .fromDevice {
        count(event.device) { $0.uselessSyncs += 1 }
        if devices[Int(event.device.rawValue)].uselessSyncs == 1 {
          keepFirst(event, of: event.device, \.firstUseless)
        }
      }
      owners[Int(slot)] = .device
    }
  }

  private mutating func bounce(_ event: DMAEvent) {
    guard event.address == .max, !event.flags.contains(.forced) else { return }
    count(event.device) { $0.bounces += 1 }
    if devices[Int(event.device.rawValue)].bounces == 1 {
      keepFirst(event, of: event.device, \.firstBounce)
    }
  }

  private mutating func fault(_ event: DMAEvent, _ engine: DMADebug) {
    let address = event.dmaAddress
    let hexadecimal = "0x" + String(address, radix: 16)
    var message =
      "IOMMU fault at \(hexadecimal): nothing was mapped there, as far as the trace shows"
    var mapping: Mapping?
    engine.forEachLiveMapping { live in
      if live.device == event.device, live.dmaAddress <= address,
        address - live.dmaAddress < live.size
      {
        mapping = live
      }
    }
    if let mapping {
      message =
        "IOMMU fault at \(hexadecimal), inside a live \(mapping.direction.traceName) mapping"
    } else if let words = range(event, engine) {
      message = "IOMMU fault at \(hexadecimal): \(words)"
    } else if let gone = gone(event) {
      let microseconds = (event.time - min(event.time, gone.time)) / 1000
      message =
        "IOMMU fault at \(hexadecimal): the mapping there was unmapped \(microseconds) µs before,"
        + " in line \(gone.line)"
    }
    verdicts.append(Verdict(rule: .iommuFault, event: event, message: message, mapping: mapping))
  }

  /// The mapping that an address lay in last.
  private func gone(_ event: DMAEvent) -> Ended? {
    let address = event.dmaAddress
    return ended.filter {
      $0.device == event.device && $0.address <= address && address - $0.address < $0.size
    }.max { $0.time < $1.time }
  }

  /// What was at an address that lies, or lay last, in a range of IOVA.
  private func range(_ event: DMAEvent, _ engine: DMADebug) -> String? {
    switch engine.sharing.rangeContent(event.device, at: event.dmaAddress) {
    case nil: return nil
    case .linked(let link, true)?:
      return "linked as \(link.direction.traceName) in line \(link.line) and synced"
    case .linked(let link, false)?:
      return "linked in line \(link.line) and not synced"
        + (engine.sharing.showsSyncs ? "" : ", as far as the trace shows")
    case .empty(let range)?:
      return "nothing is linked there, in a range that was allocated in line \(range.line)"
    case .unlinked(let unlink)?:
      // The address may have been given to an ordinary mapping since.
      if let gone = gone(event), gone.time > unlink.time { return nil }
      let microseconds = (event.time - min(event.time, unlink.time)) / 1000
      return "unlinked \(microseconds) µs before, in line \(unlink.line)"
    }
  }

  /// Says more about what the kernel has said.
  private mutating func refine(
    _ event: DMAEvent,
    _ engine: DMADebug,
    _ reports: [Report]
  ) {
    for report in reports {
      let index = Int(report.device.rawValue)
      let hasAsked = index < devices.count && devices[index].askedAboutFailure
      switch report.kind {
      case .freeInvalidAddress:
        guard hasAsked else { continue }
        verdicts.append(
          Verdict(
            rule: .mapErrorIgnored,
            event: event,
            message: "the driver was told that the map failed, and unmaps it"
          )
        )
      case .syncNotAllocated where event.dmaAddress == .max:
        verdicts.append(
          Verdict(
            rule: hasAsked ? .mapErrorIgnored : .failedMapUsed,
            event: event,
            message: hasAsked
              ? "the driver was told that the map failed, and syncs it"
              : "the value of a failed map is used as an address"
          )
        )
      case .freeNotAllocated, .syncNotAllocated:
        guard let other = sameElsewhere(report, engine) else { continue }
        let isSync = report.kind == .syncNotAllocated
        verdicts.append(
          Verdict(
            rule: isSync ? .syncOtherDevice : .unmapOtherDevice,
            event: event,
            message: "0x\(String(other.dmaAddress, radix: 16)) of \(other.size) bytes is mapped for"
              + " another device",
            mapping: other
          )
        )
      default: continue
      }
    }
  }

  /// The live mapping of another device that an unmap or sync describes in every detail.
  private func sameElsewhere(_ report: Report, _ engine: DMADebug) -> Mapping? {
    guard let reference = report.reference else { return nil }
    var found: Mapping?
    engine.forEachLiveMapping { mapping in
      if mapping.device != report.device, mapping.dmaAddress == reference.dmaAddress,
        mapping.size == reference.size, mapping.direction == reference.direction,
        mapping.type == reference.type || report.kind == .syncNotAllocated
      {
        found = mapping
      }
    }
    return found
  }

  // MARK: The end

  /// Says what only the whole trace shows.
  ///
  /// - Parameter time: of the last event.
  public mutating func finish(_ engine: DMADebug, time: UInt64) {
    lastTime = time
    finishSites(engine)
    for churn in churns where churn.count >= Self.churnMinimum {
      guard let event = churn.first else { continue }
      verdicts.append(
        Verdict(
          rule: .mapChurn,
          event: event,
          message: "\(churn.size) bytes at 0x\(String(churn.physical, radix: 16)) were mapped"
            + " \(churn.count) times",
          count: churn.count
        )
      )
    }
    for counts in devices {
      if counts.firstAllocation != 0,
        min(counts.allocations, counts.frees)
          >= Self.coherentMinimum
      {
        let pairs = min(counts.allocations, counts.frees)
        verdicts.append(
          Verdict(
            rule: .coherentChurn,
            event: firsts[Int(counts.firstAllocation)],
            message: "coherent memory was allocated and freed \(pairs) times",
            count: pairs
          )
        )
      }
      if counts.firstUseless != 0, counts.uselessSyncs >= Self.uselessMinimum,
        counts.uselessSyncs * 10 >= counts.syncs * 9
      {
        verdicts.append(
          Verdict(
            rule: .uselessSync,
            event: firsts[Int(counts.firstUseless)],
            message: "\(counts.uselessSyncs) of \(counts.syncs) syncs did nothing: the CPU had not"
              + " been given the buffer",
            count: counts.uselessSyncs
          )
        )
      }
      if counts.firstBounce != 0 {
        verdicts.append(
          Verdict(
            rule: .bounce64Bit,
            event: firsts[Int(counts.firstBounce)],
            message: "bounced \(counts.bounces) times although the DMA mask covers 64 bits",
            count: counts.bounces
          )
        )
      }
    }
  }

  /// The history of the site of a mapping.
  private func history(_ mapping: Mapping) -> SiteHistory? {
    if mapping.stack != StackTable.none {
      return Int(mapping.stack) < sites.count ? sites[Int(mapping.stack)] : nil
    }
    let index = Int(mapping.device.rawValue) << 2 | Int(mapping.direction.rawValue)
    guard index < plainPlaces.count, plainPlaces[index] != 0 else { return nil }
    return plainSites[Int(plainPlaces[index])]
  }

  private mutating func finishSites(_ engine: DMADebug) {
    struct Key: Hashable {
      var device: UInt32
      var stack: UInt32
      var direction: UInt8
    }
    var oldest: [Key: Mapping] = [:]
    engine.forEachLiveMapping { mapping in
      guard mapping.type != .coherent, mapping.type != .noncoherent, !mapping.isAdopted else {
        return
      }
      let direction = mapping.stack == StackTable.none ? mapping.direction.rawValue : 0
      let key = Key(
        device: mapping.device.rawValue,
        stack: mapping.stack,
        direction: direction
      )
      if let known = oldest[key], known.sequence < mapping.sequence { return }
      oldest[key] = mapping
    }
    for mapping in oldest.values.sorted(by: { $0.sequence < $1.sequence }) {
      guard let history = history(mapping) else { continue }
      let age = lastTime > mapping.time ? lastTime - mapping.time : 0
      var event = DMAEvent(.mapPhys)
      event.device = mapping.device
      event.line = mapping.line
      event.time = mapping.time
      event.task = mapping.task
      event.pid = mapping.pid
      event.cpu = UInt32(mapping.cpu)
      event.stack = mapping.stack
      if history.live >= options.leakMinimum, history.grows(until: lastTime) {
        let seconds = Double(lastTime - history.first) / 1e9
        let rate = seconds > 0 ? Int(Double(history.live) / seconds) : 0
        verdicts.append(
          Verdict(
            rule: .leakGrowth,
            event: event,
            message:
              "\(history.live) mappings of this site are alive in the end and became more all"
              + " the time, \(rate) in a second; \(history.ended) of \(history.made) were unmapped",
            mapping: mapping,
            count: UInt64(history.live)
          )
        )
      } else if history.ended >= Self.heldMinimum, history.live <= 3, history.longest > 0,
        age / 100 > history.longest
      {
        verdicts.append(
          Verdict(
            rule: .heldLong,
            event: event,
            message:
              "alive for \(age / 1000) µs; none of \(history.ended) others of this site lasted"
              + " longer than \(history.longest / 1000) µs",
            mapping: mapping
          )
        )
      }
    }
  }
}
