// SPDX-License-Identifier: MIT
import DMAReplay
import TerminalKit

/// What came and went between the markers A and B, over everything else.
extension MonitorView {
  func drawDifference(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    guard let difference = state.difference else { return }
    let rule = Rectangle(x: area.x, y: area.y, width: area.width, height: 1)
    let groups = difference.groups
    let new = groups.reduce(0) { $0 + $1.new }
    let gone = groups.reduce(0) { $0 + $1.gone }
    let changed = groups.reduce(0) { $0 + $1.changed }
    var title = "A to B: \(new) new, \(gone) gone, \(changed) changed, \(difference.stayed) stayed"
    if let a = state.markA, let b = state.markB, a.event > b.event { title += " (B is before A)" }
    drawRule(&buffer, rule, title)
    drawList(
      &buffer,
      area.inset(top: 1),
      state.list(glyphs),
      &state,
      empty: "nothing came or went"
    )
  }
}
