// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA207: Check {
  static let rule = Rule(
    "DMA207",
    "access-outside-window",
    .error,
    .proved,
    "the CPU touches a buffer outside of begin and end of access",
    kernelWords: nil,
    why: "Without dma_buf_begin_cpu_access() the CPU may read stale lines of its "
      + "cache, and without dma_buf_end_cpu_access() what it writes may not reach "
      + "memory. Only the simulator records such accesses: in the trace of a kernel "
      + "nobody sees them.",
    fix: "Begin CPU access with the direction that fits (FROM_DEVICE to read, "
      + "TO_DEVICE to write) and end it before devices go on.",
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
        RuleExample.probe("dma_buf_begin_cpu_access", "ino=1 dir=2"),
        RuleExample.probe("dma_buf_end_cpu_access", "ino=1 dir=2"),
        RuleExample.probe("dma_buf_access", "ino=1 dir=1"),
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
        RuleExample.probe("dma_buf_begin_cpu_access", "ino=1 dir=2"),
        RuleExample.probe("dma_buf_access", "ino=1 dir=1"),
        RuleExample.probe("dma_buf_end_cpu_access", "ino=1 dir=2"),
        RuleExample.detach,
        RuleExample.put,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.accessOutsideWindow

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "the CPU \(incident.detail & 1 == 1 ? "writes to" : "reads") \(context.buffer(incident)) "
        + (incident.detail & 2 == 2
          ? "in a window of CPU access for the other direction"
          : "outside of begin and end of CPU access")
    )
  }
}
