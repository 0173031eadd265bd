// SPDX-License-Identifier: MIT

enum TRC005: CaptureCheck {
  static let rule = Rule(
    "TRC005",
    "cut-off",
    .note,
    .proved,
    "the last line is cut off",
    kernelWords: nil,
    why: "The trace was copied while it was written, or a pipe ended early.",
    fix: "Copy it again.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
        "raw-end:            test-1       [000] .....     1.000009: dma_map_ph",
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
    guard capture.summary.cutOff, capture.kind != .log else { return nil }
    return CaptureFault(message: "the last line is cut off", line: capture.summary.lines)
  }
}
