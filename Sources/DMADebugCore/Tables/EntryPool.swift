// SPDX-License-Identifier: MIT

/// The counters of the kernel's pool of entries.
///
/// The entries themselves are in ``MappingTable``; which one the kernel would have taken from its
/// free list is visible nowhere, how many it had left is.
struct EntryPool: Sendable {
  /// Entries in a page, the step in which the pool grows (`DMA_DEBUG_DYNAMIC_ENTRIES`).
  static let step: UInt32 = 32

  /// What taking an entry meant for the pool.
  enum Outcome {
    case taken
    /// The pool was empty and grew; `message` when the kernel logs that.
    case grown(total: UInt32, message: Bool)
    /// The pool was empty and could not grow.
    case outOfMemory
  }

  let requested: UInt32
  private let maximum: UInt32
  private(set) var total: UInt32
  private(set) var free: UInt32
  private(set) var minimumFree: UInt32

  init(requested: UInt32, maximum: UInt32) {
    let requested = min(max(requested, 1), 1 << 31)
    self.requested = requested
    self.maximum = maximum
    total = (requested + Self.step - 1) / Self.step * Self.step
    free = total
    minimumFree = total
  }

  @inline(__always)
  mutating func take() -> Outcome {
    var outcome = Outcome.taken
    if free == 0 {
      guard total <= UInt32.max - Self.step, total + Self.step <= maximum else {
        return .outOfMemory
      }
      free = Self.step
      total += Self.step
      outcome = .grown(total: total, message: total % requested < Self.step)
    }
    free -= 1
    minimumFree = min(minimumFree, free)
    return outcome
  }

  mutating func give() {
    free += 1
  }
}
