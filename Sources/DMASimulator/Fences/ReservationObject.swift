// SPDX-License-Identifier: MIT

/// The fences of a buffer (`struct dma_resv`): who uses it for what until when.
public final class ReservationObject {
  /// What a fence's work does with the buffer (`enum dma_resv_usage`). Waiting for one usage waits
  /// for those before it too.
  public enum Usage: UInt32, Sendable, CaseIterable, Comparable {
    /// The kernel's own, such as moving or clearing: everybody waits.
    case kernel = 0
    /// Exclusive: implicit synchronisation waits for it before it reads.
    case write = 1
    /// Shared: implicit synchronisation waits for it before it writes.
    case read = 2
    /// No implicit synchronisation; only moving and freeing wait.
    case bookkeep = 3

    public static func < (left: Usage, right: Usage) -> Bool { left.rawValue < right.rawValue }

    /// `dma_resv_usage_rw()`: what a writer or a reader has to wait for.
    public init(isWriter: Bool) { self = isWriter ? .read : .write }
  }

  public internal(set) var fences: [(fence: Fence, usage: Usage)] = []
  /// Places for fences that were reserved.
  var places = 0
  /// Who holds the lock: a ticket, 0 for somebody without one; `nil` for nobody.
  public internal(set) var holder: UInt64?
  /// The inode of the buffer that it belongs to; 0 for none.
  var inode: UInt64 = 0

  public init() {}
}
