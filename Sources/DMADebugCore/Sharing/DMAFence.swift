// SPDX-License-Identifier: MIT

/// A fence: what somebody has to wait for (`struct dma_fence`).
public struct DMAFence: Sendable {
  public typealias Key = FenceKey

  public let key: Key
  /// A number into ``TraceNames/drivers``.
  public internal(set) var driver: DriverID
  /// A number into ``TraceNames/timelines``.
  public internal(set) var timeline: UInt32
  /// The first event of it.
  public internal(set) var first: DMAEvent
  /// Position in the order of first appearance.
  let order: UInt64
  /// The first event is its beginning.
  public internal(set) var isKnown: Bool
  public internal(set) var isSignaled = false
  /// Somebody waits for it, waited for it or has its signal enabled: it must be signaled, while one
  /// that nobody asks may be destroyed or passed over as it is.
  public internal(set) var isWanted = false
  /// Buffers that it guards.
  var buffers: UInt32 = 0
  /// Those who wait now.
  public internal(set) var waiters: [DMAEvent] = []
}

/// The fences of one context: they signal in order.
public struct FenceTimeline: Sendable {
  public let context: UInt64
  public internal(set) var driver = DriverID.unknown
  /// A number into ``TraceNames/timelines``.
  public internal(set) var name = NameTable.unknown
  public internal(set) var emitted: UInt64 = 0
  public internal(set) var signaled: UInt64 = 0
  public internal(set) var lastSignaled: UInt64?
  /// The thread that signaled all of them so far; `nil` when several did, or an interrupt.
  public internal(set) var signaler: Int32?
  var hasSeveralSignalers = false
  /// When the last one was signaled.
  var lastSignalTime: UInt64 = 0
  /// A number up to which fences were signaled some time ago, and one that became so lately.
  var settled: UInt64?
  var settling: (sequence: UInt64, time: UInt64)?

  /// Within this, in nanoseconds, one pass over a timeline may signal its fences in any order.
  private static let passTime: UInt64 = 10_000_000

  mutating func noteSignal(_ sequence: UInt64, at time: UInt64) {
    settle(at: time)
    if settling == nil { settling = (lastSignaled ?? sequence, time) }
  }

  /// Moves ``settled`` up to what was signaled long enough ago.
  mutating func settle(at time: UInt64) {
    guard let settling, time &- settling.time >= Self.passTime, time > settling.time else { return }
    settled = max(settled ?? 0, settling.sequence)
    self.settling = nil
  }
}
