extension Rule {
  /// One buffer mapped and unmapped over and over.
  static let mapChurn = Rule(
    "DMA109",
    "map-churn",
    .note,
    .hint,
    "one buffer mapped and unmapped over and over",
    kernelWords: nil,
    why: "The same bytes were mapped and unmapped hundreds of times for one device. Each "
      + "round costs cache maintenance, an IOTLB flush or a copy.",
    fix: "Map it once, and sync around each use.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ],
      count: 600
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
      count: 600
    )
  )
}
