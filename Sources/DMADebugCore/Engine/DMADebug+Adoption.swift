// SPDX-License-Identifier: MIT

/// Where an adopted segment of a scatterlist begins.
struct AdoptedSegmentKey: Hashable, Sendable {
  var device: DeviceID
  var physical: UInt64
}

/// Adopted segments of scatterlists that no unmap has named yet, by where they begin.
struct AdoptedSegments: Sendable {
  /// How many segments that begin at one place are looked at for one that fits.
  private static let window = 64

  private struct Waiting: Sendable {
    var slots: [(index: UInt32, sequence: UInt64)] = []
    /// Those before it were taken, or are gone.
    var first = 0
  }

  private var waiting: [AdoptedSegmentKey: Waiting] = [:]

  var isEmpty: Bool { waiting.isEmpty }

  /// Bytes of the segments that wait.
  var storageBytes: Int {
    waiting.values.reduce(waiting.storageBytes) { $0 + $1.slots.storageBytes }
  }

  mutating func add(_ device: DeviceID, _ physical: UInt64, _ index: UInt32, _ sequence: UInt64) {
    waiting[AdoptedSegmentKey(device: device, physical: physical), default: Waiting()]
      .slots.append((index, sequence))
  }

  /// The oldest segment that begins there, is still mapped and is accepted; it is taken out.
  mutating func take(
    _ device: DeviceID,
    _ physical: UInt64,
    _ table: MappingTable,
    where isFit: (Mapping) -> Bool
  ) -> UInt32? {
    let key = AdoptedSegmentKey(device: device, physical: physical)
    guard let place = waiting.index(forKey: key) else { return nil }
    func isGone(_ slot: (index: UInt32, sequence: UInt64)) -> Bool {
      table[slot.index].sequence != slot.sequence
    }
    var first = waiting.values[place].first
    let count = waiting.values[place].slots.count
    while first < count, isGone(waiting.values[place].slots[first]) { first += 1 }
    waiting.values[place].first = first
    var found: UInt32?
    for position in first..<min(count, first + Self.window) {
      let slot = waiting.values[place].slots[position]
      guard !isGone(slot), isFit(table[slot.index]) else { continue }
      found = slot.index
      if position == first {
        waiting.values[place].first = first + 1
      } else {
        waiting.values[place].slots.remove(at: position)
      }
      break
    }
    if waiting.values[place].first >= waiting.values[place].slots.count {
      waiting.remove(at: place)
    }
    return found
  }
}

/// A saved `dma-api/dump` as the state before the first event.
extension DMADebug {
  /// Takes over the mappings of a dump: each takes an entry of the pool, stands in the hash and in
  /// the cacheline tracker, as it did in the kernel that printed it.
  ///
  /// What a dump cannot show, and what is made of it:
  /// - How low the pool had been (`min_free_entries`) and how many entries it had grown by: counted
  ///   as if nothing else had ever been mapped.
  /// - Who mapped, when, and from where: unknown.
  /// - Which entries are segments of one scatterlist. The unmap of a list names its pages, and the
  ///   kernel prints the page of each segment: the oldest entries that begin with these pages are
  ///   taken for its segments, and the number of entries that the driver passes to the unmap for
  ///   that of the map. So the check of entry counts is silent for adopted lists.
  /// - Attributes, before 7.2: those of the unmap are not compared.
  /// - CPU addresses of allocations: only their physical address is compared.
  ///
  /// Types follow the generation: `single` and `resource` of a dump are `phy` for a newer kernel,
  /// and the other way round.
  ///
  /// - Parameters:
  ///   - entries: in the order of the dump, which is the order of each hash bucket.
  ///   - complete: the dump is the whole truth, so that what it lacks was not mapped.
  public mutating func adopt(_ entries: [DumpEntry], isComplete: Bool = true) {
    guard !isDisabled else { return }
    adoptedEverything = isComplete
    for entry in entries {
      guard case let outcome = pool.take(), !Self.failed(outcome) else {
        isDisabled = true
        return
      }
      let device = state(of: entry.device)
      if case .unknown = devices[device].binding {
        if entry.driver == .pci {
          devices[device].bus = entry.driver
          devices[device].binding = .unbound
        } else {
          devices[device].binding = .bound(entry.driver)
        }
      }
      var mapping = Mapping()
      mapping.device = entry.device
      mapping.dmaAddress = entry.dmaAddress
      mapping.size = entry.size
      mapping.type = adoptedType(entry)
      mapping.direction = entry.direction
      mapping.mapError = entry.mapError
      mapping.attributes = entry.attributes ?? []
      mapping.flags = .adopted
      if entry.attributes == nil { mapping.flags.insert(.attributesUnknown) }
      if let physical = entry.physicalAddress {
        mapping.physicalAddress = physical
        mapping.flags.insert(.physicalKnown)
        if entry.type != .resource, !mapping.attributes.contains(.mmio) {
          noteAdoptedAddressing(device, dma: entry.dmaAddress, physical: physical)
        }
      }
      devices[device].live += 1
      let index = table.insert(mapping)
      guard let physical = entry.physicalAddress else { continue }
      if mapping.type == .scatterGather {
        adoptedSegments.add(entry.device, physical, index, table[index].sequence)
      }
      guard mapping.direction != .toDevice else { continue }
      let intended =
        configuration.generation.allowsIntendedOverlap
        && !mapping.attributes.isDisjoint(with: .cachelinesIntended)
      _ = cachelines.insert(CachelineTracker.number(physical), intended: intended)
      table[index].flags.insert(.tracked)
    }
  }

  private static func failed(_ outcome: EntryPool.Outcome) -> Bool {
    if case .outOfMemory = outcome { return true }
    return false
  }

  private func adoptedType(_ entry: DumpEntry) -> MappingType {
    let generation = configuration.generation
    switch entry.type {
    case .single, .resource: return generation.hasPhyType ? .phy : entry.type
    case .phy:
      if generation.hasPhyType { return .phy }
      return entry.attributes?.contains(.mmio) == true ? .resource : .single
    case .noncoherent where !generation.hasNoncoherentType:
      return generation.hasPhyType ? .phy : .single
    default: return entry.type
    }
  }

  private mutating func noteAdoptedAddressing(_ device: Int, dma: UInt64, physical: UInt64) {
    directMap.note(physical: physical)
    if dma == physical {
      devices[device].seenDirect = true
    } else {
      devices[device].seenIndirect = true
    }
  }

  /// Tells what is mapped already as changes, for those who count from the first change on.
  public func noteLiveMappings(to output: inout EngineOutput) {
    guard output.content.contains(.changes) else { return }
    for index in table.inDumpOrder() { noteChange(true, index, to: &output) }
  }

  // MARK: Lists

  /// The adopted segments that an unmap of a list names, as a list.
  mutating func adoptList(_ event: DMAEvent, _ batch: EventBatch) -> UInt32? {
    guard !adoptedSegments.isEmpty, event.physicalCount > 0 else { return nil }
    var members: [UInt32] = []
    // A list of the same direction goes before one that is unmapped with a wrong one.
    var direction = event.direction
    for position in 0..<Int(event.physicalCount) {
      let physical = batch.physicalAddress(event, position)
      func take(_ direction: Direction?) -> UInt32? {
        adoptedSegments.take(event.device, physical, table) {
          $0.sgList == Mapping.none && $0.direction == direction ?? $0.direction
            && ($0.sgCallEntries == 0 || $0.sgCallEntries == event.physicalCount)
        }
      }
      guard let index = take(direction) ?? (position == 0 ? take(nil) : nil) else { break }
      direction = table[index].direction
      members.append(index)
    }
    guard !members.isEmpty else { return nil }
    // The list as its map would have shown it.
    var list = EventBatch()
    list.payload = members.map { table[$0].dmaAddress } + members.map { table[$0].size }
    for position in 0..<Int(event.physicalCount) {
      list.payload.append(batch.physicalAddress(event, position))
    }
    var map = DMAEvent(.mapSG)
    map.device = event.device
    map.direction = direction
    map.segmentCount = UInt32(members.count)
    map.physicalCount = event.physicalCount
    map.requestedEntries = event.physicalCount
    map.mappedEntries = UInt32(members.count)
    let number = lists.insert(map, list)
    for index in members {
      table.setSGCounts(index, requested: event.physicalCount, mapped: UInt32(members.count))
      table[index].sgList = number
    }
    lists.setEntries(number, live: UInt32(members.count), hidden: 0)
    return number
  }

  /// Learns from a sync of a list, which names DMA addresses, what the list of adopted segments is.
  mutating func learnCounts(ofSync event: DMAEvent, _ batch: EventBatch, requested: UInt32) {
    var members: [UInt32] = []
    for segment in 0..<Int(event.segmentCount) {
      let address = batch.segmentAddress(event, segment)
      let length = batch.segmentLength(event, segment)
      guard
        let index = table.group(event.device, address, limit: 64).first(where: {
          isUncounted($0) && table[$0].size == length && !members.contains($0)
        })
      else { break }
      members.append(index)
      // Lists are short; a hostile one must not make this square.
      if members.count == 1024 { break }
    }
    for index in members {
      table.setSGCounts(index, requested: requested, mapped: UInt32(members.count))
    }
  }

  /// Learns from the free of an allocation as a list how many entries it had.
  mutating func learnCounts(ofFree event: DMAEvent, size: UInt64, requested: UInt32) {
    guard
      let index = table.group(event.device, event.dmaAddress, limit: 64).first(where: {
        isUncounted($0) && table[$0].size == size
      })
    else { return }
    table.setSGCounts(index, requested: requested, mapped: 1)
  }

  private func isUncounted(_ index: UInt32) -> Bool {
    let entry = table[index]
    return entry.flags.contains(.adopted) && entry.type == .scatterGather
      && entry.sgCallEntries == 0
  }
}
