// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA113: Check {
  static let rule = Rule(
    "DMA113",
    "unmap-other-device",
    .error,
    .proved,
    "unmap through another device than mapped",
    kernelWords: nil,
    why: "The address is mapped, but for another device. That mapping stays, and with an "
      + "IOMMU the range of an innocent is torn down.",
    fix: "Pass the struct device that was used for the map.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "driver_probe: (really_probe+0x0/0x2a0) device=\"0000:00:04.0\" driver=\"beta\"",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:04.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "driver_probe: (really_probe+0x0/0x2a0) device=\"0000:00:04.0\" driver=\"beta\"",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    )
  )

  mutating func reported(_ report: Report, _ context: inout LintContext) {
    guard report.kind == .freeNotAllocated, let other = context.sameElsewhere(report) else {
      return
    }
    context.report(
      Self.rule,
      "0x\(String(other.dmaAddress, radix: 16)) of \(other.size) bytes is mapped for"
        + " another device",
      mapping: other
    )
  }
}
