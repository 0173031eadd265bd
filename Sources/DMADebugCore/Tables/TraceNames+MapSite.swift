// SPDX-License-Identifier: MIT

extension TraceNames {
  /// The function that called into the DMA-API: from the stack, else the caller of the map-error
  /// check, which drivers make right after the map.
  public func mapSite(of mapping: Mapping) -> String? {
    if let frame = callSite(stack: mapping.stack) { return frame }
    return mapping.site == NameTable.unknown ? nil : symbols.string(mapping.site)
  }
}
