/// IOVA-based mappings, `dma_iova_…`: a range is allocated, memory is linked into it piece by piece,
/// synchronised once, and destroyed as a whole.
extension SharingTracker {
  mutating func iova(_ event: DMAEvent, to output: inout EngineOutput) {
    switch event.kind {
    case .iovaAlloc: allocate(event)
    case .iovaLink: link(event, to: &output)
    case .iovaSync:
      sightings.insert(.iovaSync)
      withRange(event, to: &output) { range, _ in range.sync(event) }
    case .iovaUnlink:
      noteUnlinked(event, event.dmaAddress, event.size)
      withRange(event, to: &output) { range, incidents in
        range.unlink(event.dmaAddress, event.size, event, &incidents)
      }
    case .iovaDestroy:
      noteUnlinked(event, event.dmaAddress, event.size)
      withRange(event, to: &output) { range, incidents in
        range.unlink(range.address, event.size, event, &incidents)
        range.leftovers(event, &incidents)
      }
      remove(event)
    case .iovaFree:
      withRange(event, to: &output) { range, incidents in range.leftovers(event, &incidents) }
      remove(event)
    default: break
    }
  }

  /// Where the range stands that holds an address.
  private func place(_ device: DeviceID, _ address: UInt64) -> Int? {
    guard let ranges = rangesByDevice[device] else { return nil }
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].address <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let range = ranges[low - 1]
    return address &- range.address < max(range.size, 1) ? low - 1 : nil
  }

  private mutating func allocate(_ event: DMAEvent) {
    // It failed: the driver maps page by page instead.
    guard event.size > 0 else { return }
    if let old = place(event.device, event.dmaAddress) {
      rangesByDevice[event.device]?.remove(at: old)
      rangeCount -= 1
    }
    guard rangeCount < Self.maximumRanges else {
      untracked += 1
      return
    }
    let range = IOVARange(
      device: event.device,
      address: event.dmaAddress,
      size: event.size,
      event: event
    )
    let place = firstRange(event.device, from: range.address)
    rangesByDevice[event.device, default: []].insert(range, at: place)
    rangeCount += 1
  }

  /// Where the first range stands that begins at an address or behind it.
  private func firstRange(_ device: DeviceID, from address: UInt64) -> Int {
    guard let ranges = rangesByDevice[device] else { return 0 }
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].address < address { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private mutating func link(_ event: DMAEvent, to output: inout EngineOutput) {
    guard let place = place(event.device, event.dmaAddress) else {
      // Its range may be older than the trace, unless it begins just behind one that is known.
      let before = event.dmaAddress > 0 ? self.place(event.device, event.dmaAddress - 1) : nil
      if let before, let range = rangesByDevice[event.device]?[before] {
        outside(event, range, to: &output)
      } else {
        undecidedOrigins += 1
      }
      return
    }
    guard let range = rangesByDevice[event.device]?[place] else { return }
    if event.size > range.size &- (event.dmaAddress &- range.address) {
      outside(event, range, to: &output)
    }
    let isRoom = rangesByDevice[event.device]?[place].add(event) ?? false
    if !isRoom { untracked += 1 }
  }

  private mutating func outside(
    _ event: DMAEvent,
    _ range: IOVARange,
    to output: inout EngineOutput
  ) {
    var incident = SharingIncident(kind: .iovaOutside, event: event, origin: range.event)
    incident.value = range.size
    output.report(incident)
  }

  private mutating func withRange(
    _ event: DMAEvent,
    to output: inout EngineOutput,
    _ body: (inout IOVARange, inout [SharingIncident]) -> Void
  ) {
    guard let place = place(event.device, event.dmaAddress) else {
      undecidedOrigins += 1
      return
    }
    var incidents: [SharingIncident] = []
    body(&rangesByDevice[event.device]![place], &incidents)
    for incident in incidents {
      // Without a probe on dma_iova_sync() its absence says nothing.
      if incident.kind == .iovaNotSynced, !sightings.contains(.iovaSync) { continue }
      output.report(incident)
    }
  }

  // MARK: What was at an address

  static let rememberedPieces = 1024

  /// What of a range an unlink takes away.
  private mutating func noteUnlinked(_ event: DMAEvent, _ address: UInt64, _ size: UInt64) {
    guard let place = place(event.device, event.dmaAddress),
      let range = rangesByDevice[event.device]?[place]
    else { return }
    let end = address &+ size
    for link in range.links where link.address < end && link.end > address {
      let start = max(link.address, address)
      let piece = UnlinkedPiece(
        device: event.device,
        address: start,
        size: min(link.end, end) &- start,
        event: event
      )
      if unlinked.count < Self.rememberedPieces {
        unlinked.append(piece)
      } else {
        unlinked[nextUnlinked] = piece
        nextUnlinked = (nextUnlinked + 1) % Self.rememberedPieces
      }
    }
  }

  /// What the ranges of a device have, or had, at a DMA address.
  public enum RangeContent: Sendable {
    /// Linked by an event, and synchronised or not.
    case linked(DMAEvent, isSynced: Bool)
    /// It was taken away by an event.
    case unlinked(DMAEvent)
    /// It lies in a range that an event allocated, and nothing was linked there.
    case empty(DMAEvent)
  }

  /// Whether the trace shows `dma_iova_sync()` at all.
  public var showsSyncs: Bool { sightings.contains(.iovaSync) }

  /// What the ranges of a device have, or had last, at a DMA address; `nil` when it never lay in one.
  public func rangeContent(_ device: DeviceID, at address: UInt64) -> RangeContent? {
    let range = place(device, address).flatMap { rangesByDevice[device]?[$0] }
    if let link = range?.links.first(where: { address &- $0.address < $0.size }) {
      return .linked(link.event, isSynced: link.isSynced)
    }
    let last = unlinked.filter { $0.device == device && address &- $0.address < $0.size }
      .max { ($0.event.time, $0.event.line) < ($1.event.time, $1.event.line) }
    if let last, range.map({ $0.event.time <= last.event.time }) ?? true {
      return .unlinked(last.event)
    }
    return range.map { .empty($0.event) }
  }

  /// A driver left its device: its ranges are lost.
  mutating func releasedRanges(_ device: DeviceID, _ event: DMAEvent, to output: inout EngineOutput)
  {
    guard let ranges = rangesByDevice[device] else { return }
    let known = ranges.filter { $0.event.time > lossTime ?? 0 }
    guard let first = known.first else { return }
    var incident = SharingIncident(kind: .leakedRange, event: event, origin: first.event)
    incident.event.device = device
    incident.value = UInt64(known.count)
    incident.detail = known.reduce(0) { $0 &+ $1.size }
    output.report(incident)
  }

  private mutating func remove(_ event: DMAEvent) {
    guard let place = place(event.device, event.dmaAddress) else { return }
    rangesByDevice[event.device]?.remove(at: place)
    if rangesByDevice[event.device]?.isEmpty == true { rangesByDevice[event.device] = nil }
    rangeCount -= 1
  }
}

/// What was unlinked from a range.
struct UnlinkedPiece: Sendable {
  var device: DeviceID
  var address: UInt64
  var size: UInt64
  /// The event that took it away.
  var event: DMAEvent
}

extension IOVARange {
  /// - Returns: whether there was room.
  fileprivate mutating func add(_ event: DMAEvent) -> Bool {
    let link = Link(
      address: event.dmaAddress,
      size: event.size,
      physical: event.address,
      direction: event.direction,
      isSynced: false,
      event: event
    )
    if let last = links.last, last.end == link.address, !last.isSynced,
      last.direction == link.direction, last.physical &+ last.size == link.physical
    {
      links[links.count - 1].size &+= link.size
      return true
    }
    guard links.count < Self.maximumLinks else { return false }
    let place = links.firstIndex { $0.address > link.address } ?? links.count
    links.insert(link, at: place)
    return true
  }

  fileprivate mutating func sync(_ event: DMAEvent) {
    let end = event.dmaAddress &+ event.size
    let touched = links.contains {
      !$0.isSynced && $0.address < end && $0.end > event.dmaAddress
    }
    guard touched else { return }
    var parts: [Link] = []
    for link in links {
      guard !link.isSynced, link.address < end, link.end > event.dmaAddress else {
        parts.append(link)
        continue
      }
      let (before, inside, behind) = link.split(event.dmaAddress, end)
      if let before { parts.append(before) }
      var synced = inside
      synced.isSynced = true
      parts.append(synced)
      if let behind { parts.append(behind) }
    }
    // A hostile trace may split for ever.
    if parts.count <= 2 * Self.maximumLinks { links = parts }
  }

  /// Takes away what is linked in a part of the range.
  fileprivate mutating func unlink(
    _ address: UInt64,
    _ size: UInt64,
    _ event: DMAEvent,
    _ incidents: inout [SharingIncident]
  ) {
    let end = address &+ size
    var unsynced: UInt64 = 0
    var origin: DMAEvent?
    var kept: [Link] = []
    for link in links {
      guard link.address < end, link.end > address else {
        kept.append(link)
        continue
      }
      if !link.isSynced {
        unsynced &+= min(link.end, end) &- max(link.address, address)
        origin = origin ?? link.event
      }
      let (before, _, behind) = link.split(address, end)
      if let before { kept.append(before) }
      if let behind { kept.append(behind) }
    }
    links = kept
    if unsynced > 0 {
      var incident = SharingIncident(kind: .iovaNotSynced, event: event, origin: origin)
      incident.value = unsynced
      incidents.append(incident)
    }
  }

  /// What is still linked when the range is given back.
  fileprivate mutating func leftovers(
    _ event: DMAEvent,
    _ incidents: inout [SharingIncident]
  ) {
    guard let first = links.first else { return }
    var incident = SharingIncident(kind: .iovaLeftLinked, event: event, origin: first.event)
    incident.value = linkedBytes
    incident.detail = event.kind == .iovaFree ? 0 : 1
    incidents.append(incident)
  }
}

extension IOVARange.Link {
  /// The parts before, in and behind a piece of the range that it overlaps.
  fileprivate func split(_ start: UInt64, _ end: UInt64) -> (
    before: Self?, inside: Self, behind: Self?
  ) {
    var before: Self?
    var inside = self
    var behind: Self?
    if address < start {
      before = self
      before?.size = start &- address
      inside.physical = physical &+ (start &- address)
      inside.size = self.end &- start
      inside.address = start
    }
    if self.end > end {
      behind = self
      behind?.address = end
      behind?.size = self.end &- end
      behind?.physical = physical &+ (end &- address)
      inside.size = end &- inside.address
    }
    return (before, inside, behind)
  }
}
