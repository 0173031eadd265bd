// SPDX-License-Identifier: MIT

struct DMA102: Check {
  static let rule = Rule(
    "DMA102",
    "held-long",
    .note,
    .hint,
    "a mapping held far longer than others of its site",
    kernelWords: nil,
    why: "Hundreds of mappings of this site ended soon; this one has been alive a hundred "
      + "times longer than the longest of them. It may have been forgotten.",
    fix:
      "Follow it in the monitor to see who should have unmapped it, and why that path did not run.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ff000 size=256 "
          + "phys_addr=ff000 attrs=",
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 "
          + "phys_addr={n}000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 attrs=",
      ],
      count: 300
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ff000 size=256 "
          + "phys_addr=ff000 attrs=",
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 "
          + "phys_addr={n}000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 attrs=",
      ],
      count: 300,
      end: [
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ff000 size=256 attrs="
      ]
    )
  )

  /// So many others of the site must have ended.
  private static let minimum: UInt64 = 200
  /// So many may live.
  private static let maximumLive = 3

  mutating func finish(_ context: inout LintContext) {
    for site in context.openSites where !DMA101.isBroken(by: site, context) {
      let history = site.history
      let time = site.oldest.time
      let age = context.endTime > time ? context.endTime - time : 0
      guard history.ended >= Self.minimum, history.live <= Self.maximumLive, history.longest > 0,
        age / 100 > history.longest
      else { continue }
      context.report(
        Self.rule,
        at: site.event,
        "alive for \(age / 1000) µs; none of \(history.ended) others of this site lasted"
          + " longer than \(history.longest / 1000) µs",
        mapping: site.oldest
      )
    }
  }
}
