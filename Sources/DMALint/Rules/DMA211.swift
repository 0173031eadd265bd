extension Rule {
  /// Threads wait for fences that only they can signal.
  static let deadlock = Rule(
    "DMA211",
    "fence-deadlock",
    .error,
    .strong,
    "threads wait for fences that only they signal",
    kernelWords: nil,
    why: "A thread waits for a fence of the timeline that it has signaled itself so "
      + "far, or several threads wait for each other's: none of them goes on.",
    fix: "Do not wait in the thread that signals; take no lock there that a waiter "
      + "holds.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapList,
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_init: driver=beta timeline=ring context=7 seqno=1",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_signaled: driver=beta timeline=ring context=7 seqno=1",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_init: driver=beta timeline=ring context=7 seqno=2",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_emit: driver=beta timeline=ring context=7 seqno=2",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_wait_start: driver=beta timeline=ring context=7 seqno=2",
        RuleExample.unmapList,
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapList,
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_init: driver=beta timeline=ring context=7 seqno=1",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_signaled: driver=beta timeline=ring context=7 seqno=1",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_init: driver=beta timeline=ring context=7 seqno=2",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_emit: driver=beta timeline=ring context=7 seqno=2",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_signaled: driver=beta timeline=ring context=7 seqno=2",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_wait_start: driver=beta timeline=ring context=7 seqno=2",
        "raw:           alpha-2       [001] .....     1.000100: dma_fence_wait_end: driver=beta timeline=ring context=7 seqno=2",
        RuleExample.unmapList,
      ]
    )
  )
}
