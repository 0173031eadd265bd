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
      Without a trace the monitor shows a simulated desktop whose drivers make mistakes now and then.

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

  func run() throws {
    let launcher = MonitorLauncher(ascii: ascii, noColor: noColor)
    let isTerminal = isatty(STDOUT_FILENO) == 1
    let state = try trace.map { try open($0) } ?? desktop(isLive: isTerminal)
    if isTerminal {
      try launcher.open(state)
    } else {
      try launcher.printScreen(state)
    }
  }

  private func open(_ path: String) throws -> MonitorState {
    MonitorState(path: path, moment: at, replay: try replay.open(path, gates: gates))
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
      replay: try Replay(reader: reader, options: replay.options(gates))
    )
  }
}
