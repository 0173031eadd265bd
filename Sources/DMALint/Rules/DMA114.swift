// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA114: Check {
  static let rule = Rule(
    "DMA114",
    "sg-mapped-twice",
    .warning,
    .strong,
    "an sg list mapped again while it is mapped",
    kernelWords: nil,
    why: "The same list is mapped for the same device a second time. dma_map_sg() writes "
      + "addresses into the list, so the first ones are lost and with them the way to "
      + "unmap.",
    fix: "Unmap the list before it is mapped again.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_sg: 0000:00:03.0 dir=FROM_DEVICE nents=2/2 ents=2/2 "
          + "dma_addrs={0x1000,0x3000} sizes={0x100,0x100} phys_addrs={0x1000,0x3000} "
          + "attrs=",
        "dma_map_sg: 0000:00:03.0 dir=FROM_DEVICE nents=2/2 ents=2/2 "
          + "dma_addrs={0x1000,0x3000} sizes={0x100,0x100} phys_addrs={0x1000,0x3000} "
          + "attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_sg: 0000:00:03.0 dir=FROM_DEVICE nents=2/2 ents=2/2 "
          + "dma_addrs={0x1000,0x3000} sizes={0x100,0x100} phys_addrs={0x1000,0x3000} "
          + "attrs=",
        "dma_unmap_sg: 0000:00:03.0 dir=FROM_DEVICE phys_addrs={0x1000,0x3000} attrs=",
        "dma_map_sg: 0000:00:03.0 dir=FROM_DEVICE nents=2/2 ents=2/2 "
          + "dma_addrs={0x1000,0x3000} sizes={0x100,0x100} phys_addrs={0x1000,0x3000} "
          + "attrs=",
      ]
    )
  )

  mutating func overlapped(_ overlap: Overlap, _ context: inout LintContext) {
    guard overlap.isSameList,
      !context.reports.contains(where: { $0.kind == .overlappingCacheline })
    else { return }
    context.report(
      Self.rule,
      "sg list of \(overlap.mapping.sgCallEntries) entries is mapped again while it is mapped",
      mapping: overlap.other
    )
  }
}
