// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA218: Check {
  static let rule = Rule(
    "DMA218",
    "stale-mapping",
    .error,
    .proved,
    "a device works through a mapping from before a move",
    kernelWords: nil,
    why: "The exporter has told the importer that the buffer moves "
      + "(dma_buf_move_notify()), and the device goes on with the addresses from "
      + "before: it reads and writes pages that belong to somebody else. Only the "
      + "simulator records what devices touch: in the trace of a kernel nobody sees it.",
    fix: "Stop using the mapping in move_notify, unmap it once the fences allow, and map "
      + "again before the next job.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.dynamicAttach,
        RuleExample.mapList,
        RuleExample.mapAttachment,
        RuleExample.moveNotify,
        RuleExample.deviceRead,
        RuleExample.unmapList,
        RuleExample.unmapAttachment,
        RuleExample.detach,
        RuleExample.put,
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.dynamicAttach,
        RuleExample.mapList,
        RuleExample.mapAttachment,
        RuleExample.moveNotify,
        RuleExample.unmapList,
        RuleExample.unmapAttachment,
        RuleExample.mapList,
        RuleExample.mapAttachment,
        RuleExample.deviceRead,
        RuleExample.unmapList,
        RuleExample.unmapAttachment,
        RuleExample.detach,
        RuleExample.put,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.staleMapping

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "the device \(incident.detail == 1 ? "writes to" : "reads") \(context.buffer(incident))"
        + " through a mapping from before its last move; attached in \(context.origin(incident))"
    )
  }
}
