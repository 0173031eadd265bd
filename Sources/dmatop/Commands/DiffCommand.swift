// SPDX-License-Identifier: MIT
import ArgumentParser
import DMADebugCore
import DMAExport
import DMAReplay
import DMATrace
import Glibc

/// `dmatop diff`
struct DiffCommand: FileCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text
    case json
    case jsonl
  }

  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "What was mapped and unmapped between two dumps, or two moments of traces.",
    discussion: """
      A and B are dma-api/dump files, or traces with a moment behind an @ (without one: the end). Two \
      moments of one trace know each mapping; others are compared by device, DMA address, size and \
      type, whatever kernels printed them. --start-dump and --devices go for traces.

      Exit status: 0 nothing differs, 1 something does, 2 errors.

      Examples:
        dmatop diff dump.before dump.after
        dmatop diff trace.txt@snapshot:start trace.txt@snapshot:end
        dmatop diff --format json trace.txt@time:12.5 dump.now
      """
  )

  @Argument(help: "The first state: a dump, or TRACE@MOMENT.")
  var first: String

  @Argument(help: "The second state.")
  var second: String

  @Option(help: "text, json or jsonl.")
  var format = Format.text

  @Option(
    help: ArgumentHelp(
      "How many of the new and of the gone mappings to list as text; 0 for all.",
      valueName: "n"
    )
  )
  var limit = 20

  @OptionGroup var replay: ReplayArguments

  func validate() throws {
    guard limit >= 0 else { throw ValidationError("--limit takes a number from 0 on.") }
  }

  /// One of the two sides.
  private struct Side {
    var path: String
    var moment = Moment.end
    var shown: String

    /// A file of that name goes before a name with a moment. Paths and markers may have an `@` of
    /// their own, and so may simulations.
    init(_ argument: String) throws {
      path = argument
      shown = displayName(argument)
      guard access(argument, F_OK) != 0 else { return }
      let places = argument.indices.filter { argument[$0] == "@" }
      for place in places {
        let text = String(argument[argument.index(after: place)...])
        guard let moment = try? Moment(parsing: text) else { continue }
        path = String(argument[..<place])
        self.moment = moment
        return
      }
      guard let last = places.last, !argument.hasPrefix("sim:") else { return }
      let text = String(argument[argument.index(after: last)...])
      throw CommandError(Moment.ParseError(text: text).description)
    }
  }

  func files() throws -> RunFiles {
    RunFiles(reading: [try Side(first).path, try Side(second).path] + replay.files)
  }

  func run() throws {
    let a = try Side(first)
    let b = try Side(second)
    if a.path == "-" && b.path == "-" {
      throw CommandError("standard input can be one of the two only")
    }
    let isOneTrace = a.path == b.path
    let before = try snapshot(a)
    let after = try snapshot(b)
    let difference = StateDifference(
      from: before,
      to: after,
      isOneTrace: isOneTrace
    )
    var output = BufferedOutput()
    switch format {
    case .text: text(a, b, difference, &output)
    case .json: json(a, b, difference, &output)
    case .jsonl: jsonLines(difference, &output)
    }
    output.flush()
    if !difference.isEmpty { throw ExitCode(1) }
  }

  private func snapshot(_ side: Side) throws -> MappingSnapshot {
    var replay = try self.replay.open(side.path, expectsState: true)
    if replay.summary.isDump, side.moment != .end, side.moment != .event(0) {
      throw CommandError("\(side.shown): a dump has no moments")
    }
    try replay.run(side.path, to: side.moment, self.replay.report) { _, _ in }
    return MappingSnapshot(replay.engine, replay.names)
  }

  // MARK: Text

  private func signed(_ value: Int64) -> String { value > 0 ? "+\(value)" : String(value) }

  private func text(
    _ a: Side,
    _ b: Side,
    _ difference: StateDifference,
    _ output: inout BufferedOutput
  ) {
    let total = difference.total
    output.write(
      "A  \(a.shown): \(total.before.count) mappings, \(FieldValue.bytes(total.before.bytes))\n"
    )
    output.write(
      "B  \(b.shown): \(total.after.count) mappings, \(FieldValue.bytes(total.after.bytes))\n"
    )
    if difference.isEmpty {
      output.write("no difference\n")
      return
    }
    output.write(
      "   \(total.new.count) new, \(total.gone.count) gone, \(difference.stayed) stayed\n\n"
    )
    var table = TextTable([
      ("DRIVER", false), ("DEVICE", false), ("TYPE", false), ("A", true), ("B", true),
      ("NEW", true), ("GONE", true), ("GROWTH", true), ("BYTES", true),
    ])
    func add(_ names: [String], _ group: StateDifference.Group) {
      table.add(
        names + [
          String(group.before.count), String(group.after.count), String(group.new.count),
          String(group.gone.count), signed(group.growth), signed(group.byteGrowth),
        ]
      )
    }
    for group in difference.groups {
      add(
        [
          String(escaping: group.driver.utf8), String(escaping: group.device.utf8),
          group.type.kernelName.description,
        ],
        group
      )
    }
    if difference.groups.count > 1 { add(["all", "", ""], total) }
    for line in table.lines() { output.write(line + "\n") }
    list("NEW", difference.new, &output)
    list("GONE", difference.gone, &output)
  }

  private func list(
    _ title: String,
    _ rows: [MappingSnapshot.Row],
    _ output: inout BufferedOutput
  ) {
    guard !rows.isEmpty else { return }
    let hasSites = rows.contains { $0.site != nil }
    var table = TextTable(
      [
        (title, false), ("DEVICE", false), ("TYPE", false), ("DMA", false), ("SIZE", true),
        ("DIR", false),
      ] + (hasSites ? [("MAP SITE", false)] : [])
    )
    let shown = limit == 0 ? rows[...] : rows.prefix(limit)
    for row in shown {
      table.add(
        [
          String(escaping: row.driver.utf8), String(escaping: row.device.utf8),
          row.type.kernelName.description, "0x" + String(row.dmaAddress, radix: 16),
          String(row.size), row.direction.traceName.description,
        ] + (hasSites ? [String(escaping: (row.site ?? "?").utf8)] : [])
      )
    }
    output.write("\n")
    for line in table.lines() { output.write(line + "\n") }
    if shown.count < rows.count {
      output.write("... and \(rows.count - shown.count) more (--limit 0 lists all)\n")
    }
  }

  // MARK: JSON

  private func json(
    _ a: Side,
    _ b: Side,
    _ difference: StateDifference,
    _ output: inout BufferedOutput
  ) {
    var json = JSONWriter(indented: true)
    json.object { json in
      json.pair("schema", "dmatop.diff/1")
      json.pair("a", first)
      json.pair("b", second)
      json.pair("differ", !difference.isEmpty)
      json.pair("stayed", difference.stayed)
      json.key("total")
      json.object { append(difference.total, to: &$0) }
      json.key("groups")
      json.array { json in
        for group in difference.groups {
          json.object { json in
            appendNames(group, to: &json)
            append(group, to: &json)
          }
        }
      }
      for (name, rows) in [("new", difference.new), ("gone", difference.gone)] {
        json.key(name)
        json.array { json in for row in rows { json.object { append(row, to: &$0) } } }
      }
    }
    output.write(bytes: json.text.bytes + [0x0a])
  }

  private func jsonLines(_ difference: StateDifference, _ output: inout BufferedOutput) {
    var json = JSONWriter()
    func line(_ body: (inout JSONWriter) -> Void) {
      json.removeAll()
      json.object(body)
      output.write(bytes: json.text.bytes + [0x0a])
    }
    for group in difference.groups {
      line { json in
        json.pair("kind", "group")
        appendNames(group, to: &json)
        append(group, to: &json)
      }
    }
    for (name, rows) in [("new", difference.new), ("gone", difference.gone)] {
      for row in rows {
        line { json in
          json.pair("kind", name)
          append(row, to: &json)
        }
      }
    }
    line { json in
      json.pair("kind", "total")
      json.pair("stayed", difference.stayed)
      append(difference.total, to: &json)
    }
  }

  private func appendNames(_ group: StateDifference.Group, to json: inout JSONWriter) {
    json.pair("driver", group.driver)
    json.pair("device", group.device)
    json.pair("type", group.type.kernelName.description)
  }

  private func append(_ group: StateDifference.Group, to json: inout JSONWriter) {
    for (name, sum) in [
      ("a", group.before), ("b", group.after), ("new", group.new), ("gone", group.gone),
    ] {
      json.pair(name, sum.count)
      json.pair(name + "_bytes", sum.bytes)
    }
    json.key("growth")
    json.number(group.growth)
    json.key("growth_bytes")
    json.number(group.byteGrowth)
  }

  private func append(_ row: MappingSnapshot.Row, to json: inout JSONWriter) {
    json.pair("driver", row.driver)
    json.pair("device", row.device)
    json.pair("type", row.type.kernelName.description)
    json.pair("dir", row.direction.traceName.description)
    json.key("dma_addr")
    json.address(row.dmaAddress)
    json.pair("size", row.size)
    json.key("phys_addr")
    if let physical = row.physicalAddress { json.address(physical) } else { json.null() }
    json.pair("site", row.site)
  }
}
