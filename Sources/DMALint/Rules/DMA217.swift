extension Rule {
  /// A buffer is unmapped while a descriptor of dmaengine works on it.
  static let unmapInFlight = Rule(
    "DMA217",
    "unmapped-in-flight",
    .error,
    .proved,
    "a buffer is unmapped before the transfer that uses it is complete",
    kernelWords: nil,
    why: "The controller still reads or writes the buffer. Behind an IOMMU it "
      + "faults; without one it reaches memory that may belong to somebody else by "
      + "now, and data that arrives late is lost in the bounce buffer or the cache.",
    fix: "Unmap in the callback, or after dmaengine_terminate_sync().",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapBuffer,
        RuleExample.channel("dma_request_chan"),
        RuleExample.prepare,
        RuleExample.channel("dmaengine_submit", " cookie=1"),
        RuleExample.channel("dma_async_issue_pending"),
        RuleExample.unmapBuffer,
        RuleExample.channel("dmaengine_callback", " cookie=1 residue=0"),
        RuleExample.channel("dma_release_channel"),
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.mapBuffer,
        RuleExample.channel("dma_request_chan"),
        RuleExample.prepare,
        RuleExample.channel("dmaengine_submit", " cookie=1"),
        RuleExample.channel("dma_async_issue_pending"),
        RuleExample.channel("dmaengine_callback", " cookie=1 residue=0"),
        RuleExample.unmapBuffer,
        RuleExample.channel("dma_release_channel"),
      ]
    )
  )
}
