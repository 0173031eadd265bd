// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA027: KernelCheck {
  static let rule = Rule(
    "DMA027",
    "map-ram-as-resource",
    .error,
    .proved,
    "RAM mapped with dma_map_resource()",
    kernelWords: "dma_map_resource called for RAM address %pa",
    why: "dma_map_resource() is for registers of other devices; it does nothing for "
      + "caches.",
    fix: "Map RAM with dma_map_page() or dma_map_single().",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.layout,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=100000000 size=64 "
          + "phys_addr=100000000 attrs=MMIO",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.layout,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=fe000000 size=64 "
          + "phys_addr=fe000000 attrs=MMIO",
      ]
    )
  )

  static let kind = Report.Kind.mapsRAMAsResource
}
