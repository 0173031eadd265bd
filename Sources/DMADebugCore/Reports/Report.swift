// SPDX-License-Identifier: MIT

/// Something that dma-debug says, or would have to say if the trace showed enough.
public struct Report: Sendable {
  /// What it says; the cases follow the checks of the kernel.
  public enum Kind: UInt8, Sendable, CaseIterable {
    // check_unmap
    case freeInvalidAddress
    case freeNotAllocated
    case freeDifferentSize
    case freeWrongFunction
    case freeDifferentCPUAddress
    case freeDifferentSGCount
    case freeDifferentDirection
    case mapErrorNotChecked
    case freeDifferentAttributes
    // check_sync
    case syncNotAllocated
    case syncOutsideRange
    case syncDifferentDirection
    case syncReadOnlyForCPU
    case syncWriteOnlyToDevice
    case syncDifferentSGCount
    // Adding
    case overlappingCacheline
    case segmentTooLong
    case segmentAcrossBoundary
    case mapsStack
    case mapsKernelText
    case mapsVmalloc
    case mapsInvalidArea
    case mapsRAMAsResource
    // dma_debug_device_change
    case pendingAtUnbind
    // Lines of the log that are no error of a driver.
    case exceededOverlap
    case poolGrown
    case outOfMemory
    case filterEnabled
    case filterDisabled

    /// Whether `error_count` counts it (`err_printk`).
    public var isError: Bool { rawValue <= Self.pendingAtUnbind.rawValue }
  }

  public var kind: Kind
  /// Whether the kernel log shows it: gates of `all_errors`, `num_errors` and the driver filter.
  public var isPrinted = false
  public var device = DeviceID.unknown
  /// The name before the device: its bound driver, or the bus when none is bound.
  public var driver = DriverID.unknown
  /// The event in which it happened.
  public var event: DMAEvent
  /// How many events had been applied before that one.
  public var eventNumber: UInt64 = 0
  /// What the driver asked for.
  public var reference: Reference?
  /// The entry that the message is about, as it was then.
  public var mapping: Mapping?
  /// Physical address of that entry, and of the memory passed to a free.
  public var mappedPhysical: UInt64?
  public var freedPhysical: UInt64?
  /// Leaked entries, the number of a cacheline, entries of the grown pool, a limit.
  public var value: UInt64 = 0
  /// What the value is measured against: the entries asked for at boot, for a grown pool.
  public var base: UInt64 = 0
  /// The name that the filter got.
  public var text: [UInt8] = []

  init(_ kind: Kind, event: DMAEvent) {
    self.kind = kind
    self.event = event
  }
}

/// What the stream of events could not decide, counted by reason.
public struct Undecided: Sendable, Equatable {
  /// Frees of something that was mapped before the trace began.
  public var unknownFrees: UInt64 = 0
  /// Unmaps of scatterlists that the trace never saw mapped.
  public var unknownLists: UInt64 = 0
  /// Syncs of something that was mapped before the trace began.
  public var unknownSyncs: UInt64 = 0
  /// Frees of unchecked mappings where a check would not have shown.
  public var unseenChecks: UInt64 = 0
  /// Mistakes that may be effects of lost events.
  public var afterLoss: UInt64 = 0

  public init() {}

  /// Why something stays undecided; the raw value is its name in machine output.
  public enum Reason: String, Sendable, CaseIterable {
    case unknownFrees = "unknown_frees"
    case unknownLists = "unknown_lists"
    case unknownSyncs = "unknown_syncs"
    case unseenChecks = "unseen_checks"
    case afterLoss = "after_loss"
  }

  /// How often a reason applied.
  public subscript(_ reason: Reason) -> UInt64 {
    switch reason {
    case .unknownFrees: unknownFrees
    case .unknownLists: unknownLists
    case .unknownSyncs: unknownSyncs
    case .unseenChecks: unseenChecks
    case .afterLoss: afterLoss
    }
  }

  /// The sum of all reasons.
  public var total: UInt64 { Reason.allCases.reduce(0) { $0 + self[$1] } }
}
