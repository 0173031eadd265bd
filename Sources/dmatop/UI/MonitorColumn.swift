import DMADebugCore
import DMATimeline

/// The columns of the mappings view: a field, its heading, and how wide it may be.
struct MonitorColumn {
  let field: MappingField
  let heading: String
  let width: Int
  /// Columns with larger numbers go first when the terminal is narrow.
  let priority: Int

  static let all: [MonitorColumn] = [
    MonitorColumn(field: .age, heading: "AGE", width: 8, priority: 1),
    MonitorColumn(field: .driver, heading: "DRIVER", width: 12, priority: 2),
    MonitorColumn(field: .device, heading: "DEVICE", width: 12, priority: 0),
    MonitorColumn(field: .type, heading: "TYPE", width: 14, priority: 4),
    MonitorColumn(field: .dmaAddress, heading: "DMA ADDR", width: 16, priority: 0),
    MonitorColumn(field: .size, heading: "SIZE", width: 9, priority: 0),
    MonitorColumn(field: .direction, heading: "DIR", width: 13, priority: 3),
    MonitorColumn(field: .physicalAddress, heading: "PHYS ADDR", width: 16, priority: 5),
    MonitorColumn(field: .mapError, heading: "MAP ERR", width: 9, priority: 6),
    MonitorColumn(field: .task, heading: "TASK", width: 15, priority: 7),
    MonitorColumn(field: .pid, heading: "PID", width: 7, priority: 8),
    MonitorColumn(field: .site, heading: "MAPPED BY", width: 28, priority: 9),
  ]

  /// The columns that fit into a width, the least important left out first.
  static func fitting(_ width: Int) -> [MonitorColumn] {
    var columns = all
    while columns.count > 1, columns.reduce(-1, { $0 + $1.width + 1 }) > width {
      let least = columns.map(\.priority).max() ?? 0
      guard least > 0, let index = columns.firstIndex(where: { $0.priority == least }) else {
        break
      }
      columns.remove(at: index)
    }
    return columns
  }

  /// The text of a cell.
  func text(_ mapping: Mapping, _ context: MappingContext) -> String {
    let value = field.value(of: mapping, in: context)
    if field == .size, case .number(let bytes) = value { return FieldValue.bytes(bytes) }
    return value.display
  }
}
