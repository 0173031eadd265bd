// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA216: Check {
  static let rule = Rule(
    "DMA216",
    "channel-released-in-flight",
    .error,
    .proved,
    "a channel is released while descriptors are in flight",
    kernelWords: nil,
    why: "The controller goes on with the transfer after its client has gone: it "
      + "reads and writes memory that is freed, and its callback runs into code "
      + "that may be unloaded.",
    fix: "Call dmaengine_terminate_sync() before dma_release_channel().",
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
        RuleExample.channel("dma_async_issue_pending"),
        RuleExample.channel("dma_release_channel"),
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
        RuleExample.channel("dmaengine_terminate_sync"),
        RuleExample.channel("dma_release_channel"),
        RuleExample.unmapBuffer,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.releaseInFlight

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "\(context.names.channels.string(incident.event.site)) was released with"
        + " \(LintContext.plural(incident.value, "descriptor")) in flight, the first prepared in"
        + " \(context.origin(incident))"
    )
  }
}
