extension Rule {
  /// Syncs that do nothing.
  static let uselessSync = Rule(
    "DMA108",
    "useless-sync",
    .note,
    .hint,
    "syncs that do nothing",
    kernelWords: nil,
    why: "Buffers for the device to write were synced for the device again and again "
      + "although the CPU had not been given them since the map or the last such sync. It "
      + "costs time where caches are not coherent or buffers bounce.",
    fix: "Leave the sync out: the map has done it.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256 "
          + "phys_addr={n}000 attrs=",
        "dma_sync_single_for_device: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256",
        "dma_unmap_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256 attrs=",
      ],
      count: 200
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256 "
          + "phys_addr={n}000 attrs=",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256",
        "dma_sync_single_for_device: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256",
        "dma_unmap_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256 attrs=",
      ],
      count: 200
    )
  )
}
