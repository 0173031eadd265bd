import DMAReplay
import TerminalKit

/// A column of a list: the name by which filters, sorting and exports know it, and how it looks.
struct ListColumn {
  let name: String
  let heading: String
  let width: Int
  var isTrailing = false
  /// Columns with larger numbers go first when the terminal is narrow.
  var priority = 0
}

/// Rows of a view: typed values, of which what is shown, filtered, sorted and exported is made.
protocol RowList {
  var columns: [ListColumn] { get }
  var count: Int { get }
  /// The typed value of a cell.
  func value(_ row: Int, _ column: Int) -> FieldValue
  /// The text of a cell; by default that of the value, and nothing when there is none.
  func text(_ row: Int, _ column: Int) -> String
  func role(_ row: Int) -> Theme.Role
  /// What stays the same about a row while others come and go.
  func identity(_ row: Int) -> UInt64
  /// Whether something is wrong with it.
  func isError(_ row: Int) -> Bool
  /// The column that shows the tree; `nil` for the first one with names.
  var treeColumn: Int? { get }
  /// How deep in a tree it is, and of a group the name by which it is remembered.
  func branch(_ row: Int) -> Branch?
  /// What a filter finds of a row that has no column: a field by its name, and texts.
  func hiddenValue(_ row: Int, _ field: String) -> FieldValue?
  func hiddenTexts(_ row: Int) -> [String]
}

/// A row's place in a tree.
struct Branch {
  var depth: Int
  /// Of a group: its name and whether it is open.
  var group: (key: String, isOpen: Bool)?
}

extension RowList {
  func text(_ row: Int, _ column: Int) -> String {
    let value = value(row, column)
    return value == .none ? "" : value.display
  }

  func role(_ row: Int) -> Theme.Role { isError(row) ? .error : .plain }
  func isError(_ row: Int) -> Bool { false }
  func branch(_ row: Int) -> Branch? { nil }
  var treeColumn: Int? { nil }
  func hiddenValue(_ row: Int, _ field: String) -> FieldValue? { nil }
  func hiddenTexts(_ row: Int) -> [String] { [] }

  /// The texts of a row, for search and copying.
  func line(_ row: Int) -> String {
    columns.indices.map { text(row, $0) }.filter { !$0.isEmpty }.joined(separator: " ")
  }
}

/// A row as a filter sees it.
struct ListRow: FilterExpression.Row {
  let list: any RowList
  let row: Int

  func value(_ field: String) -> FieldValue? {
    let columns = list.columns
    let index = columns.firstIndex { $0.name == field || $0.name == field + "_ns" }
    return list.hiddenValue(row, field) ?? index.map { list.value(row, $0) }
  }

  var texts: [String] { list.columns.indices.map { list.text(row, $0) } + list.hiddenTexts(row) }
  var isError: Bool { list.isError(row) }
}

/// Some rows of a list, in another order.
struct ArrangedList: RowList {
  let base: any RowList
  let order: [Int]

  var columns: [ListColumn] { base.columns }
  var count: Int { order.count }
  func value(_ row: Int, _ column: Int) -> FieldValue { base.value(order[row], column) }
  func text(_ row: Int, _ column: Int) -> String { base.text(order[row], column) }
  func role(_ row: Int) -> Theme.Role { base.role(order[row]) }
  func identity(_ row: Int) -> UInt64 { base.identity(order[row]) }
  func isError(_ row: Int) -> Bool { base.isError(order[row]) }
  func branch(_ row: Int) -> Branch? { base.branch(order[row]) }
  func hiddenValue(_ row: Int, _ field: String) -> FieldValue? {
    base.hiddenValue(order[row], field)
  }
  func hiddenTexts(_ row: Int) -> [String] { base.hiddenTexts(order[row]) }
  var treeColumn: Int? { base.treeColumn }

  /// The rows that all filters let through, sorted by a column.
  static func order(
    of base: any RowList,
    filters: [FilterExpression],
    errorsOnly: Bool,
    sort: (column: String, isAscending: Bool)?
  ) -> [Int]? {
    let column = sort.flatMap { sort in base.columns.firstIndex { $0.name == sort.column } }
    guard !filters.isEmpty || errorsOnly || column != nil else { return nil }
    var order = (0..<base.count).filter { index in
      if errorsOnly, !base.isError(index) { return false }
      let row = ListRow(list: base, row: index)
      return filters.allSatisfy { $0.matches(row) }
    }
    guard let column, let sort else { return order }
    let values = order.map { base.value($0, column) }
    let places = values.indices.sorted { a, b in
      let (x, y) = (values[a], values[b])
      if x == y { return a < b }
      if x == .none || y == .none { return y == .none }
      return sort.isAscending ? x.precedes(y) : y.precedes(x)
    }
    order = places.map { order[$0] }
    return order
  }
}

/// Rows with a value for each column, for lists that are short.
struct FixedList: RowList {
  struct Row {
    var values: [FieldValue]
    var identity: UInt64
    var role = Theme.Role.plain
    var isError = false
    var branch: Branch?
    /// What is shown instead of the value.
    var texts: [Int: String] = [:]
  }

  var columns: [ListColumn]
  var rows: [Row]

  var count: Int { rows.count }
  func value(_ row: Int, _ column: Int) -> FieldValue { rows[row].values[column] }
  func text(_ row: Int, _ column: Int) -> String {
    if let text = rows[row].texts[column] { return text }
    let value = rows[row].values[column]
    return value == .none ? "" : value.display
  }
  func role(_ row: Int) -> Theme.Role { rows[row].role }
  func identity(_ row: Int) -> UInt64 { rows[row].identity }
  func isError(_ row: Int) -> Bool { rows[row].isError }
  func branch(_ row: Int) -> Branch? { rows[row].branch }
}

extension FieldValue {
  /// A name that may be missing.
  static func optional(_ text: String?) -> FieldValue { text.map { .text($0) } ?? .none }
}
