// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import TerminalKit

/// Drivers and their devices: what they hold now, what they held at most, and how busy they are.
struct DeviceSummary {
  var device: DeviceID
  var driver: String
  var name: String
  var live: UInt64 = 0
  var bytes: UInt64 = 0
  var toDevice: UInt64 = 0
  var fromDevice: UInt64 = 0
  var both: UInt64 = 0
  var oldest: UInt64?
  var errors: UInt64 = 0
  /// The most bytes ever until now.
  var peak: UInt64 = 0
  /// Mappings and syncs in a second around now.
  var rate: UInt64 = 0
  /// Live bytes over time, as parts of the peak.
  var line: [Double] = []
  var suspect: LeakSuspect?

  /// Every device that holds something, did something until now or did something wrong.
  static func all(_ timeline: Timeline, sparkline cells: Int) -> [DeviceSummary] {
    let engine = timeline.engine
    let names = timeline.names
    let now = timeline.time
    var table: [UInt32: DeviceSummary] = [:]
    func make(_ device: DeviceID) -> DeviceSummary {
      DeviceSummary(
        device: device,
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
    }
    for entry in timeline.entries where entry.event <= timeline.event && entry.report.kind.isError {
      let device = entry.report.device
      var summary = table[device.rawValue] ?? make(device)
      summary.errors += 1
      table[device.rawValue] = summary
    }
    let activity = timeline.activity
    let piece = activity.piece(at: now)
    for (index, series) in activity.devices.enumerated() where !series.pieces.isEmpty {
      let sum = series.sum
      guard sum.maps > 0 || sum.syncs > 0 || table[UInt32(index)] != nil else { continue }
      var summary = table[UInt32(index)] ?? make(DeviceID(rawValue: UInt32(index)))
      summary.peak = max(sum.peakBytes, summary.bytes)
      summary.rate = activity.rate(series, at: now) { UInt64($0.maps) + UInt64($0.syncs) } ?? 0
      summary.line = line(series, piece, cells)
      table[UInt32(index)] = summary
    }
    for suspect in LeakSuspect.all(timeline) {
      table[suspect.device.rawValue]?.suspect = suspect
    }
    return table.values.sorted {
      ($1.bytes, $0.driver, $0.name) < ($0.bytes, $1.driver, $1.name)
    }
  }

  /// The most live bytes in each of some equal stretches of time until now.
  private static func line(_ series: Activity.Series, _ piece: Int, _ cells: Int) -> [Double] {
    guard cells > 0 else { return [] }
    let count = piece + 1
    let values = (0..<min(cells, count)).map { cell -> UInt64 in
      let from = cell * count / min(cells, count)
      let to = max(from + 1, (cell + 1) * count / min(cells, count))
      return (from..<to).map { index in
        series.pieces.isEmpty
          ? 0 : series.pieces[min(index, series.pieces.count - 1)].peakBytes
      }.max() ?? 0
    }
    let most = Double(max(values.max() ?? 1, 1))
    return values.map { Double($0) / most }
  }
}

/// A map site whose mappings pile up: some of every age, the oldest far older than mappings of its
/// device get.
struct LeakSuspect {
  var device: DeviceID
  var site: MapSite
  var count: Int
  var bytes: UInt64
  var oldest: UInt64

  private static let fewest = 8
  private static let quarters = 4

  /// The worst site of each device.
  static func all(_ timeline: Timeline) -> [LeakSuspect] {
    struct Key: Hashable {
      var device: DeviceID
      var site: MapSite
    }
    struct Pile {
      var times: [UInt64] = []
      var bytes: UInt64 = 0
    }
    var piles: [Key: Pile] = [:]
    timeline.engine.forEachLiveMapping { mapping in
      let key = Key(device: mapping.device, site: MapSite(mapping))
      piles[key, default: Pile()].times.append(mapping.time)
      piles[key, default: Pile()].bytes &+= mapping.size
    }
    let now = timeline.time
    let span = now - min(now, timeline.firstTime)
    var worst: [DeviceID: LeakSuspect] = [:]
    for (key, pile) in piles where pile.times.count >= fewest {
      guard let first = pile.times.min(), now > first else { continue }
      let oldest = now - first
      // A ring that was filled once is old too, but nothing joins it.
      guard oldest > span / 8 else { continue }
      var seen = Set<UInt64>()
      for time in pile.times {
        let (product, isHuge) = (now - min(now, time)).multipliedReportingOverflow(by: 4)
        seen.insert(isHuge ? 3 : min(3, product / max(oldest, 1)))
      }
      guard seen.count == quarters else { continue }
      let suspect = LeakSuspect(
        device: key.device,
        site: key.site,
        count: pile.times.count,
        bytes: pile.bytes,
        oldest: oldest
      )
      if let other = worst[key.device],
        (other.count, key.site) > (suspect.count, other.site)
      {
        continue
      }
      worst[key.device] = suspect
    }
    return worst.values.sorted { $0.device.rawValue < $1.device.rawValue }
  }
}

enum DeviceList {
  static let columns = [
    ListColumn(name: "driver", heading: "DRIVER", width: 14),
    ListColumn(name: "device", heading: "DEVICE", width: 14),
    ListColumn(name: "live", heading: "LIVE", width: 7, isTrailing: true),
    ListColumn(name: "bytes", heading: "BYTES", width: 9, isTrailing: true),
    ListColumn(name: "peak_bytes", heading: "PEAK", width: 9, isTrailing: true, priority: 3),
    ListColumn(name: "rate", heading: "PER S", width: 8, isTrailing: true, priority: 3),
    ListColumn(name: "history", heading: "BYTES OVER TIME", width: 20, priority: 4),
    ListColumn(name: "to_bytes", heading: "TO", width: 9, isTrailing: true, priority: 6),
    ListColumn(name: "from_bytes", heading: "FROM", width: 9, isTrailing: true, priority: 6),
    ListColumn(name: "both_bytes", heading: "BOTH", width: 9, isTrailing: true, priority: 6),
    ListColumn(name: "oldest_ns", heading: "OLDEST", width: 8, isTrailing: true, priority: 2),
    ListColumn(name: "errors", heading: "ERRORS", width: 6, isTrailing: true, priority: 1),
    ListColumn(name: "suspect", heading: "LEAK SUSPECT", width: 30, priority: 5),
  ]
  /// Cells of the column with bytes over time.
  static let sparkline = 20

  /// Devices by driver, or plainly.
  static func make(
    _ summaries: [DeviceSummary],
    _ names: TraceNames,
    _ glyphs: Glyphs,
    isTree: Bool,
    closed: Set<String>
  ) -> FixedList {
    var rows: [FixedList.Row] = []
    guard isTree else {
      rows = summaries.map { row($0, names, glyphs, depth: nil) }
      return FixedList(columns: columns, rows: rows)
    }
    var byDriver: [String: [DeviceSummary]] = [:]
    for summary in summaries { byDriver[summary.driver, default: []].append(summary) }
    let drivers = byDriver.sorted { a, b in
      let (x, y) = (a.value.reduce(0) { $0 &+ $1.bytes }, b.value.reduce(0) { $0 &+ $1.bytes })
      return x == y ? a.key < b.key : x > y
    }
    for (number, (driver, devices)) in drivers.enumerated() {
      let isOpen = !closed.contains(driver)
      rows.append(head(driver, devices, number, isOpen: isOpen))
      if isOpen { rows += devices.map { row($0, names, glyphs, depth: 1) } }
    }
    return FixedList(columns: columns, rows: rows)
  }

  private static func head(
    _ driver: String,
    _ devices: [DeviceSummary],
    _ number: Int,
    isOpen: Bool
  ) -> FixedList.Row {
    var sum = DeviceSummary(device: .unknown, driver: driver, name: "")
    for device in devices {
      sum.live += device.live
      sum.bytes &+= device.bytes
      sum.toDevice &+= device.toDevice
      sum.fromDevice &+= device.fromDevice
      sum.both &+= device.both
      sum.errors += device.errors
      sum.rate += device.rate
      if let oldest = device.oldest { sum.oldest = max(sum.oldest ?? 0, oldest) }
    }
    var values = values(sum)
    values[1] = .text("\(devices.count) device\(devices.count == 1 ? "" : "s")")
    // Peaks of several devices need not have been at the same time.
    values[4] = devices.count == 1 ? .number(devices[0].peak) : .none
    var row = FixedList.Row(values: values, identity: 1 << 63 | UInt64(number), role: .label)
    row.texts = texts(values)
    row.isError = sum.errors > 0
    row.branch = Branch(depth: 0, group: (driver, isOpen))
    return row
  }

  private static func row(
    _ summary: DeviceSummary,
    _ names: TraceNames,
    _ glyphs: Glyphs,
    depth: Int?
  ) -> FixedList.Row {
    var values = values(summary)
    if let suspect = summary.suspect {
      values[12] = .text(
        "\(suspect.count) since \(FieldValue.duration(suspect.oldest)): "
          + (suspect.site.name(names) ?? "site unknown")
      )
    }
    var row = FixedList.Row(values: values, identity: UInt64(summary.device.rawValue))
    row.texts = texts(values)
    row.texts[6] = summary.line.map { glyphs.level($0) }.joined()
    if depth != nil { row.texts[0] = "" }
    row.isError = summary.errors > 0
    row.role = summary.errors > 0 ? .error : summary.suspect != nil ? .warning : .plain
    row.branch = depth.map { Branch(depth: $0) }
    return row
  }

  private static func values(_ summary: DeviceSummary) -> [FieldValue] {
    [
      .text(summary.driver), .text(summary.name), .number(summary.live), .number(summary.bytes),
      .number(summary.peak), .number(summary.rate), .none, .number(summary.toDevice),
      .number(summary.fromDevice), .number(summary.both),
      summary.oldest.map { .duration($0) } ?? .none, .number(summary.errors), .none,
    ]
  }

  /// Bytes with their units.
  private static func texts(_ values: [FieldValue]) -> [Int: String] {
    var texts: [Int: String] = [:]
    for column in [3, 4, 7, 8, 9] {
      if case .number(let bytes) = values[column] { texts[column] = FieldValue.bytes(bytes) }
    }
    return texts
  }
}

extension Glyphs {
  /// The sign for a part of a whole, 0 … 1; nothing is a low dot.
  func level(_ part: Double) -> String {
    part <= 0 ? (isASCII ? "." : "·") : verticalBar[min(7, max(0, Int(part * 7.99)))]
  }
}
