import ArgumentParser
import DMASimulator
import DMATimeline
import Glibc

/// `dmatop`, `dmatop TRACE`, `dmatop replay TRACE`
struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Open the monitor on a trace; without a terminal, print one screen of it.",
    discussion: """
      Without a trace the monitor shows a simulated desktop whose drivers make
      mistakes now and then.

      Example:
        dmatop replay --devices devices.txt trace.txt
      """
  )

  @Argument(
    help: "The trace: a file, a FIFO, - for standard input, or sim:SCENARIO[,KEY=VALUE…]."
  )
  var trace: String?

  @Option(
    help: ArgumentHelp(
      "Stop there: marker:TEXT, snapshot:NAME, time:SECONDS, event:N or end.",
      valueName: "moment"
    )
  )
  var at = Moment.end

  @OptionGroup var replay: ReplayArguments
  @OptionGroup var gates: GateArguments

  @Flag(help: "Draw with ASCII characters only.")
  var ascii = false

  @Flag(help: "Use no colours. So does the environment variable NO_COLOR.")
  var noColor = false

  @Option(help: "The view to begin with: mappings, errors, events, devices, files, map or stats.")
  var view = MonitorState.View.mappings

  @Option(
    help: ArgumentHelp(
      "Print one screen of this size as text and end, also on a terminal.",
      valueName: "WxH"
    )
  )
  var snapshotScreen: ScreenSize?

  @Flag(help: ArgumentHelp("Print docs/KEYS.md.", visibility: .hidden))
  var keysTable = false

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

  func run() throws {
    if keysTable {
      return StandardOutput.write(Array(MonitorAction.markdown.utf8), to: STDOUT_FILENO)
    }
    let launcher = MonitorLauncher(ascii: ascii, noColor: noColor)
    let isTerminal = isatty(STDOUT_FILENO) == 1 && snapshotScreen == nil
    var state = try trace.map { try open($0) } ?? desktop(isLive: isTerminal)
    state.view = view
    if isTerminal {
      try launcher.open(state)
    } else {
      try launcher.printScreen(state, size: snapshotScreen.map { ($0.width, $0.height) })
    }
  }

  private func open(_ path: String) throws -> MonitorState {
    MonitorState(path: path, moment: at, timeline: try replay.timeline(path, gates: gates))
  }

  /// The desktop at work: as time passes on a terminal, else two seconds of it.
  private func desktop(isLive: Bool) throws -> MonitorState {
    var options = SimulationOptions()
    options.hasStacks = true
    options.faults = Fault.allCases.map { FaultPlan($0, perMillion: 2) }
    if isLive { options.duration = 86_400_000_000_000 }
    if case .generation(let generation) = replay.kernel { options.kernel = generation }
    let simulation = Simulation(try options.scenario("desktop"))
    let reader = SimulationReader(simulation, speed: isLive ? 1 : nil)
    return MonitorState(
      path: "sim:desktop",
      moment: at == .end && !isLive ? .snapshot("work") : at,
      timeline: try Timeline(reader, options: replay.options(gates))
    )
  }
}

extension MonitorState.View: ExpressibleByArgument {
  init?(argument: String) {
    let word = argument.lowercased()
    guard let view = Self.allCases.first(where: { $0.title.lowercased() == word }) else {
      return nil
    }
    self = view
  }

  static var allValueStrings: [String] { allCases.map { $0.title.lowercased() } }
}
