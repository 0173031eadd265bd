// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA005: KernelCheck {
  static let rule = Rule(
    "DMA005",
    "free-cpu-address",
    .error,
    .proved,
    "free with another CPU address than allocated",
    kernelWords: "device driver frees DMA memory with different CPU address [device address=%s] "
      + "[size=%llu bytes] [cpu alloc address=%s] [cpu free address=%s]",
    why: "The CPU pointer given to the free is not the one that the allocation returned. "
      + "The pages of somebody else are given back.",
    fix: "Keep pointer and dma_addr_t of an allocation together.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_alloc: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=4096 "
          + "virt_addr=ffff888000001000 flags=GFP_KERNEL attrs=",
        "dma_free: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=4096 "
          + "virt_addr=ffff888000003000 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_alloc: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=4096 "
          + "virt_addr=ffff888000001000 flags=GFP_KERNEL attrs=",
        "dma_free: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=4096 "
          + "virt_addr=ffff888000001000 attrs=",
      ]
    )
  )

  static let kind = Report.Kind.freeDifferentCPUAddress
}
