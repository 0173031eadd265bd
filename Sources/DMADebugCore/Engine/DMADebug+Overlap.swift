// SPDX-License-Identifier: MIT

extension DMADebug {
  /// The latest live mapping made before another one whose first cacheline is the same.
  ///
  /// The kernel names the mapping that came last; who looks for the mistake needs the one before.
  /// All live mappings are looked at.
  public func earlierMapping(onCachelineOf mapping: Mapping) -> Mapping? {
    guard mapping.flags.contains(.physicalKnown) else { return nil }
    let cacheline = CachelineTracker.number(mapping.physicalAddress)
    var best: Mapping?
    for slot in liveSlots() {
      let other = self.mapping(inSlot: slot)
      guard other.line < mapping.line, other.direction != .toDevice,
        other.flags.contains(.physicalKnown),
        CachelineTracker.number(other.physicalAddress) == cacheline
      else { continue }
      if let known = best, known.line >= other.line { continue }
      best = other
    }
    return best
  }
}
