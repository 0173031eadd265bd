extension Rule {
  /// Unmap with other attributes than mapped, on any kernel.
  static let unmapAttributes = Rule(
    "DMA106",
    "unmap-attributes",
    .error,
    .proved,
    "unmap with other attributes than mapped, on any kernel",
    kernelWords: nil,
    why: "The kernel of this trace does not compare attributes yet; 7.2 and newer ones do, "
      + "and then dma-debug complains.",
    fix: "Pass the same attrs to the free as to the allocation or the map.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_page: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=PRIVILEGED",
        "dma_unmap_page: 0000:00:03.0 dir=TO_DEVICE addr=1000 size=256 attrs=",
      ],
      kernel: "6.12"
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_page: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=PRIVILEGED",
        "dma_unmap_page: 0000:00:03.0 dir=TO_DEVICE addr=1000 size=256 attrs=PRIVILEGED",
      ],
      kernel: "6.12"
    )
  )
}
