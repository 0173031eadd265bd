// SPDX-License-Identifier: MIT
import DMAExport
import DMAReplay
import DMATrace
import TerminalKit

/// Rows that leave the monitor.
extension Monitor {
  mutating func export(_ name: String) {
    let list = state.list(glyphs)
    let rows = chosenRows(list, orAll: true)
    do throws(CommandError) {
      let count = try effects.export(list, rows, name, state.view)
      state.say("\(count) row\(count == 1 ? "" : "s") saved to \(displayName(name))")
    } catch {
      state.say("not saved: \(error.description)")
    }
  }

  mutating func copy(_ screen: some Screen) {
    let list = state.list(glyphs)
    let rows = chosenRows(list, orAll: false)
    guard !rows.isEmpty else { return }
    let text = rows.map { String(escaping: list.line($0).utf8) }.joined(separator: "\n")
    let isSent = screen.copy(text)
    state.say(
      isSent
        ? "\(rows.count) row\(rows.count == 1 ? "" : "s") copied, if the terminal allows it"
        : "this terminal has no clipboard, or the rows are too many",
      keeps: false
    )
  }

  /// The marked rows; without any the one of the cursor, or all.
  private func chosenRows(_ list: any RowList, orAll: Bool) -> [Int] {
    let marked = state.place.marked
    if !marked.isEmpty {
      let rows = (0..<list.count).filter { list.isRow($0, among: marked) }
      if !rows.isEmpty { return rows }
    }
    if orAll { return Array(0..<list.count) }
    return state.selectedRow(list).map { [$0] } ?? []
  }
}
