// SPDX-License-Identifier: MIT

extension DMADebug {
  /// `debug_dma_sync_single_for_cpu`, `debug_dma_sync_single_for_device`.
  @inline(__always)
  mutating func syncSingle(_ event: DMAEvent, _ names: TraceNames, to output: inout EngineOutput) {
    // Newer kernels have no entries of type single any more, yet their syncs still refer to it.
    let reference = Reference(
      device: event.device,
      dmaAddress: event.dmaAddress,
      size: event.size,
      type: .single,
      direction: event.direction
    )
    checkSync(reference, forCPU: event.kind == .syncSingleForCPU, event, names, to: &output)
  }

  /// `debug_dma_sync_sg_for_cpu`, `debug_dma_sync_sg_for_device`.
  mutating func syncSG(
    _ event: DMAEvent,
    _ batch: EventBatch,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    var mappedEntries: UInt32 = 0
    let requested = max(event.requestedEntries, event.segmentCount)
    if !adoptedSegments.isEmpty { learnCounts(ofSync: event, batch, requested: requested) }
    for segment in 0..<Int(event.segmentCount) {
      let reference = Reference(
        device: event.device,
        dmaAddress: batch.segmentAddress(event, segment),
        size: batch.segmentLength(event, segment),
        type: .scatterGather,
        direction: event.direction,
        sgCallEntries: requested
      )
      if segment == 0 {
        mappedEntries = table.findExact(reference).map { table[$0].sgMappedEntries } ?? 0
        if mappedEntries == 0, !table.hasGroup(reference.device, reference.dmaAddress),
          !knowsOrigin(of: reference.device)
        {
          undecided.unknownSyncs += 1
        }
      }
      if segment >= mappedEntries { break }
      checkSync(reference, forCPU: event.kind == .syncSGForCPU, event, names, to: &output)
    }
  }

  /// `check_sync`.
  @inline(__always)
  private mutating func checkSync(
    _ reference: Reference,
    forCPU: Bool,
    _ event: DMAEvent,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    guard let index = table.findContaining(reference) else {
      syncNotFound(reference, event, names, to: &output)
      return
    }
    let entry = table[index]
    func complain(_ engine: inout DMADebug, _ kind: Report.Kind) {
      engine.report(
        kind,
        event,
        device: reference.device,
        names: names,
        reference: reference,
        mapping: entry,
        to: &output
      )
    }

    if reference.size > entry.size { complain(&self, .syncOutsideRange) }

    if entry.direction == .bidirectional { return }

    if reference.direction != entry.direction { complain(&self, .syncDifferentDirection) }

    if forCPU, entry.direction != .fromDevice, reference.direction != .toDevice {
      complain(&self, .syncReadOnlyForCPU)
    }
    if !forCPU, entry.direction != .toDevice, reference.direction != .fromDevice {
      complain(&self, .syncWriteOnlyToDevice)
    }

    if reference.type == .scatterGather, reference.sgCallEntries != 0,
      reference.sgCallEntries != entry.sgCallEntries
    {
      complain(&self, .syncDifferentSGCount)
    }
  }

  private mutating func syncNotFound(
    _ reference: Reference,
    _ event: DMAEvent,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    if knowsOrigin(of: reference.device) {
      report(
        .syncNotAllocated,
        event,
        device: reference.device,
        names: names,
        reference: reference,
        to: &output
      )
    } else {
      undecided.unknownSyncs += 1
    }
  }
}
