import DMADebugCore
import DMALint
import DMAReplay
import TerminalKit

/// What is wrong: what dma-debug says and what lint finds beyond it, by event.
///
/// Messages of dma-debug stand one by one, or grouped: the same rule, driver, device and call sites
/// counted together. A finding of lint is one row with a count either way.
struct ErrorList: RowList {
  /// What a row stands for, by its place in the entries of the timeline or in the findings.
  enum Item: Hashable, Sendable {
    case message(Int)
    case finding(Int)
  }

  /// Messages that belong together.
  struct Group: Sendable {
    var key: String
    /// Positions in the timeline's entries, in order.
    var members: [Int]
    var isOpen = false
  }

  enum Line {
    case item(Item, depth: Int)
    case group(Int)
  }

  struct Content {
    var lines: [Line] = []
    var groups: [Group] = []
    /// Of lint, by event, those about the capture as a whole last.
    var findings: [Finding] = []
  }

  let content: Content
  let entries: [Timeline.Entry]
  let names: TraceNames
  let generation: KernelGeneration
  /// What is behind this event is still to come.
  let now: UInt64
  let showsNanoseconds: Bool

  let columns: [ListColumn] = [
    ListColumn(name: "time_ns", heading: "TIME", width: 14, isTrailing: true, priority: 2),
    ListColumn(name: "last_ns", heading: "LAST", width: 14, isTrailing: true, priority: 6),
    ListColumn(name: "count", heading: "N", width: 3, isTrailing: true, priority: 4),
    ListColumn(name: "rule", heading: "RULE", width: 6, priority: 3),
    ListColumn(name: "by", heading: "BY", width: 6, priority: 3),
    ListColumn(name: "driver", heading: "DRIVER", width: 12, priority: 1),
    ListColumn(name: "device", heading: "DEVICE", width: 12, priority: 1),
    ListColumn(name: "message", heading: "MESSAGE", width: 20),
  ]

  var count: Int { content.lines.count }
  var treeColumn: Int? { 7 }

  /// What a row stands for, a group for its first message.
  func item(_ row: Int) -> Item? { checked(row).flatMap { item($0) } }

  /// All that a row stands for.
  func members(_ row: Int) -> [Item] { checked(row).map { members($0) } ?? [] }

  /// Events that had been applied when it came up; 0 for what is about the capture as a whole.
  func event(_ item: Item) -> UInt64 {
    switch item {
    case .message(let position): entries[position].event
    case .finding(let index): content.findings[index].eventNumber
    }
  }

  private func item(_ row: RowIndex) -> Item? {
    switch content.lines[row.position] {
    case .item(let item, _): return item
    case .group(let index): return content.groups[index].members.first.map { .message($0) }
    }
  }

  private func members(_ row: RowIndex) -> [Item] {
    switch content.lines[row.position] {
    case .item(let item, _): [item]
    case .group(let index): content.groups[index].members.map { .message($0) }
    }
  }

  func value(_ row: RowIndex, _ column: Int) -> FieldValue {
    switch item(row) {
    case .message(let position):
      let members = members(row)
      return value(
        entries[position].report,
        members.last ?? .message(position),
        members.count,
        column
      )
    case .finding(let index): return value(content.findings[index], column)
    case nil: return .none
    }
  }

  private func value(
    _ report: Report,
    _ last: Item,
    _ count: Int,
    _ column: Int
  ) -> FieldValue {
    switch column {
    case 0: return .time(report.event.time)
    case 1:
      guard case .message(let position) = last else { return .none }
      return .time(entries[position].report.event.time)
    case 2: return .number(UInt64(count))
    case 3: return .optional(Rule(report.kind)?.id)
    case 4: return .text("kernel")
    case 5: return .text(names.drivers.string(report.driver.rawValue))
    case 6: return .text(names.devices.string(report.device.rawValue))
    default: return .text(ReportText.words(report, generation))
    }
  }

  private func value(_ finding: Finding, _ column: Int) -> FieldValue {
    switch column {
    case 0, 1: finding.eventNumber == 0 ? .none : .time(finding.time)
    case 2: .number(finding.count)
    case 3: .text(finding.rule.id)
    case 4: .text("lint")
    case 5: .optional(finding.driver)
    case 6: .optional(finding.device)
    default: .text(finding.message)
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
      return column == 0 && isToCome(row) ? ">" + text : text
    }
    return value == .none ? "" : value.display
  }

  private func isToCome(_ row: RowIndex) -> Bool { item(row).map { event($0) > now } ?? false }

  func role(_ row: RowIndex) -> Theme.Role {
    // What is still to come is faint.
    if isToCome(row) { return .faint }
    return item(row) == nil || isError(row) ? .plain : .label
  }

  func identity(_ row: RowIndex) -> UInt64 {
    switch content.lines[row.position] {
    case .item(.message(let position), _): UInt64(position)
    case .item(.finding(let index), _): 1 << 62 | UInt64(index)
    case .group(let index): 1 << 63 | UInt64(index)
    }
  }

  func isError(_ row: RowIndex) -> Bool {
    switch item(row) {
    case .message(let position): entries[position].report.kind.isError
    case .finding(let index): content.findings[index].severity != .note
    case nil: false
    }
  }

  func branch(_ row: RowIndex) -> Branch? {
    switch content.lines[row.position] {
    case .item(_, let depth): return depth > 0 ? Branch(depth: depth) : nil
    case .group(let index):
      let group = content.groups[index]
      return Branch(depth: 0, group: (group.key, group.isOpen))
    }
  }
}

// MARK: Making

extension ErrorList.Content {
  /// Every message that is no mere note of a write, and the findings.
  static func plain(_ entries: [Timeline.Entry], _ findings: [Finding]) -> Self {
    var content = Self(findings: findings)
    var next = 0
    for (position, entry) in entries.enumerated() where isShown(entry) {
      content.addFindings(&next, before: entry.event)
      content.lines.append(.item(.message(position), depth: 0))
    }
    content.addFindings(&next, before: nil)
    return content
  }

  /// Messages grouped; what came once stands for itself.
  static func grouped(
    _ entries: [Timeline.Entry],
    _ findings: [Finding],
    open: Set<String>
  ) -> Self {
    var content = Self(groups: groups(entries), findings: findings)
    var next = 0
    for index in content.groups.indices {
      let members = content.groups[index].members
      content.addFindings(&next, before: entries[members[0]].event)
      if members.count == 1 {
        content.lines.append(.item(.message(members[0]), depth: 0))
        continue
      }
      content.groups[index].isOpen = open.contains(content.groups[index].key)
      content.lines.append(.group(index))
      if content.groups[index].isOpen {
        content.lines += members.map { .item(.message($0), depth: 1) }
      }
    }
    content.addFindings(&next, before: nil)
    return content
  }

  /// Adds lines of the findings that came up before an event, of all that are left without one.
  private mutating func addFindings(_ next: inout Int, before event: UInt64?) {
    while next < findings.count {
      if let event, findings[next].eventNumber == 0 || findings[next].eventNumber >= event {
        return
      }
      lines.append(.item(.finding(next), depth: 0))
      next += 1
    }
  }

  private static func isShown(_ entry: Timeline.Entry) -> Bool {
    entry.report.kind != .filterEnabled && entry.report.kind != .filterDisabled
  }

  private static func groups(_ entries: [Timeline.Entry]) -> [ErrorList.Group] {
    struct Key: Hashable {
      var kind: Report.Kind
      var device: UInt32
      var driver: UInt32
      var stack: UInt32
      var mappedStack: UInt32
    }
    var groups: [ErrorList.Group] = []
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
        groups[place].members.append(position)
      } else {
        places[key] = groups.count
        let name =
          "\(key.kind.rawValue) \(key.device) \(key.driver) \(key.stack) \(key.mappedStack)"
        groups.append(ErrorList.Group(key: name, members: [position]))
      }
    }
    return groups
  }
}
