// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA020: KernelCheck {
  static let rule = Rule(
    "DMA020",
    "cacheline-overflow",
    .error,
    .proved,
    "more than 7 mappings share a cacheline",
    kernelWords: "exceeded %d overlapping mappings of cacheline %pa",
    why: "dma-debug counts at most 7 mappings of a cacheline; overlaps beyond go unseen.",
    fix: "Look at who maps the same buffer again and again.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=10{n} size=1 "
          + "phys_addr=10{n} attrs="
      ],
      count: 9
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=10{n} size=1 "
          + "phys_addr=10{n} attrs="
      ],
      count: 7
    )
  )

  static let kind = Report.Kind.exceededOverlap

  static func amend(_ report: inout Report, _ context: inout LintContext) {
    DMA016.amend(&report, &context)
  }
}
