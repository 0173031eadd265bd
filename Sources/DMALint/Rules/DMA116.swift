// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA116: Check {
  static let rule = Rule(
    "DMA116",
    "map-error-ignored",
    .error,
    .proved,
    "map error asked for, and not heeded",
    kernelWords: nil,
    why: "The driver asked dma_mapping_error() about a map that failed, and went on with "
      + "it nevertheless.",
    fix: "Leave the path when dma_mapping_error() says so.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ffffffffffffffff size=256 "
          + "phys_addr=1000 attrs=",
        "dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0) device=\"0000:00:03.0\" "
          + "dma_addr=0xffffffffffffffff caller=alpha_xmit+0x40/0x120 [alpha]",
        "dma_sync_single_for_device: 0000:00:03.0 dir=TO_DEVICE "
          + "dma_addr=ffffffffffffffff size=256",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ffffffffffffffff size=256 "
          + "phys_addr=1000 attrs=",
        "dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0) device=\"0000:00:03.0\" "
          + "dma_addr=0xffffffffffffffff caller=alpha_xmit+0x40/0x120 [alpha]",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000 size=256 phys_addr=2000 "
          + "attrs=",
        "dma_sync_single_for_device: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000 size=256",
      ]
    )
  )

  mutating func reported(_ report: Report, _ context: inout LintContext) {
    guard context.evidence.askedAboutFailure[report.device] else { return }
    switch report.kind {
    case .freeInvalidAddress:
      context.report(Self.rule, "the driver was told that the map failed, and unmaps it")
    case .syncNotAllocated where context.event.dmaAddress == .max:
      context.report(Self.rule, "the driver was told that the map failed, and syncs it")
    default: break
    }
  }
}
