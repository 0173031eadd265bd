// SPDX-License-Identifier: MIT
import DMAReplay
import TerminalKit

extension MonitorView {
  /// Columns that fit into a width, by index, the least important left out first.
  ///
  /// - Parameter offset: columns that were moved out to the left.
  static func fitting(_ columns: [ListColumn], _ width: Int, offset: Int = 0) -> [Int] {
    var kept = Array(columns.indices.dropFirst(min(offset, max(columns.count - 1, 0))))
    while kept.count > 1, kept.reduce(-1, { $0 + columns[$1].width + 1 }) > width {
      let least = kept.map { columns[$0].priority }.max() ?? 0
      guard least > 0, let index = kept.lastIndex(where: { columns[$0].priority == least }) else {
        break
      }
      kept.remove(at: index)
    }
    return kept
  }

  /// Draws a heading and the rows that are visible. The last column takes what is left.
  ///
  /// - Parameter empty: what to say when there are no rows.
  func drawList(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ list: any RowList,
    _ state: inout MonitorState,
    empty: String
  ) {
    guard area.height > 0, area.width > 0 else { return }
    let columns = list.columns
    state.applyFollowing(list)
    let marked = state.place.marked
    let gutter = marked.isEmpty ? 0 : 1
    let shown = Self.fitting(columns, area.width - gutter, offset: state.place.columnOffset)
    state.shownColumns = shown
    drawHeading(&buffer, area, columns, shown, gutter, &state)
    let visible = area.height - 1
    state.showSelection(visible: visible, count: list.count)
    let place = state.place
    state.targets.append(
      MonitorState.Target(
        x: area.x,
        y: area.y + 1,
        width: area.width,
        height: max(0, min(visible, list.count - place.scroll)),
        kind: .rows(place.scroll)
      )
    )
    let words = state.searchText.lowercased()
    for line in 0..<max(0, visible) where place.scroll + line < list.count {
      let index = place.scroll + line
      let isSelected = index == place.selection
      let isMarked = !marked.isEmpty && list.isRow(index, among: marked)
      let style =
        isSelected
        ? theme[.selection] : isMarked ? theme[.marked] : theme[list.role(index)]
      let y = area.y + 1 + line
      let row = Rectangle(x: area.x, y: y, width: area.width, height: 1)
      if isSelected { buffer.fill(row, style: style) }
      if isMarked { buffer.put("*", x: area.x, y: y, style: style) }
      drawRow(&buffer, area, y, list, index, shown, gutter, style)
      if !words.isEmpty { highlight(&buffer, row, words) }
    }
    if list.count == 0, area.height > 1 {
      buffer.put(empty, x: area.x + 1, y: area.y + 1, style: theme[.faint], clip: area)
    }
  }

  private func drawHeading(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ columns: [ListColumn],
    _ shown: [Int],
    _ gutter: Int,
    _ state: inout MonitorState
  ) {
    let row = Rectangle(x: area.x, y: area.y, width: area.width, height: 1)
    buffer.fill(row, style: theme[.heading])
    var x = area.x + gutter
    for index in shown {
      let column = columns[index]
      let isLast = index == shown.last
      let room = max(0, area.maxX - x)
      let width = isLast ? (column.isTrailing ? min(room, column.width) : room) : column.width
      let sort = state.place.sort.flatMap { $0.column == column.name ? $0 : nil }
      let arrow = sort.map { $0.isAscending ? glyphs.arrowUp : glyphs.arrowDown } ?? ""
      buffer.putField(
        column.heading + arrow,
        x: x,
        y: area.y,
        width: width,
        alignment: column.isTrailing ? .trailing : .leading,
        ellipsis: glyphs.ellipsis,
        style: sort == nil ? theme[.heading] : theme[.sortedHeading],
        clip: row
      )
      state.targets.append(
        MonitorState.Target(x: x, y: area.y, width: width, height: 1, kind: .heading(column.name))
      )
      x += column.width + 1
    }
  }

  private func drawRow(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ y: Int,
    _ list: any RowList,
    _ row: Int,
    _ shown: [Int],
    _ gutter: Int,
    _ style: Style
  ) {
    let columns = list.columns
    let branch = list.branch(row)
    let treeColumn =
      branch == nil ? nil : list.treeColumn ?? shown.first { !columns[$0].isTrailing }
    var x = area.x + gutter
    for index in shown {
      let column = columns[index]
      let isLast = index == shown.last
      let room = max(0, area.maxX - x)
      var width = isLast ? room : column.width
      if isLast, column.isTrailing { width = min(width, column.width) }
      var text = list.text(row, index)
      if let branch, index == treeColumn { text = indented(text, branch) }
      // The head of a group has the room of what it leaves empty.
      if branch?.group != nil, index == treeColumn, !isLast {
        var next = shown.firstIndex(of: index).map { $0 + 1 } ?? shown.count
        while next < shown.count, list.text(row, shown[next]).isEmpty {
          width += columns[shown[next]].width + 1
          next += 1
        }
        width = min(width, room)
      }
      if text.isEmpty, branch?.group != nil {
        x += column.width + 1
        continue
      }
      buffer.putField(
        text,
        x: x,
        y: y,
        width: width,
        alignment: column.isTrailing ? .trailing : .leading,
        truncation: .tail,
        ellipsis: glyphs.ellipsis,
        style: style,
        clip: area
      )
      x += column.width + 1
    }
  }

  private func indented(_ text: String, _ branch: Branch) -> String {
    let indent = String(repeating: "  ", count: branch.depth)
    guard let group = branch.group else { return indent + text }
    return indent + (group.isOpen ? "- " : "+ ") + text
  }

  /// Shows where words that are sought are.
  private func highlight(_ buffer: inout CellBuffer, _ row: Rectangle, _ words: String) {
    let cells = (row.x..<min(row.maxX, buffer.width)).map { buffer[$0, row.y].text.lowercased() }
    for word in words.split(separator: " ") {
      let letters = word.map { String($0) }
      guard letters.count <= cells.count else { continue }
      var x = 0
      while x + letters.count <= cells.count {
        if cells[x] == letters[0], Array(cells[x..<x + letters.count]) == letters {
          let style = theme[.match]
          buffer.restyle(
            Rectangle(x: row.x + x, y: row.y, width: letters.count, height: 1)
          ) { $0 = style }
          x += letters.count
        } else {
          x += 1
        }
      }
    }
  }

  // MARK: Text

  /// Draws lines of text, long ones broken at blanks, from a scroll position that is kept in range.
  func drawLines(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ lines: [(text: String, role: Theme.Role)],
    scroll: inout Int
  ) {
    var parts: [(text: String, role: Theme.Role)] = []
    for line in lines {
      let indent = line.text.prefix { $0 == " " }.count
      for (index, part) in Self.wrapped(line.text, width: area.width - 2 - indent).enumerated() {
        let more = index > 0 ? 2 : 0
        parts.append((String(repeating: " ", count: indent + more) + part, line.role))
      }
    }
    scroll = max(0, min(scroll, parts.count - area.height))
    for (offset, part) in parts.dropFirst(scroll).prefix(area.height).enumerated() {
      buffer.put(
        part.text,
        x: area.x + 1,
        y: area.y + offset,
        style: theme[part.role],
        clip: area
      )
    }
    let rest = parts.count - scroll - area.height
    if rest > 0, area.width > 20 {
      let text = " \(rest) more: S-Down "
      buffer.put(text, x: area.maxX - text.count, y: area.maxY - 1, style: theme[.bar], clip: area)
    }
  }

  /// A text in lines of at most `width` columns, without blanks before it; one that fits keeps the
  /// blanks in it.
  static func wrapped(_ text: String, width: Int) -> [String] {
    let bare = String(text.drop { $0 == " " })
    if CellWidth.of(bare) <= width { return [bare] }
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
      style: theme[.faint]
    )
    buffer.put(
      " \(title) ",
      x: area.x + 2,
      y: area.y,
      style: theme[.label],
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
