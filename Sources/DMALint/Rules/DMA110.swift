// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA110: Check {
  static let rule = Rule(
    "DMA110",
    "coherent-churn",
    .note,
    .hint,
    "coherent memory allocated in a hot path",
    kernelWords: nil,
    why: "Coherent memory came and went hundreds of times. dma_alloc_coherent() is slow: "
      + "it may sleep, split huge mappings and flush the IOTLB.",
    fix: "Allocate at probe, or use a dma_pool.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_alloc: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=4096 "
          + "virt_addr=ffff888000001000 flags=GFP_KERNEL attrs=",
        "dma_free: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=4096 "
          + "virt_addr=ffff888000001000 attrs=",
      ],
      count: 300
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_alloc: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=4096 "
          + "virt_addr=ffff888000001000 flags=GFP_KERNEL attrs=",
        "dma_free: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1000 size=4096 "
          + "virt_addr=ffff888000001000 attrs=",
      ],
      count: 20
    )
  )

  private struct Counts {
    var allocations: UInt64 = 0
    var frees: UInt64 = 0
    var first = FirstEvents.none
  }

  /// So many pairs of both.
  private static let minimum: UInt64 = 256

  private var devices = PerDevice(Counts())
  private var firsts = FirstEvents()

  mutating func mapped(_ change: MappingChange, _ context: inout LintContext) {
    guard !change.isStreaming, !change.isAdopted else { return }
    devices[change.device].allocations += 1
    if devices[change.device].allocations == 1 {
      devices[change.device].first = firsts.keep(context.event)
    }
  }

  mutating func unmapped(_ change: MappingChange, _ context: inout LintContext) {
    guard !change.isStreaming, !change.isAdopted else { return }
    devices[change.device].frees += 1
  }

  mutating func finish(_ context: inout LintContext) {
    for counts in devices.values {
      let pairs = min(counts.allocations, counts.frees)
      guard let event = firsts[counts.first], pairs >= Self.minimum else { continue }
      context.report(
        Self.rule,
        at: event,
        "coherent memory was allocated and freed \(pairs) times",
        count: pairs
      )
    }
  }
}
