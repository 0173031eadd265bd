// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA219: Check {
  static let rule = Rule(
    "DMA219",
    "detach-while-pinned",
    .warning,
    .strong,
    "an attachment is detached while it pins the buffer",
    kernelWords: nil,
    why: "Each dma_buf_pin() keeps the buffer where it is, and the count stays with the "
      + "exporter: without dma_buf_unpin() it can never move the buffer again, nor "
      + "evict it from the memory of its device.",
    fix: "Call dma_buf_unpin() for each dma_buf_pin() before dma_buf_detach(), also on "
      + "error paths.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.dynamicAttach,
        RuleExample.pin,
        RuleExample.mapList,
        RuleExample.unmapList,
        RuleExample.detach,
        RuleExample.put,
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.dynamicAttach,
        RuleExample.pin,
        RuleExample.mapList,
        RuleExample.unmapList,
        RuleExample.unpin,
        RuleExample.detach,
        RuleExample.put,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.detachWhilePinned

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "detached from \(context.buffer(incident)) with \(LintContext.plural(incident.value, "pin"))"
        + " left; attached in \(context.origin(incident))"
    )
  }
}
