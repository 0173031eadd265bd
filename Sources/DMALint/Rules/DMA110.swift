extension Rule {
  /// Coherent memory allocated in a hot path.
  static let coherentChurn = Rule(
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
}
