extension Rule {
  /// A mapping held far longer than others of its site.
  static let heldLong = Rule(
    "DMA102",
    "held-long",
    .note,
    .hint,
    "a mapping held far longer than others of its site",
    kernelWords: nil,
    why: "Hundreds of mappings of this site ended soon; this one has been alive a hundred "
      + "times longer than the longest of them. It may have been forgotten.",
    fix:
      "Follow it in the monitor to see who should have unmapped it, and why that path did not run.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ff000 size=256 "
          + "phys_addr=ff000 attrs=",
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 "
          + "phys_addr={n}000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 attrs=",
      ],
      count: 300
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ff000 size=256 "
          + "phys_addr=ff000 attrs=",
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 "
          + "phys_addr={n}000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 attrs=",
      ],
      count: 300,
      end: [
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ff000 size=256 attrs="
      ]
    )
  )
}
