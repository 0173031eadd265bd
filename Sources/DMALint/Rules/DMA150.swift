// SPDX-License-Identifier: MIT
import DMATrace

enum DMA150: RuleDefinition {
  static let rule = Rule(
    "DMA150",
    "swiotlb-full",
    .error,
    .proved,
    "the bounce buffer is full and a mapping failed",
    kernelWords: "swiotlb buffer is full (sz: %zd bytes), total %lu (slots), used %lu (slots)",
    why: "A device that cannot reach the memory is given bounce buffers, and there were none left, "
      + "or none in one piece: the mapping failed. Drivers that do not check it go on with a wrong "
      + "address. Only a kernel log shows it.",
    fix:
      "Look for mappings that are never unmapped, give the device a larger DMA mask, map smaller "
      + "pieces (256 KiB is the most), or boot with a larger swiotlb=.",
    keys: [],
    bad: RuleExample(
      setup: [
        "[    0.500000] DMA-API: debugging enabled by kernel config",
        "[    1.000001] alpha 0000:00:03.0: swiotlb buffer is full (sz: 65536 bytes), total 32768 "
          + "(slots), used 32768 (slots)",
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

  static let logRecord = LogRecord.Kind.swiotlbFull
}
