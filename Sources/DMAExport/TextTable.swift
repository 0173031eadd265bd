// SPDX-License-Identifier: MIT

/// Columns of text, as wide as their widest cell.
package struct TextTable {
  private let headers: [String]
  private let isRightAligned: [Bool]
  private var widths: [Int]
  private var rows: [[String]] = []
  /// The heading was among the lines taken.
  private var hasHeading = false

  package init(_ columns: [(header: String, isRightAligned: Bool)]) {
    headers = columns.map(\.header)
    isRightAligned = columns.map(\.isRightAligned)
    widths = headers.map(\.count)
  }

  package mutating func add(_ row: [String]) {
    rows.append(row)
    fit(row)
  }

  /// Makes room for a row that is written with ``line(_:)``, and not kept.
  package mutating func fit(_ row: [String]) {
    for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) }
  }

  package var isEmpty: Bool { rows.isEmpty }

  /// The line above the rows.
  package var heading: String { line(headers) }

  /// The table with its header, two blanks between columns, no blanks at line ends.
  package func lines() -> [String] {
    var table = self
    return table.takeLines()
  }

  /// The table so far, for one that goes on: what follows has no header, and columns only grow.
  package mutating func takeLines() -> [String] {
    defer {
      rows.removeAll()
      hasHeading = true
    }
    return ((hasHeading ? [] : [headers]) + rows).map(line)
  }

  /// A row as a line.
  package func line(_ row: [String]) -> String {
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
