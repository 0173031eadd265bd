// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA017: KernelCheck {
  static let rule = Rule(
    "DMA017",
    "sg-segment-length",
    .error,
    .proved,
    "sg segment longer than the device takes",
    kernelWords: "mapping sg segment longer than device claims to support [len=%u] [max=%u]",
    why: "A segment is longer than the device said it takes (dma_set_max_seg_size); "
      + "without saying, 64 KiB is assumed.",
    fix: "Set max_seg_size to what the hardware can do, or build shorter segments.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "tracing_mark_write: dma-api: device pci 0000:00:03.0 alpha max_seg=4096",
        "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=1/1 ents=1/1 dma_addrs={0x2000} "
          + "sizes={0x2000} phys_addrs={0x2000} attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "tracing_mark_write: dma-api: device pci 0000:00:03.0 alpha max_seg=4096",
        "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=1/1 ents=1/1 dma_addrs={0x2000} "
          + "sizes={0x1000} phys_addrs={0x2000} attrs=",
      ]
    )
  )

  static let kind = Report.Kind.segmentTooLong
}
