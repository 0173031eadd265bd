// SPDX-License-Identifier: MIT

struct DMA101: Check {
  static let rule = Rule(
    "DMA101",
    "leak-growth",
    .warning,
    .strong,
    "a map site whose live mappings grow all the time",
    kernelWords: nil,
    why: "From the first map of this site to the end of the trace its live mappings became "
      + "more and more. Rings and caches fill up and stop; this does not. IOVA space, "
      + "bounce buffers or entries of dma-debug run out in the end.",
    fix: "Look for the path on which the unmap is missing: compare two moments with A, B "
      + "and D in the monitor.",
    keys: ["leak-minimum"],
    bad: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 "
          + "phys_addr={n}000 attrs=",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=f{n}0000 size=256 "
          + "phys_addr=f{n}0000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=f{n}0000 size=256 attrs=",
      ],
      count: 200
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 "
          + "phys_addr={n}000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 attrs=",
      ],
      count: 200
    )
  )

  /// Whether the live mappings of a site grow and grow.
  static func isBroken(by site: SiteHistories.Open, _ context: borrowing LintContext) -> Bool {
    site.history.live >= context.leakMinimum && site.history.grows(until: context.endTime)
  }

  mutating func finish(_ context: inout LintContext) {
    for site in context.openSites where Self.isBroken(by: site, context) {
      let history = site.history
      let seconds = Double(context.endTime - history.first) / 1e9
      let rate = seconds > 0 ? Int(Double(history.live) / seconds) : 0
      context.report(
        Self.rule,
        at: site.event,
        "\(history.live) mappings of this site are alive in the end and became more all"
          + " the time, \(rate) in a second; \(history.ended) of \(history.made) were unmapped",
        mapping: site.oldest,
        subject: context.subject(of: site),
        count: UInt64(history.live)
      )
    }
  }
}
