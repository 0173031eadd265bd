// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import TerminalKit

/// View 3: the raw stream around now.
extension MonitorView {
  func drawEvents(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let list = state.list(glyphs)
    state.place.selection = state.selectedRow(list) ?? 0
    let (upper, lower) = split(area, lower: state.showsDetail ? max(8, area.height / 2) : 0)
    drawList(
      &buffer,
      upper,
      list,
      &state,
      empty: state.filters().isEmpty
        ? "no events here: step with . and ," : "nothing around here matches the filter"
    )
    if lower.height > 1, let number = list.identity(state.place.selection) {
      drawEvent(&buffer, lower, number, &state)
    }
  }

  /// Everything about an event: its fields, its lists, its call stack.
  private func drawEvent(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ number: UInt64,
    _ state: inout MonitorState
  ) {
    let (batch, _, first) = state.timeline.neighbourhood
    guard number > first, number - first <= UInt64(batch.events.count) else { return }
    let event = batch.events[Int(number - first) - 1]
    let names = state.names
    drawRule(&buffer, area, "event \(number): \(event.kind.name)")
    var lines: [(text: String, role: Theme.Role)] = []
    let fields = EventField.allCases.compactMap { field -> String? in
      let value = field.value(of: event, number: number, in: batch, names)
      return value == .none ? nil : "\(field.rawValue) \(value.display)"
    }
    lines.append((fields.joined(separator: "   "), .plain))
    if event.kind != .marker {
      let physical = (0..<Int(event.physicalCount)).map { batch.physicalAddress(event, $0) }
      for index in 0..<Int(event.segmentCount) {
        var text = "  segment \(index): 0x\(String(batch.segmentAddress(event, index), radix: 16))"
        text += "+\(batch.segmentLength(event, index))"
        if index < physical.count { text += " physical 0x\(String(physical[index], radix: 16))" }
        lines.append((text, .plain))
      }
      for index in Int(event.segmentCount)..<max(Int(event.segmentCount), physical.count) {
        lines.append(
          ("  entry \(index): physical 0x\(String(physical[index], radix: 16))", .plain)
        )
      }
    }
    let stack = names.stacks[event.stack].map { names.symbols.string($0) }
    if !stack.isEmpty { lines.append(("called from: " + stack.joined(separator: " < "), .label)) }
    drawLines(&buffer, area.inset(top: 1), lines, scroll: &state.detailScroll)
  }
}
