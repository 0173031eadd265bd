// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA003: KernelCheck {
  static let rule = Rule(
    "DMA003",
    "free-size",
    .error,
    .proved,
    "unmap with another size than mapped",
    kernelWords: "device driver frees DMA memory with different size [device address=%s] [map "
      + "size=%llu bytes] [unmap size=%llu bytes]",
    why: "Fewer or more bytes are unmapped than were mapped. Bounce buffers are copied "
      + "only in part and IOVA space leaks or is taken from a neighbour.",
    fix: "Keep the size beside the dma_addr_t (dma_unmap_len_set) instead of computing it "
      + "anew.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=255 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    )
  )

  static let kind = Report.Kind.freeDifferentSize
}
