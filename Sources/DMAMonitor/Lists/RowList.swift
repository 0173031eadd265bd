// SPDX-License-Identifier: MIT
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

/// The place of a row that its list has. Only ``RowList/checked(_:)`` makes one.
struct RowIndex {
  let position: Int

  fileprivate init(_ position: Int) { self.position = position }
}

/// Rows of a view: typed values, of which what is shown, filtered, sorted and exported is made.
///
/// A list implements what takes a ``RowIndex``. Everybody else asks with plain numbers, which are
/// checked in one place: what a list does not have is blank, so that no key, click or picture can ask
/// an empty list for its first row.
protocol RowList {
  var columns: [ListColumn] { get }
  /// How many columns there are, for lists that make them when asked.
  var columnCount: Int { get }
  var count: Int { get }
  /// The typed value of a cell.
  func value(_ row: RowIndex, _ column: Int) -> FieldValue
  /// The text of a cell; by default that of the value, and nothing when there is none.
  func text(_ row: RowIndex, _ column: Int) -> String
  func role(_ row: RowIndex) -> Theme.Role
  /// What stays the same about a row while others come and go.
  func identity(_ row: RowIndex) -> UInt64
  /// Whether something is wrong with it.
  func isError(_ row: RowIndex) -> Bool
  /// The column that shows the tree; `nil` for the first one with names.
  var treeColumn: Int? { get }
  /// How deep in a tree it is, and of a group the name by which it is remembered.
  func branch(_ row: RowIndex) -> Branch?
  /// What a filter finds of a row that has no column: a field by its name, and texts.
  func hiddenValue(_ row: RowIndex, _ field: String) -> FieldValue?
  func hiddenTexts(_ row: RowIndex) -> [String]
}

/// A row's place in a tree.
struct Branch {
  var depth: Int
  /// Of a group: its name and whether it is open.
  var group: (key: String, isOpen: Bool)?
}

extension RowList {
  var columnCount: Int { columns.count }

  func text(_ row: RowIndex, _ column: Int) -> String {
    let value = value(row, column)
    return value == .none ? "" : value.display
  }

  func role(_ row: RowIndex) -> Theme.Role { isError(row) ? .error : .plain }
  func isError(_ row: RowIndex) -> Bool { false }
  func branch(_ row: RowIndex) -> Branch? { nil }
  var treeColumn: Int? { nil }
  func hiddenValue(_ row: RowIndex, _ field: String) -> FieldValue? { nil }
  func hiddenTexts(_ row: RowIndex) -> [String] { [] }
}

/// Rows by plain numbers, which the list may not have.
extension RowList {
  /// The row of a number; `nil` when the list has none there.
  func checked(_ row: Int) -> RowIndex? {
    row >= 0 && row < count ? RowIndex(row) : nil
  }

  private func hasColumn(_ column: Int) -> Bool { column >= 0 && column < columnCount }

  func value(_ row: Int, _ column: Int) -> FieldValue {
    guard let row = checked(row), hasColumn(column) else { return .none }
    return value(row, column)
  }

  func text(_ row: Int, _ column: Int) -> String {
    guard let row = checked(row), hasColumn(column) else { return "" }
    return text(row, column)
  }

  func role(_ row: Int) -> Theme.Role { checked(row).map { role($0) } ?? .plain }
  func identity(_ row: Int) -> UInt64? { checked(row).map { identity($0) } }
  func isError(_ row: Int) -> Bool { checked(row).map { isError($0) } ?? false }
  func branch(_ row: Int) -> Branch? { checked(row).flatMap { branch($0) } }
  func hiddenValue(_ row: Int, _ field: String) -> FieldValue? {
    checked(row).flatMap { hiddenValue($0, field) }
  }
  func hiddenTexts(_ row: Int) -> [String] { checked(row).map { hiddenTexts($0) } ?? [] }

  /// Whether a row is one of those with some identities.
  func isRow(_ row: Int, among identities: Set<UInt64>) -> Bool {
    identity(row).map { identities.contains($0) } ?? false
  }

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
  var columnCount: Int { base.columnCount }
  // The base checks again: an order may have been made for an earlier list.
  func value(_ row: RowIndex, _ column: Int) -> FieldValue {
    base.value(order[row.position], column)
  }
  func text(_ row: RowIndex, _ column: Int) -> String { base.text(order[row.position], column) }
  func role(_ row: RowIndex) -> Theme.Role { base.role(order[row.position]) }
  func identity(_ row: RowIndex) -> UInt64 { base.identity(order[row.position]) ?? .max }
  func isError(_ row: RowIndex) -> Bool { base.isError(order[row.position]) }
  func branch(_ row: RowIndex) -> Branch? { base.branch(order[row.position]) }
  func hiddenValue(_ row: RowIndex, _ field: String) -> FieldValue? {
    base.hiddenValue(order[row.position], field)
  }
  func hiddenTexts(_ row: RowIndex) -> [String] { base.hiddenTexts(order[row.position]) }
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
  func value(_ row: RowIndex, _ column: Int) -> FieldValue { rows[row.position].values[column] }
  func text(_ row: RowIndex, _ column: Int) -> String {
    if let text = rows[row.position].texts[column] { return text }
    let value = rows[row.position].values[column]
    return value == .none ? "" : value.display
  }
  func role(_ row: RowIndex) -> Theme.Role { rows[row.position].role }
  func identity(_ row: RowIndex) -> UInt64 { rows[row.position].identity }
  func isError(_ row: RowIndex) -> Bool { rows[row.position].isError }
  func branch(_ row: RowIndex) -> Branch? { rows[row.position].branch }
}

extension FieldValue {
  /// A name that may be missing.
  static func optional(_ text: String?) -> FieldValue { text.map { .text($0) } ?? .none }
}
