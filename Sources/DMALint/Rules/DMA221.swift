// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA221: Check {
  static let rule = Rule(
    "DMA221",
    "iova-range-leaked",
    .warning,
    .strong,
    "a driver left its device and ranges of IOVA",
    kernelWords: nil,
    why: "The range keeps its addresses, and what is linked into it stays reachable for "
      + "the device although nobody drives it any more. dma-debug does not see such "
      + "ranges, so the kernel does not say it.",
    fix: "Call dma_iova_destroy(), or dma_iova_unlink() and dma_iova_free(), for each "
      + "range in the driver's remove function.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.iova("try_alloc", 8192),
        RuleExample.iova("link", 8192),
        RuleExample.iova("sync", 8192),
        "bus_notify: (dma_debug_device_change+0x4/0x1d0) action=6 device=\"0000:00:03.0\"",
        "dma_map_phys: 0000:00:04.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:04.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.iova("try_alloc", 8192),
        RuleExample.iova("link", 8192),
        RuleExample.iova("sync", 8192),
        RuleExample.iova("destroy", 8192),
        "bus_notify: (dma_debug_device_change+0x4/0x1d0) action=6 device=\"0000:00:03.0\"",
        "dma_map_phys: 0000:00:04.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:04.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.leakedRange

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "the driver left and \(incident.detail) bytes of IOVA in"
        + " \(LintContext.plural(incident.value, "range")) were not given back, the first allocated in"
        + " \(context.origin(incident))"
    )
  }
}
