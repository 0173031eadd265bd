// SPDX-License-Identifier: MIT

extension DMADebug {
  /// A hit of the probe on `debug_dma_mapping_error`.
  ///
  /// The kernel calls that function itself whenever it adds a mapping and when a free finds
  /// nothing. The engine has done then what the kernel does, so its own calls are only evidence.
  @inline(__always)
  mutating func mappingErrorHook(
    _ event: DMAEvent,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    hookSeen = true
    switch event.caller {
    case .mapping:
      hookShowsInternals = true
      witness(event)
    case .failedUnmap:
      hookShowsInternals = true
      failedUnmapProved(event, names, to: &output)
    case .driver:
      check(event)
    case .absent:
      // Without the caller, the first hit after a map, and after a free of something unknown, is
      // the kernel's own.
      if witness(event) {
        hookShowsInternals = true
      } else if waitingFrees.contains(where: {
        $0.event.device == event.device && $0.reference.dmaAddress == event.dmaAddress
      }) {
        failedUnmapProved(event, names, to: &output)
      } else {
        check(event)
      }
    }
  }

  /// `debug_dma_mapping_error` on behalf of a driver.
  @inline(__always)
  private mutating func check(_ event: DMAEvent) {
    guard let index = table.markChecked(event.device, event.dmaAddress) else { return }
    if event.site != NameTable.unknown { table[index].site = event.site }
  }

  /// The kernel's own hit after a map: from here on a missing check would show.
  ///
  /// - Returns: Whether the youngest mapping was waiting for it.
  @discardableResult
  private mutating func witness(_ event: DMAEvent) -> Bool {
    guard let index = table.last(event.device, event.dmaAddress),
      table[index].flags.contains(.ownHitPending)
    else { return event.dmaAddress == .max }
    table[index].flags.remove(.ownHitPending)
    table[index].flags.insert(.hookWitnessed)
    return true
  }
}
