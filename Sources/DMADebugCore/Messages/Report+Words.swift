// SPDX-License-Identifier: MIT

/// The one table of dma-debug's words: printed by ``KernelMessage``, recognised by the reader of kernel
/// logs, and shown by the rules of the linter.
extension Report.Kind {
  /// What the kernel says, without prefix and names, up to the first value.
  public var words: StaticString {
    switch self {
    case .freeInvalidAddress: "device driver tries to free an invalid DMA memory address"
    case .freeNotAllocated: "device driver tries to free DMA memory it has not allocated"
    case .freeDifferentSize: "device driver frees DMA memory with different size"
    case .freeWrongFunction: "device driver frees DMA memory with wrong function"
    case .freeDifferentCPUAddress: "device driver frees DMA memory with different CPU address"
    case .freeDifferentSGCount: "device driver frees DMA sg list with different entry count"
    case .freeDifferentDirection: "device driver frees DMA memory with different direction"
    case .mapErrorNotChecked: "device driver failed to check map error"
    case .freeDifferentAttributes: "device driver frees DMA memory with different attributes"
    case .syncNotAllocated: "device driver tries to sync DMA memory it has not allocated"
    case .syncOutsideRange: "device driver syncs DMA memory outside allocated range"
    case .syncDifferentDirection: "device driver syncs DMA memory with different direction"
    case .syncReadOnlyForCPU: "device driver syncs device read-only DMA memory for cpu"
    case .syncWriteOnlyToDevice: "device driver syncs device write-only DMA memory to device"
    case .syncDifferentSGCount: "device driver syncs DMA sg list with different entry count"
    case .overlappingCacheline:
      "cacheline tracking EEXIST, overlapping mappings aren't supported"
    case .segmentTooLong: "mapping sg segment longer than device claims to support"
    case .segmentAcrossBoundary: "mapping sg segment across boundary"
    case .mapsStack: "device driver maps memory from stack"
    case .mapsKernelText: "device driver maps memory from kernel text or rodata"
    case .mapsVmalloc: "device driver maps memory from vmalloc area"
    case .mapsInvalidArea: "device driver maps memory from invalid area"
    case .mapsRAMAsResource: "dma_map_resource called for RAM address"
    case .pendingAtUnbind:
      "device driver has pending DMA allocations while released from device"
    case .exceededOverlap: "exceeded 7 overlapping mappings of cacheline "
    case .poolGrown: "dma_debug_entry pool grown to "
    case .outOfMemory: "debugging out of memory - disabling"
    case .filterEnabled: "enable driver filter for driver "
    case .filterDisabled: "switching off dma-debug driver filter"
    }
  }

  /// How lines begin that say it, in the words of every kernel from 3.x on.
  public var beginnings: [StaticString] {
    switch self {
    case .mapsStack: [words, "device driver maps memory fromstack"]
    case .overlappingCacheline: ["cacheline tracking EEXIST"]
    case .pendingAtUnbind: ["device driver has pending DMA allocations"]
    case .exceededOverlap: ["exceeded 7 overlapping mappings of "]
    default: [words]
    }
  }
}
