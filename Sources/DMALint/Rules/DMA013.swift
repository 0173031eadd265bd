// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA013: KernelCheck {
  static let rule = Rule(
    "DMA013",
    "sync-read-only-for-cpu",
    .error,
    .proved,
    "sync for the CPU of memory for the device",
    kernelWords: "device driver syncs device read-only DMA memory for cpu [device address=%s] "
      + "[size=%llu bytes] [mapped with %s] [synced with %s]",
    why: "Memory that is mapped for the device to read is synced for the CPU to read: "
      + "nothing new can be there.",
    fix: "Leave the sync out, or map DMA_BIDIRECTIONAL or DMA_FROM_DEVICE if the device "
      + "writes.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_sync_single_for_device: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256",
      ]
    )
  )

  static let kind = Report.Kind.syncReadOnlyForCPU
}
