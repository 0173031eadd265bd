// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA010: KernelCheck {
  static let rule = Rule(
    "DMA010",
    "sync-not-allocated",
    .error,
    .proved,
    "sync of something that is not mapped",
    kernelWords: "device driver tries to sync DMA memory it has not allocated [device address=%s] "
      + "[size=%llu bytes]",
    why: "The sync names an address that is not mapped for this device: it comes after the "
      + "unmap, or with the address of something else. It does nothing for the data.",
    fix: "Sync between map and unmap, with the same device.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256 "
          + "phys_addr=1000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256 attrs=",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256 "
          + "phys_addr=1000 attrs=",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256",
        "dma_unmap_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    )
  )

  static let kind = Report.Kind.syncNotAllocated
}
