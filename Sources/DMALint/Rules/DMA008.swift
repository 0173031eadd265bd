// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA008: KernelCheck {
  static let rule = Rule(
    "DMA008",
    "map-error-unchecked",
    .error,
    .proved,
    "dma_mapping_error() was never asked",
    kernelWords: "device driver failed to check map error[device address=%s] [size=%llu bytes] "
      + "[mapped as %s]",
    why: "A map can fail: out of IOVA space, out of bounce buffers, out of the mask. A "
      + "driver that does not ask gives the device an address that is none.",
    fix: "Call dma_mapping_error() right after the map and handle it.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0) device=\"0000:00:03.0\" "
          + "dma_addr=0x1000 caller=debug_dma_map_phys+0x4f/0x2a0",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000 size=256 phys_addr=2000 "
          + "attrs=",
        "dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0) device=\"0000:00:03.0\" "
          + "dma_addr=0x2000 caller=debug_dma_map_phys+0x4f/0x2a0",
        "dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0) device=\"0000:00:03.0\" "
          + "dma_addr=0x2000 caller=alpha_xmit+0x40/0x120 [alpha]",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000 size=256 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0) device=\"0000:00:03.0\" "
          + "dma_addr=0x1000 caller=debug_dma_map_phys+0x4f/0x2a0",
        "dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0) device=\"0000:00:03.0\" "
          + "dma_addr=0x1000 caller=alpha_xmit+0x40/0x120 [alpha]",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    )
  )

  static let kind = Report.Kind.mapErrorNotChecked
}
