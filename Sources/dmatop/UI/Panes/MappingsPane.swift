import DMADebugCore
import DMATimeline
import TerminalKit

/// View 1: what is mapped now, and everything about one mapping.
extension MonitorView {
  func drawMappings(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let rows = state.rows()
    let context = state.context
    let (upper, lower) = split(area, lower: state.showsDetail ? min(14, area.height * 2 / 3) : 0)
    let columns = MonitorColumn.all.map { column in
      let arrow = state.isAscending ? glyphs.arrowUp : glyphs.arrowDown
      return TableColumn(
        heading: column.heading + (column.field == state.sort ? arrow : ""),
        width: column.width,
        isTrailing: column.field.isNumeric,
        priority: column.priority
      )
    }
    drawTable(
      &buffer,
      upper,
      columns,
      &state,
      count: rows.count,
      style: {
        rows[$0].mapError == .notChecked && rows[$0].showsMapErrorCheck
          ? Style(foreground: .yellow) : .plain
      },
      cells: { index in MonitorColumn.all.map { $0.text(rows[index], context) } }
    )
    if rows.isEmpty, upper.height > 1 {
      let hasFilter = !state.place.filterText.isEmpty || state.errorsOnly
      let words = hasFilter ? "nothing matches the filter" : "no live mappings"
      buffer.put(words, x: 1, y: upper.y + 1, style: Self.dimStyle)
    }
    let selected = state.place.selection
    if lower.height > 1, rows.indices.contains(selected) {
      drawDetail(&buffer, lower, rows[selected], rows, context, state)
    }
  }

  private func drawDetail(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ mapping: Mapping,
    _ rows: [Mapping],
    _ context: MappingContext,
    _ state: MonitorState
  ) {
    drawRule(&buffer, area, "mapping")
    var lines: [String] = []
    let pairs = MappingField.allCases.map { field -> String in
      var text = field.value(of: mapping, in: context).display
      if field == .size { text = "\(mapping.size) (\(FieldValue.bytes(mapping.size)))" }
      return "\(field.rawValue)=\(text)"
    }
    lines.append(pairs.joined(separator: "  "))
    let stack = context.names.stacks[mapping.stack].map { context.names.symbols.string($0) }
    if !stack.isEmpty { lines.append("mapped at: " + stack.joined(separator: " < ")) }
    if let own = context.engine.physicalAddress(of: mapping) {
      let partners = context.engine.liveMappings().filter { other in
        other.sequence != mapping.sequence
          && context.engine.physicalAddress(of: other).map { $0 >> 6 == own >> 6 } == true
      }
      if !partners.isEmpty {
        let texts = partners.prefix(8).map { partner in
          let name = context.names.devices.string(partner.device.rawValue)
          return "\(name) 0x\(String(partner.dmaAddress, radix: 16))+\(partner.size)"
        }
        lines.append("same cacheline: " + texts.joined(separator: ", "))
      }
    }
    let inner = Rectangle(x: area.x, y: area.y + 1, width: area.width, height: area.height - 1)
    drawLines(&buffer, inner, lines)
  }
}
