// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA209: Check {
  static let rule = Rule(
    "DMA209",
    "use-after-put",
    .error,
    .strong,
    "a buffer is used after its last reference was put",
    kernelWords: nil,
    why: "After dma_buf_put() of the last reference the buffer and its pages may be "
      + "gone at any moment: what follows works on freed memory. Where descriptors "
      + "exist only calls that need a reference of the driver's own are reported.",
    fix: "Put the reference when the buffer is used no more; take another with "
      + "dma_buf_get() or get_dma_buf() for what runs later.",
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
        RuleExample.detach,
        RuleExample.put,
        RuleExample.probe("dma_buf_vmap", "ino=1"),
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
        RuleExample.probe("dma_buf_vmap", "ino=1"),
        RuleExample.probe("dma_buf_vunmap", "ino=1"),
        RuleExample.put,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.useAfterPut

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "\(incident.event.kind.name)() of \(context.buffer(incident)) after "
        + (incident.detail == 1 ? "its last reference" : "the last known reference")
        + " was put in \(context.origin(incident))"
    )
  }
}
