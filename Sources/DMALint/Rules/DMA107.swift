// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA107: Check {
  static let rule = Rule(
    "DMA107",
    "missing-sync",
    .warning,
    .strong,
    "buffer given back to the device without sync",
    kernelWords: nil,
    why: "A bidirectional buffer was synced for the CPU twice, and never for the device in "
      + "between: the device went on with it while the CPU owned it. Where caches are not "
      + "coherent, it read and wrote behind them.",
    fix: "Call dma_sync_*_for_device() before the device may use the buffer again.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=256 "
          + "phys_addr=1000 attrs=",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=256",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=256",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=256 "
          + "phys_addr=1000 attrs=",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=256",
        "dma_sync_single_for_device: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=256",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=256",
      ]
    )
  )

  mutating func synced(_ sync: ObservedSync?, _ context: inout LintContext) {
    guard let sync, context.event.kind == .syncSingleForCPU, sync.owner == .cpu,
      sync.mapping.direction == .bidirectional
    else { return }
    context.report(
      Self.rule,
      "synced for the CPU again without a sync for the device in between",
      mapping: sync.mapping
    )
  }
}
