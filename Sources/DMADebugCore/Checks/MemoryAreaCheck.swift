// SPDX-License-Identifier: MIT

/// What kind of memory is mapped. Only decided where a marker told the layout of the address space.
extension DMADebug {
  /// `check_for_stack`, `check_for_illegal_area`, and from 7.2 on RAM that is mapped as MMIO.
  @inline(never)
  mutating func checkArea(
    _ event: DMAEvent,
    isResource: Bool,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    if isResource {
      // Before, the kernel warned outside of dma-debug and refused.
      guard configuration.generation.comparesAttributes, let layout,
        layout.memory.contains(where: { $0.contains(event.address) })
      else { return }
      report(
        .mapsRAMAsResource,
        event,
        device: event.device,
        names: names,
        reference: area(event, event.address, event.size),
        to: &output
      )
      return
    }
    checkMemory(event, physical: event.address, size: event.size, names, to: &output)
  }

  /// The same for every page of a list. Lengths of entries are known only where nothing was merged.
  @inline(never)
  mutating func checkAreas(
    _ event: DMAEvent,
    _ batch: EventBatch,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    let isMerged = event.mappedEntries != event.requestedEntries
    for entry in 0..<Int(event.physicalCount) {
      checkMemory(
        event,
        physical: batch.physicalAddress(event, entry),
        size: isMerged || entry >= event.segmentCount ? 1 : batch.segmentLength(event, entry),
        names,
        to: &output
      )
    }
  }

  private mutating func checkMemory(
    _ event: DMAEvent,
    physical: UInt64,
    size: UInt64,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    guard let layout, let direct = layout.directMap else { return }
    let pointer = direct.lowerBound &+ physical
    if let stacks = layout.stacks, stacks.contains(pointer) {
      let reference = area(event, pointer, size)
      report(
        .mapsStack,
        event,
        device: event.device,
        names: names,
        reference: reference,
        to: &output
      )
    }
    let end = pointer &+ size
    for forbidden in [layout.text, layout.readOnlyData] {
      guard let forbidden, pointer < forbidden.upperBound, end > forbidden.lowerBound else {
        continue
      }
      let reference = area(event, pointer, size)
      report(
        .mapsKernelText,
        event,
        device: event.device,
        names: names,
        reference: reference,
        to: &output
      )
      return
    }
  }

  /// `debug_dma_map_single`: a probe there shows the CPU address that a driver maps.
  mutating func checkMapSingle(
    _ event: DMAEvent,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    guard let layout, let direct = layout.directMap else { return }
    let reference = area(event, event.address, event.size)
    let isImage = layout.text?.contains(event.address) == true
    if !direct.contains(event.address), !isImage {
      report(
        .mapsInvalidArea,
        event,
        device: event.device,
        names: names,
        reference: reference,
        to: &output
      )
    }
    if layout.vmalloc?.contains(event.address) == true {
      report(
        .mapsVmalloc,
        event,
        device: event.device,
        names: names,
        reference: reference,
        to: &output
      )
    }
  }

  /// A reference whose CPU address and size are what the message prints.
  private func area(_ event: DMAEvent, _ address: UInt64, _ size: UInt64) -> Reference {
    Reference(
      device: event.device,
      dmaAddress: event.dmaAddress,
      size: size,
      type: .single,
      direction: event.direction,
      cpuAddress: address
    )
  }
}
