import DMADebugCore

extension Rule {
  /// Every rule, by id. Ids and names are for ever: a rule that goes away stays reserved.
  public static let all: [Rule] = [
    .freeInvalidAddress,
    .freeNotAllocated,
    .freeDifferentSize,
    .freeWrongFunction,
    .freeDifferentCPUAddress,
    .freeDifferentSGCount,
    .freeDifferentDirection,
    .mapErrorNotChecked,
    .freeDifferentAttributes,
    .syncNotAllocated,
    .syncOutsideRange,
    .syncDifferentDirection,
    .syncReadOnlyForCPU,
    .syncWriteOnlyToDevice,
    .syncDifferentSGCount,
    .overlappingCacheline,
    .segmentTooLong,
    .segmentAcrossBoundary,
    .pendingAtUnbind,
    .exceededOverlap,
    .poolGrown,
    .outOfMemory,
    .mapsStack,
    .mapsKernelText,
    .mapsVmalloc,
    .mapsInvalidArea,
    .mapsRAMAsResource,
    .cpuTouchesMapped,
    .leakGrowth,
    .heldLong,
    .syncOtherDevice,
    .rangeOverlap,
    .unalignedFromDevice,
    .unmapAttributes,
    .missingSync,
    .uselessSync,
    .mapChurn,
    .coherentChurn,
    .bounce64Bit,
    .beyondMask,
    .unmapOtherDevice,
    .sgMappedTwice,
    .failedMapUsed,
    .mapErrorIgnored,
    .iommuFault,
    .swiotlbFull,
    .liveUnchecked,
    .leakedAttachment,
    .unboundWhileAttached,
    .detachWhileMapped,
    .unmapWithoutMap,
    .unbalancedKernelMapping,
    .unbalancedAccess,
    .accessOutsideWindow,
    .accessWithoutFence,
    .useAfterPut,
    .neverSignaled,
    .deadlock,
    .bufferGrowth,
    .iovaLeftLinked,
    .iovaNotSynced,
    .iovaOutside,
    .releaseInFlight,
    .unmapInFlight,
    .staleMapping,
    .detachWhilePinned,
    .lostBuffer,
    .leakedRange,
    .neverIssued,
    .lostEvents,
    .overwritten,
    .noDMAEvents,
    .malformed,
    .cutOff,
    .unusedSuppression,
    .expiredSuppression,
    .staleBaseline,
  ]

  /// The rule for a message of the kernel; `nil` for lines that are no finding.
  public init?(_ kind: Report.Kind) {
    switch kind {
    case .freeInvalidAddress: self = .freeInvalidAddress
    case .freeNotAllocated: self = .freeNotAllocated
    case .freeDifferentSize: self = .freeDifferentSize
    case .freeWrongFunction: self = .freeWrongFunction
    case .freeDifferentCPUAddress: self = .freeDifferentCPUAddress
    case .freeDifferentSGCount: self = .freeDifferentSGCount
    case .freeDifferentDirection: self = .freeDifferentDirection
    case .mapErrorNotChecked: self = .mapErrorNotChecked
    case .freeDifferentAttributes: self = .freeDifferentAttributes
    case .syncNotAllocated: self = .syncNotAllocated
    case .syncOutsideRange: self = .syncOutsideRange
    case .syncDifferentDirection: self = .syncDifferentDirection
    case .syncReadOnlyForCPU: self = .syncReadOnlyForCPU
    case .syncWriteOnlyToDevice: self = .syncWriteOnlyToDevice
    case .syncDifferentSGCount: self = .syncDifferentSGCount
    case .overlappingCacheline: self = .overlappingCacheline
    case .segmentTooLong: self = .segmentTooLong
    case .segmentAcrossBoundary: self = .segmentAcrossBoundary
    case .pendingAtUnbind: self = .pendingAtUnbind
    case .exceededOverlap: self = .exceededOverlap
    case .poolGrown: self = .poolGrown
    case .outOfMemory: self = .outOfMemory
    case .mapsStack: self = .mapsStack
    case .mapsKernelText: self = .mapsKernelText
    case .mapsVmalloc: self = .mapsVmalloc
    case .mapsInvalidArea: self = .mapsInvalidArea
    case .mapsRAMAsResource: self = .mapsRAMAsResource
    case .filterEnabled, .filterDisabled: return nil
    }
  }
}
