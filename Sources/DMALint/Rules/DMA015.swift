// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA015: KernelCheck {
  static let rule = Rule(
    "DMA015",
    "sync-sg-count",
    .error,
    .proved,
    "sync of a list with another entry count",
    kernelWords: "device driver syncs DMA sg list with different entry count [map count=%d] [sync "
      + "count=%d]",
    why: "A sync of a list wants the number of entries that was passed to dma_map_sg().",
    fix: "Pass the original nents.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_sg: 0000:00:03.0 dir=FROM_DEVICE nents=2/2 ents=2/2 "
          + "dma_addrs={0x1000,0x3000} sizes={0x100,0x100} phys_addrs={0x1000,0x3000} "
          + "attrs=",
        "dma_sync_sg_for_cpu: 0000:00:03.0 dir=FROM_DEVICE dma_addrs={0x1000} sizes={0x100}",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_sg: 0000:00:03.0 dir=FROM_DEVICE nents=2/2 ents=2/2 "
          + "dma_addrs={0x1000,0x3000} sizes={0x100,0x100} phys_addrs={0x1000,0x3000} "
          + "attrs=",
        "dma_sync_sg_for_cpu: 0000:00:03.0 dir=FROM_DEVICE dma_addrs={0x1000,0x3000} "
          + "sizes={0x100,0x100}",
      ]
    )
  )

  static let kind = Report.Kind.syncDifferentSGCount
}
