// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import TerminalKit

/// Live mappings, plainly or grouped by driver, device and type.
struct MappingList: RowList {
  /// A mapping by its slot, or the head of a group.
  enum Line {
    case mapping(slot: UInt32, sequence: UInt64, depth: Int)
    case group(Int)
  }

  /// The mappings of a driver, of one of its devices, or of one type of those.
  struct Group {
    var key: String
    var title: String
    var depth: Int
    var isOpen: Bool
    var count = 0
    var bytes: UInt64 = 0
    var oldest: UInt64 = 0
    var isWrong = false
  }

  /// What is there to see, made once for a state.
  struct Content {
    var lines: [Line] = []
    var groups: [Group] = []
    /// Mappings that the filters let through, and their bytes.
    var count = 0
    var bytes: UInt64 = 0
    /// Of how many.
    var total = 0
  }

  let content: Content
  let context: MappingContext
  let fields: [MappingField]
  /// Mappings with a sequence from here on are new.
  let freshFrom: UInt64
  let wrong: Set<UInt64>

  static let standardFields: [MappingField] = [
    .age, .driver, .device, .type, .dmaAddress, .size, .direction, .physicalAddress, .mapError,
    .task, .pid, .site,
  ]

  /// Columns by field: those that are shown unless the settings name others come first.
  static func column(_ field: MappingField) -> ListColumn {
    let (heading, width, priority): (String, Int, Int) =
      switch field {
      case .age: ("AGE", 8, 1)
      case .driver: ("DRIVER", 12, 2)
      case .device: ("DEVICE", 12, 0)
      case .type: ("TYPE", 14, 4)
      case .dmaAddress: ("DMA ADDR", 16, 0)
      case .size: ("SIZE", 9, 0)
      case .direction: ("DIR", 13, 3)
      case .physicalAddress: ("PHYS ADDR", 16, 5)
      case .mapError: ("MAP ERR", 9, 6)
      case .task: ("TASK", 15, 7)
      case .pid: ("PID", 7, 8)
      case .site: ("MAPPED BY", 28, 9)
      case .attributes: ("ATTRS", 18, 10)
      case .time: ("TIME", 14, 10)
      case .cpu: ("CPU", 3, 10)
      case .sgCallEntries: ("NENTS", 6, 10)
      case .sgMappedEntries: ("ENTS", 6, 10)
      case .bucket: ("BUCKET", 6, 10)
      case .cacheline: ("CACHELINE", 14, 10)
      case .cpuAddress: ("CPU ADDR", 18, 10)
      case .line: ("LINE", 9, 10)
      case .sequence: ("SEQ", 9, 10)
      case .buffer: ("BUFFER", 8, 10)
      }
    return ListColumn(
      name: field.rawValue,
      heading: heading,
      width: width,
      isTrailing: field.isNumeric,
      priority: priority
    )
  }

  var columns: [ListColumn] { fields.map(Self.column) }
  var columnCount: Int { fields.count }
  var count: Int { content.lines.count }

  /// The mapping of a row; `nil` for a group, and for a mapping that has gone since.
  func mapping(_ row: Int) -> Mapping? { checked(row).flatMap { mapping($0) } }

  private func mapping(_ row: RowIndex) -> Mapping? {
    guard case .mapping(let slot, let sequence, _) = content.lines[row.position] else { return nil }
    let mapping = context.engine.withMappings { table in
      Int(slot) < table.count ? table[Int(slot)] : nil
    }
    return mapping?.sequence == sequence ? mapping : nil
  }

  func value(_ row: RowIndex, _ column: Int) -> FieldValue {
    let field = fields[column]
    if case .group(let index) = content.lines[row.position] {
      let group = content.groups[index]
      switch field {
      case .size: return .number(group.bytes)
      case .age: return .duration(group.oldest)
      case .sequence: return .number(UInt64(group.count))
      default: return field == groupField ? .text(group.title) : .none
      }
    }
    guard let mapping = mapping(row) else { return .none }
    return field.value(of: mapping, in: context)
  }

  /// The column in which groups have their names.
  private var groupField: MappingField {
    fields.first { $0 == .driver } ?? fields.first { $0 == .device } ?? fields.first ?? .driver
  }

  func text(_ row: RowIndex, _ column: Int) -> String {
    let value = value(row, column)
    let field = fields[column]
    if case .group(let index) = content.lines[row.position], field == groupField {
      let group = content.groups[index]
      return "\(group.title) (\(group.count))"
    }
    if field == .size, case .number(let bytes) = value { return FieldValue.bytes(bytes) }
    if field == .time, case .time(let time) = value {
      return String(FieldValue.seconds(time).dropLast(3))
    }
    if value == .none {
      if case .group = content.lines[row.position] { return "" }
      // Between two readings of a source that goes on, what is shown may have been freed.
      return mapping(row) == nil ? (field == .device ? "(freed)" : "") : "?"
    }
    return value.display
  }

  func role(_ row: RowIndex) -> Theme.Role {
    if case .group(let index) = content.lines[row.position] {
      return content.groups[index].isWrong ? .warning : .label
    }
    guard let mapping = mapping(row) else { return .faint }
    if wrong.contains(mapping.sequence) { return .error }
    if mapping.isUnchecked { return .warning }
    return mapping.sequence >= freshFrom ? .fresh : .plain
  }

  func identity(_ row: RowIndex) -> UInt64 {
    switch content.lines[row.position] {
    case .mapping(_, let sequence, _): sequence
    case .group(let index): 1 << 63 | UInt64(index)
    }
  }

  func isError(_ row: RowIndex) -> Bool {
    guard let mapping = mapping(row) else { return false }
    return mapping.isUnchecked || wrong.contains(mapping.sequence)
  }

  func branch(_ row: RowIndex) -> Branch? {
    switch content.lines[row.position] {
    case .mapping(_, _, let depth): return depth > 0 ? Branch(depth: depth) : nil
    case .group(let index):
      let group = content.groups[index]
      return Branch(depth: group.depth, group: (group.key, group.isOpen))
    }
  }

  // MARK: Making

  /// The content without groups.
  static func plain(_ slots: [UInt32], _ context: MappingContext, total: Int) -> Content {
    var content = Content()
    content.total = total
    content.count = slots.count
    content.lines.reserveCapacity(slots.count)
    context.engine.withMappings { table in
      for slot in slots {
        content.bytes &+= table[Int(slot)].size
        content.lines.append(
          .mapping(slot: slot, sequence: table[Int(slot)].sequence, depth: 0)
        )
      }
    }
    return content
  }

  /// Groups by what the view is sorted by: bytes, age, or names; a group stands where the sum, or
  /// the oldest, of all that is in it puts it.
  private static func order(
    _ entries: [(titles: [String], slots: [UInt32])],
    _ context: MappingContext,
    _ sort: ListSort?
  ) -> [(titles: [String], slots: [UInt32])] {
    let field = sort.flatMap { MappingField(rawValue: $0.column) }
    var weights: [[String]: UInt64] = [:]
    context.engine.withMappings { table in
      let isAge = field == .age || field == .time || field == .sequence
      for entry in entries {
        var weight: UInt64 = 0
        for slot in entry.slots {
          let mapping = table[Int(slot)]
          if isAge {
            weight = max(weight, context.now >= mapping.time ? context.now - mapping.time : 0)
          } else {
            weight &+= mapping.size
          }
        }
        for depth in 1...3 {
          let path = Array(entry.titles.prefix(depth))
          weights[path] = isAge ? max(weights[path] ?? 0, weight) : (weights[path] ?? 0) &+ weight
        }
      }
    }
    let byWeight = field == .size || field == .age || field == .time || field == .sequence
    // Young means late.
    let ascends = (sort?.isAscending ?? true) != (field == .time || field == .sequence)
    return entries.sorted { a, b in
      for depth in 1...3 where a.titles[depth - 1] != b.titles[depth - 1] {
        if byWeight {
          let x = weights[Array(a.titles.prefix(depth))] ?? 0
          let y = weights[Array(b.titles.prefix(depth))] ?? 0
          if x != y { return ascends ? x < y : x > y }
        }
        let isBefore = a.titles[depth - 1] < b.titles[depth - 1]
        return byWeight || (sort?.isAscending ?? true) ? isBefore : !isBefore
      }
      return false
    }
  }

  /// The content grouped by driver, device and type, in the order of their names; mappings keep
  /// their order within a group.
  ///
  /// - Parameter toggled: groups that are not as they are at first: open.
  static func tree(
    _ slots: [UInt32],
    _ context: MappingContext,
    total: Int,
    toggled: Set<String>,
    wrong: Set<UInt64>,
    sort: ListSort?
  ) -> Content {
    var content = Content()
    content.total = total
    content.count = slots.count
    struct Key: Hashable {
      var driver: UInt32
      var device: UInt32
      var type: UInt8
    }
    var members: [Key: [UInt32]] = [:]
    context.engine.withMappings { table in
      for slot in slots {
        let mapping = table[Int(slot)]
        content.bytes &+= mapping.size
        let driver = context.engine.driver(of: mapping.device)
        let key = Key(
          driver: driver.rawValue,
          device: mapping.device.rawValue,
          type: mapping.type.rawValue
        )
        members[key, default: []].append(slot)
      }
    }
    let names = context.names
    let keyed = members.map { key, slots in
      (
        titles: [
          names.drivers.string(key.driver), names.devices.string(key.device),
          MappingType(rawValue: key.type)?.kernelName.description ?? "?",
        ], key: key, slots: slots
      )
    }
    let ordered = order(keyed.map { ($0.titles, $0.slots) }, context, sort)
    var path: [String] = []
    var open: [Int] = []
    for entry in ordered {
      var depth = 0
      while depth < path.count, depth < 2, path[depth] == entry.titles[depth] { depth += 1 }
      path = Array(path.prefix(depth))
      open = Array(open.prefix(depth))
      for level in depth..<3 {
        path.append(entry.titles[level])
        let key = path.joined(separator: "\u{0}")
        let isShown = open.allSatisfy { content.groups[$0].isOpen }
        // Drivers show their devices; what is deeper opens when it is asked for.
        let isOpen = toggled.contains(key) != (level == 0)
        content.groups.append(
          Group(key: key, title: entry.titles[level], depth: level, isOpen: isOpen)
        )
        open.append(content.groups.count - 1)
        if isShown { content.lines.append(.group(content.groups.count - 1)) }
      }
      let isShown = open.allSatisfy { content.groups[$0].isOpen }
      context.engine.withMappings { table in
        for slot in entry.slots {
          let mapping = table[Int(slot)]
          let age = context.now >= mapping.time ? context.now - mapping.time : 0
          for index in open {
            content.groups[index].count += 1
            content.groups[index].bytes &+= mapping.size
            content.groups[index].oldest = max(content.groups[index].oldest, age)
            if mapping.isUnchecked || wrong.contains(mapping.sequence) {
              content.groups[index].isWrong = true
            }
          }
          if isShown {
            content.lines.append(.mapping(slot: slot, sequence: mapping.sequence, depth: 3))
          }
        }
      }
    }
    return content
  }
}
