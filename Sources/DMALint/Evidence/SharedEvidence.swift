// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay

/// What several rules ask for: kept once, up to date before the first check sees an event.
///
/// Bounded by the live mappings and the names of the trace.
struct SharedEvidence {
  private static let maximumSearches = 200

  /// What is, or was, at a DMA address.
  var addresses: AddressEvidence
  private(set) var sites = SiteHistories()
  private(set) var owners = SyncOwners()
  /// Who was bound to a device when it mapped last: in the end it may have left.
  private var drivers = PerDevice(DriverID.unknown)
  private var pages = WritablePages()
  /// Somebody asked about a map that had failed.
  private(set) var askedAboutFailure = PerDevice(false)
  private var searches = 0

  init(joinsLog: Bool) {
    addresses = AddressEvidence(keepsMappings: joinsLog)
  }

  /// The driver that a device had when it mapped last.
  func driver(of device: DeviceID) -> DriverID? {
    let driver = drivers[device]
    return driver == .unknown ? nil : driver
  }

  // MARK: Events

  /// Takes over what was mapped before the first event, of a saved dump.
  mutating func adopt(_ change: MappingChange, _ state: LentState) {
    drivers[change.device] = state.engine.driver(of: change.device)
    owners.set(change.slot, .unknown)
    if change.isStreaming, change.direction != .toDevice { pages.adopt(change) }
  }

  /// Notes a mapping that was made.
  ///
  /// - Returns: What it lies over, where a device may be writing.
  @inline(__always)
  mutating func noteMapped(
    _ change: MappingChange,
    by event: DMAEvent,
    _ state: LentState
  ) -> Overlap? {
    drivers[change.device] = state.engine.driver(of: change.device)
    owners.set(change.slot, .fresh)
    addresses.noteMapped(change)
    guard change.isStreaming else { return nil }
    if !change.isAdopted { sites.noteMapped(change, by: event) }
    guard change.direction != .toDevice, change.type != .resource, change.size > 0,
      let physical = change.physicalAddress
    else { return nil }
    // Behind an IOMMU a segment is in one piece for the device only.
    if change.type == .scatterGather, !state.engine.isDirect(change.device) { return nil }
    return pages.add(change, physical, line: event.line, state)
  }

  /// Notes a mapping that went.
  @inline(__always)
  mutating func noteUnmapped(
    _ change: MappingChange,
    by event: DMAEvent,
    _ state: LentState
  ) {
    addresses.noteUnmapped(
      change,
      by: event,
      state.engine.mapping(inSlot: change.slot)
    )
    guard change.isStreaming else { return }
    if !change.isAdopted { sites.noteUnmapped(change, by: event) }
    if change.direction != .toDevice { pages.remove(change) }
  }

  /// Notes a hit of the map-error hook.
  mutating func noteMapErrorCheck(_ event: DMAEvent) {
    if event.caller == .driver, event.dmaAddress == .max { askedAboutFailure[event.device] = true }
  }

  // MARK: Syncs

  /// What is known of the mapping that a sync is about; `nil` when it is not of the whole of one: parts
  /// of a buffer may go their own ways.
  func observed(_ event: DMAEvent, _ state: LentState) -> ObservedSync? {
    guard let slot = state.engine.slot(of: event.device, at: event.dmaAddress) else {
      return nil
    }
    let mapping = state.engine.mapping(inSlot: slot)
    guard mapping.size == event.size, mapping.direction == event.direction,
      let owner = owners[slot]
    else { return nil }
    return ObservedSync(slot: slot, mapping: mapping, owner: owner)
  }

  /// Notes who has a mapping after a sync.
  mutating func note(_ sync: ObservedSync, _ event: DMAEvent) {
    owners.set(sync.slot, event.kind == .syncSingleForCPU ? .cpu : .device)
  }

  // MARK: Searches

  /// The mapping that was on the cacheline of a new one before it.
  ///
  /// All that is alive is looked at: not for each of very many.
  mutating func earlierMapping(
    onCachelineOf mapping: Mapping,
    _ state: LentState
  ) -> Mapping? {
    guard searches < Self.maximumSearches else { return nil }
    searches += 1
    return state.engine.earlierMapping(onCachelineOf: mapping)
  }
}

extension MappingChange {
  /// A mapping of memory that is there already, not an allocation.
  var isStreaming: Bool { type != .coherent && type != .noncoherent }
}
