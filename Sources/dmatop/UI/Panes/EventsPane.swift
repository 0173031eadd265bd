import DMADebugCore
import DMATimeline
import TerminalKit

/// View 3: the raw stream around now.
extension MonitorView {
  private static let fields: [EventField] = [
    .number, .time, .cpu, .task, .kind, .device, .direction, .dmaAddress, .size, .physicalAddress,
    .caller, .text,
  ]

  private static let columns: [TableColumn] = [
    TableColumn(heading: "EVENT", width: 9, isTrailing: true, priority: 2),
    TableColumn(heading: "TIME", width: 14, isTrailing: true, priority: 1),
    TableColumn(heading: "CPU", width: 3, isTrailing: true, priority: 7),
    TableColumn(heading: "TASK", width: 15, priority: 6),
    TableColumn(heading: "KIND", width: 22), TableColumn(heading: "DEVICE", width: 12),
    TableColumn(heading: "DIR", width: 13, priority: 5),
    TableColumn(heading: "DMA ADDR", width: 13, isTrailing: true, priority: 3),
    TableColumn(heading: "SIZE", width: 8, isTrailing: true, priority: 4),
    TableColumn(heading: "PHYS ADDR", width: 13, isTrailing: true, priority: 8),
    TableColumn(heading: "CALLER", width: 26, priority: 9),
    TableColumn(heading: "TEXT", width: 30, priority: 10),
  ]

  private static func cells(
    _ event: DMAEvent,
    _ number: UInt64,
    _ batch: EventBatch,
    _ names: TraceNames
  ) -> [String] {
    fields.map { field in
      let value = field.value(of: event, number: number, in: batch, names)
      if field == .time, case .time(let time) = value {
        return String(FieldValue.seconds(time).dropLast(3))
      }
      if case .none = value { return "" }
      return value.display
    }
  }

  func drawEvents(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let (batch, position, first) = state.timeline.neighbourhood
    let names = state.timeline.names
    // Beyond now the selection means the event that was applied last.
    if state.place.selection >= batch.events.count { state.place.selection = max(0, position - 1) }
    drawTable(
      &buffer,
      area,
      Self.columns,
      &state,
      count: batch.events.count,
      style: { $0 >= position ? Self.dimStyle : $0 == position - 1 ? Style(bold: true) : .plain },
      cells: { Self.cells(batch.events[$0], first + UInt64($0) + 1, batch, names) }
    )
    if batch.events.isEmpty, area.height > 1 {
      buffer.put("no events here: step with . and ,", x: 1, y: area.y + 1, style: Self.dimStyle)
    }
  }

  static func eventTexts(_ state: MonitorState) -> [String] {
    let (batch, _, first) = state.timeline.neighbourhood
    let names = state.timeline.names
    return batch.events.indices.map {
      cells(batch.events[$0], first + UInt64($0) + 1, batch, names).joined(separator: " ")
    }
  }
}
