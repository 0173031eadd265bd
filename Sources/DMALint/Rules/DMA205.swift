// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA205: Check {
  static let rule = Rule(
    "DMA205",
    "kernel-mapping-unbalanced",
    .error,
    .proved,
    "mapped into the kernel and unmapped not equally often",
    kernelWords: nil,
    why: "The kernel counts mappings of a buffer. One vunmap or kunmap too many "
      + "takes the mapping away from somebody else; one that is missing when the "
      + "last reference goes keeps it for ever, and releasing the buffer stops the "
      + "kernel (BUG_ON of the counter).",
    fix: "Pair dma_buf_vmap() with dma_buf_vunmap(), and kmap with kunmap, on every "
      + "path.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.attach,
        RuleExample.probe("dma_buf_vmap", "ino=1"),
        RuleExample.probe("dma_buf_vunmap", "ino=1"),
        RuleExample.probe("dma_buf_vunmap", "ino=1"),
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
        RuleExample.probe("dma_buf_vmap", "ino=1"),
        RuleExample.probe("dma_buf_vunmap", "ino=1"),
        RuleExample.mapList,
        RuleExample.mapAttachment,
        RuleExample.unmapList,
        RuleExample.unmapAttachment,
        RuleExample.detach,
        RuleExample.put,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.unbalancedKernelMapping

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    let what = context.buffer(incident)
    let message =
      switch incident.detail {
      case 0: "dma_buf_vunmap() of \(what) without a mapping into the kernel"
      case 1: "dma_buf_kunmap() of \(what) without a mapping into the kernel"
      default:
        "\(LintContext.plural(incident.value, "mapping")) of \(what) into the kernel left after the"
          + " last known reference was put"
      }
    context.report(Self.rule, incident, message)
  }
}
