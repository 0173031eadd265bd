import DMADebugCore
import DMATimeline
import TerminalKit

/// What one device holds now.
struct DeviceSummary {
  var driver: String
  var name: String
  var live: UInt64 = 0
  var bytes: UInt64 = 0
  var toDevice: UInt64 = 0
  var fromDevice: UInt64 = 0
  var both: UInt64 = 0
  var oldest: UInt64?
  var errors = 0
  /// The site with most mappings that live, and how many.
  var site: (name: String, count: Int)?

  /// Every device that holds something or did something wrong, the largest first.
  static func all(_ state: MonitorState) -> [DeviceSummary] {
    let timeline = state.timeline
    let engine = timeline.engine
    let names = timeline.names
    let now = timeline.time
    var table: [UInt32: DeviceSummary] = [:]
    var sites: [UInt32: [MapSite: Int]] = [:]
    func make(_ device: DeviceID) -> DeviceSummary {
      DeviceSummary(
        driver: names.drivers.string(engine.driver(of: device).rawValue),
        name: names.devices.string(device.rawValue)
      )
    }
    engine.forEachLiveMapping { mapping in
      let key = mapping.device.rawValue
      var summary = table[key] ?? make(mapping.device)
      summary.live += 1
      summary.bytes &+= mapping.size
      switch mapping.direction {
      case .toDevice: summary.toDevice &+= mapping.size
      case .fromDevice: summary.fromDevice &+= mapping.size
      default: summary.both &+= mapping.size
      }
      summary.oldest = max(summary.oldest ?? 0, now > mapping.time ? now - mapping.time : 0)
      table[key] = summary
      sites[key, default: [:]][MapSite(mapping), default: 0] += 1
    }
    for entry in timeline.entries where entry.event <= timeline.event && entry.report.kind.isError {
      let device = entry.report.device
      var summary = table[device.rawValue] ?? make(device)
      summary.errors += 1
      table[device.rawValue] = summary
    }
    for (key, counts) in sites {
      let most = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
      guard let most, let name = most.key.name(names) else { continue }
      table[key]?.site = (name, most.value)
    }
    return table.values.sorted { ($1.bytes, $0.name) < ($0.bytes, $1.name) }
  }
}

/// View 4: drivers and devices.
extension MonitorView {
  func drawDevices(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let rows = DeviceSummary.all(state)
    let most = max(rows.map(\.bytes).max() ?? 1, 1)
    let columns = [
      TableColumn(heading: "DRIVER", width: 14), TableColumn(heading: "DEVICE", width: 14),
      TableColumn(heading: "LIVE", width: 7, isTrailing: true),
      TableColumn(heading: "BYTES", width: 9, isTrailing: true),
      TableColumn(heading: "SHARE", width: 12, priority: 4),
      TableColumn(heading: "TO", width: 9, isTrailing: true, priority: 5),
      TableColumn(heading: "FROM", width: 9, isTrailing: true, priority: 5),
      TableColumn(heading: "BOTH", width: 9, isTrailing: true, priority: 5),
      TableColumn(heading: "OLDEST", width: 8, isTrailing: true, priority: 2),
      TableColumn(heading: "ERRORS", width: 6, isTrailing: true, priority: 1),
      TableColumn(heading: "MOST FROM", width: 30, priority: 6),
    ]
    drawTable(
      &buffer,
      area,
      columns,
      &state,
      count: rows.count,
      style: { rows[$0].errors > 0 ? Style(foreground: .red) : .plain },
      cells: { index in
        let row = rows[index]
        return [
          row.driver, row.name, String(row.live), FieldValue.bytes(row.bytes),
          glyphs.bar(fraction: Double(row.bytes) / Double(most), width: 12),
          FieldValue.bytes(row.toDevice), FieldValue.bytes(row.fromDevice),
          FieldValue.bytes(row.both), row.oldest.map { FieldValue.duration($0) } ?? "",
          String(row.errors), row.site.map { "\($0.count) \($0.name)" } ?? "",
        ]
      }
    )
    if rows.isEmpty, area.height > 1 {
      buffer.put("no device holds anything", x: 1, y: area.y + 1, style: Self.dimStyle)
    }
  }
}
