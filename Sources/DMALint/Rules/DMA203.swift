// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA203: Check {
  static let rule = Rule(
    "DMA203",
    "detach-while-mapped",
    .error,
    .proved,
    "detached while the buffer is mapped for the device",
    kernelWords: nil,
    why: "The mapping outlives its attachment: nobody can unmap it properly any "
      + "more, the device can still reach the pages, and IOVA space leaks.",
    fix: "Call dma_buf_unmap_attachment() for each dma_buf_map_attachment() before "
      + "dma_buf_detach().",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.descriptor,
        RuleExample.get,
        RuleExample.attach,
        RuleExample.mapList,
        RuleExample.mapAttachment,
        RuleExample.detach,
        RuleExample.unmapList,
        RuleExample.put,
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.descriptor,
        RuleExample.get,
        RuleExample.attach,
        RuleExample.mapList,
        RuleExample.mapAttachment,
        RuleExample.unmapList,
        RuleExample.unmapAttachment,
        RuleExample.detach,
        RuleExample.put,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.detachWhileMapped

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "detached from \(context.buffer(incident)) with"
        + " \(LintContext.plural(incident.value, "mapping")) of it left; attached in"
        + " \(context.origin(incident))"
    )
  }
}
