// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA201: Check {
  static let rule = Rule(
    "DMA201",
    "attachment-leaked",
    .warning,
    .strong,
    "a device is still attached after the last put",
    kernelWords: nil,
    why: "Every reference was put, and the attachment stayed to the end. It keeps the "
      + "importer's state alive, and with it the exporter's pages; when the buffer is "
      + "released the kernel warns, and the attachment points to freed memory. It is "
      + "said of buffers without descriptors only: a descriptor that is open holds the "
      + "buffer too, and who imports by one may rightly have taken a reference with "
      + "get_dma_buf(), which no trace shows.",
    fix: "Call dma_buf_detach() before dma_buf_put(), also on the error paths behind "
      + "dma_buf_attach().",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.attach,
        RuleExample.mapList,
        RuleExample.mapAttachment,
        RuleExample.unmapList,
        RuleExample.unmapAttachment,
        RuleExample.put,
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
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

  static let incidentKind = SharingIncident.Kind.leakedAttachment

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "never detached from \(context.buffer(incident)), whose last known reference was put"
        + (incident.detail == 1 ? "; it is still mapped for the device" : "")
    )
  }
}
