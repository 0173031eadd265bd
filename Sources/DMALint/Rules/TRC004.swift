extension Rule {
  /// Lines that could not be understood.
  static let malformed = Rule(
    "TRC004",
    "malformed-lines",
    .warning,
    .proved,
    "lines that could not be understood",
    kernelWords: nil,
    why: "What these lines would have shown is undecided.",
    fix: "Record with the tracepoints as they are; dmatop lint -v shows the first lines.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
        "dma_map_phys: 0000:00:03.0 dir=SIDEWAYS dma_addr=zz",
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
