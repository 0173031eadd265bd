// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMATrace

struct DMA117: Check {
  static let rule = Rule(
    "DMA117",
    "iommu-fault",
    .error,
    .proved,
    "the IOMMU stopped an access",
    kernelWords: nil,
    why: "The device accessed an address that was not mapped for it, or not for that way. "
      + "Without an IOMMU the same access would have read or destroyed memory.",
    fix: "Look at what was mapped there before: a device that is still running when its "
      + "buffer is unmapped, a wrong length, a wrong direction.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
        "io_page_fault: IOMMU:alpha 0000:00:03.0 iova=0x0000000000001000 flags=0x0000",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ]
    )
  )

  /// Kernel logs show it too.
  static let logRecord = LogRecord.Kind.iommuFault

  /// Nanoseconds: what of a log and a trace is closer than that may have happened in the other order.
  static let tolerance: UInt64 = 1_000_000

  mutating func faulted(_ context: inout LintContext) {
    let event = context.event
    let content = context.content(at: event.dmaAddress, of: event.device)
    var mapping: Mapping?
    if case .live(let live)? = content { mapping = live }
    context.report(
      Self.rule,
      "IOMMU fault at 0x\(String(event.dmaAddress, radix: 16))"
        + Self.words(content, at: event.time, context),
      mapping: mapping
    )
  }

  /// What was at the address of a fault of the trace.
  private static func words(
    _ content: AddressEvidence.Content?,
    at time: UInt64,
    _ context: borrowing LintContext
  ) -> String {
    switch content {
    case nil: return ": nothing was mapped there, as far as the trace shows"
    case .live(let mapping)?: return ", inside a live \(mapping.direction.traceName) mapping"
    case .ended(let ended)?:
      return
        ": the mapping there was unmapped \((time - min(time, ended.time)) / 1000) µs before,"
        + " in line \(ended.line)"
    case .linked?, .empty?, .unlinked?:
      return ": " + rangeWords(content, at: time, context, trace: "the trace")
    }
  }

  /// What a range of IOVA has, or had, at the address of a fault.
  private static func rangeWords(
    _ content: AddressEvidence.Content?,
    at time: UInt64,
    _ context: borrowing LintContext,
    trace: String
  ) -> String {
    switch content {
    case .linked(let link, true)?:
      return "linked as \(link.direction.traceName) in line \(link.line) and synced"
    case .linked(let link, false)?:
      return "linked in line \(link.line) and not synced"
        + (context.engine.sharing.showsSyncs ? "" : ", as far as \(trace) shows")
    case .empty(let range)?:
      return "nothing is linked there, in a range that was allocated in line \(range.line)"
    case .unlinked(let unlink)?:
      let microseconds = (time - min(time, unlink.time)) / 1000
      return "unlinked \(microseconds) µs before, in line \(unlink.line)"
    default: return ""
    }
  }

  /// What was at the address of a fault that a log tells of.
  ///
  /// - Parameters:
  ///   - time: The stamp of the message.
  ///   - trace: The trace that was asked, as findings name it.
  static func explanation(
    of record: LogRecord,
    _ content: AddressEvidence.Content?,
    at time: UInt64,
    _ context: borrowing LintContext,
    trace: String
  ) -> String {
    switch content {
    case nil: return "nothing was mapped there, as far as \(trace) shows"
    case .live(let mapping)?: return live(mapping, record, at: time)
    case .ended(let ended)?:
      let what = ended.mapping.map { Self.what($0) } ?? "mapping"
      if time > ended.time {
        let distance = time - ended.time
        var text =
          "the \(what) there was unmapped \(distance / 1000) µs before, in line \(ended.line)"
        if distance < tolerance {
          text += "; the access may have come before that, the stamp of a fault is late"
        }
        return text
      }
      if ended.time - time < tolerance {
        return "inside a \(what) that was unmapped at about the same time, in line \(ended.line)"
      }
      return ended.mapping.map { live($0, record, at: time) } ?? "inside a live \(what)"
    case .linked?, .empty?, .unlinked?: return rangeWords(content, at: time, context, trace: trace)
    }
  }

  private static func what(_ mapping: Mapping) -> String {
    "\(mapping.direction.traceName) mapping of \(mapping.size) bytes"
  }

  private static func live(_ mapping: Mapping, _ record: LogRecord, at time: UInt64) -> String {
    let what = what(mapping)
    if time < mapping.time || time - mapping.time < tolerance, !mapping.isAdopted {
      return "a \(what) was made there at about the same time"
    }
    switch (record.values.isWrite, mapping.direction) {
    case (true?, .toDevice): return "the device wrote into a live \(what)"
    case (false?, .fromDevice): return "the device read from a live \(what)"
    default: return "inside a live \(what)"
    }
  }
}
