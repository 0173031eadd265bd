// SPDX-License-Identifier: MIT

/// A range of IOVA that a driver links physical memory into (`struct dma_iova_state`).
public struct IOVARange: Sendable {
  /// What was linked into it.
  public struct Link: Sendable {
    public var address: UInt64
    public var size: UInt64
    public var physical: UInt64
    public var direction: Direction
    public internal(set) var isSynced: Bool
    var event: DMAEvent

    var end: UInt64 { address &+ size }
  }

  /// What the ranges of a device have, or had, at a DMA address.
  public enum Content: Sendable {
    /// Linked by an event, and synchronised or not.
    case linked(DMAEvent, isSynced: Bool)
    /// It was taken away by an event.
    case unlinked(DMAEvent)
    /// It lies in a range that an event allocated, and nothing was linked there.
    case empty(DMAEvent)
  }

  static let maximumLinks = 4096

  public let device: DeviceID
  public let address: UInt64
  public let size: UInt64
  /// The event that allocated it.
  public let event: DMAEvent
  /// By address.
  public internal(set) var links: [Link] = []

  /// Bytes that are linked.
  public var linkedBytes: UInt64 { links.reduce(0) { $0 &+ $1.size } }
}

extension IOVARange {
  /// - Returns: whether there was room.
  mutating func add(_ event: DMAEvent) -> Bool {
    let link = Link(
      address: event.dmaAddress,
      size: event.size,
      physical: event.physicalAddress,
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

  mutating func sync(_ event: DMAEvent) {
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
  mutating func unlink(
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
  mutating func leftovers(
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
  func split(_ start: UInt64, _ end: UInt64) -> (
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
