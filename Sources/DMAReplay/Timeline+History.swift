// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

/// What happened to a stretch of a device's DMA addresses.
public struct AddressHistory: Sendable {
  /// One event of it. Lists and texts are in ``AddressHistory/batch``.
  public struct Entry: Sendable {
    /// Events applied until then, its own included.
    public var number: UInt64
    public var event: DMAEvent
  }

  public fileprivate(set) var entries: [Entry] = []
  /// The lists and texts of the entries.
  public fileprivate(set) var batch = EventBatch()
  /// Events before this one were not looked at.
  public fileprivate(set) var firstSearched: UInt64 = 0
  /// More entries than are kept; those in the middle were left out.
  public fileprivate(set) var omitted = 0

  public init() {}
}

extension Timeline {
  private static let maximumHistory = 400
  /// Events to look through at most: what takes about a quarter of a second.
  public static let historyReach: UInt64 = 1 << 20

  /// The maps, syncs and unmaps of a device that touch a range of DMA addresses, up to and with an
  /// event; the state now stays as it is.
  ///
  /// - Parameters:
  ///   - size: bytes; 0 looks for the address alone.
  ///   - last: events until then are looked at, not more than ``historyReach`` of them.
  public func history(
    of device: DeviceID,
    _ address: UInt64,
    size: UInt64,
    through last: UInt64
  ) throws(TraceError) -> AddressHistory {
    let last = min(last, eventCount)
    let first = last > Self.historyReach ? last - Self.historyReach : 0
    var history = AddressHistory()
    let end = address &+ max(size, 1)
    history.firstSearched = try visit(from: first, through: last) { number, event, batch in
      guard event.device == device, Self.touches(event, batch, address, end) else { return }
      if history.entries.count >= Self.maximumHistory {
        // The beginning and the end say most.
        history.entries.remove(at: Self.maximumHistory / 2)
        history.omitted += 1
      }
      history.entries.append(AddressHistory.Entry(number: number, event: event))
      Self.copyLists(of: event, batch, into: &history)
    }
    return history
  }

  private static func touches(
    _ event: DMAEvent,
    _ batch: EventBatch,
    _ address: UInt64,
    _ end: UInt64
  ) -> Bool {
    func overlaps(_ from: UInt64, _ size: UInt64) -> Bool {
      from < end && address < from &+ max(size, 1)
    }
    switch event.kind {
    case .mapPage, .mapResource, .mapPhys, .unmapPage, .unmapResource, .unmapPhys, .alloc, .free,
      .allocPages, .freePages, .syncSingleForCPU, .syncSingleForDevice, .iommuFault:
      return overlaps(event.dmaAddress, event.size)
    case .mappingError:
      return event.dmaAddress == address
    case .mapSG, .syncSGForCPU, .syncSGForDevice, .allocSGTable, .freeSGTable:
      for index in 0..<Int(event.segmentCount)
      where overlaps(batch.segmentAddress(event, index), batch.segmentLength(event, index)) {
        return true
      }
      return event.segmentCount == 0 && overlaps(event.dmaAddress, event.size)
    default:
      return false
    }
  }

  private static func copyLists(
    of event: DMAEvent,
    _ batch: EventBatch,
    into history: inout AddressHistory
  ) {
    let words = 2 * Int(event.segmentCount) + Int(event.physicalCount)
    guard words > 0, event.kind != .marker else { return }
    let place = history.entries.count - 1
    let start = Int(event.payload)
    history.entries[place].event.payload = UInt32(history.batch.payload.count)
    history.batch.payload += batch.payload[start..<start + words]
  }
}
