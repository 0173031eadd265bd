// SPDX-License-Identifier: MIT

extension AttachmentLinks {
  /// Whether a device looks through a mapping from before the last move of a buffer, which it was
  /// told of: a dynamic importer has to map anew.
  mutating func isStaleAccess(
    _ event: DMAEvent,
    of buffer: DMABuf,
    _ evidence: SharingEvidence,
    _ log: inout IncidentLog
  ) -> Bool {
    guard buffer.moves > 0, evidence.isKnown(buffer) else { return false }
    let attachments = buffer.attachments.compactMap { self[$0] }
      .filter { $0.device == event.device }
    guard attachments.count == 1, let attachment = attachments.first, attachment.isDynamic,
      attachment.isMapped, evidence.isKnown(attachment), attachment.mapMoves < buffer.moves
    else { return false }
    var incident = SharingIncident(kind: .staleMapping, event: event, origin: attachment.event)
    incident.inode = buffer.inode
    incident.detail = event.direction != .toDevice ? 1 : 0
    log.report(incident)
    // Once for each move.
    setMapMoves(attachment.id, buffer.moves)
    return true
  }

  /// Attachments that a buffer still has although its last known reference was put.
  func leftovers(_ buffer: DMABuf, _ evidence: SharingEvidence, _ log: inout IncidentLog) {
    for id in buffer.attachments {
      guard let attachment = self[id], evidence.isKnown(attachment) else { continue }
      var incident = SharingIncident(kind: .leakedAttachment, event: attachment.event)
      incident.origin = buffer.last
      incident.inode = buffer.inode
      incident.detail = attachment.isMapped ? 1 : 0
      log.report(incident)
    }
  }

  /// A driver has left its device.
  func released(
    _ device: DeviceID,
    _ event: DMAEvent,
    _ evidence: SharingEvidence,
    _ log: inout IncidentLog
  ) {
    let known = attachments(of: device).filter { evidence.isKnown($0) }
    guard let first = known.first else { return }
    var incident = SharingIncident(kind: .unboundWhileAttached, event: event)
    incident.event.device = device
    incident.origin = first.event
    incident.inode = first.inode
    incident.value = UInt64(known.count)
    log.report(incident)
  }
}
