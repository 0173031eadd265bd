// SPDX-License-Identifier: MIT
import DMATrace

enum DMA028: RuleDefinition {
  static let rule = Rule(
    "DMA028",
    "cpu-touches-mapped",
    .error,
    .proved,
    "the CPU touches memory that is mapped for a device",
    kernelWords: "cpu touching an active dma mapped cacheline [cln=%pa]",
    why: "A page was copied or freed while a device could still write to it. Kernels 3.14 to 5.8 "
      + "checked this on copy-on-write and in the network stack; only their logs show it.",
    fix: "Unmap before the memory goes elsewhere, and wait for the device before that.",
    keys: [],
    bad: RuleExample(
      setup: [
        "[    1.000001] ------------[ cut here ]------------",
        "[    1.000002] WARNING: CPU: 0 PID: 1 at lib/dma-debug.c:601 debug_dma_assert_idle+0x198/0x210",
        "[    1.000003] alpha 0000:00:03.0: DMA-API: cpu touching an active dma mapped cacheline "
          + "[cln=0x0000000000000040]",
        "[    1.000004] ---[ end trace 0000000000000000 ]---",
      ],
      kind: .log
    ),
    good: RuleExample(
      setup: [
        "[    0.500000] DMA-API: debugging enabled by kernel config"
      ],
      kind: .log
    )
  )

  static let logRecord = LogRecord.Kind.cpuTouch
}
