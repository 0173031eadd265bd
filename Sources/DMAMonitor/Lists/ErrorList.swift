// SPDX-License-Identifier: MIT
import DMADebugCore
import DMALint
import DMAReplay
import TerminalKit

/// What dma-debug says: message by message, or as findings: the same rule, driver, device and call
/// sites counted together.
struct ErrorList: RowList {
  /// Messages that belong together.
  struct Finding: Sendable {
    var key: String
    /// Positions in the timeline's entries, in order.
    var members: [Int]
    var isOpen = false
  }

  enum Line {
    case entry(Int, depth: Int)
    case finding(Int)
  }

  struct Content {
    var lines: [Line] = []
    var findings: [Finding] = []
  }

  let content: Content
  let entries: [Timeline.Entry]
  let names: TraceNames
  let generation: KernelGeneration
  /// Messages behind this event are still to come.
  let now: UInt64
  let showsNanoseconds: Bool

  let columns: [ListColumn] = [
    ListColumn(name: "time_ns", heading: "TIME", width: 14, isTrailing: true, priority: 2),
    ListColumn(name: "last_ns", heading: "LAST", width: 14, isTrailing: true, priority: 6),
    ListColumn(name: "count", heading: "N", width: 3, isTrailing: true, priority: 4),
    ListColumn(name: "rule", heading: "RULE", width: 6, priority: 3),
    ListColumn(name: "driver", heading: "DRIVER", width: 12, priority: 1),
    ListColumn(name: "device", heading: "DEVICE", width: 12, priority: 1),
    ListColumn(name: "message", heading: "MESSAGE", width: 28),
  ]

  var count: Int { content.lines.count }
  var treeColumn: Int? { 6 }

  /// The position of a row's message in the timeline's entries, of a finding its first one.
  func position(_ row: Int) -> Int? { checked(row).flatMap { position($0) } }

  /// The positions of all messages of a row.
  func members(_ row: Int) -> [Int] { checked(row).map { members($0) } ?? [] }

  private func position(_ row: RowIndex) -> Int? {
    switch content.lines[row.position] {
    case .entry(let position, _): return position
    case .finding(let index): return content.findings[index].members.first
    }
  }

  private func members(_ row: RowIndex) -> [Int] {
    switch content.lines[row.position] {
    case .entry(let position, _): [position]
    case .finding(let index): content.findings[index].members
    }
  }

  func value(_ row: RowIndex, _ column: Int) -> FieldValue {
    guard let first = position(row) else { return .none }
    let report = entries[first].report
    switch column {
    case 0: return .time(report.event.time)
    case 1: return .time(entries[members(row).last ?? first].report.event.time)
    case 2: return .number(UInt64(members(row).count))
    case 3: return .optional(Rule(report.kind)?.id)
    case 4: return .text(names.drivers.string(report.driver.rawValue))
    case 5: return .text(names.devices.string(report.device.rawValue))
    default: return .text(ReportText.words(report, generation))
    }
  }

  func text(_ row: RowIndex, _ column: Int) -> String {
    let value = value(row, column)
    if column == 1, members(row).count == 1 { return "" }
    if column == 2, case .number(let count) = value {
      return count < 1000 ? String(count) : count < 100_000 ? "\(count / 1000)k" : ">99k"
    }
    if case .time(let time) = value {
      let text = showsNanoseconds ? String(FieldValue.seconds(time).dropLast(3)) : String(time)
      // What is still to come has a sign, not only a look.
      return column == 0 && (position(row).map { entries[$0].event > now } ?? false)
        ? ">" + text : text
    }
    return value == .none ? "" : value.display
  }

  func role(_ row: RowIndex) -> Theme.Role {
    guard let first = position(row) else { return .plain }
    // What is still to come is faint.
    if entries[first].event > now { return .faint }
    return entries[first].report.kind.isError ? .plain : .label
  }

  func identity(_ row: RowIndex) -> UInt64 {
    switch content.lines[row.position] {
    case .entry(let position, _): UInt64(position)
    case .finding(let index): 1 << 63 | UInt64(index)
    }
  }

  func isError(_ row: RowIndex) -> Bool {
    position(row).map { entries[$0].report.kind.isError } ?? false
  }

  func branch(_ row: RowIndex) -> Branch? {
    switch content.lines[row.position] {
    case .entry(_, let depth): return depth > 0 ? Branch(depth: depth) : nil
    case .finding(let index):
      let finding = content.findings[index]
      return Branch(depth: 0, group: (finding.key, finding.isOpen))
    }
  }

  // MARK: Making

  /// Every message that is no mere note of a write.
  static func plain(_ entries: [Timeline.Entry]) -> Content {
    Content(
      lines: entries.indices.compactMap { isShown(entries[$0]) ? .entry($0, depth: 0) : nil }
    )
  }

  private static func isShown(_ entry: Timeline.Entry) -> Bool {
    entry.report.kind != .filterEnabled && entry.report.kind != .filterDisabled
  }

  /// Messages grouped; what came once stands for itself.
  static func findings(_ entries: [Timeline.Entry], open: Set<String>) -> Content {
    var content = Content()
    struct Key: Hashable {
      var kind: Report.Kind
      var device: UInt32
      var driver: UInt32
      var stack: UInt32
      var mappedStack: UInt32
    }
    var places: [Key: Int] = [:]
    for (position, entry) in entries.enumerated() where isShown(entry) {
      let report = entry.report
      let key = Key(
        kind: report.kind,
        device: report.device.rawValue,
        driver: report.driver.rawValue,
        stack: report.event.stack,
        mappedStack: report.mapping?.stack ?? StackTable.none
      )
      if let place = places[key] {
        content.findings[place].members.append(position)
      } else {
        places[key] = content.findings.count
        let name =
          "\(key.kind.rawValue) \(key.device) \(key.driver) \(key.stack) \(key.mappedStack)"
        content.findings.append(Finding(key: name, members: [position]))
      }
    }
    for index in content.findings.indices {
      let members = content.findings[index].members
      if members.count == 1 {
        content.lines.append(.entry(members[0], depth: 0))
        continue
      }
      content.findings[index].isOpen = open.contains(content.findings[index].key)
      content.lines.append(.finding(index))
      if content.findings[index].isOpen {
        content.lines += members.map { .entry($0, depth: 1) }
      }
    }
    return content
  }
}
