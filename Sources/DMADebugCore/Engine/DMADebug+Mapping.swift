// SPDX-License-Identifier: MIT

extension DMADebug {
  // MARK: Streaming mappings of one area

  /// `debug_dma_map_page`, `debug_dma_map_resource`, `debug_dma_map_phys`.
  @inline(__always)
  mutating func mapSingle(_ event: DMAEvent, _ names: TraceNames, to output: inout EngineOutput) {
    let generation = configuration.generation
    let isResource = event.kind == .mapResource || event.attributes.contains(.mmio)
    let hasFailed = event.dmaAddress == .max
    if hasFailed && !(isResource && !generation.hasPhyType) { return }
    let device = state(of: event.device)
    if !isResource { noteAddressing(device, dma: event.dmaAddress, physical: event.address) }
    var mapping = newMapping(event)
    mapping.size = event.size
    mapping.dmaAddress = event.dmaAddress
    mapping.physicalAddress = event.address
    mapping.flags = .physicalKnown
    mapping.direction = event.direction
    mapping.attributes = event.attributes
    mapping.type = generation.hasPhyType ? .phy : isResource ? .resource : .single
    mapping.mapError = .notChecked
    if hookSeen { mapping.flags.insert(.hookWitnessed) }
    // dma-debug itself asks for the map error here: an older unchecked entry becomes checked.
    let asksMapError = !isResource || generation.hasPhyType
    if asksMapError { mapping.flags.insert(.ownHitPending) }
    guard takeEntry(event, to: &output) else { return }
    if layout != nil { checkArea(event, isResource: isResource, names, to: &output) }
    insert(mapping, event, names, asksMapError: asksMapError, to: &output)
  }

  // MARK: Scatterlists

  /// `debug_dma_map_sg`: an entry for each segment.
  mutating func mapSG(
    _ event: DMAEvent,
    _ batch: EventBatch,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    guard event.mappedEntries > 0 else { return }
    let list = lists.insert(event, batch)
    let listed = Int(lists[list].listedSegments)
    let physicalCount = Int(event.physicalCount)
    let device = state(of: event.device)
    if layout != nil { checkAreas(event, batch, names, to: &output) }
    var live: UInt32 = 0
    for segment in 0..<listed {
      var mapping = newMapping(event)
      mapping.dmaAddress = batch.segmentAddress(event, segment)
      mapping.size = batch.segmentLength(event, segment)
      mapping.direction = event.direction
      mapping.attributes = event.attributes
      mapping.type = .scatterGather
      mapping.sgCallEntries = event.requestedEntries
      mapping.sgMappedEntries = event.mappedEntries
      mapping.sgList = list
      if segment < physicalCount {
        mapping.physicalAddress = batch.physicalAddress(event, segment)
        mapping.flags = .physicalKnown
        if segment == 0 {
          noteAddressing(device, dma: mapping.dmaAddress, physical: mapping.physicalAddress)
        }
      }
      guard takeEntry(event, to: &output) else { break }
      checkSGSegment(mapping, event, names, to: &output)
      insert(mapping, event, names, to: &output)
      live += 1
    }
    var hidden: UInt32 = 0
    if event.flags.contains(.truncated), !isDisabled {
      // A list that claims more is not one that a machine could map: it must not hold up the rest.
      let claimed = min(event.mappedEntries - UInt32(listed), Self.maximumHidden)
      while hidden < claimed, takeEntry(event, to: &output) { hidden += 1 }
      devices[device].hidden += hidden
    }
    lists.setEntries(list, live: live, hidden: hidden)
    if sharing.bufferEvents > 0 { noteSharedMap(list, event) }
  }

  /// Entries beyond those listed that a truncated list takes from the pool at most: with the largest
  /// allocation behind each of them that is a quarter of a terabyte.
  private static let maximumHidden: UInt32 = 1 << 16

  /// `debug_dma_unmap_sg`. The trace gives the pages; the segments are those of the mapped list.
  mutating func unmapSG(
    _ event: DMAEvent,
    _ batch: EventBatch,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    guard event.physicalCount > 0 || event.flags.contains(.truncated) else { return }
    var found = lists.find(event, batch)
    if !adoptedSegments.isEmpty, found.map({ lists[$0].hasEnded }) ?? true,
      let adopted = adoptList(event, batch)
    {
      found = adopted
    }
    guard let list = found else {
      // The kernel's hook may still prove that it found nothing either.
      if hookShowsInternals && !knowsOrigin(of: event.device) {
        let reference = Reference(
          device: event.device,
          dmaAddress: 0,
          size: 0,
          type: .scatterGather,
          direction: event.direction,
          attributes: event.attributes,
          sgCallEntries: event.physicalCount,
          sizeIsUnknown: true
        )
        waitingFrees.append(
          WaitingFree(reference: reference, event: event, number: eventCount - 1, isList: true)
        )
      } else {
        undecided.unknownLists += 1
      }
      return
    }
    // Read what the list says before it is chosen: choosing may forget it.
    let record = lists[list]
    let requested = event.physicalCount
    var mappedEntries: UInt32 = 0
    let limit = record.isTruncated ? min(requested, record.listedSegments) : requested
    for segment in 0..<limit {
      if mappedEntries != 0, segment >= mappedEntries { break }
      var reference = Reference(
        device: event.device,
        dmaAddress: .max,
        size: 0,
        type: .scatterGather,
        direction: event.direction,
        attributes: event.attributes,
        sgCallEntries: requested
      )
      if segment < record.listedSegments {
        reference.dmaAddress = lists.segmentAddress(list, Int(segment))
        reference.size = lists.segmentLength(list, Int(segment))
      }
      if segment == 0 {
        mappedEntries = table.findExact(reference).map { table[$0].sgMappedEntries } ?? 0
      }
      checkUnmap(reference, event, names, to: &output)
    }
    if sharing.bufferEvents > 0 { sharing.unlink(list) }
    let hidden = lists.chosen(list)
    for _ in 0..<hidden { pool.give() }
    devices[state(of: event.device)].hidden -= min(hidden, devices[state(of: event.device)].hidden)
  }

  // MARK: Allocations

  /// `debug_dma_alloc_coherent`, `debug_dma_alloc_pages`.
  mutating func allocate(_ event: DMAEvent, _ names: TraceNames, to output: inout EngineOutput) {
    let isCoherent = event.kind == .alloc
    let isHashed = event.flags.contains(.hashedPointer)
    guard event.address != 0, isMemory(event.address, isHashed: isHashed) else { return }
    let device = state(of: event.device)
    directMap.remember(pointer: event.address, event.device, event.dmaAddress)
    if !isHashed {
      if devices[device].isDirect {
        if directMap.learn(pointer: event.address, physical: event.dmaAddress) { trackAll() }
      } else if details[Int(devices[device].details)].sample == nil {
        details[ownDetails(device)].sample = (event.address, event.dmaAddress)
      }
    }
    var mapping = newMapping(event)
    mapping.dmaAddress = event.dmaAddress
    mapping.size = event.size
    mapping.cpuAddress = event.address
    mapping.attributes = event.attributes
    if isHashed { mapping.flags.insert(.hashedPointer) }
    if isCoherent {
      mapping.type = .coherent
      mapping.direction = .bidirectional
    } else {
      mapping.type = noncoherentType
      mapping.direction = event.direction
      if !configuration.generation.hasNoncoherentType {
        // Such a kernel takes the pages for an ordinary mapping, and asks for its map error.
        mapping.mapError = .notChecked
        mapping.flags.insert(.ownHitPending)
        if hookSeen { mapping.flags.insert(.hookWitnessed) }
      }
    }
    add(mapping, event, names, asksMapError: mapping.mapError == .notChecked, to: &output)
  }

  /// What kernels call the pages of `dma_alloc_pages`.
  private var noncoherentType: MappingType {
    let generation = configuration.generation
    return generation.hasNoncoherentType ? .noncoherent : generation.hasPhyType ? .phy : .single
  }

  /// `debug_dma_free_coherent`, `debug_dma_free_pages`.
  mutating func free(_ event: DMAEvent, _ names: TraceNames, to output: inout EngineOutput) {
    let isHashed = event.flags.contains(.hashedPointer)
    guard event.address != 0, isMemory(event.address, isHashed: isHashed) else { return }
    let isCoherent = event.kind == .free
    let reference = Reference(
      device: event.device,
      dmaAddress: event.dmaAddress,
      size: event.size,
      type: isCoherent ? .coherent : noncoherentType,
      direction: isCoherent ? .bidirectional : event.direction,
      attributes: event.attributes,
      cpuAddress: event.address
    )
    checkUnmap(reference, event, names, to: &output)
  }

  /// `debug_dma_map_sg` for `dma_alloc_noncontiguous`: one segment, however many pages.
  mutating func allocateSGTable(
    _ event: DMAEvent,
    _ batch: EventBatch,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    let device = state(of: event.device)
    var mapping = newMapping(event)
    mapping.dmaAddress = event.dmaAddress
    mapping.size = Self.pageAligned(event.size)
    mapping.direction = event.direction
    mapping.attributes = event.attributes
    mapping.type = .scatterGather
    mapping.sgCallEntries = max(event.physicalCount, event.requestedEntries)
    mapping.sgMappedEntries = 1
    if event.physicalCount > 0 {
      mapping.physicalAddress = batch.physicalAddress(event, 0)
      mapping.flags = .physicalKnown
      noteAddressing(device, dma: event.dmaAddress, physical: mapping.physicalAddress)
    }
    add(mapping, event, names, to: &output)
  }

  /// `debug_dma_unmap_sg` for `dma_free_noncontiguous`.
  mutating func freeSGTable(_ event: DMAEvent, _ names: TraceNames, to output: inout EngineOutput) {
    let requested = max(event.physicalCount, event.requestedEntries)
    if !adoptedSegments.isEmpty {
      learnCounts(ofFree: event, size: Self.pageAligned(event.size), requested: requested)
    }
    var reference = Reference(
      device: event.device,
      dmaAddress: event.dmaAddress,
      size: Self.pageAligned(event.size),
      type: .scatterGather,
      direction: event.direction,
      attributes: event.attributes,
      sgCallEntries: requested
    )
    let mappedEntries = table.findExact(reference).map { table[$0].sgMappedEntries } ?? 0
    checkUnmap(reference, event, names, to: &output)
    // Without an entry, or with one of a longer list, the kernel goes on through the table, whose
    // other segments were never mapped.
    if mappedEntries == 0, !knowsOrigin(of: event.device) { return }
    let limit = mappedEntries == 0 ? requested : min(requested, mappedEntries)
    reference.dmaAddress = .max
    reference.size = 0
    for _ in 1..<max(limit, 1) { checkUnmap(reference, event, names, to: &output) }
  }

  private static func pageAligned(_ size: UInt64) -> UInt64 {
    (size &+ 4095) & ~4095
  }

  // MARK: Entries

  /// A mapping with what every event says.
  @inline(__always)
  private func newMapping(_ event: DMAEvent) -> Mapping {
    var mapping = Mapping()
    mapping.device = event.device
    mapping.line = event.line
    mapping.capture = event.capture
    mapping.time = event.time
    mapping.task = event.task
    mapping.pid = event.pid
    mapping.stack = event.stack
    mapping.cpu = UInt16(truncatingIfNeeded: min(event.cpu, 0xffff))
    return mapping
  }

  @inline(__always)
  private mutating func add(
    _ mapping: Mapping,
    _ event: DMAEvent,
    _ names: TraceNames,
    asksMapError: Bool = false,
    to output: inout EngineOutput
  ) {
    guard takeEntry(event, to: &output) else { return }
    insert(mapping, event, names, asksMapError: asksMapError, to: &output)
  }

  /// `dma_entry_alloc`.
  @inline(__always)
  mutating func takeEntry(_ event: DMAEvent, to output: inout EngineOutput) -> Bool {
    if isDisabled { return false }
    let outcome = pool.take()
    if case .taken = outcome { return true }
    return poolWasEmpty(outcome, event, to: &output)
  }

  @inline(never)
  private mutating func poolWasEmpty(
    _ outcome: EntryPool.Outcome,
    _ event: DMAEvent,
    to output: inout EngineOutput
  ) -> Bool {
    switch outcome {
    case .taken: break
    case .grown(let total, let message):
      if message {
        log(
          .poolGrown,
          event,
          value: UInt64(total),
          base: UInt64(pool.requested),
          to: &output
        )
      }
    case .outOfMemory:
      isDisabled = true
      log(.outOfMemory, event, to: &output)
      return false
    }
    return true
  }

  /// `add_dma_entry`: into the hash, then into the cacheline tracker.
  @inline(__always)
  private mutating func insert(
    _ mapping: Mapping,
    _ event: DMAEvent,
    _ names: TraceNames,
    asksMapError: Bool = false,
    to output: inout EngineOutput
  ) {
    let device = state(of: mapping.device)
    devices[device].live += 1
    let isTracked = mapping.direction != .toDevice
    let index = table.insert(mapping, asksMapError: asksMapError)
    if output.content.contains(.changes) { noteChange(true, index, to: &output) }
    guard isTracked else { return }
    guard let physical = physicalAddress(of: mapping) else {
      details[ownDetails(device)].untracked.append((index, table[index].sequence))
      return
    }
    // Freeing must find the cacheline even when the address becomes doubtful later.
    table[index].physicalAddress = physical
    table[index].flags.insert(.tracked)
    track(index, physical, event, names, to: &output)
  }

  /// `active_cacheline_insert` and what `add_dma_entry` makes of it.
  @inline(__always)
  private mutating func track(
    _ index: UInt32,
    _ physical: UInt64,
    _ event: DMAEvent,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    let generation = configuration.generation
    let attributes = table[index].attributes
    let intended =
      generation.allowsIntendedOverlap && !attributes.isDisjoint(with: .cachelinesIntended)
    let number = CachelineTracker.number(physical)
    guard
      case .overlap(let firstIntended, let exceeded) = cachelines.insert(number, intended: intended)
    else { return }
    if exceeded, !intended, !hasLoggedExceededOverlap {
      hasLoggedExceededOverlap = true
      log(.exceededOverlap, event, value: number, mapping: table[index], to: &output)
    }
    if attributes.contains(.skipCPUSync) { return }
    if intended && firstIntended { return }
    if generation.silentOnCoherentMachines && isCoherentMachine { return }
    if losses > 0 {
      undecided.afterLoss += 1
      return
    }
    report(
      .overlappingCacheline,
      event,
      device: event.device,
      names: names,
      mapping: table[index],
      value: number,
      to: &output
    )
  }

  /// `dma_entry_free` after `hash_bucket_del`.
  @inline(__always)
  mutating func removeEntry(_ index: UInt32, to output: inout EngineOutput) {
    if output.content.contains(.changes) { noteChange(false, index, to: &output) }
    if table.entries[Int(index)].flags.contains(.tracked) {
      cachelines.remove(CachelineTracker.number(table.entries[Int(index)].physicalAddress))
    }
    let list = table.entries[Int(index)].sgList
    if list != Mapping.none { lists.entryLeft(list) }
    let device = Int(table.entries[Int(index)].device.rawValue)
    devices[device].live -= 1
    table.remove(index)
    if details[Int(devices[device].details)].untracked.count > 64 { forgetUntracked(device) }
    pool.give()
  }

  /// Drops allocations that are gone from the list of those outside the cacheline tracker, when
  /// they are most of it.
  private mutating func forgetUntracked(_ device: Int) {
    let own = Int(devices[device].details)
    guard details[own].untracked.count > 2 * Int(devices[device].live) else { return }
    let table = table
    details[own].untracked.removeAll { table[$0.index].sequence != $0.sequence }
  }

  // MARK: Physical addresses

  /// Takes a mapping as evidence of how the device addresses memory.
  @inline(__always)
  private mutating func noteAddressing(_ device: Int, dma: UInt64, physical: UInt64) {
    directMap.note(physical: physical)
    if dma != physical {
      devices[device].seenIndirect = true
    } else if !devices[device].seenDirect {
      devices[device].seenDirect = true
      becameDirect(device)
    }
  }

  private mutating func becameDirect(_ device: Int) {
    guard devices[device].isDirect else { return }
    if let sample = details[Int(devices[device].details)].sample,
      directMap.learn(pointer: sample.pointer, physical: sample.dmaAddress)
    {
      trackAll()
    } else {
      trackLate(device)
    }
  }

  /// The offset of the direct map has become known.
  private mutating func trackAll() {
    for device in devices.indices { trackLate(device) }
  }

  /// Whether the machine's DMA alignment is smaller than a cacheline.
  private var isCoherentMachine: Bool {
    layout?.alignment.map { $0 < CachelineTracker.lineSize } ?? configuration.isCoherentMachine
  }

  /// Takes over what a marker says of the kernel's address space.
  mutating func learn(_ layout: KernelLayout) {
    self.layout = layout
    guard let direct = layout.directMap else { return }
    directMap.isTold(offset: direct.lowerBound, size: direct.upperBound - direct.lowerBound)
    trackAll()
  }

  /// Whether the kernel would take the pointer for memory at all
  /// (`is_vmalloc_addr` or `virt_addr_valid`): what is neither makes no entry.
  private func isMemory(_ pointer: UInt64, isHashed: Bool) -> Bool {
    if !isHashed, let layout, let direct = layout.directMap, let vmalloc = layout.vmalloc {
      return direct.contains(pointer) || vmalloc.contains(pointer)
    }
    return DirectMap.isMemory(pointer, isHashed: isHashed)
  }

  /// Puts allocations whose physical address has become known into the cacheline tracker, without
  /// a word: at the time of their mapping nothing could be said.
  private mutating func trackLate(_ device: Int) {
    let own = Int(devices[device].details)
    guard !details[own].untracked.isEmpty else { return }
    let waiting = details[own].untracked
    details[own].untracked.removeAll()
    for reference in waiting where table[reference.index].sequence == reference.sequence {
      let mapping = table[reference.index]
      guard let physical = physicalAddress(of: mapping) else {
        details[own].untracked.append(reference)
        continue
      }
      let intended =
        configuration.generation.allowsIntendedOverlap
        && !mapping.attributes.isDisjoint(with: .cachelinesIntended)
      _ = cachelines.insert(CachelineTracker.number(physical), intended: intended)
      table[reference.index].physicalAddress = physical
      table[reference.index].flags.insert(.tracked)
    }
  }

  /// Tells what happened to the mapping in a slot.
  @inline(__always)
  func noteChange(_ isAdded: Bool, _ index: UInt32, to output: inout EngineOutput) {
    let mapping = table[index]
    output.add(
      MappingChange(isAdded: isAdded, index, mapping, physical: physicalAddress(of: mapping))
    )
  }
}
