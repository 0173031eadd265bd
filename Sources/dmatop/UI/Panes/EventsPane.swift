import TerminalKit

/// View 3: the raw stream around now.
extension MonitorView {
  func drawEvents(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let list = state.list(glyphs)
    let (_, position, _) = state.timeline.neighbourhood
    // Beyond the end the selection means the event that was applied last.
    if state.place.selection >= list.count {
      state.place.selection = list is EventList ? max(0, position - 1) : max(0, list.count - 1)
    }
    drawList(
      &buffer,
      area,
      list,
      &state,
      empty: state.filters().isEmpty
        ? "no events here: step with . and ," : "nothing around here matches the filter"
    )
  }
}
