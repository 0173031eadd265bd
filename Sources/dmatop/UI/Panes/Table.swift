import TerminalKit

/// A column of a table in a view.
struct TableColumn {
  var heading: String
  var width: Int
  var isTrailing = false
  /// Columns with larger numbers go first when the terminal is narrow.
  var priority = 0
}

extension MonitorView {
  /// Columns that fit into a width, by index, the least important left out first.
  static func fitting(_ columns: [TableColumn], _ width: Int) -> [Int] {
    var kept = Array(columns.indices)
    while kept.count > 1, kept.reduce(-1, { $0 + columns[$1].width + 1 }) > width {
      let least = kept.map { columns[$0].priority }.max() ?? 0
      guard least > 0, let index = kept.firstIndex(where: { columns[$0].priority == least }) else {
        break
      }
      kept.remove(at: index)
    }
    return kept
  }

  /// Draws a heading and the rows that are visible. The last column takes what is left.
  ///
  /// - Parameters:
  ///   - cells: the texts of a row.
  ///   - style: how a row looks when it is not selected.
  func drawTable(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ columns: [TableColumn],
    _ state: inout MonitorState,
    count: Int,
    style: (Int) -> Style = { _ in .plain },
    cells: (Int) -> [String]
  ) {
    guard area.height > 0 else { return }
    let shown = Self.fitting(columns, area.width)
    buffer.fill(
      Rectangle(x: area.x, y: area.y, width: area.width, height: 1),
      style: Self.headingStyle
    )
    drawRow(&buffer, area, area.y, columns, shown, columns.map(\.heading), Self.headingStyle)
    let visible = area.height - 1
    state.showSelection(visible: visible, count: count)
    let place = state.place
    state.targets.append(
      MonitorState.Target(
        x: area.x,
        y: area.y + 1,
        width: area.width,
        height: max(0, min(visible, count - place.scroll)),
        kind: .rows(place.scroll)
      )
    )
    for line in 0..<max(0, visible) where place.scroll + line < count {
      let index = place.scroll + line
      let isSelected = index == place.selection
      let rowStyle = isSelected ? Self.selectionStyle : style(index)
      let y = area.y + 1 + line
      if isSelected {
        buffer.fill(Rectangle(x: area.x, y: y, width: area.width, height: 1), style: rowStyle)
      }
      drawRow(&buffer, area, y, columns, shown, cells(index), rowStyle)
    }
  }

  private func drawRow(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ y: Int,
    _ columns: [TableColumn],
    _ shown: [Int],
    _ cells: [String],
    _ style: Style
  ) {
    var x = area.x
    for index in shown where index < cells.count {
      let isLast = index == shown.last
      let width = isLast ? max(0, area.maxX - x) : columns[index].width
      buffer.putField(
        cells[index],
        x: x,
        y: y,
        width: isLast && columns[index].isTrailing ? min(width, columns[index].width) : width,
        alignment: columns[index].isTrailing ? .trailing : .leading,
        truncation: .tail,
        ellipsis: glyphs.ellipsis,
        style: style
      )
      x += columns[index].width + 1
    }
  }

  /// Draws lines of text, long ones broken at blanks.
  func drawLines(_ buffer: inout CellBuffer, _ area: Rectangle, _ lines: [String]) {
    var y = area.y
    for line in lines {
      for part in Self.wrapped(line, width: area.width - 2) {
        guard y < area.maxY else { return }
        buffer.put(part, x: area.x + 1, y: y, maxWidth: max(0, area.width - 1))
        y += 1
      }
    }
  }

  static func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return lines + (line.isEmpty ? [] : [line])
  }

  /// A line between two parts of a view.
  func drawRule(_ buffer: inout CellBuffer, _ area: Rectangle, _ title: String) {
    buffer.horizontalLine(
      x: area.x,
      y: area.y,
      width: area.width,
      glyph: glyphs.horizontalLine,
      style: Self.dimStyle
    )
    buffer.put(
      " \(title) ",
      x: area.x + 2,
      y: area.y,
      style: Self.labelStyle,
      maxWidth: area.width - 4
    )
  }

  /// The upper part of an area and what is left for a pane below.
  func split(_ area: Rectangle, lower: Int) -> (upper: Rectangle, lower: Rectangle) {
    let height = max(0, min(lower, area.height - 4))
    let upper = Rectangle(x: area.x, y: area.y, width: area.width, height: area.height - height)
    return (
      upper, Rectangle(x: area.x, y: upper.maxY, width: area.width, height: height)
    )
  }
}
