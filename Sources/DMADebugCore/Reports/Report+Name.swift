// SPDX-License-Identifier: MIT

extension Report.Kind {
  /// A name that never changes: that of the rule of the linter, and what scenarios expect.
  public var name: String {
    switch self {
    case .freeInvalidAddress: "free-invalid-address"
    case .freeNotAllocated: "free-not-allocated"
    case .freeDifferentSize: "free-size"
    case .freeWrongFunction: "free-function"
    case .freeDifferentCPUAddress: "free-cpu-address"
    case .freeDifferentSGCount: "free-sg-count"
    case .freeDifferentDirection: "free-direction"
    case .mapErrorNotChecked: "map-error-unchecked"
    case .freeDifferentAttributes: "free-attributes"
    case .syncNotAllocated: "sync-not-allocated"
    case .syncOutsideRange: "sync-outside-range"
    case .syncDifferentDirection: "sync-direction"
    case .syncReadOnlyForCPU: "sync-read-only-for-cpu"
    case .syncWriteOnlyToDevice: "sync-write-only-to-device"
    case .syncDifferentSGCount: "sync-sg-count"
    case .overlappingCacheline: "cacheline-overlap"
    case .segmentTooLong: "sg-segment-length"
    case .segmentAcrossBoundary: "sg-segment-boundary"
    case .mapsStack: "map-stack"
    case .mapsKernelText: "map-kernel-text"
    case .mapsVmalloc: "map-vmalloc"
    case .mapsInvalidArea: "map-invalid-area"
    case .mapsRAMAsResource: "map-ram-as-resource"
    case .pendingAtUnbind: "leak-at-unbind"
    case .exceededOverlap: "cacheline-overflow"
    case .poolGrown: "pool-grown"
    case .outOfMemory: "debug-disabled"
    case .filterEnabled: "filter-enabled"
    case .filterDisabled: "filter-disabled"
    }
  }
}
