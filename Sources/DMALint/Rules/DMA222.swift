// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA222: Check {
  static let rule = Rule(
    "DMA222",
    "never-issued",
    .warning,
    .strong,
    "a descriptor was submitted and never issued",
    kernelWords: nil,
    why: "dmaengine_submit() only queues the descriptor; the controller begins with "
      + "dma_async_issue_pending(). Without it the transfer never happens and its "
      + "callback never comes: the client gave up and terminated the channel or "
      + "released it.",
    fix: "Call dma_async_issue_pending() after dmaengine_submit().",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapBuffer,
        RuleExample.channel("dma_request_chan"),
        RuleExample.prepare,
        RuleExample.channel("dmaengine_submit", " cookie=1"),
        RuleExample.channel("dma_async_issue_pending"),
        RuleExample.channel("dmaengine_callback", " cookie=1 residue=0"),
        RuleExample.prepare,
        RuleExample.channel("dmaengine_submit", " cookie=2"),
        "raw:           alpha-1       [000] .....     1.002000: "
          + RuleExample.channel("dmaengine_terminate_sync"),
        "raw:           alpha-1       [000] .....     1.002001: "
          + RuleExample.channel("dma_release_channel"),
        "raw:           alpha-1       [000] .....     1.002002: "
          + RuleExample.unmapBuffer,
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapBuffer,
        RuleExample.channel("dma_request_chan"),
        RuleExample.prepare,
        RuleExample.channel("dmaengine_submit", " cookie=1"),
        RuleExample.channel("dma_async_issue_pending"),
        RuleExample.channel("dmaengine_callback", " cookie=1 residue=0"),
        RuleExample.prepare,
        RuleExample.channel("dmaengine_submit", " cookie=2"),
        RuleExample.channel("dma_async_issue_pending"),
        "raw:           alpha-1       [000] .....     1.002000: "
          + RuleExample.channel("dmaengine_terminate_sync"),
        "raw:           alpha-1       [000] .....     1.002001: "
          + RuleExample.channel("dma_release_channel"),
        "raw:           alpha-1       [000] .....     1.002002: "
          + RuleExample.unmapBuffer,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.neverIssued

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "\(LintContext.plural(incident.value, "descriptor")) of"
        + " \(context.names.channels.string(incident.event.site)) went without having been issued, the"
        + " first submitted in \(context.origin(incident))"
    )
  }
}
