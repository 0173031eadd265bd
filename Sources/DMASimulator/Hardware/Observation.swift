// SPDX-License-Identifier: MIT

/// What the machine itself notices: the effect of a mistake, where dma-debug may see none.
public struct Observation: Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The CPU read bytes that were there before the device's.
    case staleCPURead = "stale-cpu-read"
    /// The device read bytes that were there before the CPU's.
    case staleDeviceRead = "stale-device-read"
    /// Somebody read bytes that belong to somebody else.
    case foreignBytes = "foreign-bytes"
    /// The IOMMU stopped an access.
    case iommuFault = "iommu-fault"
    /// The device accessed an address behind which there is nothing.
    case busError = "bus-error"
    /// The device accessed memory that is private to a confidential VM.
    case privateMemory = "private-memory"
    /// Addresses of a mapping do not fit the device's mask.
    case addressOverflow = "address-overflow"
    /// The bounce buffer is full.
    case swiotlbFull = "swiotlb-full"
    /// There are no more IO virtual addresses.
    case iovaExhausted = "iova-exhausted"
    /// `dma_map_single()` refused memory of vmalloc.
    case vmallocRejected = "vmalloc-rejected"
    /// `dma_map_resource()` refused RAM.
    case resourceRejected = "resource-rejected"
    /// `dma_set_mask()` refused.
    case maskRejected = "mask-rejected"
    /// `dma_pool_destroy()` with blocks in use.
    case poolBusy = "pool-busy"
    /// `dma_pool_free()` of a free block.
    case poolDoubleFree = "pool-double-free"
    /// A free block of a pool was written to.
    case poolCorrupted = "pool-corrupted"
    /// Memory could not be allocated.
    case allocationFailed = "allocation-failed"
    /// IO virtual addresses are still allocated after the last driver has left.
    case leakedIOVA = "leaked-iova"
    /// Slots of the bounce buffer are still in use after the last driver has left.
    case leakedSlots = "leaked-swiotlb-slots"
    /// Shared buffers are still there after the last driver has left.
    case leakedBuffer = "leaked-dma-buf"
    /// The kernel warned (`WARN_ON`, `BUG_ON`, lockdep).
    case kernelWarning = "kernel-warning"
    /// A wait for a fence ran out of time.
    case fenceTimeout = "fence-timeout"
    /// A task waited for what never comes.
    case hungTask = "hung-task"
    /// A task locked what it held already.
    case lockDeadlock = "lock-deadlock"
    /// `dma_release_channel()` with transfers in flight.
    case channelBusy = "channel-busy"

    /// Whether something has run out, as it does in the end when it leaks.
    var isExhaustion: Bool {
      self == .swiotlbFull || self == .iovaExhausted || self == .allocationFailed
    }

    /// Whether something was left behind when the last driver left.
    var isLeak: Bool { self == .leakedIOVA || self == .leakedSlots || self == .leakedBuffer }
  }

  public var kind: Kind
  /// Nanoseconds of simulated time.
  public var time: UInt64
  /// The device that it is about; `nil` for the machine.
  public var device: String?
  /// A DMA or physical address.
  public var address: UInt64
  /// Number of the injected fault that caused it; `nil` when none is known to.
  public var fault: Int?
}
