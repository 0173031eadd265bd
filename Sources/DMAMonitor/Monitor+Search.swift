// SPDX-License-Identifier: MIT
import DMAReplay

/// Rows that have some words.
extension Monitor {
  mutating func searchFor(_ text: String) {
    state.searchText = text
    if state.view == .mappings, state.place.isTree, state.difference == nil {
      state.openGroups(with: text)
    }
    search(forwards: true, fromHere: true)
  }

  mutating func search(forwards: Bool, fromHere: Bool = false) {
    let text = state.searchText.trimmingBlanks()
    guard !text.isEmpty else { return }
    let list = state.list(glyphs)
    let matches = ListSearch.matches(text, list)
    guard !matches.isEmpty else {
      state.say("'\(String(escaping: text.utf8))' is not here", keeps: false)
      return
    }
    let here = state.selectedRow(list) ?? 0
    let next =
      forwards
      ? matches.first { fromHere ? $0 >= here : $0 > here } ?? matches[0]
      : matches.last { $0 < here } ?? matches[matches.count - 1]
    state.moveSelection(to: next)
    let number = (matches.firstIndex(of: next) ?? 0) + 1
    state.say("'\(String(escaping: text.utf8))' \(number)/\(matches.count)", keeps: false)
  }
}
