extension Rule {
  /// More mappings than dma-debug had entries for.
  static let poolGrown = Rule(
    "DMA021",
    "pool-grown",
    .note,
    .proved,
    "more mappings than dma-debug had entries for",
    kernelWords: "dma_debug_entries: %u total, %u requested (pool grown)",
    why: "More mappings were alive than dma-debug had entries for; it took more.",
    fix: "Boot with a larger dma_debug_entries=, or look for what piles up.",
    keys: []
  )
}
