// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA214: Check {
  static let rule = Rule(
    "DMA214",
    "iova-not-synced",
    .warning,
    .strong,
    "linked into a range of IOVA and never synchronised",
    kernelWords: nil,
    why: "dma_iova_link() only writes the page table; until dma_iova_sync() the "
      + "IOMMU may not know. The range was taken down again without a sync: either "
      + "the device used it anyway, or an error path took it down, which is right.",
    fix: "Call dma_iova_sync() for all that was linked before the device starts.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapList,
        RuleExample.iova("try_alloc", 8192),
        RuleExample.iova("link", 8192),
        RuleExample.iova("sync", 4096),
        RuleExample.iova("destroy", 8192),
        RuleExample.unmapList,
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapList,
        RuleExample.iova("try_alloc", 8192),
        RuleExample.iova("link", 8192),
        RuleExample.iova("sync", 8192),
        RuleExample.iova("destroy", 8192),
        RuleExample.unmapList,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.iovaNotSynced

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "\(incident.value) bytes were linked in \(context.origin(incident)) and taken down without a"
        + " dma_iova_sync()"
    )
  }
}
