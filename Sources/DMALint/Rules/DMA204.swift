// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA204: Check {
  static let rule = Rule(
    "DMA204",
    "unmap-without-map",
    .error,
    .proved,
    "an attachment was unmapped more often than mapped",
    kernelWords: nil,
    why: "dma_buf_unmap_attachment() gave the exporter a table that was given back "
      + "before: it frees the table a second time and unmaps what may be mapped for "
      + "somebody else.",
    fix: "Pair the calls, and forget the sg_table once it is unmapped.",
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
        RuleExample.unmapList,
        RuleExample.unmapAttachment,
        RuleExample.unmapAttachment,
        RuleExample.detach,
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

  static let incidentKind = SharingIncident.Kind.unmapWithoutMap

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      incident.detail == 1
        ? "an attachment to \(context.buffer(incident)) was unmapped after the last one was detached"
        : "the attachment to \(context.buffer(incident)) was unmapped although it is not mapped;"
          + " attached in \(context.origin(incident))"
    )
  }
}
