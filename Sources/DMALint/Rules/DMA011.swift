// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA011: KernelCheck {
  static let rule = Rule(
    "DMA011",
    "sync-outside-range",
    .error,
    .proved,
    "sync beyond the end of the mapping",
    kernelWords: "device driver syncs DMA memory outside allocated range [device address=%s] "
      + "[allocation size=%llu bytes] [sync offset+size=%llu]",
    why: "The sync goes beyond the end of the mapping and touches cachelines of a "
      + "neighbour.",
    fix: "Offset and size have to stay inside what was mapped.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256 "
          + "phys_addr=1000 attrs=",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1080 "
          + "size=18446744073709551600",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256 "
          + "phys_addr=1000 attrs=",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1080 size=128",
      ]
    )
  )

  static let kind = Report.Kind.syncOutsideRange
}
