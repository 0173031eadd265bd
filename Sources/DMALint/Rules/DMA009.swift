// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA009: KernelCheck {
  static let rule = Rule(
    "DMA009",
    "free-attributes",
    .error,
    .proved,
    "unmap with other attributes than mapped",
    kernelWords: "device driver frees DMA memory with different attributes [device address=%s] "
      + "[size=%llu bytes]",
    why: "Attributes change how a mapping is made, so freeing it without them undoes "
      + "something else.",
    fix: "Pass the same attrs to the free as to the allocation or the map.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=PRIVILEGED",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=PRIVILEGED",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=PRIVILEGED",
      ]
    )
  )

  static let kind = Report.Kind.freeDifferentAttributes
}
