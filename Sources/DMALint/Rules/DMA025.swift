// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA025: KernelCheck {
  static let rule = Rule(
    "DMA025",
    "map-vmalloc",
    .error,
    .proved,
    "mapping of vmalloc memory by its CPU address",
    kernelWords: "device driver maps memory from vmalloc area [addr=%p] [len=%lu]",
    why: "vmalloc memory is contiguous for the CPU only.",
    fix: "Map page by page (vmalloc_to_page) or use an sg list, or allocate with "
      + "kmalloc().",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.layout,
        "dma_map_single: (debug_dma_map_single+0x4/0x90) device=\"0000:00:03.0\" "
          + "addr=0xffa0000000001000 size=32",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000000 size=64 "
          + "phys_addr=2000000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000000 size=64 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.layout,
        "dma_map_single: (debug_dma_map_single+0x4/0x90) device=\"0000:00:03.0\" "
          + "addr=0xff11000002000000 size=32",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000000 size=64 "
          + "phys_addr=2000000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000000 size=64 attrs=",
      ]
    )
  )

  static let kind = Report.Kind.mapsVmalloc
}
