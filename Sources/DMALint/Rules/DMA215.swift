// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA215: Check {
  static let rule = Rule(
    "DMA215",
    "iova-outside",
    .error,
    .proved,
    "memory is linked outside of the allocated range of IOVA",
    kernelWords: nil,
    why: "The addresses behind the range belong to somebody else: the link replaces "
      + "or collides with their mapping.",
    fix: "Allocate with dma_iova_try_alloc() as much as will be linked.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapList,
        RuleExample.iova("try_alloc", 8192),
        RuleExample.iova("link", 4096, offset: 8192),
        RuleExample.iova("destroy", 0),
        RuleExample.unmapList,
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapList,
        RuleExample.iova("try_alloc", 8192),
        RuleExample.iova("link", 4096, offset: 4096),
        RuleExample.iova("sync", 4096, offset: 4096),
        RuleExample.iova("destroy", 8192),
        RuleExample.unmapList,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.iovaOutside

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "\(incident.event.size) bytes were linked at"
        + " 0x\(String(incident.event.dmaAddress, radix: 16)), outside of the \(incident.value) bytes"
        + " allocated in \(context.origin(incident))"
    )
  }
}
