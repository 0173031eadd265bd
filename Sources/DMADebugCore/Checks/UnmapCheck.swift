// SPDX-License-Identifier: MIT

extension DMADebug {
  /// `debug_dma_unmap_page`, `debug_dma_unmap_resource`, `debug_dma_unmap_phys`.
  @inline(__always)
  mutating func unmapSingle(_ event: DMAEvent, _ names: TraceNames, to output: inout EngineOutput) {
    let isResource = event.kind == .unmapResource || event.attributes.contains(.mmio)
    let type: MappingType =
      configuration.generation.hasPhyType ? .phy : isResource ? .resource : .single
    let reference = Reference(
      device: event.device,
      dmaAddress: event.dmaAddress,
      size: event.size,
      type: type,
      direction: event.direction,
      attributes: event.attributes
    )
    checkUnmap(reference, event, names, to: &output)
  }

  /// `check_unmap`: compares a free with the entry that it ends, and ends it whatever was found.
  @inline(__always)
  mutating func checkUnmap(
    _ reference: Reference,
    _ event: DMAEvent,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    guard let index = table.findExact(reference) else {
      freeNotFound(reference, event, names, to: &output)
      return
    }
    if !isPlainlyRight(index, reference) { compare(index, reference, event, names, to: &output) }
    removeEntry(index, to: &output)
  }

  /// Whether nothing at all can be said about a free, found out without looking at details.
  @inline(__always)
  private func isPlainlyRight(_ index: UInt32, _ reference: Reference) -> Bool {
    let entries = table.entries
    return entries[Int(index)].size == reference.size
      && entries[Int(index)].type == reference.type
      && entries[Int(index)].direction == reference.direction
      && entries[Int(index)].sgCallEntries == reference.sgCallEntries
      && entries[Int(index)].attributes == reference.attributes
      && entries[Int(index)].cpuAddress == reference.cpuAddress
      && entries[Int(index)].mapError != .notChecked
  }

  /// The comparisons of `check_unmap` in its order.
  @inline(never)
  private mutating func compare(
    _ index: UInt32,
    _ reference: Reference,
    _ event: DMAEvent,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    let entry = table[index]
    var freedPhysical: UInt64?
    func complain(_ engine: inout DMADebug, _ kind: Report.Kind) {
      engine.report(
        kind,
        event,
        device: reference.device,
        names: names,
        reference: reference,
        mapping: entry,
        freedPhysical: freedPhysical,
        to: &output
      )
    }

    if entry.size != reference.size { complain(&self, .freeDifferentSize) }

    if entry.type != reference.type {
      complain(&self, .freeWrongFunction)
    } else if !entry.type.isStreaming {
      if !isSameMemory(entry, reference, event, &freedPhysical) {
        complain(&self, .freeDifferentCPUAddress)
      }
    }

    if reference.type == .scatterGather, reference.sgCallEntries != 0,
      reference.sgCallEntries != entry.sgCallEntries
    {
      complain(&self, .freeDifferentSGCount)
    }

    if entry.direction != reference.direction { complain(&self, .freeDifferentDirection) }

    if entry.mapError == .notChecked {
      // Of an adopted entry the dump said so, and since then the trace would show a question.
      if entry.flags.contains(.hookWitnessed) || entry.isAdopted && hookSeen {
        complain(&self, .mapErrorNotChecked)
      } else {
        undecided.unseenChecks += 1
      }
    }

    if configuration.generation.comparesAttributes, !entry.flags.contains(.attributesUnknown),
      entry.attributes.intersection(.comparedOnUnmap)
        != reference.attributes.intersection(.comparedOnUnmap)
    {
      complain(&self, .freeDifferentAttributes)
    }
  }

  /// A free for which there is no entry, or none that fits among several.
  @inline(never)
  private mutating func freeNotFound(
    _ reference: Reference,
    _ event: DMAEvent,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    // The kernel asks whether the address is an error at all, through its own hook.
    _ = table.markChecked(reference.device, reference.dmaAddress)
    if reference.dmaAddress == .max {
      report(
        .freeInvalidAddress,
        event,
        device: reference.device,
        names: names,
        reference: reference,
        to: &output
      )
    } else if table.hasGroup(reference.device, reference.dmaAddress) {
      // Several entries were seen mapped and none fits; unless one of them is a ghost.
      let oldest = table.group(reference.device, reference.dmaAddress).first.map { table[$0] }
      if let oldest, oldest.sequence < lossSequence {
        undecided.afterLoss += 1
      } else {
        reportNotAllocated(reference, event, names, to: &output)
      }
    } else if knowsOrigin(of: reference.device) {
      reportNotAllocated(reference, event, names, to: &output)
    } else if hookShowsInternals {
      waitingFrees.append(
        WaitingFree(reference: reference, event: event, number: eventCount - 1, isList: false)
      )
    } else {
      undecided.unknownFrees += 1
    }
  }

  private mutating func reportNotAllocated(
    _ reference: Reference,
    _ event: DMAEvent,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    report(
      .freeNotAllocated,
      event,
      device: reference.device,
      names: names,
      reference: reference,
      to: &output
    )
  }

  /// The kernel's hook was hit from `check_unmap`: it found nothing for a free just before.
  mutating func failedUnmapProved(
    _ hit: DMAEvent,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    let proved = waitingFrees.lastIndex { waiting in
      waiting.event.device == hit.device && waiting.reference.dmaAddress == hit.dmaAddress
        && !waiting.isList
    }
    let list = waitingFrees.lastIndex { $0.isList && $0.event.device == hit.device }
    guard let position = proved ?? list else { return }
    var waiting = waitingFrees[position]
    if waiting.isList {
      // The list stays: each of its segments that the kernel misses has a hit of its own.
      waiting.reference.dmaAddress = hit.dmaAddress
      waiting.reference.sizeIsUnknown = true
    } else {
      waitingFrees.remove(at: position)
    }
    let kind: Report.Kind = hit.dmaAddress == .max ? .freeInvalidAddress : .freeNotAllocated
    report(
      kind,
      waiting.event,
      device: hit.device,
      names: names,
      reference: waiting.reference,
      number: waiting.number,
      to: &output
    )
  }

  /// Whether the memory that is freed is the memory that was allocated.
  private func isSameMemory(
    _ entry: Mapping,
    _ reference: Reference,
    _ event: DMAEvent,
    _ freedPhysical: inout UInt64?
  ) -> Bool {
    let isHashed = event.flags.contains(.hashedPointer)
    if entry.isAdopted {
      // A dump has no pointers: only memory of the direct map can be compared.
      guard !isHashed, let mapped = physicalAddress(of: entry),
        let physical = directMap.physical(of: reference.cpuAddress)
      else { return true }
      freedPhysical = physical
      return physical == mapped
    }
    if entry.cpuAddress == reference.cpuAddress || entry.cpuAddress == 0 { return true }
    if !isHashed, let physical = directMap.physical(of: reference.cpuAddress) {
      freedPhysical = physical
    } else if let other = directMap.allocation(reference.cpuAddress) {
      freedPhysical = physicalAddress(
        pointer: reference.cpuAddress,
        isHashed: isHashed,
        device: other.device,
        dmaAddress: other.dmaAddress
      )
    }
    guard let freedPhysical, let mapped = physicalAddress(of: entry) else { return false }
    return freedPhysical == mapped
  }
}
