// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA006: KernelCheck {
  static let rule = Rule(
    "DMA006",
    "free-sg-count",
    .error,
    .proved,
    "unmap of a list with another entry count",
    kernelWords: "device driver frees DMA sg list with different entry count [map count=%d] [unmap "
      + "count=%d]",
    why: "dma_unmap_sg() wants the number of entries that was passed to dma_map_sg(), not "
      + "the number it returned. With the smaller one part of the list stays mapped.",
    fix: "Pass the original nents; dma_map_sgtable() and dma_unmap_sgtable() keep it for "
      + "you.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=2/2 ents=2/2 "
          + "dma_addrs={0x1000,0x3000} sizes={0x100,0x100} phys_addrs={0x1000,0x3000} "
          + "attrs=",
        "dma_unmap_sg: 0000:00:03.0 dir=TO_DEVICE phys_addrs={0x1000} attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=2/2 ents=2/2 "
          + "dma_addrs={0x1000,0x3000} sizes={0x100,0x100} phys_addrs={0x1000,0x3000} "
          + "attrs=",
        "dma_unmap_sg: 0000:00:03.0 dir=TO_DEVICE phys_addrs={0x1000,0x3000} attrs=",
      ]
    )
  )

  static let kind = Report.Kind.freeDifferentSGCount
}
