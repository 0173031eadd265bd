// SPDX-License-Identifier: MIT

/// Devices that are attached to dma-bufs, and which scatterlists were mapped for them.
///
/// The kernel's events name either the attachment or the list. They are linked by the probe of
/// `dma_buf_map_attachment()` on the same thread where there is one, else by device and size when only
/// one attachment fits.
struct AttachmentLinks: Sendable {
  static let maximumAttachments = 1 << 17
  private static let maximumLinks = 64
  private static let maximumWaiting = 64

  private struct DeviceSize: Hashable {
    var device: DeviceID
    var size: UInt64
  }

  /// A scatterlist that was mapped lately.
  struct RecentMap: Sendable {
    var pid: Int32
    var device: DeviceID
    var list: UInt32
    /// Of the list.
    var order: UInt64
    /// Bytes; `nil` when the tracer cut the list off.
    var size: UInt64?
    /// Of its event.
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

  private var byID: [UInt64: DMABufAttachment] = [:]
  /// Attachments that no list is linked to, to find the one that a list was mapped for.
  private var unmapped: [DeviceSize: Set<UInt64>] = [:]
  private var ofLists: [UInt32: UInt64] = [:]
  private var ofDevices: [DeviceID: Set<UInt64>] = [:]
  private var recentMaps: [RecentMap] = []
  private var awaitedMaps: [AwaitedMap] = []
  /// Attachments that seem to have been detached while mapped, with the list that says so.
  private var suspects: [(link: DMABufAttachment.Link, incident: SharingIncident)] = []
  /// Maps of a list that could be of several attachments.
  private(set) var undecidedLinks: UInt64 = 0

  /// Bytes that a copy takes when everything in it has changed, about.
  var storageBytes: Int {
    let attachments = byID.values.reduce(byID.storageBytes) { $0 + $1.links.storageBytes }
    let sets =
      unmapped.values.reduce(unmapped.storageBytes) { $0 + $1.storageBytes }
      + ofDevices.values.reduce(ofDevices.storageBytes) { $0 + $1.storageBytes }
    return attachments + sets + ofLists.storageBytes + recentMaps.storageBytes
      + awaitedMaps.storageBytes + suspects.storageBytes
  }

  /// How many devices are attached to buffers.
  var count: Int { byID.count }

  subscript(_ id: UInt64) -> DMABufAttachment? { byID[id] }

  /// The attachment that a scatterlist was mapped for.
  func attachment(ofList list: UInt32) -> DMABufAttachment? { ofLists[list].flatMap { byID[$0] } }

  /// The attachments of a device, in order.
  func attachments(of device: DeviceID) -> [DMABufAttachment] {
    (ofDevices[device] ?? []).sorted().compactMap { byID[$0] }
  }

  mutating func setMapMoves(_ id: UInt64, _ moves: UInt64) {
    if let index = byID.index(forKey: id) { byID.values[index].mapMoves = moves }
  }

  // MARK: Attaching

  mutating func attach(
    _ event: DMAEvent,
    to buffer: inout DMABuf,
    _ evidence: inout SharingEvidence
  ) {
    guard byID.count < Self.maximumAttachments,
      buffer.attachments.count < DMABuf.maximumAttachments
    else {
      evidence.untracked += 1
      return
    }
    add(event, isKnown: true, to: &buffer, &evidence)
  }

  private mutating func add(
    _ event: DMAEvent,
    isKnown: Bool,
    to buffer: inout DMABuf,
    _ evidence: inout SharingEvidence
  ) {
    let id = evidence.takeOrder()
    let attachment = DMABufAttachment(
      id: id,
      inode: event.inode,
      device: event.device,
      pointer: event.attachmentPointer,
      isDynamic: event.flags.contains(.dynamic),
      event: event,
      isKnown: isKnown
    )
    byID[id] = attachment
    ofDevices[event.device, default: []].insert(id)
    buffer.attachments.append(id)
    buffer.attached += 1
    setUnmapped(attachment, size: buffer.size, true)
  }

  /// What is done with an attachment proves that there is one, where the trace does not show when
  /// it came.
  mutating func prove(
    _ event: DMAEvent,
    of buffer: inout DMABuf,
    _ evidence: inout SharingEvidence
  ) {
    guard event.device != .unknown, find(event, in: buffer) == nil,
      // Otherwise it was detached, unless it is older than the trace.
      !evidence.isKnown(buffer) || !evidence.shows(.bufferAttach),
      // Several of the device, and the pointer is none of theirs.
      !buffer.attachments.contains(where: { id in
        byID[id].map { $0.device == event.device && $0.event.kind == .bufferAttach } ?? false
      }),
      byID.count < Self.maximumAttachments,
      buffer.attachments.count < DMABuf.maximumAttachments
    else { return }
    evidence.undecidedOrigins += 1
    add(event, isKnown: false, to: &buffer, &evidence)
  }

  /// Finds what an event means by its pointer, or by its device where pointers are hashed in one
  /// event and not in the other.
  private func find(_ event: DMAEvent, in buffer: DMABuf) -> UInt64? {
    var ofDevice: UInt64?
    var isUnique = true
    let pointer = event.attachmentPointer
    for id in buffer.attachments {
      guard let attachment = byID[id] else { continue }
      let isDevice = event.device == .unknown || attachment.device == event.device
      if pointer != 0, attachment.pointer == pointer, isDevice { return id }
      // Probes all print the pointer itself, tracepoints all print its hash.
      let isOther =
        pointer != 0 && attachment.pointer != 0
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

  /// Changes the attachment that an event is about.
  mutating func change(
    _ event: DMAEvent,
    of buffer: DMABuf,
    _ evidence: inout SharingEvidence,
    _ body: (inout DMABufAttachment) -> Void
  ) {
    guard let id = find(event, in: buffer), let index = byID.index(forKey: id) else {
      evidence.undecidedOrigins += 1
      return
    }
    body(&byID.values[index])
  }

  private mutating func setUnmapped(
    _ attachment: DMABufAttachment,
    size: UInt64,
    _ isUnmapped: Bool
  ) {
    let key = DeviceSize(device: attachment.device, size: size)
    if isUnmapped {
      unmapped[key, default: []].insert(attachment.id)
    } else {
      unmapped[key]?.remove(attachment.id)
      if unmapped[key]?.isEmpty == true { unmapped[key] = nil }
    }
  }

  /// Forgets an attachment of a buffer.
  mutating func remove(_ id: UInt64, of buffer: DMABuf) {
    guard let attachment = byID[id] else { return }
    setUnmapped(attachment, size: buffer.size, false)
    for link in attachment.links { ofLists[link.list] = nil }
    ofDevices[attachment.device]?.remove(id)
    if ofDevices[attachment.device]?.isEmpty == true { ofDevices[attachment.device] = nil }
    byID[id] = nil
  }

  mutating func detach(
    _ event: DMAEvent,
    from buffer: inout DMABuf,
    _ lists: SGListTable,
    _ evidence: inout SharingEvidence,
    _ log: inout IncidentLog
  ) -> Bool {
    guard let id = find(event, in: buffer), let attachment = byID[id] else {
      evidence.undecidedOrigins += 1
      return false
    }
    if evidence.isKnown(attachment) { judgeDetach(attachment, event, lists, &log) }
    remove(id, of: buffer)
    buffer.attachments.removeAll { $0 == id }
    return true
  }

  private mutating func judgeDetach(
    _ attachment: DMABufAttachment,
    _ event: DMAEvent,
    _ lists: SGListTable,
    _ log: inout IncidentLog
  ) {
    if attachment.pins > 0 {
      var incident = SharingIncident(kind: .detachWhilePinned, event: event)
      incident.origin = attachment.event
      incident.inode = event.inode
      incident.value = UInt64(attachment.pins)
      log.report(incident)
    }
    let links = attachment.links.filter { lists.isLive($0.list, $0.order) }
    guard attachment.maps > 0 || !links.isEmpty else { return }
    let isProved = attachment.maps > 0 || attachment.isLinkExact
    var incident = SharingIncident(kind: .detachWhileMapped, event: event)
    incident.origin = attachment.event
    incident.inode = event.inode
    incident.value = max(UInt64(attachment.maps), UInt64(links.count))
    incident.detail = isProved ? 1 : 0
    if isProved {
      log.report(incident)
    } else if suspects.count < 256, let link = links.first {
      // It may be a list of something else: only one that nobody ever unmaps tells.
      suspects.append((link, incident))
    }
  }

  // MARK: Mapping

  /// `dma_buf_map_attachment`
  ///
  /// - Parameter number: of the event.
  mutating func map(
    _ event: DMAEvent,
    of buffers: BufferTracker,
    _ lists: SGListTable,
    number: UInt64,
    _ evidence: inout SharingEvidence
  ) {
    guard let buffer = buffers[event.inode], let id = find(event, in: buffer),
      let index = byID.index(forKey: id)
    else {
      evidence.undecidedOrigins += 1
      return
    }
    byID.values[index].maps &+= 1
    byID.values[index].mapMoves = buffer.moves
    let attachment = byID.values[index]
    // Its list may have been mapped just now, when the probe is on the return of the function.
    let position = recentMaps.lastIndex { map in
      map.pid == event.pid && map.device == attachment.device
        && (map.size == nil || map.size == buffer.size) && lists.isLive(map.list, map.order)
        && map.number &+ 64 > number
    }
    if let position {
      let map = recentMaps.remove(at: position)
      if map.isUndecided { undecidedLinks -= 1 }
      unlink(map.list, buffers)
      link(map.list, map.order, to: id, of: buffer, isExact: true, &evidence)
    } else {
      if awaitedMaps.count >= Self.maximumWaiting { awaitedMaps.removeFirst() }
      awaitedMaps.append(AwaitedMap(pid: event.pid, attachment: id, number: number))
    }
  }

  /// `dma_buf_unmap_attachment`
  mutating func unmap(
    _ event: DMAEvent,
    of buffer: DMABuf,
    _ evidence: inout SharingEvidence,
    _ log: inout IncidentLog
  ) {
    let showsMaps = evidence.sightings.contains(.mapAttachment)
    guard let id = find(event, in: buffer), let index = byID.index(forKey: id) else {
      // Already detached, or attached before the trace.
      if evidence.isKnown(buffer), showsMaps, buffer.attachments.isEmpty {
        var incident = SharingIncident(kind: .unmapWithoutMap, event: event, origin: buffer.first)
        incident.inode = buffer.inode
        incident.detail = 1
        log.report(incident)
      } else {
        evidence.undecidedOrigins += 1
      }
      return
    }
    let attachment = byID.values[index]
    if attachment.maps > 0 {
      byID.values[index].maps -= 1
    } else if evidence.isKnown(attachment), showsMaps {
      var incident = SharingIncident(kind: .unmapWithoutMap, event: event)
      incident.origin = attachment.event
      incident.inode = event.inode
      log.report(incident)
    } else {
      evidence.undecidedOrigins += 1
    }
  }

  /// A scatterlist was mapped: it may be the one of an attachment.
  mutating func mapped(
    _ map: RecentMap,
    _ buffers: BufferTracker,
    _ evidence: inout SharingEvidence
  ) {
    unlink(map.list, buffers)
    guard ofDevices[map.device] != nil else { return }
    awaitedMaps.removeAll { $0.number &+ 64 < map.number }
    func buffer(of id: UInt64) -> DMABuf? { byID[id].flatMap { buffers[$0.inode] } }
    let awaited = awaitedMaps.firstIndex { awaited in
      guard awaited.pid == map.pid, let attachment = byID[awaited.attachment] else { return false }
      return attachment.device == map.device
        && (map.size == nil || map.size == buffers[attachment.inode]?.size)
    }
    if let awaited {
      let id = awaitedMaps.remove(at: awaited).attachment
      if let buffer = buffer(of: id) {
        link(map.list, map.order, to: id, of: buffer, isExact: true, &evidence)
      }
      return
    }
    if recentMaps.count >= Self.maximumWaiting { recentMaps.removeFirst() }
    recentMaps.append(map)
    guard let size = map.size,
      let candidates = unmapped[DeviceSize(device: map.device, size: size)]
    else { return }
    if candidates.count == 1, let only = candidates.first {
      if let buffer = buffer(of: only) {
        link(map.list, map.order, to: only, of: buffer, isExact: false, &evidence)
      }
    } else {
      undecidedLinks += 1
      recentMaps[recentMaps.count - 1].isUndecided = true
    }
  }

  private mutating func link(
    _ list: UInt32,
    _ order: UInt64,
    to id: UInt64,
    of buffer: DMABuf,
    isExact: Bool,
    _ evidence: inout SharingEvidence
  ) {
    guard let index = byID.index(forKey: id) else { return }
    guard byID.values[index].links.count < Self.maximumLinks else {
      evidence.untracked += 1
      return
    }
    byID.values[index].links.append(DMABufAttachment.Link(list: list, order: order))
    byID.values[index].isLinkExact = isExact
    byID.values[index].mapMoves = buffer.moves
    ofLists[list] = id
    setUnmapped(byID.values[index], size: buffer.size, false)
  }

  /// A scatterlist was unmapped, or its number is given to another one.
  mutating func unlink(_ list: UInt32, _ buffers: BufferTracker) {
    guard let id = ofLists.removeValue(forKey: list), let index = byID.index(forKey: id)
    else { return }
    byID.values[index].links.removeAll { $0.list == list }
    let attachment = byID.values[index]
    if attachment.links.isEmpty, let buffer = buffers[attachment.inode] {
      setUnmapped(attachment, size: buffer.size, true)
    }
  }

  /// Ends the stream: a list that nobody unmapped proves what it made suspect.
  mutating func finish(_ lists: SGListTable, _ log: inout IncidentLog) {
    guard log.isKept else { return }
    for suspect in suspects where lists.isLive(suspect.link.list, suspect.link.order) {
      log.report(suspect.incident)
    }
    suspects.removeAll()
  }
}
