// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA018: KernelCheck {
  static let rule = Rule(
    "DMA018",
    "sg-segment-boundary",
    .error,
    .proved,
    "sg segment across a boundary",
    kernelWords: "mapping sg segment across boundary [start=0x%llx] [end=0x%llx] [boundary=0x%llx]",
    why: "A segment crosses a boundary that the device said it cannot cross "
      + "(dma_set_seg_boundary).",
    fix: "Set the boundary mask to what the hardware can do, or split the segment.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "tracing_mark_write: dma-api: device pci 0000:00:03.0 alpha boundary=0xffff",
        "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=1/1 ents=1/1 dma_addrs={0xf000} "
          + "sizes={0x2000} phys_addrs={0xf000} attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "tracing_mark_write: dma-api: device pci 0000:00:03.0 alpha boundary=0xffff",
        "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=1/1 ents=1/1 dma_addrs={0x10000} "
          + "sizes={0x2000} phys_addrs={0x10000} attrs=",
      ]
    )
  )

  static let kind = Report.Kind.segmentAcrossBoundary
}
