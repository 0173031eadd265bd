// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

enum DMA022: KernelCheck {
  static let rule = Rule(
    "DMA022",
    "debug-disabled",
    .warning,
    .proved,
    "dma-debug ran out of memory",
    kernelWords: "debugging out of memory - disabling",
    why: "dma-debug found no memory for another entry and turned itself off: what came "
      + "later was not checked.",
    fix: "Boot with a larger dma_debug_entries=, or look for what piles up.",
    keys: []
  )

  static let kind = Report.Kind.outOfMemory

  static let logRecord = LogRecord.Kind.trackingOutOfMemory
}
