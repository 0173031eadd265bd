// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA105: Check {
  static let rule = Rule(
    "DMA105",
    "unaligned-from-device",
    .warning,
    .strong,
    "buffer for the device to write that shares a cacheline",
    kernelWords: nil,
    why: "The machine is not coherent (--dma-alignment says so), and the buffer does not "
      + "begin and end at a cacheline. Whatever lies beside it is lost when the cacheline "
      + "is invalidated, or written over what the device wrote.",
    fix: "Allocate with kmalloc(), align members with __dma_from_device_group_begin() or "
      + "____cacheline_aligned.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1010 size=100 "
          + "phys_addr=1010 attrs=",
      ],
      isCoherentMachine: false
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=128 "
          + "phys_addr=1000 attrs=",
      ],
      isCoherentMachine: false
    )
  )

  mutating func mapped(_ change: MappingChange, _ context: inout LintContext) {
    let alignment = context.alignment
    guard alignment >= 64, change.isStreaming, change.direction != .toDevice, change.size > 0,
      !change.attributes.contains(.skipCPUSync), let physical = change.physicalAddress,
      physical % alignment != 0 || (physical &+ change.size) % alignment != 0
    else { return }
    context.report(
      Self.rule,
      "buffer of \(change.size) bytes at 0x\(String(physical, radix: 16)) shares a"
        + " cacheline of \(alignment) bytes with what lies beside it"
    )
  }
}
