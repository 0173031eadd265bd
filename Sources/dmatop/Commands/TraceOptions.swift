import ArgumentParser
import DMADebugCore
import DMAExport
import DMALint
import DMAReplay
import DMATrace

extension Moment: ExpressibleByArgument {
  public init?(argument: String) {
    guard let moment = try? Moment(parsing: argument) else { return nil }
    self = moment
  }
}

/// The kernel to mirror: a version, or what the trace tells.
enum KernelChoice: ExpressibleByArgument {
  case auto
  case generation(KernelGeneration)

  init?(argument: String) {
    if argument == "auto" {
      self = .auto
    } else if let generation = KernelGeneration(version: argument) {
      self = .generation(generation)
    } else {
      return nil
    }
  }
}

/// A number of bytes: `65536`, `512M`, `4GiB`.
struct ByteCount: ExpressibleByArgument {
  let bytes: UInt64

  init(_ bytes: UInt64) {
    self.bytes = bytes
  }

  init?(argument: String) {
    guard let bytes = FieldValue.bytes(parsing: argument), bytes < 1 << 62 else { return nil }
    self.bytes = bytes
  }

  var defaultValueDescription: String {
    bytes > 0 && bytes & (1 << 30 - 1) == 0 ? "\(bytes >> 30)G" : String(bytes)
  }
}

/// `--dma-debug on|off`
enum DebugSwitch: String, ExpressibleByArgument, CaseIterable {
  case on
  case off
}

/// How a trace is replayed: options that every command with a trace has.
struct ReplayArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The kernel to mirror: auto, or a version from 6.12 on.",
      valueName: "version"
    )
  )
  var kernel = KernelChoice.auto

  @Option(
    help: ArgumentHelp(
      "Lines 'BUS DEVICE DRIVER key=value…': which driver a device has when the trace begins.",
      valueName: "file"
    )
  )
  var devices: String?

  @Flag(help: "The trace begins at boot: what was never mapped in it was never mapped.")
  var complete = false

  @Option(
    help: ArgumentHelp(
      "A dma-api/dump saved just before the first event: what was mapped then.",
      valueName: "file"
    )
  )
  var startDump: String?

  @Option(
    help: ArgumentHelp("Boot parameter dma_debug_entries: entries of the pool.", valueName: "n")
  )
  var dmaDebugEntries: UInt32 = 65536

  @Option(
    help: ArgumentHelp(
      "Boot parameter dma_debug_driver: show messages of this driver only.",
      valueName: "name"
    )
  )
  var dmaDebugDriver: String?

  @Option(
    help: ArgumentHelp("Boot parameter dma_debug: off disables everything.", valueName: "on|off")
  )
  var dmaDebug = DebugSwitch.on

  @Option(
    help: ArgumentHelp(
      "Cache alignment of DMA on the machine in bytes; from 64 on, kernels from 7.1 on report"
        + " overlapping cachelines. x86 has 1.",
      valueName: "bytes"
    )
  )
  var dmaAlignment: UInt32 = 1

  @Option(
    help: ArgumentHelp(
      "Another capture of the same run, merged with the trace by time; may be repeated.",
      valueName: "file"
    )
  )
  var with: [String] = []

  @Option(
    help: ArgumentHelp(
      "Exit with 2 when more than this percentage of the lines that look like trace records cannot"
        + " be parsed.",
      valueName: "percent"
    )
  )
  var maxMalformed = 1.0

  @Option(
    help: ArgumentHelp(
      "The most bytes in temporary files, where binary captures go that are packed or come through"
        + " a pipe.",
      valueName: "size"
    )
  )
  var spoolLimit = ByteCount(TemporaryFile.limit)

  @Flag(name: .shortAndLong, help: "Say more: the first lines that could not be understood.")
  var verbose = false

  /// The files that are read beside the trace.
  var files: [String?] { [devices, startDump] + with }

  /// What is said of a capture that was read.
  var report: CaptureReport {
    CaptureReport(verbose: verbose, maximumMalformed: maxMalformed, devices: devices)
  }

  func validate() throws {
    guard (0...100).contains(maxMalformed) else {
      throw ValidationError("--max-malformed takes a percentage from 0 to 100.")
    }
    // One bound for the whole program, wherever it opens captures.
    TemporaryFile.limit = spoolLimit.bytes
    guard dmaDebugEntries > 0, dmaDebugEntries <= 1 << 31 else {
      throw ValidationError("--dma-debug-entries takes a number from 1 to 2147483648.")
    }
  }

  /// The options of a replay, the device table read.
  func options() throws -> ReplayOptions {
    var options = ReplayOptions()
    if case .generation(let generation) = kernel { options.generation = generation }
    options.entries = dmaDebugEntries
    options.driverFilter = dmaDebugDriver ?? ""
    options.isOff = dmaDebug == .off
    options.dmaAlignment = UInt64(dmaAlignment)
    options.isComplete = complete
    if let devices { options.devices = try DeviceTable(path: devices) }
    if let startDump {
      let dump = try MappingDump(path: startDump)
      report.say(startDump, dump)
      options.startDump = dump
    }
    return options
  }

  /// A reader of the trace at a path, or of a simulation.
  static func reader(_ path: String) throws -> any TraceReader {
    if let simulation = try SimulationOptions.simulation(path: path) {
      return SimulationReader(simulation)
    }
    return try CaptureInput.open(path)
  }

  /// The events of the trace at a path, merged with those of `--with`, without a replay.
  func events(_ path: String) throws -> any TraceReader {
    try merging(Self.reader(path))
  }

  /// The source of events at a path. A dump gives none: it is the state to begin with.
  ///
  /// - Throws: ``TraceError`` also for a kernel log, which has no events.
  private static func input(
    _ path: String,
    _ options: inout ReplayOptions,
    expectsState: Bool = false
  ) throws -> any TraceReader {
    if let simulation = try SimulationOptions.simulation(path: path) {
      return SimulationReader(simulation)
    }
    switch try Capture(path: path, expectsState: expectsState) {
    case .trace(let reader): return reader
    case .dump(let dump):
      try begin(&options, with: dump)
      return DumpReader(dump)
    case .log:
      throw TraceError(
        path: displayName(path),
        problem: "is a kernel log, not a trace",
        advice: "`dmatop lint`, `dmatop log` and `dmatop stat` read logs"
      )
    }
  }

  /// The options with the gates of the log.
  func options(_ gates: GateArguments) throws -> ReplayOptions {
    var options = try options()
    options.allErrors = gates.allErrors ? 1 : 0
    options.numErrors = gates.numErrors
    return options
  }

  /// A trace with time travel, and the kernel log beside it.
  ///
  /// - Parameter budget: bytes for all that is kept to go back.
  func timeline(_ path: String, gates: GateArguments, budget: Int) throws -> TimelineRun {
    var options = try options(gates)
    var log: LogJoin?
    var logs: Set<String> = []
    let reader = try merging(Self.input(path, &options)) { path, reader in
      var reader = reader
      if log == nil { log = try LogJoin(&reader, path: path) }
      logs.insert(path)
    }
    return TimelineRun(
      timeline: try Timeline(reader, options: options, budget: budget),
      captures: [path] + with.filter { !logs.contains($0) },
      log: log
    )
  }

  /// A replay of the trace at a path, `-` for standard input.
  ///
  /// - Parameter expectsState: An empty file is a dump of nothing.
  func open(
    _ path: String,
    gates: GateArguments? = nil,
    expectsState: Bool = false
  ) throws -> Replay {
    var options = try gates.map { try self.options($0) } ?? options()
    let reader = try merging(Self.input(path, &options, expectsState: expectsState))
    return try Replay(reader: reader, options: options)
  }

  /// The reader with the captures of `--with` beside it.
  ///
  /// - Parameter takeLog: Takes a kernel log among them; without it one is an error.
  private func merging(
    _ reader: any TraceReader,
    takeLog: ((String, LogReader) throws -> Void)? = nil
  ) throws -> any TraceReader {
    var readers = [reader]
    for path in with {
      if let takeLog, try SimulationOptions.simulation(path: path) == nil,
        case .log(let log) = try Capture(path: path)
      {
        try takeLog(path, log)
        continue
      }
      readers.append(try Self.reader(path))
    }
    return readers.count == 1 ? reader : MergedReader(readers)
  }

  private static func begin(_ options: inout ReplayOptions, with dump: MappingDump) throws {
    if options.startDump != nil {
      throw TraceError(
        path: dump.name,
        problem: "is a dma-api/dump like the one of --start-dump",
        advice: "two dumps are compared with `dmatop diff`"
      )
    }
    options.startDump = dump
  }

  /// A replay that begins and ends with a dump.
  func open(_ dump: MappingDump) throws -> Replay {
    var options = try options()
    try Self.begin(&options, with: dump)
    return try Replay(reader: DumpReader(dump), options: options)
  }

  /// A replay of a reader that was opened before.
  func open(_ reader: any TraceReader, _ gates: GateArguments? = nil) throws -> Replay {
    try Replay(reader: merging(reader), options: gates.map { try options($0) } ?? options())
  }
}

/// Captures of one run with time travel.
struct TimelineRun {
  var timeline: Timeline
  /// The traces, as they were named.
  var captures: [String]
  /// The first kernel log among them.
  var log: LogJoin?
}

/// Captures of one run, to be replayed as one.
struct Run {
  var replay: Replay
  /// The traces, as they were named.
  var captures: [String]
  /// The kernel log among them.
  var log: LogJoin?
}

extension ReplayArguments {
  /// Opens captures of one run: traces, and a kernel log or none.
  ///
  /// - Parameter name: What to call a capture in findings.
  /// - Returns: `nil` without a trace, or with two logs.
  /// - Throws: ``TraceError`` when one cannot be read.
  func openRun(_ paths: [String], name: (String) -> String) throws -> Run? {
    var traces: [(path: String, reader: any TraceReader)] = []
    var log: (path: String, reader: LogReader)?
    for path in paths {
      if let simulation = try SimulationOptions.simulation(path: path) {
        traces.append((path, SimulationReader(simulation)))
        continue
      }
      switch try Capture(path: path) {
      case .trace(let reader): traces.append((path, reader))
      case .log(let reader):
        if log != nil { return nil }
        log = (path, reader)
      case .dump:
        throw TraceError(
          path: displayName(path),
          problem: "is a dma-api/dump",
          advice: "give it as --start-dump beside a trace"
        )
      }
    }
    guard let first = traces.first else { return nil }
    let join = try log.map { log in
      var reader = log.reader
      return try LogJoin(&reader, path: name(log.path))
    }
    let reader = traces.count == 1 ? first.reader : MergedReader(traces.map(\.reader))
    return Run(
      replay: try Replay(reader: reader, options: options()),
      captures: traces.map(\.path),
      log: join
    )
  }

  /// The options again, for a command that comes to the same state; captures of ``with`` are none of
  /// them.
  var repeated: [Invocation.Option] {
    var options: [Invocation.Option] = []
    func add(_ name: String, _ value: String? = nil) { options.append(.init(name, value)) }
    if case .generation(let generation) = kernel { add("--kernel", generation.version) }
    if let devices { add("--devices", devices) }
    if complete { add("--complete") }
    if let startDump { add("--start-dump", startDump) }
    if dmaDebugEntries != 65536 { add("--dma-debug-entries", String(dmaDebugEntries)) }
    if let dmaDebugDriver { add("--dma-debug-driver", dmaDebugDriver) }
    if dmaDebug != .on { add("--dma-debug", dmaDebug.rawValue) }
    if dmaAlignment != 1 { add("--dma-alignment", String(dmaAlignment)) }
    return options
  }
}

/// Which of the errors the kernel would have printed.
struct GateArguments: ParsableArguments {
  @Flag(help: "all_errors is 1 at boot: every error is printed, not the first ones only.")
  var allErrors = false

  @Option(
    help: ArgumentHelp("num_errors at boot: how many errors are printed.", valueName: "n")
  )
  var numErrors: UInt32 = 1
}

/// The trace of a command that takes one.
struct TraceArgument: ParsableArguments {
  static let help = ArgumentHelp(
    "The trace: a file, a FIFO, - for standard input, or sim:SCENARIO[,KEY=VALUE…]. A pipe or file"
      + " on standard input needs no name.",
    valueName: "trace"
  )

  @Argument(help: Self.help)
  var name: String?

  func validate() throws {
    guard name != nil || StandardInput.isCapture else {
      throw ValidationError("Missing expected argument '<trace>'")
    }
  }

  var path: String { name ?? "-" }
}

/// The trace of a command that looks at one moment.
struct MomentArguments: ParsableArguments {
  @OptionGroup var input: TraceArgument

  var trace: String { input.path }

  @Option(
    help: ArgumentHelp(
      "Stop there: marker:TEXT, snapshot:NAME, time:SECONDS, event:N or end.",
      valueName: "moment"
    )
  )
  var at = Moment.end

  @OptionGroup var replay: ReplayArguments

  /// What is read.
  var files: RunFiles { RunFiles(reading: [trace] + replay.files) }
}

extension Replay {
  /// Runs to a moment, shows progress on a terminal and says on standard error what the trace
  /// could not tell.
  ///
  /// - Throws: `ExitCode` 2 when there is no such moment.
  mutating func run(
    _ path: String,
    to moment: Moment,
    _ report: CaptureReport,
    _ visit: (inout Replay, DMAEvent) -> Void
  ) throws {
    var progress = Progress(path: path)
    let isMet = try run(to: moment) { replay, event in
      visit(&replay, event)
      progress.update(replay)
    }
    progress.clear()
    if !isMet {
      switch moment {
      case .event(let number):
        StandardError.write(
          "dmatop: \(displayName(path)): event:\(number) is behind the end;"
            + " the trace has \(engine.eventCount) events"
        )
      default:
        throw MomentError(path: path, markers: markers)
      }
    }
    report.say(path, self)
  }
}

/// `--at` names a marker that the trace does not have.
struct MomentError: Error, CustomStringConvertible {
  let path: String
  let markers: [String]

  var description: String {
    let list = markers.prefix(10).map { "  " + String(escaping: $0.utf8) }
    let known =
      markers.isEmpty
      ? "the trace has no markers" : "markers in the trace:\n" + list.joined(separator: "\n")
    return "\(displayName(path)): no such marker in the trace; \(known)"
  }
}
