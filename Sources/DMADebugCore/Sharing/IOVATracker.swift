// SPDX-License-Identifier: MIT

/// IOVA-based mappings, `dma_iova_…`: a range is allocated, memory is linked into it piece by piece,
/// synchronised once, and destroyed as a whole.
struct IOVATracker: Sendable {
  static let maximumRanges = 1 << 16
  static let rememberedPieces = 1024

  /// By device, in the order of addresses.
  private var rangesByDevice: [DeviceID: [IOVARange]] = [:]
  /// How many ranges are allocated.
  private(set) var count = 0
  /// What was unlinked lately, for those who ask what was at an address.
  private var unlinked: [UnlinkedPiece] = []
  private var nextUnlinked = 0

  /// Bytes that a copy takes when everything in it has changed, about.
  var storageBytes: Int {
    rangesByDevice.values.reduce(rangesByDevice.storageBytes + unlinked.storageBytes) {
      sum,
      ranges in
      ranges.reduce(sum + ranges.storageBytes) { $0 + $1.links.storageBytes }
    }
  }

  /// All ranges, by device and address.
  var all: [IOVARange] {
    rangesByDevice.sorted { $0.key.rawValue < $1.key.rawValue }.flatMap(\.value)
  }

  mutating func apply(
    _ event: DMAEvent,
    _ evidence: inout SharingEvidence,
    _ log: inout IncidentLog
  ) {
    switch event.kind {
    case .iovaAlloc: allocate(event, &evidence)
    case .iovaLink: link(event, &evidence, &log)
    case .iovaSync:
      evidence.sightings.insert(.iovaSync)
      withRange(event, &evidence, &log) { range, _ in range.sync(event) }
    case .iovaUnlink:
      noteUnlinked(event, event.dmaAddress, event.size)
      withRange(event, &evidence, &log) { range, incidents in
        range.unlink(event.dmaAddress, event.size, event, &incidents)
      }
    case .iovaDestroy:
      noteUnlinked(event, event.dmaAddress, event.size)
      withRange(event, &evidence, &log) { range, incidents in
        range.unlink(range.address, event.size, event, &incidents)
        range.leftovers(event, &incidents)
      }
      remove(event)
    case .iovaFree:
      withRange(event, &evidence, &log) { range, incidents in range.leftovers(event, &incidents) }
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

  private mutating func allocate(_ event: DMAEvent, _ evidence: inout SharingEvidence) {
    // It failed: the driver maps page by page instead.
    guard event.size > 0 else { return }
    if let old = place(event.device, event.dmaAddress) {
      rangesByDevice[event.device]?.remove(at: old)
      count -= 1
    }
    guard count < Self.maximumRanges else {
      evidence.untracked += 1
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
    count += 1
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

  private mutating func link(
    _ event: DMAEvent,
    _ evidence: inout SharingEvidence,
    _ log: inout IncidentLog
  ) {
    guard let place = place(event.device, event.dmaAddress) else {
      // Its range may be older than the trace, unless it begins just behind one that is known.
      let before = event.dmaAddress > 0 ? self.place(event.device, event.dmaAddress - 1) : nil
      if let before, let range = rangesByDevice[event.device]?[before] {
        Self.outside(event, range, &log)
      } else {
        evidence.undecidedOrigins += 1
      }
      return
    }
    guard let range = rangesByDevice[event.device]?[place] else { return }
    if event.size > range.size &- (event.dmaAddress &- range.address) {
      Self.outside(event, range, &log)
    }
    let isRoom = rangesByDevice[event.device]?[place].add(event) ?? false
    if !isRoom { evidence.untracked += 1 }
  }

  private static func outside(_ event: DMAEvent, _ range: IOVARange, _ log: inout IncidentLog) {
    var incident = SharingIncident(kind: .iovaOutside, event: event, origin: range.event)
    incident.value = range.size
    log.report(incident)
  }

  private mutating func withRange(
    _ event: DMAEvent,
    _ evidence: inout SharingEvidence,
    _ log: inout IncidentLog,
    _ body: (inout IOVARange, inout [SharingIncident]) -> Void
  ) {
    guard let place = place(event.device, event.dmaAddress) else {
      evidence.undecidedOrigins += 1
      return
    }
    var incidents: [SharingIncident] = []
    body(&rangesByDevice[event.device]![place], &incidents)
    for incident in incidents {
      // Without a probe on dma_iova_sync() its absence says nothing.
      if incident.kind == .iovaNotSynced, !evidence.sightings.contains(.iovaSync) { continue }
      log.report(incident)
    }
  }

  // MARK: What was at an address

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

  /// What the ranges of a device have, or had last, at a DMA address; `nil` when it never lay in one.
  func content(_ device: DeviceID, at address: UInt64) -> IOVARange.Content? {
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
  func released(
    _ device: DeviceID,
    _ event: DMAEvent,
    _ evidence: SharingEvidence,
    _ log: inout IncidentLog
  ) {
    guard let ranges = rangesByDevice[device] else { return }
    let known = ranges.filter { $0.event.time > evidence.lossTime ?? 0 }
    guard let first = known.first else { return }
    var incident = SharingIncident(kind: .leakedRange, event: event, origin: first.event)
    incident.event.device = device
    incident.value = UInt64(known.count)
    incident.detail = known.reduce(0) { $0 &+ $1.size }
    log.report(incident)
  }

  private mutating func remove(_ event: DMAEvent) {
    guard let place = place(event.device, event.dmaAddress) else { return }
    rangesByDevice[event.device]?.remove(at: place)
    if rangesByDevice[event.device]?.isEmpty == true { rangesByDevice[event.device] = nil }
    count -= 1
  }
}

/// What was unlinked from a range.
private struct UnlinkedPiece: Sendable {
  var device: DeviceID
  var address: UInt64
  var size: UInt64
  /// The event that took it away.
  var event: DMAEvent
}
