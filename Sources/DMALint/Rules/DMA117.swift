extension Rule {
  /// The IOMMU stopped an access.
  static let iommuFault = Rule(
    "DMA117",
    "iommu-fault",
    .error,
    .proved,
    "the IOMMU stopped an access",
    kernelWords: nil,
    why: "The device accessed an address that was not mapped for it, or not for that way. "
      + "Without an IOMMU the same access would have read or destroyed memory.",
    fix: "Look at what was mapped there before: a device that is still running when its "
      + "buffer is unmapped, a wrong length, a wrong direction.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
        "io_page_fault: IOMMU:alpha 0000:00:03.0 iova=0x0000000000001000 flags=0x0000",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    )
  )
}
