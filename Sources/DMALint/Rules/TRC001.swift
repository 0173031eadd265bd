// SPDX-License-Identifier: MIT

enum TRC001: CaptureCheck {
  static let rule = Rule(
    "TRC001",
    "lost-events",
    .warning,
    .proved,
    "the tracer lost events",
    kernelWords: nil,
    why: "What lost events would have shown is undecided: a mistake may be missing here.",
    fix: "Trace fewer events, with a larger buffer (buffer_size_kb), or to a pipe that is "
      + "read while it runs.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "raw:CPU:0 [LOST 12 EVENTS]",
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
    let count = capture.summary.lostEvents
    guard count > 0, capture.kind != .dump else { return nil }
    return CaptureFault(
      message: capture.kind == .log
        ? "the kernel kept back \(count) messages; what they would have said is unknown"
        : "the tracer lost \(count) events or more; what they would have shown is undecided",
      count: count
    )
  }
}
