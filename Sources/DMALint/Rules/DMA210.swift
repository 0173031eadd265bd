// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA210: Check {
  static let rule = Rule(
    "DMA210",
    "fence-never-signaled",
    .error,
    .strong,
    "a fence that somebody waits for was never signaled",
    kernelWords: nil,
    why: "Fences must signal in finite time: whoever waits hangs, and memory that "
      + "the kernel wants to reclaim waits with them. The fence was waited for, or had "
      + "its signal enabled, and it was destroyed or passed over by later ones of its "
      + "timeline. A wait that runs into its timeout proves nothing: the signal may "
      + "come later.",
    fix: "Signal the fence on every path, with dma_fence_set_error() before it when "
      + "the job failed.",
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
        RuleExample.fence("init"),
        RuleExample.fence("emit"),
        RuleExample.fenceAdd,
        RuleExample.fence("wait_start"),
        RuleExample.fence("wait_end"),
        RuleExample.fence("destroy"),
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
        RuleExample.descriptor,
        RuleExample.get,
        RuleExample.attach,
        RuleExample.mapList,
        RuleExample.mapAttachment,
        RuleExample.fence("init"),
        RuleExample.fence("emit"),
        RuleExample.fenceAdd,
        RuleExample.fence("wait_start"),
        RuleExample.fence("signaled"),
        RuleExample.fence("wait_end"),
        RuleExample.fence("destroy"),
        RuleExample.unmapList,
        RuleExample.unmapAttachment,
        RuleExample.detach,
        RuleExample.put,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.neverSignaled

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      context.fence(incident)
        + (incident.detail == 1
          ? " was destroyed and never signaled"
          : " was never signaled, later ones of its timeline were")
    )
  }
}
