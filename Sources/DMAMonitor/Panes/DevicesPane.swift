// SPDX-License-Identifier: MIT
import TerminalKit

/// View 4: drivers and devices.
extension MonitorView {
  func drawDevices(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let list = state.list(glyphs)
    drawList(
      &buffer,
      area,
      list,
      &state,
      empty: state.filters().isEmpty && !state.place.errorsOnly
        ? "no device has done anything yet" : "nothing matches the filter"
    )
  }
}
