// SPDX-License-Identifier: MIT

enum TRC004: CaptureCheck {
  static let rule = Rule(
    "TRC004",
    "malformed-lines",
    .warning,
    .proved,
    "lines that could not be understood",
    kernelWords: nil,
    why: "What these lines would have shown is undecided.",
    fix: "Record with the tracepoints as they are; dmatop lint -v shows the first lines.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
        "dma_map_phys: 0000:00:03.0 dir=SIDEWAYS dma_addr=zz",
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
    let summary = capture.summary
    guard summary.malformedLines > 0, capture.kind != .log else { return nil }
    let thing = summary.isBinary ? "record" : "line"
    let first = summary.malformed.first.map { ", first \(thing) \($0.line): \($0.reason)" } ?? ""
    return CaptureFault(
      message: "\(summary.malformedLines) \(thing)s could not be understood\(first)",
      count: summary.malformedLines,
      line: summary.malformed.first?.line ?? 0
    )
  }
}
