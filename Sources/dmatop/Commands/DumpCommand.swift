// SPDX-License-Identifier: MIT
import ArgumentParser
import DMADebugCore
import DMAExport
import DMAReplay

extension RowFormat: ExpressibleByArgument {}

/// `dmatop dump`
struct DumpCommand: FileCommand {
  static let configuration = CommandConfiguration(
    commandName: "dump",
    abstract: "Print the live mappings, the dma-bufs or the events, for people and programs.",
    discussion: """
      Numbers are numbers, addresses are strings in hexadecimal (JSON numbers lose digits), times \
      and ages are nanoseconds, what is not known is null.

      Fields of mappings:
      \(fieldList(MappingField.allCases.map { ($0.rawValue, $0.summary) }))

      Fields of dma-bufs (--buffers):
      \(fieldList(BufferField.allCases.map { ($0.rawValue, $0.summary) }))

      Fields of events (--events):
      \(fieldList(EventField.allCases.map { ($0.rawValue, $0.summary) }))

      A filter is words that must all hold: text, a|b, !text, field:text, field>4k, ~regex.

      Example:
        dmatop dump --filter 'size>=4k dir=from' --sort=-size --format json trace.txt
      """
  )

  @OptionGroup var moment: MomentArguments

  @Flag(help: "The events up to the moment instead of the live mappings.")
  var events = false

  @Flag(help: "The dma-bufs that devices share instead of the live mappings.")
  var buffers = false

  @Option(help: "text, json, jsonl or csv.")
  var format = RowFormat.text

  @Option(help: ArgumentHelp("Fields, separated by commas.", valueName: "a,b,…"))
  var fields: String?

  @Option(
    help: ArgumentHelp(
      "Sort by a field, with a minus before it downwards; not for events.",
      valueName: "field"
    )
  )
  var sort: String?

  @Option(help: ArgumentHelp("Only what matches.", valueName: "expression"))
  var filter: String?

  /// What `--csv-raw` does, for all commands that have it.
  static let rawHelp: String =
    "CSV with all text as it is in the trace. Without it control characters are escaped, and an"
    + " apostrophe stands before text that a spreadsheet would take for a formula: that begins"
    + " with =, +, - or @."

  @Flag(help: ArgumentHelp(rawHelp))
  var csvRaw = false

  func validate() throws {
    if csvRaw && format != .csv { throw ValidationError("--csv-raw is for --format csv.") }
    if events && buffers {
      throw ValidationError("--events and --buffers are two questions: ask one.")
    }
    if events && sort != nil {
      throw ValidationError("--sort does not go with --events: they stream in their own order.")
    }
  }

  func files() -> RunFiles { moment.files }

  func run() throws {
    if events {
      try dumpEvents()
    } else if buffers {
      try dumpBuffers()
    } else {
      try dumpMappings()
    }
  }

  // MARK: Mappings

  private func dumpMappings() throws {
    let fields: [MappingField] = try Self.parse(self.fields, MappingField.standard) {
      MappingField(name: $0)
    }
    let filter = try FilterExpression.parse(self.filter, MappingField.allCases.map(\.rawValue))
    let sort = try self.sort.map { try SortKey($0) }
    let replay = try moment.state()
    let context = MappingContext(engine: replay.engine, names: replay.names, now: replay.time)
    let selection = MappingSelection(context)
    var slots = replay.engine.liveSlots()
    if let filter { slots = selection.filtered(slots, by: [filter]) }
    if let sort {
      slots = selection.sorted(slots, by: sort.field, ascending: !sort.isDescending)
    }
    var writer = RowWriter(
      format,
      schema: "dmatop.mappings/1",
      columns: fields.map { ($0.rawValue, $0.isNumeric) },
      csv: CSVEncoder(isRaw: csvRaw)
    )
    writer.begin()
    for slot in slots {
      let mapping = selection.mapping(slot)
      writer.add(fields.map { $0.value(of: mapping, in: context) })
    }
    writer.end()
  }

  /// A field and a way to sort by it.
  private struct SortKey {
    let field: MappingField
    let isDescending: Bool

    init(_ text: String) throws {
      isDescending = text.hasPrefix("-")
      let name = isDescending ? String(text.dropFirst()) : text
      guard let field = MappingField(name: name) else {
        throw CommandError(
          "no field '\(String(escaping: name.utf8))' to sort by; there are "
            + MappingField.allCases.map(\.rawValue).joined(separator: ", ")
        )
      }
      self.field = field
    }
  }

  // MARK: Buffers

  private func dumpBuffers() throws {
    let fields = try Self.parse(self.fields, BufferField.standard) { BufferField(name: $0) }
    let filter = try FilterExpression.parse(self.filter, BufferField.names)
    let isDescending = sort?.hasPrefix("-") ?? false
    let sortField = try sort.map { text -> BufferField in
      let name = isDescending ? String(text.dropFirst()) : text
      guard let field = BufferField(name: name) else {
        throw CommandError(
          "no field '\(String(escaping: name.utf8))' to sort by; there are "
            + BufferField.allCases.map(\.rawValue).joined(separator: ", ")
        )
      }
      return field
    }
    var replay = try moment.state()
    let context = MappingContext(engine: replay.engine, names: replay.names, now: replay.time)
    if let note = try Diagnostics.noBuffers(moment.trace, &replay) { StandardError.write(note) }
    var buffers = Array(replay.engine.sharing.buffers().reversed())
    if let filter { buffers.removeAll { !filter.matches(BufferRow($0, context)) } }
    if let sortField {
      let keys = buffers.map { sortField.value(of: $0, in: context) }
      let order = buffers.indices.sorted { a, b in
        if isDescending ? keys[b].precedes(keys[a]) : keys[a].precedes(keys[b]) { return true }
        return (isDescending ? keys[a].precedes(keys[b]) : keys[b].precedes(keys[a]))
          ? false : a < b
      }
      buffers = order.map { buffers[$0] }
    }
    var writer = RowWriter(
      format,
      schema: "dmatop.buffers/1",
      columns: fields.map { ($0.rawValue, $0.isNumeric) },
      csv: CSVEncoder(isRaw: csvRaw)
    )
    writer.begin()
    for buffer in buffers { writer.add(fields.map { $0.value(of: buffer, in: context) }) }
    writer.end()
  }

  // MARK: Events

  private func dumpEvents() throws {
    let fields = try Self.eventFields(self.fields)
    let filter = try FilterExpression.parse(self.filter, EventField.allCases.map(\.rawValue))
    var replay = try moment.replay.open(moment.trace)
    var writer = RowWriter(
      format,
      schema: "dmatop.events/1",
      columns: fields.map { ($0.rawValue, $0.isNumeric) },
      csv: CSVEncoder(isRaw: csvRaw)
    )
    writer.begin()
    var encoder = EventRowEncoder(
      format == .csv ? .csv : .json,
      fields: fields,
      csv: CSVEncoder(isRaw: csvRaw)
    )
    try replay.run(moment.trace, to: moment.at, moment.replay.report) { replay, event in
      let number = replay.engine.eventCount
      let row = EventRow(
        event: event,
        number: number,
        batch: replay.batch,
        names: replay.names
      )
      if filter?.matches(row) ?? true {
        if format == .text {
          writer.add(
            fields.map { $0.value(of: event, number: number, in: row.batch, row.names) }
          )
        } else {
          writer.add(&encoder, row)
        }
      }
      if let input = replay.waitingDescriptor { writer.flush(waitingFor: input) }
    }
    writer.end()
  }

  /// The fields of events that a list names.
  static func eventFields(_ list: String?) throws -> [EventField] {
    try parse(list, EventField.standard) { EventField(rawValue: $0 == "time" ? "time_ns" : $0) }
  }

  private static func parse<Field>(
    _ list: String?,
    _ standard: [Field],
    _ field: (String) -> Field?
  ) throws -> [Field] {
    guard let list else { return standard }
    return try list.split(separator: ",").map { name in
      guard let field = field(String(name)) else {
        throw CommandError(
          "no field '\(String(escaping: name.utf8))'; 'dmatop dump --help' lists them"
        )
      }
      return field
    }
  }

  private static func fieldList(_ fields: [(String, String)]) -> String {
    let width = fields.map(\.0.count).max() ?? 0
    return fields.map { name, summary in
      "  " + name + String(repeating: " ", count: width - name.count + 2) + summary
    }.joined(separator: "\n")
  }
}

extension FilterExpression {
  /// The filter of an option; `nil` when there is none.
  static func parse(_ text: String?, _ fields: [String]) throws -> FilterExpression? {
    guard let text else { return nil }
    let aliases = ["age", "time", "direction"]
    do {
      return try FilterExpression(text, fields: Set(fields + aliases))
    } catch {
      throw CommandError("filter: \(String(escaping: error.description.utf8))")
    }
  }
}
