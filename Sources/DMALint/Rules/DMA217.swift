// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA217: Check {
  static let rule = Rule(
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

  static let incidentKind = SharingIncident.Kind.unmapInFlight

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    context.report(Self.rule, incident, "unmapped while a descriptor works on it")
  }

  mutating func unmapped(_ change: MappingChange, _ context: inout LintContext) {
    guard context.engine.watchesMappings,
      let (channel, descriptor) = context.engine.sharing.inFlight(
        slot: change.slot,
        address: change.dmaAddress,
        size: change.size
      )
    else { return }
    let cookie = Int64(bitPattern: descriptor.cookie ?? 0)
    context.report(
      Self.rule,
      "\(change.size) bytes at 0x\(String(change.dmaAddress, radix: 16)) were unmapped"
        + " while \(context.names.channels.string(channel.name)) works on them (cookie \(cookie),"
        + " prepared in line \(descriptor.event.line))"
    )
  }
}
