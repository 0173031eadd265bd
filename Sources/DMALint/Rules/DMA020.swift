extension Rule {
  /// More than 7 mappings share a cacheline.
  static let exceededOverlap = Rule(
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
}
