/// Columns of text, as wide as their widest cell.
package struct TextTable {
  private let headers: [String]
  private let isRightAligned: [Bool]
  private var rows: [[String]] = []
  /// Of the columns of ``takeLines()``.
  private var widths: [Int] = []

  package init(_ columns: [(header: String, isRightAligned: Bool)]) {
    headers = columns.map(\.header)
    isRightAligned = columns.map(\.isRightAligned)
  }

  package mutating func add(_ row: [String]) {
    rows.append(row)
  }

  package var isEmpty: Bool { rows.isEmpty }

  /// The table with its header, two blanks between columns, no blanks at line ends.
  package func lines() -> [String] {
    var table = self
    return table.takeLines()
  }

  /// The table so far, for one that goes on: what follows has no header, and columns only grow.
  package mutating func takeLines() -> [String] {
    let isFirst = widths.isEmpty
    if isFirst { widths = headers.map(\.count) }
    for row in rows {
      for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) }
    }
    defer { rows.removeAll() }
    return ((isFirst ? [headers] : []) + rows).map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        if column > 0 { line += "  " }
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += isRightAligned[column] ? padding + cell : cell + padding
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}
