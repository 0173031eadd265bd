// SPDX-License-Identifier: MIT
import DMADebugCore

/// What is, or was, at a DMA address of a device: live mappings, mappings that are gone, and ranges of
/// IOVA. Whoever has an address to explain asks here.
///
/// Mappings that are gone are always noted. What finds mappings by address is built when the first
/// question comes, and kept up to date from then on: most traces ask nothing.
package struct AddressEvidence {
  /// A mapping that is gone.
  package struct Ended {
    package var device: DeviceID
    package var address: UInt64
    /// Bytes.
    package var size: UInt64
    /// When it was unmapped, in nanoseconds, and the line or record of that.
    package var time: UInt64
    package var line: UInt64
    /// As it was; `nil` unless ``AddressEvidence/init(keepsMappings:)`` asked for it.
    package var mapping: Mapping?
  }

  /// What an address means.
  package enum Content {
    /// A mapping that lives.
    case live(Mapping)
    /// Linked into a range of IOVA by an event, and synchronised or not.
    case linked(DMAEvent, isSynced: Bool)
    /// In a range of IOVA that an event allocated, with nothing linked there.
    case empty(DMAEvent)
    /// It was linked into a range of IOVA until an event.
    case unlinked(DMAEvent)
    /// A mapping held it last.
    case ended(Ended)
  }

  /// What of a mapping a call with another device repeats.
  private struct Twin: Hashable {
    var address: UInt64
    var size: UInt64
    var direction: Direction
  }

  private static let rememberedPlaces = 4096
  private static let rememberedMappings = 1 << 16

  private let keepsMappings: Bool
  private var ended: [Ended] = []
  private var nextEnded = 0
  /// Those of ``ended``, when they are kept; apart, because few ask for them.
  private var endedMappings: [Mapping] = []
  private var isIndexed = false
  private var live = AddressIndex()
  private var gone = AddressIndex()
  private var twins = SlotChains<Twin>()

  /// - Parameter keepsMappings: Remember more of the mappings that are gone, and all of them: a
  ///   kernel log will ask.
  package init(keepsMappings: Bool) {
    self.keepsMappings = keepsMappings
  }

  // MARK: Events

  /// Notes a mapping that was made.
  @inline(__always)
  package mutating func noteMapped(_ change: MappingChange) {
    if isIndexed { index(change) }
  }

  /// Notes a mapping that went.
  ///
  /// - Parameters:
  ///   - event: What unmapped it.
  ///   - mapping: As it was.
  @inline(__always)
  package mutating func noteUnmapped(
    _ change: MappingChange,
    by event: DMAEvent,
    _ mapping: @autoclosure () -> Mapping
  ) {
    if isIndexed {
      live.remove(change.slot)
      twins.remove(change.slot)
    }
    let entry = Ended(
      device: change.device,
      address: change.dmaAddress,
      size: change.size,
      time: event.time,
      line: event.line
    )
    let maximum = keepsMappings ? Self.rememberedMappings : Self.rememberedPlaces
    let place = nextEnded
    nextEnded = nextEnded + 1 == maximum ? 0 : nextEnded + 1
    if ended.count < maximum {
      ended.append(entry)
      if keepsMappings { endedMappings.append(mapping()) }
    } else {
      if isIndexed { gone.remove(UInt32(place)) }
      ended[place] = entry
      if keepsMappings { endedMappings[place] = mapping() }
    }
    if isIndexed { gone.insert(UInt32(place), entry.device, at: entry.address, size: entry.size) }
  }

  @inline(never)
  private mutating func index(_ change: MappingChange) {
    index(change.slot, change.device, change.dmaAddress, change.size, change.direction)
  }

  private mutating func index(
    _ slot: UInt32,
    _ device: DeviceID,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction
  ) {
    live.insert(slot, device, at: address, size: size)
    twins.insert(slot, for: Twin(address: address, size: size, direction: direction))
  }

  /// Gets ready to answer: files what lives and what is gone.
  private mutating func buildIndex(_ engine: EngineView) {
    guard !isIndexed else { return }
    isIndexed = true
    let slots = engine.withMappings { mappings in
      mappings.indices.filter { mappings[$0].sequence != 0 }
        .sorted { mappings[$0].sequence < mappings[$1].sequence }
    }
    for slot in slots {
      let mapping = engine.mapping(inSlot: UInt32(slot))
      index(UInt32(slot), mapping.device, mapping.dmaAddress, mapping.size, mapping.direction)
    }
    // From the oldest on.
    let first = ended.count == nextEnded ? 0 : nextEnded
    for offset in ended.indices {
      let place = (first + offset) % ended.count
      let entry = ended[place]
      gone.insert(UInt32(place), entry.device, at: entry.address, size: entry.size)
    }
  }

  // MARK: Questions

  /// How an area and an address meet: it holds the byte, it touches the page, or neither.
  private enum Nearness: Int {
    case none, page, byte
  }

  /// An IOMMU tells pages apart. An address that is the beginning of one may stand for all of it:
  /// many IOMMUs name no more. Any other address is that of a byte.
  private static func nearness(_ address: UInt64, _ start: UInt64, _ size: UInt64) -> Nearness {
    guard size > 0 else { return .none }
    if address >= start, address - start < size { return .byte }
    let shift = AddressIndex.pageShift
    guard address & (UInt64(1) << shift - 1) == 0, start >= address else { return .none }
    return start >> shift == address >> shift ? .page : .none
  }

  /// What is at a DMA address of a device, or was there last; `nil` when nothing is known of it.
  ///
  /// What holds the very byte goes before what only touches its page, what lives before what is gone,
  /// and of that the last one.
  package mutating func content(
    at address: UInt64,
    of device: DeviceID,
    _ engine: EngineView
  ) -> Content? {
    buildIndex(engine)
    let mapping = liveMapping(at: address, of: device, engine)
    if let mapping, mapping.nearness == .byte { return .live(mapping.mapping) }
    let range = rangeContent(at: address, of: device, engine)
    switch range {
    case .linked(let event, let isSynced)?: return .linked(event, isSynced: isSynced)
    default: break
    }
    if let mapping { return .live(mapping.mapping) }
    let last = endedMapping(at: address, of: device)
    switch range {
    case .empty(let event)?: return .empty(event)
    case .unlinked(let event)?:
      // The address may have been given to an ordinary mapping since.
      if let last, last.time > event.time { return .ended(last) }
      return .unlinked(event)
    default: return last.map { .ended($0) }
    }
  }

  /// Ranges begin with the offset of their memory in its page: the last byte of a page may be in one
  /// although the first is not.
  private func rangeContent(
    at address: UInt64,
    of device: DeviceID,
    _ engine: EngineView
  ) -> IOVARange.Content? {
    if let content = engine.sharing.rangeContent(device, at: address) { return content }
    let offsets = UInt64(1) << AddressIndex.pageShift - 1
    guard address & offsets == 0 else { return nil }
    return engine.sharing.rangeContent(device, at: address | offsets)
  }

  private func liveMapping(
    at address: UInt64,
    of device: DeviceID,
    _ engine: EngineView
  ) -> (nearness: Nearness, mapping: Mapping)? {
    engine.withMappings { mappings in
      var best: (nearness: Nearness, slot: Int)?
      live.forEachCandidate(device, at: address) { slot in
        let mapping = mappings[Int(slot)]
        let nearness = Self.nearness(address, mapping.dmaAddress, mapping.size)
        guard nearness != .none else { return false }
        if let best,
          (best.nearness.rawValue, mappings[best.slot].sequence)
            > (nearness.rawValue, mapping.sequence)
        {
          return false
        }
        best = (nearness, Int(slot))
        return nearness == .byte
      }
      return best.map { ($0.nearness, mappings[$0.slot]) }
    }
  }

  private func endedMapping(at address: UInt64, of device: DeviceID) -> Ended? {
    var best: (nearness: Nearness, place: Int)?
    gone.forEachCandidate(device, at: address) { number in
      let place = Int(number)
      let entry = ended[place]
      let nearness = Self.nearness(address, entry.address, entry.size)
      guard nearness != .none else { return false }
      if let best,
        (best.nearness.rawValue, ended[best.place].time, ended[best.place].line)
          > (nearness.rawValue, entry.time, entry.line)
      {
        return false
      }
      best = (nearness, place)
      return nearness == .byte
    }
    return best.map { best in
      var entry = ended[best.place]
      if keepsMappings { entry.mapping = endedMappings[best.place] }
      return entry
    }
  }

  /// The live mapping of another device that an unmap or sync describes in every detail: the one that
  /// was made last.
  ///
  /// - Parameter report: Of a call that matched nothing of its own device.
  package mutating func sameElsewhere(
    _ report: Report,
    _ engine: EngineView
  ) -> Mapping? {
    guard let reference = report.reference else { return nil }
    buildIndex(engine)
    let twin = Twin(
      address: reference.dmaAddress,
      size: reference.size,
      direction: reference.direction
    )
    return engine.withMappings { mappings in
      let slot = twins.first(twin) { slot in
        let mapping = mappings[Int(slot)]
        return mapping.device != report.device
          && (mapping.type == reference.type || report.kind == .syncNotAllocated)
      }
      return slot.map { mappings[Int($0)] }
    }
  }
}
