// SPDX-License-Identifier: MIT

extension DMADebug {
  /// An event that dma-debug knows nothing of.
  @inline(never)
  mutating func share(_ event: DMAEvent, to output: inout EngineOutput) {
    var slot: UInt32?
    if event.kind == .descriptorPrepare { slot = mappingOfDescriptor(event) }
    sharing.apply(
      event,
      driver: driver(of: event.device),
      lists: lists,
      slot: slot,
      number: eventCount,
      to: &output.incidentLog
    )
  }

  /// The mapping that a descriptor of dmaengine begins in: that of the client, or of the controller,
  /// on whose behalf clients map. The trace does not name the controller, and behind IOMMUs devices
  /// have the same addresses, so more than one candidate is none.
  private func mappingOfDescriptor(_ event: DMAEvent) -> UInt32? {
    var found: UInt32?
    for device in 0..<UInt32(min(devices.count, 1024)) {
      guard let slot = table.last(DeviceID(rawValue: device), event.dmaAddress),
        table[slot].size >= event.size
      else { continue }
      if found != nil { return nil }
      found = slot
    }
    return found
  }

  /// A scatterlist was mapped after there were events of dma-bufs.
  @inline(never)
  mutating func noteSharedMap(_ list: UInt32, _ event: DMAEvent) {
    let record = lists[list]
    var size: UInt64? = 0
    for segment in 0..<Int(record.listedSegments) {
      size = size.map { $0 &+ lists.segmentLength(list, segment) }
    }
    if record.isTruncated { size = nil }
    sharing.mapped(
      AttachmentLinks.RecentMap(
        pid: event.pid,
        device: event.device,
        list: list,
        order: record.order,
        size: size,
        number: eventCount
      )
    )
  }

  // MARK: Mappings and attachments

  /// The attachment that a mapping was made for, as far as the trace tells.
  public func attachment(of mapping: Mapping) -> DMABufAttachment? {
    guard sharing.bufferEvents > 0, mapping.sgList != Mapping.none else { return nil }
    return sharing.attachment(ofList: mapping.sgList)
  }

  /// The dma-buf whose memory a mapping shows to a device, as far as the trace tells.
  public func buffer(of mapping: Mapping) -> DMABuf? {
    attachment(of: mapping).flatMap { sharing.buffer($0.inode) }
  }

  /// The slots (``withMappings(_:)``) of the live mappings of an attachment, in order.
  public func slots(of attachment: DMABufAttachment) -> [UInt32] {
    var slots: [UInt32] = []
    for link in attachment.links where lists.isLive(link.list, link.order) {
      let record = lists[link.list]
      for segment in 0..<Int(record.listedSegments) {
        let address = lists.segmentAddress(link.list, segment)
        let slot = table.group(record.device, address).first { slot in
          table[slot].sgList == link.list && !slots.contains(slot)
        }
        if let slot { slots.append(slot) }
      }
    }
    return slots
  }
}
