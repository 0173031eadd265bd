extension Rule {
  /// Mapping of a cacheline that is mapped.
  static let overlappingCacheline = Rule(
    "DMA016",
    "cacheline-overlap",
    .error,
    .proved,
    "mapping of a cacheline that is mapped",
    kernelWords: "cacheline tracking EEXIST, overlapping mappings aren't supported",
    why: "Two mappings share a cacheline and a device writes to one of them. Where caches "
      + "are not coherent, one owner's write destroys the other's data.",
    fix: "Align buffers to ARCH_DMA_MINALIGN and do not map a buffer twice; say "
      + "DMA_ATTR_SKIP_CPU_SYNC where the overlap is meant.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_page: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=32 "
          + "phys_addr=1000 attrs=",
        "dma_map_page: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1020 size=32 "
          + "phys_addr=1020 attrs=",
      ],
      kernel: "6.12"
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_page: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=64 "
          + "phys_addr=1000 attrs=",
        "dma_map_page: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1040 size=64 "
          + "phys_addr=1040 attrs=",
      ],
      kernel: "6.12"
    )
  )
}
