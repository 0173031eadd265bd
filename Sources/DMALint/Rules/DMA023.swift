// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA023: KernelCheck {
  static let rule = Rule(
    "DMA023",
    "map-stack",
    .error,
    .proved,
    "mapping of memory on a stack",
    kernelWords: "device driver maps memory from stack [addr=%p]",
    why: "A buffer on the stack shares cachelines with whatever lies beside it, and with "
      + "vmapped stacks it has no single physical address.",
    fix: "Allocate the buffer with kmalloc().",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.layout,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1400040 size=64 "
          + "phys_addr=1400040 attrs=",
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

  static let kind = Report.Kind.mapsStack
}
