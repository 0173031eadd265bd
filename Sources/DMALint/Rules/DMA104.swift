// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

struct DMA104: Check {
  static let rule = Rule(
    "DMA104",
    "range-overlap",
    .warning,
    .strong,
    "mapping of bytes that a device may be writing",
    kernelWords: nil,
    why: "Bytes of this mapping are mapped already, and one of the two lets a device "
      + "write. The kernel looks at first cachelines only, and from 7.1 on not at all on "
      + "coherent machines; here the whole range counts.",
    fix: "Do not map a buffer twice; say DMA_ATTR_SKIP_CPU_SYNC or share one mapping where "
      + "this is meant.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=10000 size=8192 "
          + "phys_addr=10000 attrs=",
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=11000 size=256 "
          + "phys_addr=11000 attrs=",
      ]
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe,
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=10000 size=4096 "
          + "phys_addr=10000 attrs=",
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=11000 size=256 "
          + "phys_addr=11000 attrs=",
      ]
    )
  )

  mutating func overlapped(_ overlap: Overlap, _ context: inout LintContext) {
    // Where the kernel says it, it need not be said again.
    guard !overlap.isSameList,
      !context.reports.contains(where: { $0.kind == .overlappingCacheline })
    else { return }
    let other = overlap.other
    context.report(
      Self.rule,
      "\(overlap.mapping.size) bytes at 0x\(String(overlap.physical, radix: 16)) overlap a live"
        + " \(other.direction.traceName) mapping of \(other.size) bytes",
      mapping: other
    )
  }

  // MARK: Dumps

  private struct Area {
    var start: UInt64
    var end: UInt64
    var index: Int
    var isWritable: Bool
  }

  /// What of a dump is in one piece in memory. Segments of lists behind an IOMMU are left out: in one
  /// piece for the device, they are in pieces in memory, of which a dump names the first one only.
  private static func areas(_ dump: MappingDump) -> [Area] {
    var areas: [Area] = []
    for (index, entry) in dump.entries.enumerated() {
      guard let physical = entry.physicalAddress, entry.size > 0,
        entry.type != .resource, entry.attributes?.contains(.mmio) != true,
        entry.attributes?.contains(.skipCPUSync) != true,
        entry.type != .scatterGather || physical == entry.dmaAddress
      else { continue }
      let (end, overflow) = physical.addingReportingOverflow(entry.size)
      areas.append(
        Area(
          start: physical,
          end: overflow ? .max : end,
          index: index,
          isWritable: entry.direction != .toDevice
        )
      )
    }
    return areas.sorted { ($0.start, $0.index) < ($1.start, $1.index) }
  }

  /// Sweeps over physical memory: of the mappings that begin before a place, the writable one that
  /// reaches furthest and the one of any direction that does are what can overlap what begins there.
  static func examine(_ dump: MappingDump, _ collector: inout FindingCollector) {
    var furthest: Area?
    var furthestWritable: Area?
    for area in areas(dump) {
      // A line of 64 bytes that both touch is shared even where no byte is.
      let line = area.start & ~63
      if let other = area.isWritable ? furthest : furthestWritable, other.end > line {
        report(
          dump.entries[other.index],
          dump.entries[area.index],
          shares: other.end <= area.start,
          dump,
          &collector
        )
      }
      if area.end > furthest?.end ?? 0 { furthest = area }
      if area.isWritable, area.end > furthestWritable?.end ?? 0 { furthestWritable = area }
    }
  }

  private static func report(
    _ first: DumpEntry,
    _ second: DumpEntry,
    shares: Bool,
    _ dump: MappingDump,
    _ collector: inout FindingCollector
  ) {
    guard let place = first.physicalAddress, let other = second.physicalAddress else { return }
    // The kernel's allocators give coherent memory whole pages; two of them never meet.
    let who =
      first.device == second.device
      ? "the same device" : dump.names.devices.string(first.device.rawValue)
    let words = shares ? "share a cacheline with" : "overlap"
    _ = collector.add(
      rule,
      second,
      of: dump,
      "\(second.size) bytes at \(LintContext.hexadecimal(other)) \(words) a live"
        + " \(first.direction.traceName) mapping of \(first.size) bytes at"
        + " \(LintContext.hexadecimal(place)) of \(who)",
      origin: first
    )
  }
}
