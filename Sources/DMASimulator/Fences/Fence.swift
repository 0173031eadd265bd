// SPDX-License-Identifier: MIT
import DMADebugCore

/// A promise that a piece of work will end (`struct dma_fence`).
///
/// Fences of one context are signalled in the order of their seqnos. A fence lives until its last
/// reference is put.
public final class Fence {
  /// `dma_fence_ops.get_driver_name`, a number into the table of drivers.
  let driver: DriverID
  /// `dma_fence_ops.get_timeline_name`, a number into the table of timelines.
  let timeline: UInt32
  public let context: UInt64
  public let seqno: UInt64
  /// `dma_fence_ops.enable_signaling`; `false` when the work is done already. Without it the fence is
  /// signalled in any case.
  let enableSignaling: (() -> Bool)?
  /// Of a `dma_fence_array`: what it consists of.
  let parts: [Fence]

  public internal(set) var isSignaled = false
  /// 0, or a negative error of the work.
  public internal(set) var error = 0
  public internal(set) var references = 1
  var isSignalingEnabled = false
  /// Parts of an array that are not signalled yet.
  var pendingParts = 0
  /// Who wants to know (`dma_fence_cb`).
  var callbacks: [FenceCallback] = []

  init(
    driver: DriverID,
    timeline: UInt32,
    context: UInt64,
    seqno: UInt64,
    parts: [Fence] = [],
    enableSignaling: (() -> Bool)?
  ) {
    self.driver = driver
    self.timeline = timeline
    self.context = context
    self.seqno = seqno
    self.parts = parts
    self.enableSignaling = enableSignaling
    pendingParts = parts.count
  }

  /// `dma_fence_is_later_or_same()`; both are of one context.
  func isLaterOrSame(_ other: Fence) -> Bool { seqno >= other.seqno }
}

/// Somebody who is told when a fence is signalled.
public final class FenceCallback {
  let body: (Fence) -> Void
  /// How often it was told.
  public internal(set) var calls = 0

  public init(_ body: @escaping (Fence) -> Void = { _ in }) {
    self.body = body
  }
}

/// A context with its next seqno: the work of one engine, which ends in order.
public final class FenceTimeline {
  let driver: DriverID
  let name: UInt32
  public let context: UInt64
  public internal(set) var seqno: UInt64 = 0

  init(driver: DriverID, name: UInt32, context: UInt64) {
    self.driver = driver
    self.name = name
    self.context = context
  }
}
