extension Rule {
  /// Buffers of an exporter become more and more.
  static let bufferGrowth = Rule(
    "DMA212",
    "buffer-growth",
    .warning,
    .strong,
    "buffers of an exporter that are held become more all the time",
    kernelWords: nil,
    why: "Buffers that somebody holds for sure (attached, mapped into the kernel, or "
      + "got and not put) became more in each quarter of the trace. This is what a "
      + "leak of buffers looks like. Buffers that only a descriptor holds do not "
      + "count: closing it leaves no trace.",
    fix: "Look at who holds the oldest ones: view 6 of the monitor, or dmatop dump "
      + "--buffers --sort time_ns.",
    keys: ["leak-minimum"],
    bad: RuleExample(
      setup: [RuleExample.probe, RuleExample.mapList, RuleExample.unmapList],
      cycle: [
        "dma_buf_export: exp_name=system size=4096 ino=0x{n}",
        "dma_buf_fd: exp_name=system size=4096 ino=0x{n} fd=5",
        "dma_buf_dynamic_attach: exp_name=system size=4096 ino=0x{n} attachment:ff110000{n}00000 "
          + "is_dynamic=0 dev_name=0000:00:03.0",
      ],
      count: 64
    ),
    good: RuleExample(
      setup: [RuleExample.probe, RuleExample.mapList, RuleExample.unmapList],
      cycle: [
        "dma_buf_export: exp_name=system size=4096 ino=0x{n}",
        "dma_buf_fd: exp_name=system size=4096 ino=0x{n} fd=5",
        "dma_buf_dynamic_attach: exp_name=system size=4096 ino=0x{n} attachment:ff110000{n}00000 "
          + "is_dynamic=0 dev_name=0000:00:03.0",
        "dma_buf_detach: exp_name=system size=4096 ino=0x{n} attachment:ff110000{n}00000 "
          + "is_dynamic=0 dev_name=0000:00:03.0",
      ],
      count: 64
    )
  )
}
