extension Rule {
  /// The trace has no dma events.
  static let noDMAEvents = Rule(
    "TRC003",
    "no-dma-events",
    .warning,
    .proved,
    "the trace has no dma events",
    kernelWords: nil,
    why: "Nothing was looked at. A trace without dma events proves nothing.",
    fix: "Record with trace-cmd record -e dma; see docs/RECORDING.md.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe
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
