extension Rule {
  /// A map site whose live mappings grow all the time.
  static let leakGrowth = Rule(
    "DMA101",
    "leak-growth",
    .warning,
    .strong,
    "a map site whose live mappings grow all the time",
    kernelWords: nil,
    why: "From the first map of this site to the end of the trace its live mappings became "
      + "more and more. Rings and caches fill up and stop; this does not. IOVA space, "
      + "bounce buffers or entries of dma-debug run out in the end.",
    fix: "Look for the path on which the unmap is missing: compare two moments with A, B "
      + "and D in the monitor.",
    keys: ["leak-minimum"],
    bad: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 "
          + "phys_addr={n}000 attrs=",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=f{n}0000 size=256 "
          + "phys_addr=f{n}0000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=f{n}0000 size=256 attrs=",
      ],
      count: 200
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 "
          + "phys_addr={n}000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 attrs=",
      ],
      count: 200
    )
  )
}
