// SPDX-License-Identifier: MIT
import DMADebugCore
import DMALint
import DMAReplay
import DMATrace

/// A replay as a database: events, mappings, devices, and the findings of the linter.
package struct SQLExport {
  /// A mapping that is alive.
  private struct Live {
    var id: UInt64 = 0
    /// The event that made it; `nil` when it was there before the first one.
    var event: UInt64?
    var driver: UInt32 = 0
  }

  private let database: SQLiteDatabase
  private let events: SQLiteDatabase.Statement
  private let mappings: SQLiteDatabase.Statement
  private var lint: LintSession
  private var statistics = Statistics()
  private let source: String
  /// By slot of the mapping table.
  private var live: [Live] = []
  private var mappingCount: UInt64 = 0
  /// By device: the driver of its last mapping.
  private var drivers: [UInt32] = []
  private var eventCount: UInt64 = 0
  private var firstTime: UInt64?
  private var lastTime: UInt64 = 0
  /// Sites by their name, and the site of each stack.
  private var siteNumbers: [String: UInt64] = [:]
  private var siteNames: [String] = []
  private var stackSites: [UInt64?] = []
  private var symbolSites: [UInt64?] = []
  private let kinds: [String]
  private var attributes: [UInt32: String] = [:]

  /// - Parameters:
  ///   - path: the file, which is empty.
  ///   - replay: has not begun.
  ///   - source: what the trace is called.
  ///   - lint: what the linter wants to know.
  /// - Throws: ``SQLiteDatabase/Problem``
  package init(
    path: String,
    _ replay: inout Replay,
    source: String,
    lint configuration: LintConfiguration
  ) throws {
    self.source = source
    kinds = DMAEvent.Kind.allCases.map(\.name)
    lint = LintSession(&replay, captures: [source], configuration)
    database = try SQLiteDatabase(path: path)
    // Until it is complete nobody else sees the file: no journal, no waiting for the disk.
    try database.execute(
      """
      PRAGMA journal_mode = OFF;
      PRAGMA synchronous = OFF;
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA temp_store = FILE;
      PRAGMA application_id = 0x646d6174;
      BEGIN;
      """
    )
    try database.execute(SQLSchema.tables)
    events = try database.prepare(Self.insert("events", 21))
    mappings = try database.prepare(Self.insert("mappings", 29))
    statistics.observe(replay.output)
    for change in replay.output.changes { begin(change, replay) }
  }

  private static func insert(_ table: String, _ columns: Int) -> String {
    let places = Array(repeating: "?", count: columns).joined(separator: ", ")
    return "INSERT INTO \(table) VALUES (\(places))"
  }

  // MARK: Events

  /// Takes in the event that was just applied.
  ///
  /// - Throws: ``SQLiteDatabase/Problem``
  package mutating func observe(_ replay: inout Replay, _ event: DMAEvent) throws {
    try add(event, replay)
    lint.observe(&replay, event)
    statistics.observe(event, replay.output)
    for change in replay.output.changes {
      if change.isAdded { begin(change, replay) } else { try end(change, event, replay) }
    }
  }

  private mutating func add(_ event: DMAEvent, _ replay: borrowing Replay) throws {
    let number = replay.engine.eventCount
    eventCount = number
    if event.kind != .lost {
      if firstTime == nil { firstTime = event.time }
      lastTime = max(lastTime, event.time)
    }
    for (index, field) in Self.fields.enumerated() {
      let column = index + 1
      switch field.rawValue(of: event, number: number, in: replay.batch) {
      case .none: events.bindNull(column)
      case .number(let value), .address(let value), .time(let value): events.bind(column, value)
      case .kind(let kind): events.bind(column, kinds[Int(kind.rawValue)])
      case .direction(let direction): events.bind(column, direction.traceName)
      case .attributes(let flags): events.bind(column, text(flags))
      case .task(let number), .device(let number), .driver(let number), .symbol(let number):
        events.bind(column, UInt64(number))
      case .markerText:
        events.bind(column, String(escaping: replay.batch.markerText(event)))
      case .subject:
        if let subject = EventField.subject(event, replay.names) {
          events.bind(column, String(escaping: subject.utf8))
        } else {
          events.bindNull(column)
        }
      case .sharingText:
        events.bind(column, String(escaping: EventField.sharingText(event, replay.names).utf8))
      }
    }
    events.bind(21, event.stack == StackTable.none ? nil : UInt64(event.stack))
    try events.run()
  }

  /// The columns of the table, but for the stack.
  private static let fields: [EventField] = [
    .number, .line, .time, .cpu, .task, .pid, .kind, .device, .direction, .dmaAddress, .size,
    .physicalAddress, .cpuAddress, .attributes, .sgCallEntries, .sgMappedEntries, .driver, .caller,
    .action, .text,
  ]

  private mutating func text(_ flags: DMAAttributes) -> String {
    if flags.isEmpty { return "" }
    if let known = attributes[flags.rawValue] { return known }
    let text = flags.traceText
    attributes[flags.rawValue] = text
    return text
  }

  // MARK: Mappings

  private mutating func begin(_ change: MappingChange, _ replay: borrowing Replay) {
    let slot = Int(change.slot)
    if slot >= live.count {
      live.append(contentsOf: repeatElement(Live(), count: slot + 1 - live.count))
    }
    let driver = replay.engine.driver(of: change.device).rawValue
    let device = Int(change.device.rawValue)
    if device >= drivers.count {
      drivers.append(contentsOf: repeatElement(0, count: device + 1 - drivers.count))
    }
    drivers[device] = driver
    mappingCount += 1
    live[slot] = Live(
      id: mappingCount,
      event: change.isAdopted ? nil : replay.engine.eventCount,
      driver: driver
    )
  }

  private mutating func end(
    _ change: MappingChange,
    _ event: DMAEvent,
    _ replay: borrowing Replay
  ) throws {
    let mapping = replay.engine.mapping(inSlot: change.slot)
    try add(mapping, live[Int(change.slot)], change.physicalAddress, event, replay)
    live[Int(change.slot)].id = 0
  }

  /// - Parameter event: the one that freed it; `nil` when it is alive.
  private mutating func add(
    _ mapping: Mapping,
    _ live: Live,
    _ physical: UInt64?,
    _ event: DMAEvent?,
    _ replay: borrowing Replay
  ) throws {
    let state: StaticString = event == nil ? "live" : "freed"
    let isList = mapping.type == .scatterGather
    mappings.bind(1, live.id)
    mappings.bind(2, UInt64(mapping.device.rawValue))
    mappings.bind(3, live.driver == NameTable.unknown ? nil : UInt64(live.driver))
    mappings.bind(4, mapping.type.kernelName)
    mappings.bind(5, mapping.direction.traceName)
    mappings.bind(6, mapping.dmaAddress)
    mappings.bind(7, mapping.size)
    mappings.bind(8, physical)
    mappings.bind(9, mapping.cpuAddress == 0 ? nil : mapping.cpuAddress)
    mappings.bind(10, text(mapping.attributes))
    mappings.bind(11, isList ? UInt64(mapping.sgCallEntries) : nil)
    mappings.bind(12, isList ? UInt64(mapping.sgMappedEntries) : nil)
    mappings.bind(13, state)
    mappings.bind(14, MappingField.mapErrorWord(mapping))
    mappings.bind(15, live.event)
    // What a saved dump holds was there when the trace began, nobody knows since when.
    mappings.bind(16, mapping.isAdopted ? firstTime ?? 0 : mapping.time)
    mappings.bind(17, site(mapping.stack, mapping.site, replay))
    mappings.bind(18, mapping.stack == StackTable.none ? nil : UInt64(mapping.stack))
    mappings.bind(19, mapping.task == NameTable.unknown ? nil : UInt64(mapping.task))
    mappings.bind(20, mapping.pid < 0 ? nil : UInt64(mapping.pid))
    mappings.bind(21, mapping.isAdopted ? nil : UInt64(mapping.cpu))
    if let event {
      mappings.bind(22, replay.engine.eventCount)
      mappings.bind(23, event.time)
      mappings.bind(24, site(event.stack, NameTable.unknown, replay))
      mappings.bind(25, event.stack == StackTable.none ? nil : UInt64(event.stack))
      mappings.bind(26, event.task == NameTable.unknown ? nil : UInt64(event.task))
      mappings.bind(27, event.pid < 0 ? nil : UInt64(event.pid))
      mappings.bind(28, UInt64(event.cpu))
      let lifetime = event.time >= mapping.time ? event.time - mapping.time : 0
      mappings.bind(29, mapping.isAdopted ? nil : lifetime)
    } else {
      for column in 22...29 { mappings.bindNull(column) }
    }
    try mappings.run()
  }

  /// The site of a stack, else that of a map-error check; as ``TraceNames/mapSite(of:)``.
  private mutating func site(
    _ stack: UInt32,
    _ symbol: UInt32,
    _ replay: borrowing Replay
  ) -> UInt64? {
    if stack != StackTable.none, let site = stackSite(stack, replay) { return site }
    guard symbol != NameTable.unknown else { return nil }
    let index = Int(symbol)
    if index >= symbolSites.count {
      symbolSites.append(contentsOf: repeatElement(nil, count: index + 1 - symbolSites.count))
    }
    if let known = symbolSites[index] { return known }
    let site = number(ofSite: replay.names.symbols.string(symbol))
    symbolSites[index] = site
    return site
  }

  private mutating func stackSite(_ stack: UInt32, _ replay: borrowing Replay) -> UInt64? {
    let index = Int(stack)
    if index >= stackSites.count {
      stackSites.append(contentsOf: repeatElement(nil, count: index + 1 - stackSites.count))
    }
    // 0 for a stack without the function of a driver.
    if let known = stackSites[index] { return known == 0 ? nil : known }
    let site = replay.names.callSite(stack: stack).map { number(ofSite: $0) }
    stackSites[index] = site ?? 0
    return site
  }

  private mutating func number(ofSite name: String) -> UInt64 {
    if let known = siteNumbers[name] { return known }
    siteNames.append(name)
    siteNumbers[name] = UInt64(siteNames.count)
    return UInt64(siteNames.count)
  }

  // MARK: The end

  /// Writes what is known at the end, and closes the database.
  ///
  /// - Throws: ``SQLiteDatabase/Problem``
  package mutating func finish(_ replay: inout Replay) throws {
    let result = lint.finish(&replay).traces[0]
    try addLive(replay)
    try addNames(replay)
    try addDevices(result, replay)
    try addFindings(result)
    try addMeta(result, replay)
    try database.execute(SQLSchema.indices)
    try database.execute(SQLSchema.views)
    try database.execute("COMMIT; ANALYZE;")
  }

  private mutating func addLive(_ replay: borrowing Replay) throws {
    let slots = replay.engine.liveSlots().sorted { live[Int($0)].id < live[Int($1)].id }
    for slot in slots {
      let mapping = replay.engine.mapping(inSlot: slot)
      let physical = replay.engine.physicalAddress(of: mapping)
      try add(mapping, live[Int(slot)], physical, nil, replay)
    }
  }

  private mutating func addNames(_ replay: borrowing Replay) throws {
    let names = replay.names
    func add(_ table: String, _ names: NameTable) throws {
      let statement = try database.prepare(Self.insert(table, 2))
      for number in 0..<UInt32(names.count) where number != NameTable.unknown {
        guard number != NameTable.overflow else { continue }
        statement.bind(1, UInt64(number))
        statement.bind(2, String(escaping: names[number]))
        try statement.run()
      }
    }
    try add("drivers", names.drivers)
    try add("tasks", names.tasks)
    try add("symbols", names.symbols)
    let sites = try database.prepare(Self.insert("sites", 2))
    for (index, name) in siteNames.enumerated() {
      sites.bind(1, UInt64(index + 1))
      sites.bind(2, String(escaping: name.utf8))
      try sites.run()
    }
    let frames = try database.prepare(Self.insert("stack_frames", 3))
    for stack in 1..<UInt32(max(names.stacks.count, 1)) {
      for (depth, symbol) in names.stacks[stack].enumerated() {
        frames.bind(1, UInt64(stack))
        frames.bind(2, UInt64(depth))
        frames.bind(3, UInt64(symbol))
        try frames.run()
      }
    }
  }

  private mutating func addDevices(_ result: LintResult, _ replay: borrowing Replay) throws {
    let statement = try database.prepare(Self.insert("devices", 14))
    let names = replay.names
    for number in 0..<UInt32(names.devices.count) where number != NameTable.overflow {
      let index = Int(number)
      let totals =
        index < statistics.devices.count ? statistics.devices[index] : Statistics.Totals()
      // Some mappings name no device; else nothing is unknown.
      if number == NameTable.unknown, totals.isIdle { continue }
      let driver = driver(of: number, replay)
      statement.bind(1, UInt64(number))
      statement.bind(2, String(escaping: names.devices[number]))
      statement.bind(3, String(escaping: names.drivers[driver]))
      let counts = [
        totals.maps, totals.unmaps, totals.syncs, totals.errors, totals.failedMaps,
        totals.bounces, totals.live, totals.liveBytes, totals.peakLive, totals.peakBytes,
        totals.bytes,
      ]
      for (position, count) in counts.enumerated() { statement.bind(4 + position, count) }
      try statement.run()
    }
  }

  /// The driver of the last mapping: at the end it may have left the device.
  private func driver(of device: UInt32, _ replay: borrowing Replay) -> UInt32 {
    let index = Int(device)
    if index < drivers.count, drivers[index] != NameTable.unknown { return drivers[index] }
    return replay.engine.driver(of: DeviceID(rawValue: device)).rawValue
  }

  private func addFindings(_ result: LintResult) throws {
    let statement = try database.prepare(Self.insert("findings", 17))
    let lines = try database.prepare("SELECT line FROM events WHERE event = ?")
    for (index, finding) in result.findings.enumerated() {
      let isCapture = finding.eventNumber == 0
      statement.bind(1, UInt64(index + 1))
      statement.bind(2, finding.rule.id)
      statement.bind(3, finding.rule.name)
      statement.bind(4, finding.severity.rawValue)
      statement.bind(5, String(escaping: finding.message.utf8))
      statement.bind(6, finding.device.map { String(escaping: $0.utf8) })
      statement.bind(7, finding.driver.map { String(escaping: $0.utf8) })
      statement.bind(8, finding.site.map { String(escaping: $0.utf8) })
      statement.bind(9, isCapture ? nil : finding.eventNumber)
      statement.bind(10, finding.line == 0 ? nil : finding.line)
      statement.bind(11, isCapture ? nil : finding.time)
      statement.bind(12, finding.task.map { String(escaping: $0.utf8) })
      statement.bind(13, finding.pid < 0 ? nil : UInt64(finding.pid))
      statement.bind(14, finding.origin?.site.map { String(escaping: $0.utf8) })
      statement.bind(15, try finding.origin.flatMap { try event(atLine: $0.line, lines) })
      statement.bind(16, finding.count)
      statement.bind(17, finding.fingerprint)
      try statement.run()
    }
  }

  /// The event at a line or record: lines only grow, so halving finds it.
  private func event(
    atLine line: UInt64,
    _ lines: SQLiteDatabase.Statement
  ) throws -> UInt64? {
    var low: UInt64 = 1
    var high = eventCount
    while low <= high {
      let middle = (low + high) / 2
      lines.bind(1, middle)
      let found = try lines.step() ? lines.number(0).map { UInt64(bitPattern: $0) } : nil
      lines.reset()
      guard let found else { return nil }
      if found == line { return middle }
      if found < line { low = middle + 1 } else { high = middle - 1 }
    }
    return nil
  }

  private func addMeta(_ result: LintResult, _ replay: borrowing Replay) throws {
    let summary = replay.summary
    let statement = try database.prepare(Self.insert("meta", 2))
    let values: [(String, String?)] = [
      ("schema", SQLSchema.name),
      ("dmatop", Version.string),
      ("source", source),
      ("dialect", summary.dialect),
      ("kernel", result.kernel),
      ("kernel_origin", result.kernelOrigin),
      ("kernel_release", summary.kernelRelease),
      ("clock", summary.clock == .ticks ? "ticks" : "ns"),
      ("first_time_ns", String(firstTime ?? 0)),
      ("last_time_ns", String(lastTime)),
      ("events", String(result.eventCount)),
      ("lost_events", String(summary.lostEvents)),
      ("overwritten_events", String(summary.overwrittenEvents)),
      ("malformed_lines", String(summary.malformedLines)),
      ("undecided", String(result.undecided.total)),
      ("omitted_findings", String(result.omitted)),
    ]
    for (name, value) in values {
      statement.bind(1, name)
      statement.bind(2, value)
      try statement.run()
    }
  }
}
