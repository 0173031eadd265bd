extension Rule {
  /// An attachment was unmapped that was not mapped.
  static let unmapWithoutMap = Rule(
    "DMA204",
    "unmap-without-map",
    .error,
    .proved,
    "an attachment was unmapped more often than mapped",
    kernelWords: nil,
    why: "dma_buf_unmap_attachment() gave the exporter a table that was given back "
      + "before: it frees the table a second time and unmaps what may be mapped for "
      + "somebody else.",
    fix: "Pair the calls, and forget the sg_table once it is unmapped.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.descriptor,
        RuleExample.get,
        RuleExample.attach,
        RuleExample.mapList,
        RuleExample.mapAttachment,
        RuleExample.unmapList,
        RuleExample.unmapAttachment,
        RuleExample.unmapAttachment,
        RuleExample.detach,
        RuleExample.put,
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        RuleExample.export,
        RuleExample.descriptor,
        RuleExample.get,
        RuleExample.attach,
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
