// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA103: Check {
  static let rule = Rule(
    "DMA103",
    "sync-other-device",
    .error,
    .proved,
    "sync through another device than mapped",
    kernelWords: nil,
    why: "The address is mapped, but for another device. Caches may be treated by the "
      + "rules of the wrong device, and with an IOMMU the address means something else "
      + "there.",
    fix: "Pass the struct device that was used for the map.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "driver_probe: (really_probe+0x0/0x2a0) device=\"0000:00:04.0\" driver=\"beta\"",
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256 "
          + "phys_addr=1000 attrs=",
        "dma_sync_single_for_cpu: 0000:00:04.0 dir=FROM_DEVICE dma_addr=1000 size=256",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "driver_probe: (really_probe+0x0/0x2a0) device=\"0000:00:04.0\" driver=\"beta\"",
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256 "
          + "phys_addr=1000 attrs=",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=256",
      ]
    )
  )

  mutating func reported(_ report: Report, _ context: inout LintContext) {
    guard report.kind == .syncNotAllocated, context.event.dmaAddress != .max,
      let other = context.sameElsewhere(report)
    else { return }
    context.report(
      Self.rule,
      "0x\(String(other.dmaAddress, radix: 16)) of \(other.size) bytes is mapped for"
        + " another device",
      mapping: other
    )
  }
}
