extension Rule {
  /// Mapping of kernel text or read-only data.
  static let mapsKernelText = Rule(
    "DMA024",
    "map-kernel-text",
    .error,
    .proved,
    "mapping of kernel text or read-only data",
    kernelWords: "device driver maps memory from kernel text or rodata [addr=%p] [len=%lu]",
    why: "Kernel text and read-only data are no memory for devices.",
    fix: "Copy the data into memory from kmalloc().",
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
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1200000 size=64 "
          + "phys_addr=1200000 attrs=",
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
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=2000000 size=64 "
          + "phys_addr=2000000 attrs=",
      ]
    )
  )
}
