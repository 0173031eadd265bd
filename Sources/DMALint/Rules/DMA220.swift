// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA220: Check {
  static let rule = Rule(
    "DMA220",
    "buffer-lost",
    .warning,
    .strong,
    "a buffer was exported and nobody can reach it",
    kernelWords: nil,
    why: "No descriptor was made of the buffer, no device attached to it and nobody put "
      + "it, although other buffers of the trace have descriptors: only its exporter "
      + "can know of it, and has done nothing with it for a while. Its memory is lost "
      + "when the exporter has forgotten it.",
    fix: "Call dma_buf_put() when dma_buf_fd() or whatever comes after dma_buf_export() "
      + "fails.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapList,
        RuleExample.export,
        "dma_buf_export: exp_name=system size=4096 ino=2",
        "dma_buf_fd: exp_name=system size=4096 ino=2 fd=5",
        "raw:           alpha-1       [000] .....     1.299999: dma_buf_get: exp_name=system size=4096 ino=2 fd=5",
        "raw:           alpha-1       [000] .....     1.300000: dma_buf_put: exp_name=system size=4096 ino=2",
        RuleExample.unmapList,
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapList,
        RuleExample.export,
        RuleExample.put,
        "dma_buf_export: exp_name=system size=4096 ino=2",
        "dma_buf_fd: exp_name=system size=4096 ino=2 fd=5",
        "raw:           alpha-1       [000] .....     1.299999: dma_buf_get: exp_name=system size=4096 ino=2 fd=5",
        "raw:           alpha-1       [000] .....     1.300000: dma_buf_put: exp_name=system size=4096 ino=2",
        RuleExample.unmapList,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.lostBuffer

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "\(context.buffer(incident)) was exported, and nothing was seen of it in the"
        + " \(incident.value / 1_000_000) ms since: no descriptor, no device, no put"
    )
  }
}
