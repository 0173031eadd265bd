import DMADebugCore
import DMATrace

extension LintResult {
  /// Lints a saved `dma-api/dump`: only what a state without a past can show.
  ///
  /// - Mappings whose map error nobody has asked about (DMA151).
  /// - Mappings of the same bytes, or of the same cacheline, one of which lets a device write
  ///   (DMA104). Segments of lists behind an IOMMU are left out: in one piece for the device, they
  ///   are in pieces in memory, of which a dump names the first one only.
  public static func linted(_ dump: MappingDump, name: String) -> LintResult {
    var collector = FindingCollector(path: name)
    checkUnasked(dump, &collector)
    checkOverlaps(dump, &collector)
    if dump.malformedLines > 0 {
      let first = dump.malformed.first.map { ", first line \($0.line): \($0.reason)" } ?? ""
      collector.add(
        .malformed,
        "\(dump.malformedLines) lines could not be understood\(first)",
        count: dump.malformedLines,
        line: dump.malformed.first?.line ?? 0
      )
    }
    if dump.cutOff { collector.add(.cutOff, "the last line is cut off", line: dump.lines) }
    var result = LintResult(
      path: name,
      findings: collector.sorted.map { finding in
        var finding = finding
        finding.isReplayable = false
        return finding
      },
      eventCount: 0,
      summary: dump.summary,
      kernel: dump.generation?.version ?? "?",
      kernelOrigin: dump.layout.description,
      undecided: Undecided()
    )
    result.kind = .dump
    result.omitted = collector.omitted
    return result
  }

  private static func finding(
    _ rule: Rule,
    _ entry: DumpEntry,
    _ dump: MappingDump,
    _ message: String,
    _ collector: FindingCollector
  ) -> Finding {
    Finding(
      rule: rule,
      severity: rule.severity,
      path: collector.path,
      line: entry.line,
      time: 0,
      task: nil,
      pid: -1,
      cpu: nil,
      device: dump.names.devices.string(entry.device.rawValue),
      driver: dump.names.drivers.string(entry.driver.rawValue),
      message: message
    )
  }

  private static func checkUnasked(_ dump: MappingDump, _ collector: inout FindingCollector) {
    struct Key: Hashable {
      var driver: UInt32
      var device: UInt32
      var type: MappingType
      var direction: Direction
    }
    var places: [Key: Int?] = [:]
    for entry in dump.entries where entry.mapError == .notChecked {
      let key = Key(
        driver: entry.driver.rawValue,
        device: entry.device.rawValue,
        type: entry.type,
        direction: entry.direction
      )
      if let known = places[key] {
        if let known { collector.change(known) { $0.count += 1 } }
        continue
      }
      var finding = finding(
        .liveUnchecked,
        entry,
        dump,
        "\(entry.size) bytes mapped \(entry.direction.traceName) at \(address(entry.dmaAddress)):"
          + " nobody has asked for the map error",
        collector
      )
      finding.origin = origin(entry)
      places[key] = .some(collector.append(finding))
    }
  }

  private static func address(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  private static func origin(_ entry: DumpEntry) -> Finding.Origin {
    Finding.Origin(
      line: entry.line,
      time: 0,
      task: nil,
      pid: -1,
      cpu: nil,
      site: nil,
      stack: [],
      dmaAddress: entry.dmaAddress,
      size: entry.size,
      direction: entry.direction,
      type: entry.type
    )
  }

  /// Sweeps over physical memory: of the mappings that begin before a place, the writable one that
  /// reaches furthest and the one of any direction that does are what can overlap what begins there.
  private static func checkOverlaps(_ dump: MappingDump, _ collector: inout FindingCollector) {
    struct Area {
      var start: UInt64
      var end: UInt64
      var index: Int
      var isWritable: Bool
    }
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
    areas.sort { ($0.start, $0.index) < ($1.start, $1.index) }
    var furthest: Area?
    var furthestWritable: Area?
    for area in areas {
      // A line of 64 bytes that both touch is shared even where no byte is.
      let line = area.start & ~63
      if let other = area.isWritable ? furthest : furthestWritable, other.end > line {
        report(areas: (other.index, area.index), shares: other.end <= area.start, dump, &collector)
      }
      if area.end > furthest?.end ?? 0 { furthest = area }
      if area.isWritable, area.end > furthestWritable?.end ?? 0 { furthestWritable = area }
    }
  }

  private static func report(
    areas: (Int, Int),
    shares: Bool,
    _ dump: MappingDump,
    _ collector: inout FindingCollector
  ) {
    let first = dump.entries[areas.0]
    let second = dump.entries[areas.1]
    guard let place = first.physicalAddress, let other = second.physicalAddress else { return }
    // The kernel's allocators give coherent memory whole pages; two of them never meet.
    let who =
      first.device == second.device
      ? "the same device" : dump.names.devices.string(first.device.rawValue)
    let words = shares ? "share a cacheline with" : "overlap"
    var finding = finding(
      .rangeOverlap,
      second,
      dump,
      "\(second.size) bytes at \(address(other)) \(words) a live \(first.direction.traceName) mapping"
        + " of \(first.size) bytes at \(address(place)) of \(who)",
      collector
    )
    finding.origin = origin(first)
    _ = collector.append(finding)
  }
}
