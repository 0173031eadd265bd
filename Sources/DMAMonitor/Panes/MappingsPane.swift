// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import TerminalKit

/// View 1: what is mapped now, and everything about one mapping.
extension MonitorView {
  func drawMappings(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let list = state.mappingList()
    let lowerHeight = state.showsDetail ? max(min(14, area.height * 2 / 3), area.height / 2) : 0
    let (upper, lower) = split(area, lower: lowerHeight)
    let hasFooter = upper.height >= 8
    let rows = hasFooter ? upper.inset(bottom: 1) : upper
    let place = state.place
    let isFiltered = !place.filterText.isEmpty || place.errorsOnly || !state.pinnedText.isEmpty
    drawList(
      &buffer,
      rows,
      list,
      &state,
      empty: !isFiltered
        ? "no live mappings"
        : place.filterText.isEmpty && state.pinnedText.isEmpty
          ? "nothing is wrong with any mapping" : "nothing matches the filter"
    )
    if hasFooter { drawFooter(&buffer, upper, list) }
    if lower.height > 1, let mapping = list.mapping(state.place.selection) {
      drawDetail(&buffer, lower, mapping, list.context, &state)
    }
  }

  /// Totals of the rows that are shown.
  private func drawFooter(_ buffer: inout CellBuffer, _ area: Rectangle, _ list: MappingList) {
    let content = list.content
    let shown = content.count == content.total ? "" : " of \(content.total)"
    let text =
      "\(content.count)\(shown) mapping\(content.total == 1 ? "" : "s"),"
      + " \(FieldValue.bytes(content.bytes))"
    buffer.horizontalLine(
      x: area.x,
      y: area.maxY - 1,
      width: area.width,
      glyph: glyphs.horizontalLine,
      style: theme[.faint]
    )
    let x = max(area.x + 1, area.maxX - text.count - 4)
    buffer.put(" \(text) ", x: x, y: area.maxY - 1, style: theme[.label], clip: area)
  }

  private func drawDetail(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ mapping: Mapping,
    _ context: MappingContext,
    _ state: inout MonitorState
  ) {
    let names = context.names
    drawRule(
      &buffer,
      area,
      "\(names.devices.string(mapping.device.rawValue)) 0x\(String(mapping.dmaAddress, radix: 16))"
        + "+\(mapping.size)"
    )
    var lines: [(text: String, role: Theme.Role)] = []
    lines += fieldLines(mapping, context, width: area.width - 2).map { ($0, .plain) }
    let stack = names.stacks[mapping.stack].map { names.symbols.string($0) }
    if !stack.isEmpty { lines.append(("mapped at: " + stack.joined(separator: " < "), .label)) }
    let partners = partners(of: mapping, context)
    if !partners.isEmpty {
      lines.append(("same cacheline: " + partners.joined(separator: ", "), .warning))
    }
    let wrong = state.timeline.entries.filter {
      $0.report.mapping?.sequence == mapping.sequence && $0.event <= state.timeline.event
    }
    for entry in wrong.prefix(3) {
      let words = ReportText.words(entry.report, context.engine.configuration.generation)
      lines.append(("event \(entry.event): \(words.split(separator: "\n").first ?? "")", .error))
    }
    lines += historyLines(
      mapping.device,
      mapping.dmaAddress,
      mapping.size,
      through: state.timeline.event,
      &state
    )
    let inner = area.inset(top: 1)
    drawLines(&buffer, inner, lines, scroll: &state.detailScroll)
  }

  /// All fields of a mapping, in columns.
  private func fieldLines(
    _ mapping: Mapping,
    _ context: MappingContext,
    width: Int
  ) -> [String] {
    let pairs = MappingField.allCases.compactMap { field -> String? in
      let value = field.value(of: mapping, in: context)
      if field == .buffer, value == .none { return nil }
      let isUnfit = field == .sgCallEntries || field == .sgMappedEntries || field == .cpuAddress
      var text = value == .none && isUnfit ? "n/a" : value.display
      if field == .size { text = "\(mapping.size) (\(FieldValue.bytes(mapping.size)))" }
      var name = field.rawValue
      if name.hasSuffix("_ns") { name.removeLast(3) }
      return name + String(repeating: " ", count: max(1, 10 - name.count)) + text
    }
    let columns = max(1, width / 36)
    let columnWidth = width / columns
    var lines: [String] = []
    var line = ""
    for pair in pairs {
      // What is longer takes the room of the next column too.
      let used = (line.count + columnWidth - 1) / columnWidth * columnWidth
      if !line.isEmpty, used + pair.count > width {
        lines.append(line)
        line = pair
      } else {
        line += String(repeating: " ", count: line.isEmpty ? 0 : max(1, used - line.count)) + pair
      }
    }
    return lines + [line]
  }

  /// Other mappings of the cacheline in which a mapping begins.
  private func partners(of mapping: Mapping, _ context: MappingContext) -> [String] {
    guard let own = context.engine.physicalAddress(of: mapping) else { return [] }
    var texts: [String] = []
    var count = 0
    context.engine.forEachLiveMapping { other in
      guard other.sequence != mapping.sequence,
        let address = context.engine.physicalAddress(of: other), address >> 6 == own >> 6
      else { return }
      count += 1
      if texts.count < 8 {
        let name = context.names.devices.string(other.device.rawValue)
        texts.append("\(name) 0x\(String(other.dmaAddress, radix: 16))+\(other.size)")
      }
    }
    if count > texts.count { texts.append("\(count - texts.count) more") }
    return texts
  }

  /// What happened to an address, an event a line.
  func historyLines(
    _ device: DeviceID,
    _ address: UInt64,
    _ size: UInt64,
    through event: UInt64,
    _ state: inout MonitorState
  ) -> [(text: String, role: Theme.Role)] {
    let history = state.history(device, address, size: size, through: event)
    let names = state.names
    var lines: [(text: String, role: Theme.Role)] = [("history of the address:", .label)]
    if history.firstSearched > 0 {
      lines.append(("  events before \(history.firstSearched) were not searched", .faint))
    }
    for entry in history.entries {
      let one = entry.event
      func field(_ field: EventField) -> String {
        let value = field.value(of: one, number: entry.number, in: history.batch, names)
        return value == .none ? "" : value.display
      }
      let words = [
        "  \(time(one.time, state))  event \(entry.number)", field(.kind), field(.direction),
        field(.dmaAddress), field(.size).isEmpty ? "" : field(.size) + " bytes",
        field(.caller), field(.task).isEmpty ? "" : "by \(field(.task))-\(field(.pid))",
      ]
      lines.append((words.filter { !$0.isEmpty }.joined(separator: " "), .plain))
    }
    if history.omitted > 0 {
      lines.append(("  \(history.omitted) events in the middle are left out", .faint))
    }
    if history.entries.isEmpty { lines.append(("  no event names it", .faint)) }
    return lines
  }
}
