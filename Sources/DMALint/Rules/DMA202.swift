// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA202: Check {
  static let rule = Rule(
    "DMA202",
    "unbound-while-attached",
    .error,
    .proved,
    "a driver left its device while it is attached to a buffer",
    kernelWords: nil,
    why: "The attachment holds the device and its mapping although nobody drives the "
      + "device any more. Who unmaps or moves the buffer later works on a device "
      + "that may be gone.",
    fix: "Detach all buffers in the driver's remove function.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.descriptor,
        RuleExample.get,
        RuleExample.attach,
        "bus_notify: (dma_debug_device_change+0x4/0x1d0) action=6 device=\"0000:00:03.0\"",
        "dma_map_phys: 0000:00:04.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:04.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.descriptor,
        RuleExample.get,
        RuleExample.attach,
        RuleExample.detach,
        "bus_notify: (dma_debug_device_change+0x4/0x1d0) action=6 device=\"0000:00:03.0\"",
        "dma_map_phys: 0000:00:04.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:04.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.unboundWhileAttached

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "the driver left while the device is attached to \(context.buffer(incident)), since"
        + " \(context.origin(incident))"
        + (incident.value > 1 ? ", and to \(incident.value - 1) more" : "")
    )
  }
}
