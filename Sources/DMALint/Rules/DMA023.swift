extension Rule {
  /// Mapping of memory on a stack.
  static let mapsStack = Rule(
    "DMA023",
    "map-stack",
    .error,
    .proved,
    "mapping of memory on a stack",
    kernelWords: "device driver maps memory from stack [addr=%p]",
    why: "A buffer on the stack shares cachelines with whatever lies beside it, and with "
      + "vmapped stacks it has no single physical address.",
    fix: "Allocate the buffer with kmalloc().",
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
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1400040 size=64 "
          + "phys_addr=1400040 attrs=",
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
