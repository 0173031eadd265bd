extension Rule {
  /// RAM mapped with dma_map_resource().
  static let mapsRAMAsResource = Rule(
    "DMA027",
    "map-ram-as-resource",
    .error,
    .proved,
    "RAM mapped with dma_map_resource()",
    kernelWords: "dma_map_resource called for RAM address %pa",
    why: "dma_map_resource() is for registers of other devices; it does nothing for "
      + "caches.",
    fix: "Map RAM with dma_map_page() or dma_map_single().",
    keys: [],
    bad: RuleExample(
      setup: [
        "driver_probe: (really_probe+0x0/0x2a0) device=\"0000:00:03.0\" driver=\"alpha\"",
        "tracing_mark_write: dma-api: layout direct=ff11000000000000-ff51000000000000 "
          + "vmalloc=ffa0000000000000-ffd2000000000000 "
          + "text=ff11000001000000-ff11000001200000 "
          + "rodata=ff11000001200000-ff11000001300000 "
          + "stacks=ff11000001400000-ff11000001500000 ram=0-10000000 "
          + "ram=100000000-110000000",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=100000000 size=64 "
          + "phys_addr=100000000 attrs=MMIO",
      ]
    ),
    good: RuleExample(
      setup: [
        "driver_probe: (really_probe+0x0/0x2a0) device=\"0000:00:03.0\" driver=\"alpha\"",
        "tracing_mark_write: dma-api: layout direct=ff11000000000000-ff51000000000000 "
          + "vmalloc=ffa0000000000000-ffd2000000000000 "
          + "text=ff11000001000000-ff11000001200000 "
          + "rodata=ff11000001200000-ff11000001300000 "
          + "stacks=ff11000001400000-ff11000001500000 ram=0-10000000 "
          + "ram=100000000-110000000",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=fe000000 size=64 "
          + "phys_addr=fe000000 attrs=MMIO",
      ]
    )
  )
}
