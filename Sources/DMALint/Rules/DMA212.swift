// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA212: Check {
  static let rule = Rule(
    "DMA212",
    "buffer-growth",
    .warning,
    .strong,
    "buffers of an exporter that are held become more all the time",
    kernelWords: nil,
    why: "Buffers that somebody holds for sure (attached, mapped into the kernel, or "
      + "got and not put) became more in each quarter of the trace. This is what a "
      + "leak of buffers looks like. Buffers that only a descriptor holds do not "
      + "count: closing it leaves no trace.",
    fix: "Look at who holds the oldest ones: view 6 of the monitor, or dmatop dump "
      + "--buffers --sort time_ns.",
    keys: ["leak-minimum"],
    bad: RuleExample(
      setup: [RuleExample.probe, RuleExample.mapList, RuleExample.unmapList],
      cycle: [
        "dma_buf_export: exp_name=system size=4096 ino=0x{n}",
        "dma_buf_fd: exp_name=system size=4096 ino=0x{n} fd=5",
        "dma_buf_dynamic_attach: exp_name=system size=4096 ino=0x{n} attachment:ff110000{n}00000 "
          + "is_dynamic=0 dev_name=0000:00:03.0",
      ],
      count: 64
    ),
    good: RuleExample(
      setup: [RuleExample.probe, RuleExample.mapList, RuleExample.unmapList],
      cycle: [
        "dma_buf_export: exp_name=system size=4096 ino=0x{n}",
        "dma_buf_fd: exp_name=system size=4096 ino=0x{n} fd=5",
        "dma_buf_dynamic_attach: exp_name=system size=4096 ino=0x{n} attachment:ff110000{n}00000 "
          + "is_dynamic=0 dev_name=0000:00:03.0",
        "dma_buf_detach: exp_name=system size=4096 ino=0x{n} attachment:ff110000{n}00000 "
          + "is_dynamic=0 dev_name=0000:00:03.0",
      ],
      count: 64
    )
  )

  /// The most buffers that are held at once and watched.
  private static let maximumHeld = 1 << 16

  /// The most exporters whose buffers are counted.
  private static let maximumHistories = 1 << 12

  /// Buffers that are held for sure: their exporter, and when that began.
  private var held: [UInt64: (exporter: UInt32, event: DMAEvent)] = [:]
  private var histories: [UInt32: SiteHistory] = [:]
  private var lastTime: UInt64 = 0

  mutating func shared(_ context: inout LintContext) {
    let event = context.event
    lastTime = max(lastTime, event.time)
    guard event.kind.isBuffer else { return }
    let buffer = context.engine.sharing.buffer(event.address)
    let isHeld = buffer?.isHeld ?? false
    if isHeld, held[event.address] == nil, held.count < Self.maximumHeld {
      let exporter = buffer?.exporter ?? NameTable.unknown
      guard histories.count < Self.maximumHistories || histories[exporter] != nil else { return }
      held[event.address] = (exporter, event)
      histories[exporter, default: SiteHistory()].map(event.time)
    } else if !isHeld, let (exporter, first) = held.removeValue(forKey: event.address) {
      let time = event.time > first.time ? event.time - first.time : 0
      histories[exporter, default: SiteHistory()].unmap(time)
    }
  }

  mutating func finish(_ context: inout LintContext) {
    for (exporter, history) in histories.sorted(by: { $0.key < $1.key })
    where history.live >= context.leakMinimum && history.grows(until: lastTime) {
      let oldest = held.filter { $0.value.exporter == exporter }
        .min { ($0.value.event.time, $0.key) < ($1.value.event.time, $1.key) }
      guard let oldest else { continue }
      let name = exporter == NameTable.unknown ? "?" : context.names.exporters.string(exporter)
      context.report(
        Self.rule,
        at: oldest.value.event,
        "\(history.live) buffers of exporter \(name) are held in the end and became more"
          + " all the time; \(history.ended) of \(history.made) were let go; the oldest is buffer"
          + " \(oldest.key)",
        subject: .buffer(inode: oldest.key),
        count: UInt64(history.live)
      )
    }
  }
}
