extension Rule {
  /// Buffer for the device to write that shares a cacheline.
  static let unalignedFromDevice = Rule(
    "DMA105",
    "unaligned-from-device",
    .warning,
    .strong,
    "buffer for the device to write that shares a cacheline",
    kernelWords: nil,
    why: "The machine is not coherent (--dma-alignment says so), and the buffer does not "
      + "begin and end at a cacheline. Whatever lies beside it is lost when the cacheline "
      + "is invalidated, or written over what the device wrote.",
    fix: "Allocate with kmalloc(), align members with __dma_from_device_group_begin() or "
      + "____cacheline_aligned.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1010 size=100 "
          + "phys_addr=1010 attrs=",
      ],
      isCoherentMachine: false
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=128 "
          + "phys_addr=1000 attrs=",
      ],
      isCoherentMachine: false
    )
  )
}
