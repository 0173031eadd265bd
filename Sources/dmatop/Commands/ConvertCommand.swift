// SPDX-License-Identifier: MIT
import ArgumentParser
import DMADebugCore
import DMAExport
import DMAReplay
import DMATrace
import Glibc

/// `dmatop convert`
struct ConvertCommand: FileCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text
    case dat
    case jsonl
    case csv
    case perfetto
    case sqlite

    /// The format that the end of a name asks for.
    init?(path: String) {
      let name = path.split(separator: "/").last ?? ""
      guard let dot = name.lastIndex(of: ".") else { return nil }
      switch name[name.index(after: dot)...] {
      case "txt", "trace": self = .text
      case "dat": self = .dat
      case "jsonl": self = .jsonl
      case "csv": self = .csv
      case "pftrace", "perfetto-trace": self = .perfetto
      case "sqlite", "db": self = .sqlite
      default: return nil
      }
    }
  }

  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Write a trace in another format: for trace-cmd, Perfetto, SQL, or programs.",
    discussion: """
      text      .txt, .trace              ftrace text, in whole microseconds
      dat       .dat                      trace.dat, for trace-cmd, KernelShark
      jsonl     .jsonl                    the rows of 'dump --events'
      csv       .csv                      the same
      perfetto  .pftrace .perfetto-trace  mappings, for ui.perfetto.dev
      sqlite    .sqlite, .db              events, mappings, findings: docs/SQL.md

      perfetto and sqlite come from a replay, which --devices, --kernel and the
      like change; the others from the events alone.

      Examples:
        dmatop convert trace.txt -o trace.pftrace
        dmatop convert trace.txt -o trace.dat && trace-cmd report -i trace.dat
        dmatop convert sim:nvme -o - --to jsonl | head
      """
  )

  @OptionGroup var input: TraceArgument

  private var trace: String { input.path }

  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("Where to; - for standard output, which wants --to.", valueName: "file")
  )
  var output: String

  @Option(help: "The format, when the name of the output does not end in one of the above.")
  var to: Format?

  @Option(
    help: ArgumentHelp(
      "Fields of jsonl and csv, separated by commas; 'dmatop dump --help' lists them.",
      valueName: "a,b,…"
    )
  )
  var fields: String?

  @OptionGroup var replay: ReplayArguments
  @OptionGroup var lint: LintSettingsArguments

  @Flag(help: ArgumentHelp(DumpCommand.rawHelp))
  var csvRaw = false

  func files() -> RunFiles {
    var files = RunFiles(reading: [trace, lint.lintConfig] + replay.files)
    files.write(output)
    return files
  }

  private func format() throws -> Format {
    if let format = to ?? Format(path: output) { return format }
    throw CommandError(
      "\(output == "-" ? "standard output" : displayName(output)) does not tell the format;"
        + " --to takes text, dat, jsonl, csv, perfetto or sqlite"
    )
  }

  func run() throws {
    let format = try format()
    if fields != nil, format != .jsonl, format != .csv {
      throw CommandError("--fields is for jsonl and csv")
    }
    if csvRaw, format != .csv { throw CommandError("--csv-raw is for csv") }
    let file = try OutputFile(output)
    switch format {
    case .text: try writeText(file)
    case .dat: try writeDat(file)
    case .jsonl, .csv: try writeRows(format, file)
    case .perfetto: try writePerfetto(file)
    case .sqlite: try writeSQLite(file)
    }
    try file.commit()
  }

  private func say(_ text: String) {
    StandardError.write("dmatop: \(displayName(trace)): \(text)")
  }

  // MARK: Event by event

  /// Reads the trace batch by batch.
  ///
  /// - Returns: the reader at its end.
  private func forEachBatch(
    _ file: OutputFile,
    _ body: (EventBatch, TraceNames, TraceSummary) throws -> Void
  ) throws -> any TraceReader {
    // What stands beside a trace is of no use here, but has to be right.
    _ = try replay.options()
    var reader = try replay.events(trace)
    var progress = Progress(path: trace)
    var batch = EventBatch()
    var events: UInt64 = 0
    while try reader.read(into: &batch) {
      try body(batch, reader.names, reader.summary)
      if reader.liveDescriptor != nil { try file.flushStream() }
      events += UInt64(batch.events.count)
      progress.update(events: events, of: batch.events.count, reader.progress)
    }
    progress.clear()
    replay.report.say(trace, reader.summary)
    return reader
  }

  private var isSimulation: Bool { trace.hasPrefix("sim:") }

  private func writeText(_ file: OutputFile) throws {
    var writer = FtraceWriter(writesStacks: true, isSimulation: isSimulation)
    var hasBegun = false
    func begin(_ summary: TraceSummary) {
      hasBegun = true
      writer.clock = summary.clock
      writer.writeHeader(release: summary.kernelRelease, cpus: nil)
    }
    let reader = try forEachBatch(file) { batch, names, summary in
      if !hasBegun { begin(summary) }
      writer.write(batch, names: names)
      try file.write(writer.bytes)
      writer.removeAll()
    }
    if !hasBegun { begin(reader.summary) }
    try file.write(writer.bytes)
    if writer.skipped > 0 {
      say("\(writer.skipped) events of which only the kind is known were left out")
    }
  }

  private func writeDat(_ file: OutputFile) throws {
    var writer = try TraceDatWriter()
    let reader = try forEachBatch(file) { batch, names, _ in try writer.write(batch, names: names) }
    try writer.finish(
      names: reader.names,
      release: reader.summary.kernelRelease,
      clock: reader.summary.clock,
      version: Version.string
    ) { try file.write($0) }
    let losses = writer.losses
    if losses.skipped > 0 {
      say("\(losses.skipped) events of kinds that have no format in a trace.dat were left out")
    }
    if losses.cut > 0 {
      say("\(losses.cut) events were too long for a record and were cut")
    }
    if losses.moved > 0 {
      say("time went back \(losses.moved) times; events keep their order, not those times")
    }
  }

  private func writeRows(_ format: Format, _ file: OutputFile) throws {
    let fields = try DumpCommand.eventFields(fields)
    var encoder = EventRowEncoder(
      format == .csv ? .csv : .json,
      fields: fields,
      csv: CSVEncoder(isRaw: csvRaw)
    )
    var text = TextBuffer()
    var number: UInt64 = 0
    try file.write(encoder.heading)
    _ = try forEachBatch(file) { batch, names, _ in
      for event in batch.events {
        number += 1
        encoder.append(event, number, batch, names, to: &text)
        if format == .csv { text.append("\r\n") } else { text.append("\n") }
      }
      try file.write(text.bytes)
      text.removeAll()
    }
  }

  // MARK: From a replay

  /// Replays the trace to its end.
  private func run(
    _ replay: inout Replay,
    _ visit: (inout Replay, DMAEvent) throws -> Void
  ) throws {
    var progress = Progress(path: trace)
    while try replay.step(to: .end) {
      try visit(&replay, replay.lastEvent)
      progress.update(replay)
    }
    progress.clear()
    self.replay.report.say(trace, replay)
  }

  private func writePerfetto(_ file: OutputFile) throws {
    var replay = try self.replay.open(trace)
    var export = PerfettoExport(&replay)
    try run(&replay) { replay, event in
      export.observe(replay, event)
      let waits = replay.waitingDescriptor != nil
      if waits || export.count > 1 << 18 { try export.flush(to: file) }
      if waits { try file.flushStream() }
    }
    export.finish(replay)
    try export.flush(to: file)
    if replay.summary.clock == .ticks {
      say("its clock counts ticks; Perfetto shows them as nanoseconds")
    }
  }

  private func writeSQLite(_ file: OutputFile) throws {
    guard let path = file.draftPath else {
      throw CommandError(
        "\(displayName(output)): a database is written into a file of its own, not a stream"
      )
    }
    var replay = try self.replay.open(trace)
    do {
      var export = try SQLExport(
        path: path,
        &replay,
        source: displayName(trace),
        lint: lint.configuration()
      )
      try run(&replay) { replay, event in try export.observe(&replay, event) }
      try export.finish(&replay)
    } catch let problem as SQLiteDatabase.Problem {
      throw CommandError("\(displayName(output)): \(problem.description)")
    }
  }
}
