extension Rule {
  /// dma_buf_vmap() and dma_buf_vunmap() do not pair.
  static let unbalancedKernelMapping = Rule(
    "DMA205",
    "kernel-mapping-unbalanced",
    .error,
    .proved,
    "mapped into the kernel and unmapped not equally often",
    kernelWords: nil,
    why: "The kernel counts mappings of a buffer. One vunmap or kunmap too many "
      + "takes the mapping away from somebody else; one that is missing when the "
      + "last reference goes keeps it for ever, and releasing the buffer stops the "
      + "kernel (BUG_ON of the counter).",
    fix: "Pair dma_buf_vmap() with dma_buf_vunmap(), and kmap with kunmap, on every "
      + "path.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.attach,
        RuleExample.probe("dma_buf_vmap", "ino=1"),
        RuleExample.probe("dma_buf_vunmap", "ino=1"),
        RuleExample.probe("dma_buf_vunmap", "ino=1"),
        RuleExample.mapList,
        RuleExample.mapAttachment,
        RuleExample.unmapList,
        RuleExample.unmapAttachment,
        RuleExample.detach,
        RuleExample.put,
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.attach,
        RuleExample.probe("dma_buf_vmap", "ino=1"),
        RuleExample.probe("dma_buf_vunmap", "ino=1"),
        RuleExample.mapList,
        RuleExample.mapAttachment,
        RuleExample.unmapList,
        RuleExample.unmapAttachment,
        RuleExample.detach,
        RuleExample.put,
      ]
    )
  )
}
