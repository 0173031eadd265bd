// SPDX-License-Identifier: MIT
import DMADebugCore

enum DMA019: KernelCheck {
  static let rule = Rule(
    "DMA019",
    "leak-at-unbind",
    .error,
    .proved,
    "mappings left when the driver was unbound",
    kernelWords: "device driver has pending DMA allocations while released from device [count=%d] "
      + "…",
    why: "The driver left its device with mappings still alive. The device may go on "
      + "writing to memory that is somebody else's by now.",
    fix: "Unmap and free everything on the remove path and on each error path of probe, or "
      + "let devres do it (dmam_*).",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "bus_notify: (dma_debug_device_change+0x4/0x1d0) action=6 device=\"0000:00:03.0\"",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
        "bus_notify: (dma_debug_device_change+0x4/0x1d0) action=6 device=\"0000:00:03.0\"",
      ]
    )
  )

  static let kind = Report.Kind.pendingAtUnbind

  /// The kernel has forgotten whose mappings they were.
  static func amend(_ report: inout Report, _ context: inout LintContext) {
    if let driver = context.evidence.driver(of: report.device) { report.driver = driver }
  }
}
