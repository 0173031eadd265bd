// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA024: KernelCheck {
  static let rule = Rule(
    "DMA024",
    "map-kernel-text",
    .error,
    .proved,
    "mapping of kernel text or read-only data",
    kernelWords: "device driver maps memory from kernel text or rodata [addr=%p] [len=%lu]",
    why: "Kernel text and read-only data are no memory for devices.",
    fix: "Copy the data into memory from kmalloc().",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.layout,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1200000 size=64 "
          + "phys_addr=1200000 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.layout,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000000 size=64 "
          + "phys_addr=2000000 attrs=",
      ]
    )
  )

  static let kind = Report.Kind.mapsKernelText
}
