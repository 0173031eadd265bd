import DMADebugCore
import DMALint
import DMATimeline
import TerminalKit

/// View 2: what dma-debug says, and what is behind one message.
extension MonitorView {
  func drawErrors(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let rows = state.errorRows()
    let isTall = area.height >= 14
    let lowerHeight = state.showsDetail ? min(16, area.height * 2 / 3) : isTall ? 6 : 0
    let (upper, lower) = split(area, lower: lowerHeight)
    let timeline = state.timeline
    let names = timeline.names
    let now = timeline.event
    let columns = [
      TableColumn(heading: "TIME", width: 14, isTrailing: true, priority: 2),
      TableColumn(heading: "RULE", width: 6, priority: 3),
      TableColumn(heading: "DRIVER", width: 12, priority: 1),
      TableColumn(heading: "DEVICE", width: 12, priority: 1),
      TableColumn(heading: "MESSAGE", width: 40),
    ]
    let capture = state
    drawTable(
      &buffer,
      upper,
      columns,
      &state,
      count: rows.count,
      // What is still to come is dim.
      style: {
        rows[$0].event > now
          ? Self.dimStyle : rows[$0].report.kind.isError ? .plain : Self.labelStyle
      },
      cells: { index in
        let report = rows[index].report
        return [
          time(report.event.time, capture), Rule(report.kind)?.id ?? "",
          names.drivers.string(report.driver.rawValue),
          names.devices.string(report.device.rawValue), ReportText.words(report, timeline),
        ]
      }
    )
    if rows.isEmpty, upper.height > 1 {
      let hasFilter = !state.place.filterText.isEmpty
      let words = hasFilter ? "nothing matches the filter" : "no errors"
      buffer.put(words, x: 1, y: upper.y + 1, style: Self.dimStyle)
    }
    let selected = state.place.selection
    if lower.height > 1, rows.indices.contains(selected) {
      drawErrorDetail(&buffer, lower, rows[selected], state)
    }
  }

  private func drawErrorDetail(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ entry: Timeline.Entry,
    _ state: MonitorState
  ) {
    let report = entry.report
    let names = state.timeline.names
    let title = Rule(report.kind).map { "\($0.id) \($0.name): \($0.summary)" } ?? "message"
    drawRule(&buffer, area, title)
    var lines = ReportText.words(report, state.timeline).split(separator: "\n").map(String.init)
    let event = report.event
    lines.append("at " + moment(event.line, event.time, event.task, event.pid, event.cpu, state))
    let stack = names.stacks[event.stack].map { names.symbols.string($0) }
    if !stack.isEmpty { lines.append("called from: " + stack.joined(separator: " < ")) }
    if let mapping = report.mapping {
      let site = names.mapSite(of: mapping).map { " in \($0)" } ?? ""
      lines.append(
        "mapped at "
          + moment(
            mapping.line,
            mapping.time,
            mapping.task,
            mapping.pid,
            UInt32(mapping.cpu),
            state
          ) + site
      )
      let stack = names.stacks[mapping.stack].map { names.symbols.string($0) }
      if !stack.isEmpty { lines.append("mapped from: " + stack.joined(separator: " < ")) }
    }
    lines.append("event \(entry.event); z goes there")
    let inner = Rectangle(x: area.x, y: area.y + 1, width: area.width, height: area.height - 1)
    drawLines(&buffer, inner, lines)
  }

  private func moment(
    _ line: UInt64,
    _ time: UInt64,
    _ task: UInt32,
    _ pid: Int32,
    _ cpu: UInt32,
    _ state: MonitorState
  ) -> String {
    let name = String(escaping: state.timeline.names.tasks[task])
    return "\(self.time(time, state)), line \(line), by \(name)-\(pid < 0 ? "?" : String(pid))"
      + " on CPU \(cpu)"
  }
}
