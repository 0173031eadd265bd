/// Columns of text, as wide as their widest cell.
package struct TextTable {
  private let headers: [String]
  private let isRightAligned: [Bool]
  private var rows: [[String]] = []

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
    var widths = headers.map(\.count)
    for row in rows {
      for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) }
    }
    return ([headers] + rows).map { row in
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
