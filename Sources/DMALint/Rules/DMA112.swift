extension Rule {
  /// DMA address beyond the mask of the device.
  static let beyondMask = Rule(
    "DMA112",
    "beyond-mask",
    .error,
    .proved,
    "DMA address beyond the mask of the device",
    kernelWords: nil,
    why: "The mapping has addresses that the device says it cannot drive. It will use what "
      + "is left of the address when the upper bits are cut off, somewhere else in "
      + "memory.",
    fix: "Set the mask before the first map, and do not make up DMA addresses.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "tracing_mark_write: dma-api: device pci 0000:00:03.0 alpha mask=32",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=100000000 size=256 "
          + "phys_addr=100000000 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "tracing_mark_write: dma-api: device pci 0000:00:03.0 alpha mask=36",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=100000000 size=256 "
          + "phys_addr=100000000 attrs=",
      ]
    )
  )
}
