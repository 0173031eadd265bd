import DMADebugCore

extension Rule {
  /// What the mistake does, and what to do about it.
  public struct Explanation: Sendable, Equatable {
    public let why: String
    public let fix: String
  }

  /// The explanation of a message's rule.
  public static func explanation(_ kind: Report.Kind) -> Explanation? {
    switch kind {
    case .freeInvalidAddress:
      Explanation(
        why: "The driver unmaps the value that a failed map returned. There is nothing behind it.",
        fix: "Ask dma_mapping_error() after each map, and unmap only what was mapped."
      )
    case .freeNotAllocated:
      Explanation(
        why: "No mapping of this device begins at this address: it was unmapped before, never"
          + " mapped, or mapped for another device. With an IOMMU the range may belong to somebody"
          + " else by now.",
        fix: "Unmap exactly once, with the struct device and the dma_addr_t that the map used;"
          + " forget the address after unmapping."
      )
    case .freeDifferentSize:
      Explanation(
        why: "Fewer or more bytes are unmapped than were mapped. Bounce buffers are copied only in"
          + " part and IOVA space leaks or is taken from a neighbour.",
        fix: "Keep the size beside the dma_addr_t (dma_unmap_len_set) instead of computing it anew."
      )
    case .freeWrongFunction:
      Explanation(
        why: "What one family of calls mapped, another one frees: a page with an sg unmap, or a"
          + " coherent allocation with a streaming unmap.",
        fix: "Pair the calls: map_single/page/phys with unmap_single/page/phys, map_sg with"
          + " unmap_sg, alloc_coherent with free_coherent."
      )
    case .freeDifferentCPUAddress:
      Explanation(
        why: "The CPU pointer given to the free is not the one that the allocation returned. The"
          + " pages of somebody else are given back.",
        fix: "Keep pointer and dma_addr_t of an allocation together."
      )
    case .freeDifferentSGCount:
      Explanation(
        why: "dma_unmap_sg() wants the number of entries that was passed to dma_map_sg(), not the"
          + " number it returned. With the smaller one part of the list stays mapped.",
        fix: "Pass the original nents; dma_map_sgtable() and dma_unmap_sgtable() keep it for you."
      )
    case .freeDifferentDirection:
      Explanation(
        why: "The direction decides which caches are cleaned or invalidated, and which way a bounce"
          + " buffer is copied. With another one at the unmap data is lost or stale.",
        fix: "Use one direction for the whole life of a mapping."
      )
    case .mapErrorNotChecked:
      Explanation(
        why: "A map can fail: out of IOVA space, out of bounce buffers, out of the mask. A driver"
          + " that does not ask gives the device an address that is none.",
        fix: "Call dma_mapping_error() right after the map and handle it."
      )
    case .freeDifferentAttributes:
      Explanation(
        why: "Attributes change how a mapping is made, so freeing it without them undoes"
          + " something else.",
        fix: "Pass the same attrs to the free as to the allocation or the map."
      )
    case .syncNotAllocated:
      Explanation(
        why: "The sync names an address that is not mapped for this device: it comes after the"
          + " unmap, or with the address of something else. It does nothing for the data.",
        fix: "Sync between map and unmap, with the same device."
      )
    case .syncOutsideRange:
      Explanation(
        why: "The sync goes beyond the end of the mapping and touches cachelines of a neighbour.",
        fix: "Offset and size have to stay inside what was mapped."
      )
    case .syncDifferentDirection:
      Explanation(
        why: "The sync has another direction than the mapping, so the caches are treated the wrong"
          + " way.",
        fix: "Use the direction of the map in each sync."
      )
    case .syncReadOnlyForCPU:
      Explanation(
        why: "Memory that is mapped for the device to read is synced for the CPU to read: nothing"
          + " new can be there.",
        fix: "Leave the sync out, or map DMA_BIDIRECTIONAL or DMA_FROM_DEVICE if the device writes."
      )
    case .syncWriteOnlyToDevice:
      Explanation(
        why: "Memory that is mapped for the device to write is synced for the device to read.",
        fix: "Sync for the device with the direction of the map; map DMA_BIDIRECTIONAL if it reads."
      )
    case .syncDifferentSGCount:
      Explanation(
        why: "A sync of a list wants the number of entries that was passed to dma_map_sg().",
        fix: "Pass the original nents."
      )
    case .overlappingCacheline:
      Explanation(
        why: "Two mappings share a cacheline and a device writes to one of them. Where caches are"
          + " not coherent, one owner's write destroys the other's data.",
        fix: "Align buffers to ARCH_DMA_MINALIGN and do not map a buffer twice; say"
          + " DMA_ATTR_SKIP_CPU_SYNC where the overlap is meant."
      )
    case .segmentTooLong:
      Explanation(
        why: "A segment is longer than the device said it takes (dma_set_max_seg_size); without"
          + " saying, 64 KiB is assumed.",
        fix: "Set max_seg_size to what the hardware can do, or build shorter segments."
      )
    case .segmentAcrossBoundary:
      Explanation(
        why: "A segment crosses a boundary that the device said it cannot cross"
          + " (dma_set_seg_boundary).",
        fix: "Set the boundary mask to what the hardware can do, or split the segment."
      )
    case .pendingAtUnbind:
      Explanation(
        why: "The driver left its device with mappings still alive. The device may go on writing to"
          + " memory that is somebody else's by now.",
        fix: "Unmap and free everything on the remove path and on each error path of probe, or let"
          + " devres do it (dmam_*)."
      )
    case .mapsStack:
      Explanation(
        why: "A buffer on the stack shares cachelines with whatever lies beside it, and with"
          + " vmapped stacks it has no single physical address.",
        fix: "Allocate the buffer with kmalloc()."
      )
    case .mapsKernelText:
      Explanation(
        why: "Kernel text and read-only data are no memory for devices.",
        fix: "Copy the data into memory from kmalloc()."
      )
    case .mapsVmalloc:
      Explanation(
        why: "vmalloc memory is contiguous for the CPU only.",
        fix: "Map page by page (vmalloc_to_page) or use an sg list, or allocate with kmalloc()."
      )
    case .mapsInvalidArea:
      Explanation(
        why: "The address is not one of the kernel's direct map: a pointer that was freed, never"
          + " set, or belongs to user space.",
        fix: "Map what an allocator returned."
      )
    case .mapsRAMAsResource:
      Explanation(
        why: "dma_map_resource() is for registers of other devices; it does nothing for caches.",
        fix: "Map RAM with dma_map_page() or dma_map_single()."
      )
    case .exceededOverlap:
      Explanation(
        why: "dma-debug counts at most 7 mappings of a cacheline; overlaps beyond go unseen.",
        fix: "Look at who maps the same buffer again and again."
      )
    case .poolGrown:
      Explanation(
        why: "More mappings were alive than dma-debug had entries for; it took more.",
        fix: "Boot with a larger dma_debug_entries=, or look for what piles up."
      )
    case .outOfMemory:
      Explanation(
        why: "dma-debug found no memory for another entry and turned itself off: what came later"
          + " was not checked.",
        fix: "Boot with a larger dma_debug_entries=, or look for what piles up."
      )
    case .filterEnabled, .filterDisabled: nil
    }
  }
}
