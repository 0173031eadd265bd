// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA106: Check {
  static let rule = Rule(
    "DMA106",
    "unmap-attributes",
    .error,
    .proved,
    "unmap with other attributes than mapped, on any kernel",
    kernelWords: nil,
    why: "The kernel of this trace does not compare attributes yet; 7.2 and newer ones do, "
      + "and then dma-debug complains.",
    fix: "Pass the same attrs to the free as to the allocation or the map.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_page: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=PRIVILEGED",
        "dma_unmap_page: 0000:00:03.0 dir=TO_DEVICE addr=1000 size=256 attrs=",
      ],
      kernel: "6.12"
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_page: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=PRIVILEGED",
        "dma_unmap_page: 0000:00:03.0 dir=TO_DEVICE addr=1000 size=256 attrs=PRIVILEGED",
      ],
      kernel: "6.12"
    )
  )

  mutating func unmapped(_ change: MappingChange, _ context: inout LintContext) {
    // The kernel says it itself.
    if context.generation.comparesAttributes { return }
    switch context.event.kind {
    case .unmapPage, .unmapPhys, .unmapResource, .unmapSG, .free, .freePages: break
    default: return
    }
    let mapped = change.attributes.intersection(.comparedOnUnmap)
    let freed = context.event.attributes.intersection(.comparedOnUnmap)
    // Kernels that do not compare them do not print them in a dump either.
    guard mapped != freed, !change.attributes.contains(.mmio), !change.isAdopted else { return }
    context.report(
      Self.rule,
      "mapped with attributes '\(mapped.traceText)', freed with '\(freed.traceText)'",
      mapping: context.engine.mapping(inSlot: change.slot)
    )
  }
}
