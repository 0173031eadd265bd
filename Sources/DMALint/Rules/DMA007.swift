// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA007: KernelCheck {
  static let rule = Rule(
    "DMA007",
    "free-direction",
    .error,
    .proved,
    "unmap with another direction than mapped",
    kernelWords: "device driver frees DMA memory with different direction [device address=%s] "
      + "[size=%llu bytes] [mapped with %s] [unmapped with %s]",
    why: "The direction decides which caches are cleaned or invalidated, and which way a "
      + "bounce buffer is copied. With another one at the unmap data is lost or stale.",
    fix: "Use one direction for the whole life of a mapping.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256 "
          + "phys_addr=1000 attrs=",
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

  static let kind = Report.Kind.freeDifferentDirection
}
