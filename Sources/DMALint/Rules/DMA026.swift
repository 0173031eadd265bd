// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA026: KernelCheck {
  static let rule = Rule(
    "DMA026",
    "map-invalid-area",
    .error,
    .proved,
    "mapping of an address that is no memory",
    kernelWords: "device driver maps memory from invalid area [addr=%p] [len=%lu]",
    why: "The address is not one of the kernel's direct map: a pointer that was freed, "
      + "never set, or belongs to user space.",
    fix: "Map what an allocator returned.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.layout,
        "dma_map_single: (debug_dma_map_single+0x4/0x90) device=\"0000:00:03.0\" "
          + "addr=0xffd4000000000000 size=32",
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

  static let kind = Report.Kind.mapsInvalidArea
}
