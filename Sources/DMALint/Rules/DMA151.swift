extension Rule {
  /// A mapping of a dump whose map error nobody has asked about.
  static let liveUnchecked = Rule(
    "DMA151",
    "live-unchecked",
    .warning,
    .strong,
    "a live mapping whose map error nobody asked about",
    kernelWords: nil,
    why: "Drivers ask for the map error right after the map. A mapping that is in a saved dump and "
      + "was not asked about will most likely never be: a failed map would go unseen, and dma-debug "
      + "complains when it is unmapped. Only a dma-api/dump shows it.",
    fix: "Call dma_mapping_error() on the address before the device gets it.",
    keys: [],
    bad: RuleExample(
      setup: [
        "alpha 0000:00:03.0 phy idx 0 P=0x0000000000001000 D=1000 L=100 cln=0x0000000000000040 "
          + "DMA_TO_DEVICE dma map error not checked attrs=0x0"
      ],
      kind: .dump
    ),
    good: RuleExample(
      setup: [
        "alpha 0000:00:03.0 phy idx 0 P=0x0000000000001000 D=1000 L=100 cln=0x0000000000000040 "
          + "DMA_TO_DEVICE dma map error checked attrs=0x0"
      ],
      kind: .dump
    )
  )
}
