// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA004: KernelCheck {
  static let rule = Rule(
    "DMA004",
    "free-function",
    .error,
    .proved,
    "unmap with the wrong function",
    kernelWords: "device driver frees DMA memory with wrong function [device address=%s] "
      + "[size=%llu bytes] [mapped as %s] [unmapped as %s]",
    why: "What one family of calls mapped, another one frees: a page with an sg unmap, or "
      + "a coherent allocation with a streaming unmap.",
    fix: "Pair the calls: map_single/page/phys with unmap_single/page/phys, map_sg with "
      + "unmap_sg, alloc_coherent with free_coherent.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=1/1 ents=1/1 dma_addrs={0x1000} "
          + "sizes={0x100} phys_addrs={0x1000} attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=1/1 ents=1/1 dma_addrs={0x1000} "
          + "sizes={0x100} phys_addrs={0x1000} attrs=",
        "dma_unmap_sg: 0000:00:03.0 dir=TO_DEVICE phys_addrs={0x1000} attrs=",
      ]
    )
  )

  static let kind = Report.Kind.freeWrongFunction
}
