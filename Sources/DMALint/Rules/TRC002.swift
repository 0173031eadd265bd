// SPDX-License-Identifier: MIT

enum TRC002: CaptureCheck {
  static let rule = Rule(
    "TRC002",
    "overwritten-events",
    .warning,
    .proved,
    "the oldest events were overwritten",
    kernelWords: nil,
    why: "The trace begins in the middle: what was mapped before is not known.",
    fix: "Use a larger buffer, or save the trace earlier.",
    keys: [],
    bad: RuleExample(
      setup: [
        "raw:# entries-in-buffer/entries-written: 3/9   #P:2",
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
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
    let count = capture.summary.overwrittenEvents
    guard count > 0, capture.kind == .trace else { return nil }
    return CaptureFault(
      message: "\(count) events were overwritten before the capture was saved; use a larger trace"
        + " buffer",
      count: count
    )
  }
}
