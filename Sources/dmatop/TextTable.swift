/// Columns of text, as wide as their widest cell.
struct TextTable {
  private let headers: [String]
  private let isRightAligned: [Bool]
  private var widths: [Int]
  private var rows: [[String]] = []

  init(_ columns: [(header: String, isRightAligned: Bool)]) {
    headers = columns.map(\.header)
    isRightAligned = columns.map(\.isRightAligned)
    widths = headers.map(\.count)
  }

  mutating func add(_ row: [String]) {
    rows.append(row)
    fit(row)
  }

  /// Makes room for a row that is written with ``line(_:)``, and not kept.
  mutating func fit(_ row: [String]) {
    for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) }
  }

  var isEmpty: Bool { rows.isEmpty }

  /// The line above the rows.
  var heading: String { line(headers) }

  /// The table with its header, two blanks between columns, no blanks at line ends.
  func lines() -> [String] {
    ([headers] + rows).map(line)
  }

  /// A row as a line.
  func line(_ row: [String]) -> String {
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
