// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA111: Check {
  static let rule = Rule(
    "DMA111",
    "bounce-64-bit",
    .warning,
    .proved,
    "a device that can reach all memory is bounced",
    kernelWords: nil,
    why: "Data was copied through swiotlb for a device whose DMA mask covers 64 bits, and "
      + "nothing forced it to. Buffers are too small or too badly aligned for direct DMA, "
      + "or the bus has a limit that the mask does not show.",
    fix: "Look at alignment and size of the buffers (small kmalloc() buffers bounce on "
      + "some machines), and at dma-ranges of the bus.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "swiotlb_bounced: dev_name: 0000:00:03.0 dma_mask=ffffffffffffffff "
          + "dev_addr=1000 size=256 NORMAL",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000000 size=64 "
          + "phys_addr=2000000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000000 size=64 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "swiotlb_bounced: dev_name: 0000:00:03.0 dma_mask=ffffffff dev_addr=1000 "
          + "size=256 NORMAL",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000000 size=64 "
          + "phys_addr=2000000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000000 size=64 attrs=",
      ]
    )
  )

  private struct Counts {
    var bounces: UInt64 = 0
    var first = FirstEvents.none
  }

  private var devices = PerDevice(Counts())
  private var firsts = FirstEvents()

  mutating func bounced(_ context: inout LintContext) {
    let event = context.event
    guard event.address == .max, !event.flags.contains(.forced) else { return }
    devices[event.device].bounces += 1
    if devices[event.device].bounces == 1 {
      devices[event.device].first = firsts.keep(event)
    }
  }

  mutating func finish(_ context: inout LintContext) {
    for counts in devices.values {
      guard let event = firsts[counts.first] else { continue }
      context.report(
        Self.rule,
        at: event,
        "bounced \(counts.bounces) times although the DMA mask covers 64 bits",
        count: counts.bounces
      )
    }
  }
}
