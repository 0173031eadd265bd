// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA213: Check {
  static let rule = Rule(
    "DMA213",
    "iova-left-linked",
    .error,
    .proved,
    "a range of IOVA is given back while memory is linked into it",
    kernelWords: nil,
    why: "dma_iova_free() gives the addresses to the next user while the page table "
      + "still leads to this driver's memory: the next device transfer may go "
      + "there. dma_iova_destroy() unlinks only as many bytes as it is told.",
    fix: "Unlink what was linked before dma_iova_free(), or call dma_iova_destroy() "
      + "with all that is mapped.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapList,
        RuleExample.iova("try_alloc", 8192),
        RuleExample.iova("link", 4096),
        RuleExample.iova("sync", 4096),
        RuleExample.iova("free", 8192),
        RuleExample.unmapList,
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapList,
        RuleExample.iova("try_alloc", 8192),
        RuleExample.iova("link", 4096),
        RuleExample.iova("sync", 4096),
        RuleExample.iova("destroy", 4096),
        RuleExample.unmapList,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.iovaLeftLinked

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "\(incident.event.kind.name)() gave back addresses with \(incident.value) bytes still linked,"
        + " the first in \(context.origin(incident))"
    )
  }
}
