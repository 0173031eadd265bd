// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA014: KernelCheck {
  static let rule = Rule(
    "DMA014",
    "sync-write-only-to-device",
    .error,
    .proved,
    "sync for the device of memory for the CPU",
    kernelWords: "device driver syncs device write-only DMA memory to device [device address=%s] "
      + "[size=%llu bytes] [mapped with %s] [synced with %s]",
    why: "Memory that is mapped for the device to write is synced for the device to read.",
    fix: "Sync for the device with the direction of the map; map DMA_BIDIRECTIONAL if it "
      + "reads.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256 "
          + "phys_addr=1000 attrs=",
        "dma_sync_single_for_device: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256 "
          + "phys_addr=1000 attrs=",
        "dma_sync_single_for_device: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256",
      ]
    )
  )

  static let kind = Report.Kind.syncWriteOnlyToDevice
}
