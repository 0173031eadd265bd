// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA001: KernelCheck {
  static let rule = Rule(
    "DMA001",
    "free-invalid-address",
    .error,
    .proved,
    "unmap of an address that is an error",
    kernelWords: "device driver tries to free an invalid DMA memory address",
    why: "The driver unmaps the value that a failed map returned. There is nothing behind "
      + "it.",
    fix: "Ask dma_mapping_error() after each map, and unmap only what was mapped.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ffffffffffffffff size=256 attrs=",
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

  static let kind = Report.Kind.freeInvalidAddress
}
