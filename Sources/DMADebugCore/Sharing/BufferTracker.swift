// SPDX-License-Identifier: MIT

/// The dma-bufs that the trace shows, what each exporter has, and which buffers may be gone.
///
/// Attachments and fences have trackers of their own; a buffer holds their numbers only.
struct BufferTracker: Sendable {
  static let maximumBuffers = 1 << 16
  /// Buffers that are (possibly) gone and still remembered.
  static let rememberedBuffers = 1024
  static let maximumExporters = 1 << 12

  private var byInode: [UInt64: DMABuf] = [:]
  /// Exporters by number of their name.
  private(set) var exporters: [UInt32: ExporterTotals] = [:]
  /// Buffers in the order in which they (possibly) went.
  private var departures: [UInt64] = []
  private var firstDeparture = 0

  /// Bytes that a copy takes when everything in it has changed, about.
  var storageBytes: Int {
    let buffers = byInode.values.reduce(byInode.storageBytes) { $0 + $1.storageBytes }
    let samples = exporters.values.reduce(exporters.storageBytes) { $0 + $1.samples.storageBytes }
    return buffers + samples + departures.storageBytes
  }

  /// How many are remembered.
  var count: Int { byInode.count }

  subscript(_ inode: UInt64) -> DMABuf? { byInode[inode] }

  /// All that are remembered, the newest first, as the kernel lists them.
  var all: [DMABuf] { byInode.values.sorted { $0.order > $1.order } }

  /// Live buffers and their bytes, and buffers that are possibly gone.
  var totals: (live: UInt64, bytes: UInt64, possiblyGone: UInt64) {
    var totals = (live: UInt64(0), bytes: UInt64(0), possiblyGone: UInt64(0))
    for buffer in byInode.values {
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

  /// Changes a buffer, if it is remembered.
  mutating func change(_ inode: UInt64, _ body: (inout DMABuf) -> Void) {
    guard let index = byInode.index(forKey: inode) else { return }
    body(&byInode.values[index])
  }

  /// Puts a changed buffer back.
  mutating func update(_ buffer: DMABuf) {
    if let index = byInode.index(forKey: buffer.inode) { byInode.values[index] = buffer }
  }

  // MARK: Coming

  /// An event names a buffer.
  ///
  /// - Returns: `false` when it is new and there is no room for it.
  mutating func appear(_ event: DMAEvent, _ evidence: inout SharingEvidence) -> Bool {
    if byInode[event.inode] != nil { return true }
    guard byInode.count < Self.maximumBuffers else {
      evidence.untracked += 1
      return false
    }
    var buffer = DMABuf(event, order: evidence.takeOrder())
    buffer.isKnown = event.kind == .bufferExport
    if !buffer.isKnown { evidence.undecidedOrigins += 1 }
    // The exporter's totals follow when size and exporter are known.
    byInode[event.inode] = buffer
    return true
  }

  /// Size and exporter, which the first event may not have told.
  mutating func describe(_ event: DMAEvent, _ evidence: inout SharingEvidence) {
    guard event.size != 0 || event.exporter != NameTable.unknown,
      let buffer = byInode[event.inode]
    else { return }
    let exporter = event.exporter != NameTable.unknown ? event.exporter : buffer.exporter
    let size = event.size != 0 ? event.size : buffer.size
    if exporter == buffer.exporter, size == buffer.size { return }
    if buffer.exporter != NameTable.unknown { leave(buffer, at: event.time) }
    change(event.inode) {
      $0.exporter = exporter
      $0.size = size
    }
    if exporter != NameTable.unknown, let changed = byInode[event.inode] {
      let isNew = buffer.exporter == NameTable.unknown
      join(changed, isNew: isNew, at: event.time, &evidence)
    }
  }

  /// Keeps the last event, and who had to do with the buffer.
  mutating func note(_ event: DMAEvent) {
    change(event.inode) { buffer in
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

  // MARK: What exporters have

  private mutating func join(
    _ buffer: DMABuf,
    isNew: Bool,
    at time: UInt64,
    _ evidence: inout SharingEvidence
  ) {
    guard buffer.state == .live else { return }
    if exporters[buffer.exporter] == nil, exporters.count >= Self.maximumExporters {
      evidence.untracked += 1
      return
    }
    exporters[buffer.exporter, default: ExporterTotals()].add(buffer, isNew: isNew, at: time)
  }

  private mutating func leave(_ buffer: DMABuf, at time: UInt64) {
    guard buffer.state == .live else { return }
    exporters[buffer.exporter]?.remove(buffer, at: time)
  }

  // MARK: Going

  /// Decides whether a buffer may be gone, after something that held it has let go.
  ///
  /// - Returns: a buffer that went long ago and has to be forgotten now.
  mutating func settle(_ event: DMAEvent, _ evidence: SharingEvidence) -> DMABuf? {
    guard let buffer = byInode[event.inode], buffer.state == .live, buffer.puts > 0,
      !buffer.isHeld
    else { return nil }
    if buffer.descriptors > 0 || !evidence.isKnown(buffer) {
      return depart(buffer, .possiblyGone, at: event.time)
    }
    // The reference that came with the export is put too.
    return buffer.puts > buffer.gets ? depart(buffer, .gone, at: event.time) : nil
  }

  private mutating func depart(
    _ buffer: DMABuf,
    _ state: DMABuf.State,
    at time: UInt64
  ) -> DMABuf? {
    leave(buffer, at: time)
    change(buffer.inode) { $0.state = state }
    departures.append(buffer.inode)
    guard departures.count - firstDeparture > Self.rememberedBuffers else { return nil }
    let oldest = byInode[departures[firstDeparture]]
    firstDeparture += 1
    if firstDeparture > 4 * Self.rememberedBuffers {
      departures.removeFirst(firstDeparture)
      firstDeparture = 0
    }
    return oldest?.state == .live ? nil : oldest
  }

  /// Forgets a buffer.
  mutating func remove(_ buffer: DMABuf, at time: UInt64) {
    leave(buffer, at: time)
    byInode[buffer.inode] = nil
  }

  /// Something happens to a buffer that is (possibly) gone: it was not, or it should not.
  mutating func reuse(
    _ event: DMAEvent,
    _ evidence: inout SharingEvidence,
    _ log: inout IncidentLog
  ) {
    guard let buffer = byInode[event.inode], buffer.state != .live else { return }
    switch event.kind {
    case .bufferPut: return
    case .bufferDetach, .bufferUnmapAttachment, .bufferVunmap, .bufferKunmap, .bufferUnpin,
      .bufferEndAccess, .bufferMoveNotify:
      // Cleaning up late: the rules of what is being cleaned up say what is to be said.
      return
    case .bufferGet, .bufferFD, .bufferMmapInternal, .bufferBeginAccess:
      // Through a descriptor that is still open.
      if buffer.state == .gone { useAfterPut(buffer, event, evidence, &log) }
    default:
      // A kernel driver without a reference of its own, unless it is attached.
      if buffer.state == .gone || evidence.isKnown(buffer) && buffer.attachments.isEmpty {
        useAfterPut(buffer, event, evidence, &log)
      }
    }
    guard buffer.state == .possiblyGone, event.kind == .bufferGet || event.kind == .bufferFD
    else { return }
    change(event.inode) { $0.state = .live }
    if let changed = byInode[event.inode], changed.exporter != NameTable.unknown {
      join(changed, isNew: false, at: event.time, &evidence)
    }
  }

  private mutating func useAfterPut(
    _ buffer: DMABuf,
    _ event: DMAEvent,
    _ evidence: SharingEvidence,
    _ log: inout IncidentLog
  ) {
    guard evidence.isKnown(buffer) else { return }
    var incident = SharingIncident(kind: .useAfterPut, event: event, origin: buffer.last)
    incident.inode = buffer.inode
    incident.detail = buffer.state == .gone ? 1 : 0
    log.report(incident)
    // What follows is of the same mistake.
    change(buffer.inode) { $0.isKnown = false }
  }

  // MARK: The CPU

  /// A mapping into the kernel ends.
  ///
  /// - Returns: whether there was one.
  mutating func unmapKernel(
    _ event: DMAEvent,
    _ count: WritableKeyPath<DMABuf, UInt32>,
    _ evidence: inout SharingEvidence,
    _ log: inout IncidentLog
  ) -> Bool {
    guard let buffer = byInode[event.inode] else { return false }
    if buffer[keyPath: count] > 0 {
      change(event.inode) { $0[keyPath: count] -= 1 }
      return true
    }
    let isVmap = event.kind == .bufferVunmap
    if evidence.isKnown(buffer), evidence.sightings.contains(isVmap ? .vmap : .kmap) {
      var incident = SharingIncident(kind: .unbalancedKernelMapping, event: event)
      incident.origin = buffer.first
      incident.inode = buffer.inode
      incident.detail = isVmap ? 0 : 1
      log.report(incident)
    } else {
      evidence.undecidedOrigins += 1
    }
    return false
  }

  mutating func beginAccess(_ event: DMAEvent) {
    change(event.inode) {
      if $0.openAccesses == 0 { $0.isWrittenByCPU = false }
      $0.accesses[Int(event.direction.rawValue)] &+= 1
    }
  }

  mutating func endAccess(
    _ event: DMAEvent,
    _ evidence: inout SharingEvidence,
    _ log: inout IncidentLog
  ) {
    guard let buffer = byInode[event.inode] else { return }
    let direction = Int(event.direction.rawValue)
    let open = buffer.accesses.firstIndex { $0 > 0 }
    if event.flags.contains(.noDirection) {
      if let open { change(event.inode) { $0.accesses[open] -= 1 } }
    } else if buffer.accesses[direction] > 0 {
      change(event.inode) { $0.accesses[direction] -= 1 }
    } else if evidence.isKnown(buffer), evidence.sightings.contains(.access) {
      var incident = SharingIncident(kind: .unbalancedAccess, event: event)
      incident.origin = buffer.first
      incident.inode = buffer.inode
      // It was begun, but with another direction.
      incident.detail = buffer.openAccesses > 0 ? 2 : 0
      log.report(incident)
      // It ends what was begun, so that one mistake is one finding.
      if let open { change(event.inode) { $0.accesses[open] -= 1 } }
    } else {
      evidence.undecidedOrigins += 1
    }
  }

  /// The CPU touches the bytes: only a simulated machine can tell.
  ///
  /// - Returns: whether it may, between begin and end of an access.
  mutating func access(
    _ event: DMAEvent,
    _ evidence: SharingEvidence,
    _ log: inout IncidentLog
  ) -> Bool {
    guard let buffer = byInode[event.inode] else { return false }
    let isWriter = event.direction != .toDevice
    // The CPU reads what a device wrote, and writes what it will read.
    let wanted: Direction = isWriter ? .toDevice : .fromDevice
    let mayLook =
      buffer.accesses[Int(wanted.rawValue)] > 0
      || buffer.accesses[Int(Direction.bidirectional.rawValue)] > 0
      || !isWriter && buffer.openAccesses > 0 && buffer.isWrittenByCPU
    if isWriter, mayLook { change(event.inode) { $0.isWrittenByCPU = true } }
    guard !mayLook, evidence.isKnown(buffer) else { return true }
    var incident = SharingIncident(kind: .accessOutsideWindow, event: event)
    incident.origin = buffer.first
    incident.inode = buffer.inode
    incident.detail = (isWriter ? 1 : 0) | (buffer.openAccesses > 0 ? 2 : 0)
    log.report(incident)
    return false
  }

  // MARK: What is left of a buffer

  /// Mappings into the kernel and accesses that a buffer still has although its last known reference
  /// was put.
  static func leftovers(_ buffer: DMABuf, _ log: inout IncidentLog) {
    if buffer.vmaps > 0 || buffer.kmaps > 0 {
      var incident = SharingIncident(kind: .unbalancedKernelMapping, event: buffer.last)
      incident.inode = buffer.inode
      incident.value = UInt64(buffer.vmaps) + UInt64(buffer.kmaps)
      incident.detail = buffer.vmaps > 0 ? 2 : 3
      log.report(incident)
    }
    if buffer.openAccesses > 0 {
      var incident = SharingIncident(kind: .unbalancedAccess, event: buffer.last)
      incident.inode = buffer.inode
      incident.value = UInt64(buffer.openAccesses)
      incident.detail = 1
      log.report(incident)
    }
  }

  /// A buffer that was exported, and of which nothing was seen since: no descriptor was made of it and
  /// no device attached, so that nobody but its exporter can know of it.
  static func lost(_ buffer: DMABuf, _ evidence: SharingEvidence, _ log: inout IncidentLog) {
    let age = evidence.lastTime &- buffer.first.time
    guard evidence.isKnown(buffer), buffer.state == .live, buffer.last.kind == .bufferExport,
      evidence.sightings.contains(.descriptor), age >= SharingEvidence.longTime
    else { return }
    var incident = SharingIncident(kind: .lostBuffer, event: buffer.first)
    incident.inode = buffer.inode
    incident.value = age
    log.report(incident)
  }
}
