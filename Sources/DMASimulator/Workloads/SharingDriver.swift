// SPDX-License-Identifier: MIT
import DMADebugCore

/// What drivers that share buffers have in common.
class SharingDriver: Driver {
  /// Nanoseconds that a process waits for a fence.
  static let patience: UInt64 = 1_000_000_000

  /// Puts a fence of a piece of work into a buffer.
  func add(_ fence: Fence, to buffer: SharedBuffer, _ usage: ReservationObject.Usage) {
    machine.dmaResvLock(buffer.reservation)
    machine.dmaResvReserveFences(buffer.reservation, 1)
    machine.dmaResvAddFence(buffer.reservation, fence, usage)
    machine.dmaResvUnlock(buffer.reservation)
  }

  /// The hardware begins with a piece of work; when it is done, `work` runs and its fence is
  /// signalled.
  func begin(
    _ timeline: FenceTimeline,
    on buffer: SharedBuffer,
    _ usage: ReservationObject.Usage,
    after delay: UInt64,
    site: Site,
    _ work: @escaping () -> Void
  ) {
    let fence = machine.nextFence(timeline)
    add(fence, to: buffer, usage)
    machine.dmaFenceEmit(fence)
    machine.raise(after: delay, cpu: cpu) { [unowned self] in
      machine.site = site
      work()
      machine.dmaFenceSignal(fence)
      machine.dmaFencePut(fence)
    }
  }

  /// Waits, as a process does before it reads, or writes.
  @discardableResult
  func wait(_ buffer: SharedBuffer, _ usage: ReservationObject.Usage) -> Bool {
    machine.dmaResvWaitTimeout(buffer.reservation, usage, timeout: Self.patience) > 0
  }

  /// Maps for a device of the pipeline.
  func mapAttachment(_ attachment: BufferAttachment, _ direction: Direction) -> ScatterList? {
    injector?.opportunity(attachment.device, 4096)
    return machine.dmaBufMapAttachmentUnlocked(attachment, direction).value
  }

  /// Lets a device take buffers that may be larger than 64 KiB in one piece.
  func allowLargeSegments(_ device: Device) {
    device.sharesBuffers = true
    if device.maximumSegmentSize < 0xffff_ffff { machine.dmaSetMaxSegSize(device, 0xffff_ffff) }
  }

  /// Nanoseconds of a share of the time between two operations, at most so many milliseconds.
  func share(_ divisor: UInt64, atMost milliseconds: UInt64) -> UInt64 {
    max(10_000, min(interval / divisor, milliseconds * 1_000_000))
  }
}
