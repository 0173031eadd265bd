// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA016: KernelCheck {
  static let rule = Rule(
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

  static let kind = Report.Kind.overlappingCacheline

  /// The kernel names the mapping that came last; the one in its way tells more.
  static func amend(_ report: inout Report, _ context: inout LintContext) {
    guard let mapping = report.mapping else { return }
    let state = context.lent
    if let other = context.evidence.earlierMapping(onCachelineOf: mapping, state) {
      report.mapping = other
    }
  }
}
