// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import TerminalKit

/// View 8: sizes, ages and lifetimes by powers of two, rates over time, and where what lives was
/// mapped.
extension MonitorView {
  func drawStats(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let statistics = state.statistics()
    let activity = state.timeline.activity
    let lifetimes = activity.lifetimes
    let isWide = area.width >= 120
    let top = min(max(4, area.height / 2), 22)
    let parts = isWide ? 3 : 2
    let width = area.width / parts
    func part(_ index: Int) -> Rectangle {
      let right = index == parts - 1 ? area.width : width * (index + 1)
      return Rectangle(
        x: area.x + width * index,
        y: area.y,
        width: right - width * index,
        height: top
      )
    }
    drawHistogram(&buffer, part(0), "SIZE from, of what lives", statistics.sizes) {
      FieldValue.bytes($0)
    }
    let duration: (UInt64) -> String = { state.hasClock ? FieldValue.duration($0) : String($0) }
    if isWide {
      drawHistogram(&buffer, part(1), "AGE from, of what lives", statistics.ages, duration)
    }
    drawHistogram(&buffer, part(parts - 1), "LIFETIME from, of what ended", lifetimes, duration)
    var y = area.y + top
    for line in rateLines(activity, state, width: area.width) where y < area.maxY - 4 {
      var x = area.x + 1
      x += buffer.put(line.label, x: x, y: y, style: theme[.label], clip: area) + 1
      x += buffer.put(line.values, x: x, y: y, style: theme[.plain], clip: area) + 1
      buffer.put(line.chart, x: x, y: y, style: theme[.chart], clip: area)
      y += 1
    }
    let lower = Rectangle(x: area.x, y: y, width: area.width, height: max(0, area.maxY - y))
    guard lower.height > 1 else { return }
    let types = statistics.types.map { part in
      "\(part.count) \(part.type.kernelName), \(FieldValue.bytes(part.bytes))"
    }
    drawRule(&buffer, lower, types.isEmpty ? "nothing lives" : types.joined(separator: "; "))
    drawList(
      &buffer,
      lower.inset(top: 1),
      state.list(glyphs),
      &state,
      empty: state.filters().isEmpty ? "no mappings" : "nothing matches the filter"
    )
  }

  /// Maps, syncs and bounces: in all until now, in a second around now, and over time.
  private func rateLines(
    _ activity: Activity,
    _ state: MonitorState,
    width: Int
  ) -> [(label: String, values: String, chart: String)] {
    let sum = activity.total.sum
    let pieces = activity.total.pieces
    let now = state.timeline.time
    let room = max(0, min(80, width - 40))
    func line(_ label: String, _ total: String, _ value: @escaping (Activity.Piece) -> UInt64)
      -> (label: String, values: String, chart: String)
    {
      var values = total
      if state.hasClock, let rate = activity.rate(activity.total, at: now, value) {
        values += ", \(Self.short(rate))/s"
      }
      values += String(repeating: " ", count: max(0, 24 - values.count))
      return (
        label + String(repeating: " ", count: max(0, 9 - label.count)), values,
        chart(pieces.map { Double(value($0)) }, room)
      )
    }
    var lines = [
      line("maps", String(sum.maps)) { UInt64($0.maps) },
      line("syncs", String(sum.syncs)) { UInt64($0.syncs) },
    ]
    if sum.bounces > 0 {
      lines.append(line("bounces", "\(sum.bounces) by swiotlb") { UInt64($0.bounces) })
    }
    let peak = "\(FieldValue.bytes(sum.peakBytes)), \(sum.peakLive) at most"
    let values = peak + String(repeating: " ", count: max(0, 24 - peak.count))
    lines.append(("live     ", values, chart(pieces.map { Double($0.peakBytes) }, room)))
    return lines
  }

  /// Values over time in some cells, the largest of each cell.
  private func chart(_ values: [Double], _ cells: Int) -> String {
    guard cells > 0, !values.isEmpty else { return "" }
    let count = min(cells, values.count)
    let tops = (0..<count).map { cell -> Double in
      let from = cell * values.count / count
      let to = max(from + 1, (cell + 1) * values.count / count)
      return values[from..<min(to, values.count)].max() ?? 0
    }
    let most = max(tops.max() ?? 1, 1)
    return tops.map { glyphs.level($0 / most) }.joined()
  }

  private func drawHistogram(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ title: String,
    _ counts: [UInt64],
    _ name: (UInt64) -> String
  ) {
    let heading = Rectangle(x: area.x, y: area.y, width: area.width, height: 1)
    buffer.fill(heading, style: theme[.heading])
    buffer.put(" \(title)", x: area.x, y: area.y, style: theme[.heading], clip: heading)
    let used = counts.indices.filter { counts[$0] > 0 }
    guard let first = used.first, let last = used.last else {
      buffer.put("none", x: area.x + 1, y: area.y + 1, style: theme[.faint], clip: area)
      return
    }
    let room = max(1, area.height - 1)
    // When there are more powers than lines, the ends are folded: most is in the middle.
    var from = first
    var to = last
    while to - from + 1 > room, from < to {
      if counts[from] <= counts[to] { from += 1 } else { to -= 1 }
    }
    var folded = counts
    folded[from] = counts[...from].reduce(0, +)
    folded[to] = from == to ? counts.reduce(0, +) : counts[to...].reduce(0, +)
    let most = folded[from...to].max() ?? 1
    for (offset, power) in (from...to).prefix(room).enumerated() {
      let y = area.y + 1 + offset
      let lower: UInt64 = power == 0 ? 0 : 1 << UInt64(power - 1)
      var label = name(lower)
      if power == from, from > first { label = "<" + name(lower.adding(lower)) }
      if power == to, to < last { label += "+" }
      buffer.putField(
        label,
        x: area.x,
        y: y,
        width: 10,
        alignment: .trailing,
        ellipsis: glyphs.ellipsis,
        style: theme[.plain],
        clip: area
      )
      let width = max(0, area.width - 20)
      let bar = glyphs.bar(fraction: Double(folded[power]) / Double(most), width: width)
      buffer.put(bar, x: area.x + 11, y: y, style: theme[.secondChart], maxWidth: width)
      buffer.put(
        Self.short(folded[power]),
        x: area.x + 12 + width,
        y: y,
        style: theme[.plain],
        maxWidth: 7
      )
    }
  }
}
