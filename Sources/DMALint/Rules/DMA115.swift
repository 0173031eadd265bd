// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA115: Check {
  static let rule = Rule(
    "DMA115",
    "failed-map-used",
    .error,
    .proved,
    "use of a map that failed",
    kernelWords: nil,
    why: "A map returned DMA_MAPPING_ERROR, and the driver went on with that value as if "
      + "it were an address.",
    fix: "Ask dma_mapping_error() after each map and stop there.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ffffffffffffffff size=256 "
          + "phys_addr=1000 attrs=",
        "dma_sync_single_for_device: 0000:00:03.0 dir=TO_DEVICE "
          + "dma_addr=ffffffffffffffff size=256",
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

  mutating func reported(_ report: Report, _ context: inout LintContext) {
    guard report.kind == .syncNotAllocated, context.event.dmaAddress == .max,
      !context.evidence.askedAboutFailure[report.device]
    else { return }
    context.report(Self.rule, "the value of a failed map is used as an address")
  }
}
