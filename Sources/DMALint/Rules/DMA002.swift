// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA002: KernelCheck {
  static let rule = Rule(
    "DMA002",
    "free-not-allocated",
    .error,
    .proved,
    "unmap of something that is not mapped",
    kernelWords: "device driver tries to free DMA memory it has not allocated [device address=%s] "
      + "[size=%llu bytes]",
    why: "No mapping of this device begins at this address: it was unmapped before, never "
      + "mapped, or mapped for another device. With an IOMMU the range may belong to "
      + "somebody else by now.",
    fix: "Unmap exactly once, with the struct device and the dma_addr_t that the map used; "
      + "forget the address after unmapping.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
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

  static let kind = Report.Kind.freeNotAllocated
}
