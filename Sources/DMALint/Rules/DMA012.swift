// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA012: KernelCheck {
  static let rule = Rule(
    "DMA012",
    "sync-direction",
    .error,
    .proved,
    "sync with another direction than mapped",
    kernelWords: "device driver syncs DMA memory with different direction [device address=%s] "
      + "[size=%llu bytes] [mapped with %s] [synced with %s]",
    why: "The sync has another direction than the mapping, so the caches are treated the "
      + "wrong way.",
    fix: "Use the direction of the map in each sync.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256 "
          + "phys_addr=1000 attrs=",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=256",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256 "
          + "phys_addr=1000 attrs=",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256",
      ]
    )
  )

  static let kind = Report.Kind.syncDifferentDirection
}
