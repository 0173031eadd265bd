// SPDX-License-Identifier: MIT
import DMAReplay
import TerminalKit

/// Boxes over the view: help, settings, the picker of a column, the log of the monitor.
extension MonitorView {
  func drawOverlay(_ buffer: inout CellBuffer, _ state: inout MonitorState) {
    switch state.overlay {
    case .help: drawText(&buffer, &state, "help", helpLines(state))
    case .log: drawText(&buffer, &state, "what the monitor has said", logLines(state))
    case .setup: drawSetup(&buffer, &state)
    case .sort: drawSortPicker(&buffer, &state)
    case nil: break
    }
  }

  private func helpLines(_ state: MonitorState) -> [String] {
    var lines = ["Up and down scroll, any other key closes."]
    for group in MonitorAction.Group.allCases {
      lines += ["", group.rawValue.uppercased()]
      for action in MonitorAction.allCases where action.group == group {
        let keys = state.keyMap.names(action).joined(separator: " ")
        let label = keys.isEmpty ? ":\(action.rawValue)" : keys
        let padding = String(repeating: " ", count: max(1, 14 - label.count))
        lines.append(label + padding + action.summary)
      }
    }
    lines += ["Q Ctrl-c      quit at once", "Ctrl-z        stop the program until fg"]
    return lines
  }

  private func logLines(_ state: MonitorState) -> [String] {
    guard !state.log.isEmpty else { return ["nothing yet"] }
    return state.log.flatMap { entry in
      entry.text.split(separator: "\n").enumerated().map { index, line in
        index == 0 ? "event \(entry.event): \(line)" : "  \(line)"
      }
    }
  }

  /// A box in the middle.
  private func drawBox(
    _ buffer: inout CellBuffer,
    _ title: String,
    width wanted: Int,
    height wantedHeight: Int
  ) -> Rectangle {
    let width = min(buffer.width, max(wanted + 4, title.count + 6))
    let height = min(buffer.height, wantedHeight + 2)
    let box = Rectangle(
      x: (buffer.width - width) / 2,
      y: (buffer.height - height) / 2,
      width: width,
      height: height
    )
    buffer.fill(box, style: theme[.box])
    buffer.put(" \(title) ", x: box.x + 2, y: box.y, style: theme[.bar], maxWidth: width - 4)
    return box.inset(left: 2, top: 1, right: 2, bottom: 1)
  }

  private func drawText(
    _ buffer: inout CellBuffer,
    _ state: inout MonitorState,
    _ title: String,
    _ lines: [String]
  ) {
    let width = lines.map { CellWidth.of($0) }.max() ?? 0
    let area = drawBox(&buffer, title, width: width, height: lines.count)
    state.overlayScroll = max(0, min(state.overlayScroll, lines.count - area.height))
    let shown = lines.dropFirst(state.overlayScroll).prefix(area.height)
    for (offset, line) in shown.enumerated() {
      let isHeading = !line.isEmpty && line == line.uppercased() && !line.contains("  ")
      var style = theme[.box]
      if isHeading { style.bold = true }
      buffer.put(line, x: area.x, y: area.y + offset, style: style, clip: area)
    }
    let rest = lines.count - state.overlayScroll - area.height
    if rest > 0 {
      buffer.put(
        " \(rest) more ",
        x: area.x,
        y: area.maxY,
        style: theme[.bar],
        maxWidth: area.width
      )
    }
  }

  private func drawSetup(_ buffer: inout CellBuffer, _ state: inout MonitorState) {
    let items = MonitorSettings.Item.allCases
    let width = items.map { $0.summary.count + 36 }.max() ?? 40
    let area = drawBox(&buffer, "setup", width: width, height: items.count + 2)
    state.overlaySelection = max(0, min(state.overlaySelection, items.count - 1))
    let first = max(0, min(state.overlaySelection - area.height + 3, items.count - area.height + 2))
    for (offset, item) in items.dropFirst(first).prefix(max(1, area.height - 2)).enumerated() {
      let isSelected = first + offset == state.overlaySelection
      let row = Rectangle(x: area.x, y: area.y + offset, width: area.width, height: 1)
      var style = theme[.box]
      if isSelected {
        style.reverse.toggle()
        style.bold = true
        buffer.fill(row, style: style)
      }
      let mark = isSelected ? ">" : " "
      let value = "\(glyphs.arrowLeft) \(state.settings.value(item)) \(glyphs.arrowRight)"
      buffer.put("\(mark) \(item.rawValue)", x: area.x, y: row.y, style: style, clip: area)
      buffer.put(value, x: area.x + 21, y: row.y, style: style, clip: area)
      buffer.put(item.summary, x: area.x + 40, y: row.y, style: style, clip: area)
    }
    let save = state.keyMap.short(.save).map { "\($0) keeps this for the next time. " } ?? ""
    buffer.put(
      save + "Esc closes.",
      x: area.x,
      y: area.maxY - 1,
      style: theme[.box],
      clip: area
    )
  }

  private func drawSortPicker(_ buffer: inout CellBuffer, _ state: inout MonitorState) {
    let columns: [(name: String, words: String)]
    if state.view == .mappings, state.difference == nil {
      columns = state.settings.allMappingFields.map { ($0.rawValue, $0.summary) }
    } else {
      columns = state.list(glyphs).columns.map { ($0.name, $0.heading) }
    }
    let width = columns.map { $0.words.count + 16 }.max() ?? 20
    let area = drawBox(&buffer, "sort by", width: width, height: columns.count)
    state.overlaySelection = max(0, min(state.overlaySelection, columns.count - 1))
    let first = max(0, min(state.overlaySelection - area.height + 1, columns.count - area.height))
    for (offset, column) in columns.dropFirst(first).prefix(area.height).enumerated() {
      let isSelected = first + offset == state.overlaySelection
      var style = theme[.box]
      if isSelected {
        style.reverse.toggle()
        style.bold = true
      }
      let row = Rectangle(x: area.x, y: area.y + offset, width: area.width, height: 1)
      buffer.fill(row, style: style)
      let mark = column.name == state.place.sort?.column ? glyphs.bullet : isSelected ? ">" : " "
      buffer.put("\(mark) \(column.name)", x: area.x, y: row.y, style: style, clip: area)
      buffer.put(column.words, x: area.x + 16, y: row.y, style: style, clip: area)
    }
  }
}
