// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA112: Check {
  static let rule = Rule(
    "DMA112",
    "beyond-mask",
    .error,
    .proved,
    "DMA address beyond the mask of the device",
    kernelWords: nil,
    why: "The mapping has addresses that the device says it cannot drive. It will use what "
      + "is left of the address when the upper bits are cut off, somewhere else in "
      + "memory.",
    fix: "Set the mask before the first map, and do not make up DMA addresses.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "tracing_mark_write: dma-api: device pci 0000:00:03.0 alpha mask=32",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=100000000 size=256 "
          + "phys_addr=100000000 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "tracing_mark_write: dma-api: device pci 0000:00:03.0 alpha mask=36",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=100000000 size=256 "
          + "phys_addr=100000000 attrs=",
      ]
    )
  )

  mutating func mapped(_ change: MappingChange, _ context: inout LintContext) {
    guard let mask = context.engine.mask(of: change.device), mask != .max, change.size > 0,
      change.dmaAddress &+ (change.size - 1) > mask
    else { return }
    context.report(
      Self.rule,
      "DMA address 0x\(String(change.dmaAddress, radix: 16)) of \(change.size) bytes is"
        + " beyond the mask 0x\(String(mask, radix: 16)) of the device"
    )
  }
}
