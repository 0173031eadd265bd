// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import TerminalKit

/// A stretch of DMA addresses and the mappings in it.
struct AddressRegion {
  var start: UInt64
  /// The first address behind it; the last one of all when it goes to the end.
  var end: UInt64
  /// In the order of addresses.
  var mappings: [Mapping]
  /// Whose addresses they are: those of a device behind an IOMMU are its own, those that are
  /// physical addresses are everybody's.
  var space: DeviceID?

  /// What stays the same about it.
  var identity: UInt64 { start ^ UInt64(space?.rawValue ?? 0) << 52 }

  /// Gaps that are larger than this part regions.
  private static let largestGap: UInt64 = 16 << 20

  /// Regions of all live mappings, in the order of addresses.
  static func all(_ engine: DMADebug) -> [AddressRegion] {
    var regions: [AddressRegion] = []
    /// The region that grows in each space.
    var open: [DeviceID?: Int] = [:]
    for mapping in sorted(engine) {
      let stop = stop(mapping)
      let space = engine.isDirect(mapping.device) ? nil : mapping.device
      if let index = open[space],
        mapping.dmaAddress <= regions[index].end &+ largestGap || regions[index].end == .max
      {
        regions[index].end = max(regions[index].end, stop)
        regions[index].mappings.append(mapping)
      } else {
        open[space] = regions.count
        regions.append(
          AddressRegion(start: mapping.dmaAddress, end: stop, mappings: [mapping], space: space)
        )
      }
    }
    // Whole pages read better.
    for index in regions.indices {
      regions[index].start &= ~0xFFF
      if regions[index].end < ~0xFFF { regions[index].end = (regions[index].end + 0xFFF) & ~0xFFF }
    }
    return regions
  }

  private static func sorted(_ engine: DMADebug) -> [Mapping] {
    var mappings: [Mapping] = []
    engine.forEachLiveMapping { mappings.append($0) }
    return mappings.sorted { ($0.dmaAddress, $0.sequence) < ($1.dmaAddress, $1.sequence) }
  }

  private static func stop(_ mapping: Mapping) -> UInt64 {
    let end = mapping.dmaAddress &+ max(mapping.size, 1)
    return end < mapping.dmaAddress ? UInt64.max : end
  }

  /// A range of addresses in equal parts, each a whole number of cachelines.
  static func parts(
    of range: Range<UInt64>,
    space: DeviceID?,
    _ engine: DMADebug,
    count: Int
  ) -> [AddressRegion] {
    let span = range.upperBound - range.lowerBound
    let width = max(64, (span / UInt64(count) + 63) / 64 * 64)
    var regions: [AddressRegion] = []
    var start = range.lowerBound
    while start < range.upperBound, regions.count < count {
      let (sum, overflow) = start.addingReportingOverflow(width)
      let end = overflow ? range.upperBound : min(sum, range.upperBound)
      regions.append(AddressRegion(start: start, end: end, mappings: [], space: space))
      start = end
    }
    for mapping in sorted(engine) {
      let stop = stop(mapping)
      guard stop > range.lowerBound, mapping.dmaAddress < range.upperBound,
        (engine.isDirect(mapping.device) ? nil : mapping.device) == space
      else { continue }
      let from = max(mapping.dmaAddress, range.lowerBound) - range.lowerBound
      var index = Int(from / width)
      while index < regions.count, regions[index].start < stop {
        regions[index].mappings.append(mapping)
        index += 1
      }
    }
    return regions
  }

  /// Bytes of a part when there are at most `cells` of them: whole cachelines.
  private func partWidth(_ cells: Int) -> UInt64 {
    let width = (end - start) / UInt64(max(cells, 1))
    let isExact = width * UInt64(max(cells, 1)) == end - start
    return max(64, (width + (isExact ? 63 : 64)) / 64 * 64)
  }

  /// Addresses of one of `cells` equal parts; empty behind the end.
  func cell(_ index: Int, of cells: Int) -> Range<UInt64> {
    let width = partWidth(cells)
    let (distance, overflow) = width.multipliedReportingOverflow(by: UInt64(max(index, 0)))
    guard !overflow, distance < end - start else { return end..<end }
    let from = start + distance
    return from..<(end - from > width ? from + width : end)
  }

  /// How much of each of `cells` equal parts is mapped, 0 … 1; fewer parts when a part would be less
  /// than a cacheline.
  func occupancy(_ cells: Int) -> [Double] {
    let width = partWidth(cells)
    let whole = end > start ? (end - start - 1) / width + 1 : 1
    let count = min(cells, Int(min(whole, UInt64(max(cells, 0)))))
    var parts = [Double](repeating: 0, count: max(count, 1))
    for mapping in mappings {
      let from = mapping.dmaAddress > start ? mapping.dmaAddress - start : 0
      let to = min(Self.stop(mapping), end) - start
      var cell = min(parts.count - 1, Int(from / width))
      while cell < parts.count, UInt64(cell) * width < to {
        let low = max(from, UInt64(cell) * width)
        // The last part may reach beyond the last address of all.
        let (next, isBeyond) = (UInt64(cell) * width).addingReportingOverflow(width)
        let high = isBeyond ? to : min(to, next)
        if high > low { parts[cell] += Double(high - low) / Double(width) }
        cell += 1
      }
    }
    return parts
  }

  /// Bytes that are mapped in it, those that several mappings share once; how many gaps there are
  /// between mappings, and the bytes of the largest one.
  var coverage: (bytes: UInt64, gaps: Int, largestGap: UInt64) {
    var bytes: UInt64 = 0
    var gaps = 0
    var largest: UInt64 = 0
    var reached = start
    var isFirst = true
    func gap(_ to: UInt64) {
      defer { isFirst = false }
      guard to > reached, !isFirst else { return }
      gaps += 1
      largest = max(largest, to - reached)
    }
    for mapping in mappings {
      let from = max(mapping.dmaAddress, start)
      let to = min(Self.stop(mapping), end)
      gap(from)
      if to > max(from, reached) { bytes &+= to - max(from, reached) }
      reached = max(reached, to)
    }
    return (bytes, gaps, largest)
  }
}

enum RegionList {
  static let bar = 8

  static func make(
    _ regions: [AddressRegion],
    now: UInt64,
    barWidth: Int,
    _ glyphs: Glyphs,
    _ names: TraceNames
  ) -> FixedList {
    FixedList(
      columns: [
        ListColumn(name: "space", heading: "SPACE", width: 12, priority: 4),
        ListColumn(name: "dma_addr", heading: "FROM", width: 14, isTrailing: true),
        ListColumn(name: "span", heading: "SPAN", width: 9, isTrailing: true, priority: 2),
        ListColumn(name: "bytes", heading: "MAPPED", width: 9, isTrailing: true, priority: 1),
        ListColumn(name: "live", heading: "COUNT", width: 6, isTrailing: true, priority: 3),
        ListColumn(name: "gaps", heading: "GAPS", width: 5, isTrailing: true, priority: 5),
        ListColumn(
          name: "largest_gap",
          heading: "LARGEST",
          width: 9,
          isTrailing: true,
          priority: 6
        ),
        ListColumn(name: "oldest_ns", heading: "OLDEST", width: 8, isTrailing: true, priority: 4),
        ListColumn(name: "occupancy", heading: "OCCUPANCY", width: barWidth),
      ],
      rows: regions.map { region in
        let (bytes, gaps, largest) = region.coverage
        let first = region.mappings.map(\.time).min()
        let age = first.map { now > $0 ? now - $0 : 0 }
        let span = region.end - region.start
        return FixedList.Row(
          values: [
            .text(region.space.map { names.devices.string($0.rawValue) } ?? "physical"),
            .address(region.start), .number(span), .number(bytes),
            .number(UInt64(region.mappings.count)), .number(UInt64(gaps)), .number(largest),
            age.map { .duration($0) } ?? .none, .none,
          ],
          identity: region.identity,
          texts: [
            2: FieldValue.bytes(span), 3: FieldValue.bytes(bytes), 6: FieldValue.bytes(largest),
            bar: region.occupancy(barWidth).map { glyphs.level($0) }.joined(),
          ]
        )
      }
    )
  }
}
