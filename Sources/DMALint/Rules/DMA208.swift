// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA208: Check {
  static let rule = Rule(
    "DMA208",
    "access-without-fence",
    .error,
    .proved,
    "a buffer is used before the fence that guards it is signaled",
    kernelWords: nil,
    why: "The reservation object of the buffer holds a fence that is not signaled: a "
      + "device still writes, or reads what is being overwritten. The result is "
      + "torn frames, or data of the wrong frame. Only the simulator records "
      + "accesses to the bytes.",
    fix: "Wait for the fences first (dma_resv_wait_timeout(), or DMA_BUF_IOCTL_SYNC "
      + "in user space), or make the job depend on them.",
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
        RuleExample.fence("init"),
        RuleExample.fence("emit"),
        RuleExample.fenceAdd,
        RuleExample.probe("dma_buf_begin_cpu_access", "ino=1 dir=2"),
        RuleExample.probe("dma_buf_access", "ino=1 dir=1"),
        RuleExample.probe("dma_buf_end_cpu_access", "ino=1 dir=2"),
        RuleExample.fence("signaled"),
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
        RuleExample.descriptor,
        RuleExample.get,
        RuleExample.attach,
        RuleExample.mapList,
        RuleExample.mapAttachment,
        RuleExample.fence("init"),
        RuleExample.fence("emit"),
        RuleExample.fenceAdd,
        RuleExample.fence("signaled"),
        RuleExample.probe("dma_buf_begin_cpu_access", "ino=1 dir=2"),
        RuleExample.probe("dma_buf_access", "ino=1 dir=1"),
        RuleExample.probe("dma_buf_end_cpu_access", "ino=1 dir=2"),
        RuleExample.unmapList,
        RuleExample.unmapAttachment,
        RuleExample.detach,
        RuleExample.put,
      ]
    )
  )

  static let incidentKind = SharingIncident.Kind.accessWithoutFence

  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    let who = incident.event.device == .unknown ? "the CPU" : "the device"
    context.report(
      Self.rule,
      incident,
      "\(who) \(incident.detail == 1 ? "writes to" : "reads") \(context.buffer(incident)) before"
        + " \(context.fence(incident)) is signaled"
    )
  }
}
