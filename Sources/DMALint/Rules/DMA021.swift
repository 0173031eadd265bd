// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA021: KernelCheck {
  static let rule = Rule(
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

  static let kind = Report.Kind.poolGrown
}
