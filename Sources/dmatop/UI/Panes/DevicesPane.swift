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

  /// View 6 is kept for buffers that devices share.
  func drawBuffers(_ buffer: inout CellBuffer, _ state: MonitorState, _ area: Rectangle) {
    guard area.height > 1 else { return }
    buffer.put(
      "dma-buf is not read yet: this view is kept for buffers that devices share",
      x: area.x + 1,
      y: area.y + 1,
      style: theme[.faint],
      clip: area
    )
  }
}
