import DMADebugCore
import DMATimeline
import TerminalKit

/// What came and went between the markers A and B, over everything else.
extension MonitorView {
  func drawDifference(
    _ buffer: inout CellBuffer,
    _ state: inout MonitorState,
    _ difference: MappingDifference,
    _ area: Rectangle
  ) {
    let names = state.timeline.names
    buffer.fill(area)
    let rule = Rectangle(x: area.x, y: area.y, width: area.width, height: 1)
    let new = difference.groups.reduce(0) { $0 + $1.new }
    let gone = difference.groups.reduce(0) { $0 + $1.gone }
    drawRule(&buffer, rule, "A to B: \(new) new, \(gone) gone, \(difference.stayed) stayed")
    let list = Rectangle(x: area.x, y: area.y + 1, width: area.width, height: area.height - 1)
    let columns = [
      TableColumn(heading: "GROWTH", width: 7, isTrailing: true),
      TableColumn(heading: "NEW", width: 7, isTrailing: true, priority: 1),
      TableColumn(heading: "BYTES", width: 9, isTrailing: true, priority: 2),
      TableColumn(heading: "GONE", width: 7, isTrailing: true, priority: 1),
      TableColumn(heading: "BYTES", width: 9, isTrailing: true, priority: 2),
      TableColumn(heading: "DRIVER", width: 14, priority: 3),
      TableColumn(heading: "DEVICE", width: 14), TableColumn(heading: "MAPPED BY", width: 30),
    ]
    let engine = state.timeline.engine
    drawTable(
      &buffer,
      list,
      columns,
      &state,
      count: difference.groups.count,
      style: { difference.groups[$0].growth > 0 ? Style(foreground: .yellow) : .plain },
      cells: { index in
        let group = difference.groups[index]
        let site =
          group.stack != StackTable.none
          ? names.callSite(stack: group.stack)
          : group.site == NameTable.unknown ? nil : names.symbols.string(group.site)
        let growth = group.growth > 0 ? "+\(group.growth)" : String(group.growth)
        return [
          growth, String(group.new), FieldValue.bytes(group.newBytes), String(group.gone),
          FieldValue.bytes(group.goneBytes),
          names.drivers.string(engine.driver(of: group.device).rawValue),
          names.devices.string(group.device.rawValue), site ?? "?",
        ]
      }
    )
    if difference.groups.isEmpty, list.height > 1 {
      buffer.put("nothing came or went", x: 1, y: list.y + 1, style: Self.dimStyle)
    }
  }
}
