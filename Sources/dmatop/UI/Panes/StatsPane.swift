import DMADebugCore
import DMATimeline
import TerminalKit

/// Where a mapping was made: its stack, or the caller that asked for its map error.
struct MapSite: Hashable, Comparable {
  private let stack: UInt32
  private let symbol: UInt32

  init(_ mapping: Mapping) {
    stack = mapping.stack
    symbol = mapping.stack == StackTable.none ? mapping.site : NameTable.unknown
  }

  func name(_ names: TraceNames) -> String? {
    if stack != StackTable.none { return names.callSite(stack: stack) }
    return symbol == NameTable.unknown ? nil : names.symbols.string(symbol)
  }

  static func < (a: MapSite, b: MapSite) -> Bool { (a.stack, a.symbol) < (b.stack, b.symbol) }
}

/// View 8: sizes and ages of what lives, by powers of two, and where it was mapped.
extension MonitorView {
  func drawStats(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let timeline = state.timeline
    let engine = timeline.engine
    let names = timeline.names
    var sizes = [Int](repeating: 0, count: 65)
    var ages = [Int](repeating: 0, count: 65)
    var sites: [MapSite: (count: Int, bytes: UInt64)] = [:]
    var types: [MappingType: (count: Int, bytes: UInt64)] = [:]
    engine.forEachLiveMapping { mapping in
      sizes[Self.power(mapping.size)] += 1
      ages[Self.power(timeline.time > mapping.time ? timeline.time - mapping.time : 0)] += 1
      let site = sites[MapSite(mapping)] ?? (0, 0)
      sites[MapSite(mapping)] = (site.count + 1, site.bytes &+ mapping.size)
      let type = types[mapping.type] ?? (0, 0)
      types[mapping.type] = (type.count + 1, type.bytes &+ mapping.size)
    }
    let half = area.width / 2
    let left = Rectangle(x: area.x, y: area.y, width: half, height: area.height)
    let right = Rectangle(
      x: area.x + half,
      y: area.y,
      width: area.width - half,
      height: area.height
    )
    let top = max(4, area.height * 3 / 5)
    drawHistogram(&buffer, left, top, "SIZE", sizes) { FieldValue.bytes($0) }
    drawHistogram(&buffer, right, top, "AGE", ages) { FieldValue.duration($0) }
    var lines: [String] = []
    for type in MappingType.allCases {
      guard let part = types[type] else { continue }
      lines.append("\(part.count) \(type.kernelName), \(FieldValue.bytes(part.bytes))")
    }
    let lower = Rectangle(
      x: area.x,
      y: area.y + top,
      width: area.width,
      height: max(0, area.height - top)
    )
    guard lower.height > 1 else { return }
    drawRule(&buffer, lower, lines.isEmpty ? "nothing lives" : lines.joined(separator: "; "))
    let ranked = sites.sorted { ($1.value.bytes, $0.key) < ($0.value.bytes, $1.key) }
    for (offset, site) in ranked.prefix(lower.height - 1).enumerated() {
      let name = site.key.name(names) ?? "site unknown"
      let text = "\(site.value.count) mappings, \(FieldValue.bytes(site.value.bytes))  \(name)"
      buffer.put(text, x: lower.x + 1, y: lower.y + 1 + offset, maxWidth: max(0, lower.width - 1))
    }
  }

  /// The power of two at or below a number; 0 for 0.
  private static func power(_ value: UInt64) -> Int {
    value == 0 ? 0 : 64 - value.leadingZeroBitCount
  }

  private func drawHistogram(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ height: Int,
    _ title: String,
    _ counts: [Int],
    _ name: (UInt64) -> String
  ) {
    buffer.fill(
      Rectangle(x: area.x, y: area.y, width: area.width, height: 1),
      style: Self.headingStyle
    )
    buffer.put(" \(title)", x: area.x, y: area.y, style: Self.headingStyle, maxWidth: area.width)
    let used = counts.indices.filter { counts[$0] > 0 }
    guard let first = used.first, let last = used.last else { return }
    let most = counts.max() ?? 1
    for (offset, power) in (first...last).prefix(max(0, height - 1)).enumerated() {
      let y = area.y + 1 + offset
      let lower: UInt64 = power == 0 ? 0 : 1 << UInt64(power - 1)
      buffer.putField(
        name(lower),
        x: area.x,
        y: y,
        width: 9,
        alignment: .trailing,
        ellipsis: glyphs.ellipsis
      )
      let width = max(0, area.width - 18)
      let bar = glyphs.bar(fraction: Double(counts[power]) / Double(most), width: width)
      buffer.put(bar, x: area.x + 10, y: y, style: Style(foreground: .green), maxWidth: width)
      buffer.put(String(counts[power]), x: area.x + 11 + width, y: y, maxWidth: 6)
    }
  }
}
