// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA206: Check {
  static let rule = Rule(
    "DMA206",
    "cpu-access-unbalanced",
    .error,
    .strong,
    "begin and end of CPU access do not pair",
    kernelWords: nil,
    why: "Between dma_buf_begin_cpu_access() and dma_buf_end_cpu_access() the "
      + "exporter keeps the caches right for the CPU. An end without its begin, or "
      + "with another direction, does the wrong maintenance; a begin without its "
      + "end leaves what the CPU wrote in its cache, where no device sees it.",
    fix: "End each access that was begun, with the same direction; so must user "
      + "space with DMA_BUF_IOCTL_SYNC.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.attach,
        RuleExample.probe("dma_buf_begin_cpu_access", "ino=1 dir=2"),
        RuleExample.probe("dma_buf_end_cpu_access", "ino=1 dir=2"),
        RuleExample.probe("dma_buf_end_cpu_access", "ino=1 dir=2"),
        RuleExample.mapList,
        RuleExample.mapAttachment,
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
        RuleExample.attach,
        RuleExample.probe("dma_buf_begin_cpu_access", "ino=1 dir=2"),
        RuleExample.probe("dma_buf_end_cpu_access", "ino=1 dir=2"),
        RuleExample.mapList,
        RuleExample.mapAttachment,
        RuleExample.unmapList,
        RuleExample.unmapAttachment,
        RuleExample.detach,
        RuleExample.put,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.unbalancedAccess

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    let what = context.buffer(incident)
    let direction = incident.event.direction.kernelName
    let message =
      switch incident.detail {
      case 0: "dma_buf_end_cpu_access(\(direction)) of \(what) without its begin"
      case 1:
        "CPU access to \(what) was begun and not ended when its last known reference was put"
      default:
        "dma_buf_end_cpu_access(\(direction)) of \(what), which was begun with another direction"
      }
    context.report(Self.rule, incident, message)
  }
}
