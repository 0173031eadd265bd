import ArgumentParser
import DMAExport
import DMALint
import DMAMonitor
import DMAReplay
import DMASimulator
import DMATrace
import Glibc
import TerminalKit

/// `dmatop`, `dmatop TRACE`, `dmatop replay TRACE`
struct ReplayCommand: FileCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Open the monitor on a trace; without a terminal, print one screen of it.",
    discussion: """
      Without a trace, also none on standard input, the monitor shows a simulated
      desktop whose drivers make mistakes now and then; so it does for
      sim:desktop.

      Example:
        dmatop replay --devices devices.txt trace.txt
      """
  )

  @Argument(help: TraceArgument.help)
  var trace: String?

  @Option(
    help: ArgumentHelp(
      "Stop there: marker:TEXT, snapshot:NAME, time:SECONDS, event:N or end.",
      valueName: "moment"
    )
  )
  var at = Moment.end

  @Option(
    help: ArgumentHelp(
      "Begin at a finding of lint: its fingerprint, :N for the Nth.",
      valueName: "fingerprint"
    )
  )
  var finding: String?

  @OptionGroup var replay: ReplayArguments
  @OptionGroup var gates: GateArguments
  @OptionGroup var lint: LintSettingsArguments
  @OptionGroup var historyBudget: HistoryArguments

  @Flag(help: "Draw with ASCII characters only.")
  var ascii = false

  @Flag(help: "Use no colours. So does the environment variable NO_COLOR.")
  var noColor = false

  @Option(
    help:
      "The view to begin with: mappings, errors, events, devices, files, buffers, map or stats."
  )
  var view: MonitorState.View?

  @Option(help: "A filter for the view to begin with.")
  var filter: String?

  @Option(
    help: ArgumentHelp(
      "Colours: default, light, mono, high-contrast or colour-blind.",
      valueName: "name"
    )
  )
  var theme: String?

  @Flag(help: "Leave the mouse to the terminal.")
  var noMouse = false

  @Option(
    help: ArgumentHelp("Settings: this file instead of your own.", valueName: "file")
  )
  var config: String?

  @Flag(help: "Read no settings.")
  var noConfig = false

  @Flag(help: "Print all settings, where each comes from, and the keys; end.")
  var printConfig = false

  @Flag(help: "Do not begin where the trace was left, and do not remember where it is left now.")
  var noSession = false

  @Option(
    help: ArgumentHelp(
      "Print one screen of this size as text and end, also on a terminal.",
      valueName: "WxH"
    )
  )
  var snapshotScreen: ScreenSize?

  @Flag(
    help: ArgumentHelp("With --snapshot-screen: how each cell looks, too.", visibility: .hidden)
  )
  var snapshotStyles = false

  @Flag(help: ArgumentHelp("Print docs/KEYS.md.", visibility: .hidden))
  var keysTable = false

  @Flag(help: ArgumentHelp("Print docs/dmatop.1.", visibility: .hidden))
  var manPage = false

  /// `80x24`
  struct ScreenSize: ExpressibleByArgument {
    let width: Int
    let height: Int

    init?(argument: String) {
      let parts = argument.split(separator: "x")
      guard parts.count == 2, let width = Int(parts[0]), let height = Int(parts[1]),
        (1...1000).contains(width), (1...1000).contains(height)
      else { return nil }
      self.width = width
      self.height = height
    }
  }

  func files() -> RunFiles { RunFiles(reading: [trace, config, lint.lintConfig] + replay.files) }

  func run() throws {
    if keysTable {
      return StandardOutput.write(KeyMap.markdown)
    }
    if manPage { return StandardOutput.write(ManPage.text) }
    let isTerminal = isatty(STDOUT_FILENO) == 1 && snapshotScreen == nil
    let reader = try settings(isTerminal: isTerminal || printConfig)
    if printConfig {
      return StandardOutput.write(reader.description)
    }
    let launcher = MonitorLauncher(ascii: ascii, noColor: noColor) { [report = replay.report] in
      report.say($0, $1)
    }
    let waiting = isTerminal ? launcher.takeOver() : nil
    let trace = self.trace ?? (StandardInput.isCapture ? "-" : Self.desktop)
    var state = try state(trace, reader, isTerminal: isTerminal)
    guard isTerminal else {
      try begin(&state)
      return try launcher.printScreen(
        state,
        size: snapshotScreen.map { ($0.width, $0.height) },
        styles: snapshotStyles
      )
    }
    let isRemembered =
      finding == nil && !noSession && reader.settings.remembersSessions && at == .end
    let session = isRemembered && trace != "-" ? Session(trace: trace) : nil
    session?.restore(&state)
    try begin(&state)
    waiting?.close()
    try launcher.runMonitor(state, session: session)
  }

  /// What the monitor begins with.
  func state(
    _ trace: String,
    _ reader: SettingsReader,
    isTerminal: Bool
  ) throws -> MonitorState {
    let budget = reader.settings.historyBytes
    let isDesktop = trace == Self.desktop && finding == nil
    var state = isDesktop ? try desktop(isLive: isTerminal, budget) : try open(trace, budget)
    state.settings = reader.settings
    if state.settings.beginsAsTree { state.places[.mappings, default: .init()].isTree = true }
    for warning in reader.warnings { state.say(warning) }
    if let finding {
      guard trace != "-" else { throw CommandError("--finding wants a trace in a file") }
      state.wantedFinding = finding
      state.view = .errors
    }
    return state
  }

  /// What the simulated desktop is called.
  private static let desktop = "sim:desktop"

  /// What lint beside the monitor is to know.
  ///
  /// - Returns: The options, and what is wrong with the settings when they are not what was asked for.
  private func lintOptions(_ run: TimelineRun) throws -> (
    MonitorLint.Options, String?
  ) {
    var settings = LintConfiguration()
    var warning: String?
    do {
      settings = try lint.configuration()
    } catch {
      // A project's file must not keep anybody from looking at a trace.
      guard lint.lintConfig == nil, finding == nil else { throw error }
      warning = "lint goes without settings: \(error)"
    }
    // What settings hide can be opened all the same.
    if finding != nil { settings = settings.showingAll }
    return (MonitorLint.Options(captures: run.captures, settings, log: run.log), warning)
  }

  /// What was asked for on the command line goes before a session.
  private func begin(_ state: inout MonitorState) throws {
    if let view { state.view = view }
    if let filter, !state.setFilter(filter) { throw CommandError(state.message ?? "no filter") }
  }

  /// Settings: the user's own file, then what the setup screen saved, then the command line.
  ///
  /// One picture for a pipe looks the same for everybody, unless a file is named.
  private func settings(isTerminal: Bool) throws -> SettingsReader {
    var reader = SettingsReader()
    if let config {
      guard let text = try SettingsFiles.text(config) else {
        throw CommandError("\(displayName(config)): there is no such file")
      }
      try reader.read(text, name: displayName(config))
    } else if !noConfig, isTerminal {
      try reader.readUsers()
    }
    if let theme, !reader.set(.theme, theme) {
      let names = Theme.all.map(\.name).joined(separator: ", ")
      throw CommandError("there is no theme '\(String(escaping: theme.utf8))'; there are \(names)")
    }
    if noMouse { _ = reader.set(.mouse, "false") }
    historyBudget.apply(to: &reader)
    return reader
  }

  private func open(_ path: String, _ budget: Int) throws -> MonitorState {
    let run = try replay.timeline(path, gates: gates, budget: budget)
    let (options, warning) = try lintOptions(run)
    var state = MonitorState(path: path, moment: at, timeline: run.timeline, lint: options)
    if let warning { state.say(warning) }
    return state
  }

  /// The desktop at work: as time passes on a terminal, else two seconds of it.
  private func desktop(isLive: Bool, _ budget: Int) throws -> MonitorState {
    var options = SimulationOptions()
    options.hasStacks = true
    options.faults = Fault.allCases.map { FaultPlan($0, perMillion: 2) }
    if isLive { options.duration = 86_400_000_000_000 }
    if case .generation(let generation) = replay.kernel { options.kernel = generation }
    let simulation = Simulation(try options.scenario("desktop"))
    let reader = SimulationReader(simulation, speed: isLive ? 1 : nil)
    return MonitorState(
      path: Self.desktop,
      moment: at == .end && !isLive ? .snapshot("work") : at,
      timeline: try Timeline(reader, options: replay.options(gates), budget: budget)
    )
  }
}

extension MonitorState.View: ExpressibleByArgument {
  package init?(argument: String) {
    let word = argument.lowercased()
    guard let view = Self.allCases.first(where: { $0.title.lowercased() == word }) else {
      return nil
    }
    self = view
  }

  package static var allValueStrings: [String] { allCases.map { $0.title.lowercased() } }
}
