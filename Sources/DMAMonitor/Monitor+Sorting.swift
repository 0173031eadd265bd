// SPDX-License-Identifier: MIT
import DMAReplay

/// The order of rows.
extension Monitor {
  /// Columns that the list at hand can be sorted by, hidden ones too.
  mutating func sortColumns() -> [ListColumn] {
    if state.view == .mappings, state.difference == nil {
      return state.settings.allMappingFields.map(MappingList.column)
    }
    return state.list(glyphs).columns
  }

  mutating func sortByPicked() {
    let columns = sortColumns()
    guard columns.indices.contains(state.overlaySelection) else { return }
    sort(by: columns[state.overlaySelection].name)
  }

  /// Sorts by a column; by the same one again the other way round.
  mutating func sort(by column: String) {
    if let sort = state.place.sort, sort.column == column {
      state.place.sort = ListSort(column: column, isAscending: !sort.isAscending)
      return
    }
    let isTrailing = sortColumns().first { $0.name == column }?.isTrailing ?? false
    // Of numbers the largest are of most interest, of names the first.
    state.place.sort = ListSort(column: column, isAscending: !isTrailing)
  }

  /// `size`, `-size`
  mutating func sortNamed(_ text: String) {
    let isDescending = text.hasPrefix("-")
    let name = isDescending ? String(text.dropFirst()) : text
    let columns = sortColumns()
    var wanted = name
    if state.view == .buffers, let field = BufferField(name: name) { wanted = field.rawValue }
    guard
      let column = columns.first(where: { $0.name == name })
        ?? columns.first(where: { $0.name == wanted || $0.name == wanted + "_ns" })
    else {
      state.say(
        "columns: " + columns.map(\.name).joined(separator: ", "),
        keeps: false
      )
      return
    }
    state.place.sort = ListSort(column: column.name, isAscending: !isDescending)
  }

  mutating func changeSort(by step: Int) {
    let all = state.list(glyphs).columns
    // Those that are on the screen; hidden ones are for the picker.
    let shown = state.shownColumns.isEmpty ? Array(all.indices) : state.shownColumns
    let columns = shown.filter { all.indices.contains($0) }.map { all[$0] }
    guard !columns.isEmpty else { return }
    let position = columns.firstIndex { $0.name == state.place.sort?.column }
    let next = position.map { ($0 + step + columns.count) % columns.count } ?? 0
    state.place.sort = nil
    sort(by: columns[next].name)
  }

  mutating func invertSort() {
    if let sort = state.place.sort {
      state.place.sort?.isAscending = !sort.isAscending
    } else if let column = state.list(glyphs).columns.first {
      sort(by: column.name)
    }
  }
}
