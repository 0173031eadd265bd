// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA211: Check {
  static let rule = Rule(
    "DMA211",
    "fence-deadlock",
    .warning,
    .strong,
    "threads wait long for fences that only they signal",
    kernelWords: nil,
    why: "Several threads have waited for each other's fences for 100 ms and more: each "
      + "for one of the timeline that another one of them has signaled alone so far, "
      + "and nothing of it was signaled since. None of them goes on. Signals in "
      + "interrupts make no thread the one that signals, and a thread that waits for "
      + "its own timeline may have signaled it by asking only.",
    fix: "Do not wait in the thread that signals; take no lock there that a waiter "
      + "holds.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapList,
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_init: driver=beta timeline=ring7 context=7 seqno=1",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_signaled: driver=beta timeline=ring7 context=7 seqno=1",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_init: driver=beta timeline=ring7 context=7 seqno=2",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_emit: driver=beta timeline=ring7 context=7 seqno=2",
        "raw:           gamma-3       [002] .....     1.000100: dma_fence_init: driver=beta timeline=ring8 context=8 seqno=1",
        "raw:           gamma-3       [002] .....     1.000100: dma_fence_signaled: driver=beta timeline=ring8 context=8 seqno=1",
        "raw:           gamma-3       [002] .....     1.000100: dma_fence_init: driver=beta timeline=ring8 context=8 seqno=2",
        "raw:           gamma-3       [002] .....     1.000100: dma_fence_emit: driver=beta timeline=ring8 context=8 seqno=2",
        "raw:           alpha-2       [001] .....     1.000200: dma_fence_wait_start: driver=beta timeline=ring8 context=8 seqno=2",
        "raw:           gamma-3       [002] .....     1.000201: dma_fence_wait_start: driver=beta timeline=ring7 context=7 seqno=2",
        "raw:           delta-4       [003] .....     1.500000: dma_fence_init: driver=beta timeline=ring9 context=9 seqno=1",
        RuleExample.unmapList,
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapList,
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_init: driver=beta timeline=ring7 context=7 seqno=1",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_signaled: driver=beta timeline=ring7 context=7 seqno=1",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_init: driver=beta timeline=ring7 context=7 seqno=2",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_emit: driver=beta timeline=ring7 context=7 seqno=2",
        "raw:           gamma-3       [002] .....     1.000100: dma_fence_init: driver=beta timeline=ring8 context=8 seqno=1",
        "raw:           gamma-3       [002] .....     1.000100: dma_fence_signaled: driver=beta timeline=ring8 context=8 seqno=1",
        "raw:           gamma-3       [002] .....     1.000100: dma_fence_init: driver=beta timeline=ring8 context=8 seqno=2",
        "raw:           gamma-3       [002] .....     1.000100: dma_fence_emit: driver=beta timeline=ring8 context=8 seqno=2",
        "raw:           alpha-2       [001] .....     1.000200: dma_fence_wait_start: driver=beta timeline=ring8 context=8 seqno=2",
        "raw:           gamma-3       [002] .....     1.000201: dma_fence_signaled: driver=beta timeline=ring8 context=8 seqno=2",
        "raw:           alpha-2       [001] .....     1.000202: dma_fence_wait_end: driver=beta timeline=ring8 context=8 seqno=2",
        "raw:           gamma-3       [002] .....     1.000203: dma_fence_wait_start: driver=beta timeline=ring7 context=7 seqno=2",
        "raw:           alpha-2       [001] .....     1.000204: dma_fence_signaled: driver=beta timeline=ring7 context=7 seqno=2",
        "raw:           gamma-3       [002] .....     1.000205: dma_fence_wait_end: driver=beta timeline=ring7 context=7 seqno=2",
        "raw:           delta-4       [003] .....     1.500000: dma_fence_init: driver=beta timeline=ring9 context=9 seqno=1",
        RuleExample.unmapList,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.deadlock

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(
      Self.rule,
      incident,
      "\(incident.value) threads have waited for each other's fences for \(incident.detail) ms, this"
        + " one for \(context.fence(incident))"
    )
  }
}
