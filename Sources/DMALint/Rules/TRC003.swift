// SPDX-License-Identifier: MIT

enum TRC003: CaptureCheck {
  static let rule = Rule(
    "TRC003",
    "no-dma-events",
    .warning,
    .proved,
    "the trace has no dma events",
    kernelWords: nil,
    why: "Nothing was looked at. A trace without dma events proves nothing.",
    fix: "Record with trace-cmd record -e dma; see docs/RECORDING.md.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    )
  )

  static func assess(_ capture: CaptureHealth) -> CaptureFault? {
    switch capture.kind {
    case .trace where capture.summary.dmaEvents == 0 && capture.summary.damage == nil:
      return CaptureFault(
        message: "the trace has no dma events: record with `trace-cmd record -e dma`"
      )
    case .log where !capture.sawDebug:
      return CaptureFault(
        message:
          "the log has no line of dma-debug (`DMA-API:`): was CONFIG_DMA_API_DEBUG on, and is"
          + " it the whole log?"
      )
    default: return nil
    }
  }
}
