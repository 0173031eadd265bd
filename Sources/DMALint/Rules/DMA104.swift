extension Rule {
  /// Mapping of bytes that a device may be writing.
  static let rangeOverlap = Rule(
    "DMA104",
    "range-overlap",
    .warning,
    .strong,
    "mapping of bytes that a device may be writing",
    kernelWords: nil,
    why: "Bytes of this mapping are mapped already, and one of the two lets a device "
      + "write. The kernel looks at first cachelines only, and from 7.1 on not at all on "
      + "coherent machines; here the whole range counts.",
    fix: "Do not map a buffer twice; say DMA_ATTR_SKIP_CPU_SYNC or share one mapping where "
      + "this is meant.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=10000 size=8192 "
          + "phys_addr=10000 attrs=",
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=11000 size=256 "
          + "phys_addr=11000 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=10000 size=4096 "
          + "phys_addr=10000 attrs=",
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=11000 size=256 "
          + "phys_addr=11000 attrs=",
      ]
    )
  )
}
