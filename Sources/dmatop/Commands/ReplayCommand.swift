import ArgumentParser
import DMADebugCore
import DMATimeline
import Glibc
import TerminalKit

/// `dmatop TRACE`, `dmatop replay TRACE`
struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Open the monitor on a trace; without a terminal, print one screen of totals.",
    discussion: """
      Example:
        dmatop replay --devices devices.txt trace.txt
      """
  )

  @OptionGroup var moment: MomentArguments
  @OptionGroup var gates: GateArguments

  @Flag(help: "Draw with ASCII characters only.")
  var ascii = false

  @Flag(help: "Use no colours. So does the environment variable NO_COLOR.")
  var noColor = false

  func run() throws {
    guard isatty(STDOUT_FILENO) == 1 else {
      try printScreen()
      return
    }
    let path = try moment.trace == "-" ? Self.moveInputAside() : moment.trace
    let replay = try moment.replay.open(path, gates: gates)
    var monitor = Monitor(MonitorState(path: moment.trace, moment: moment.at, replay: replay))
    do {
      let wantsColour = !noColor && getenv("NO_COLOR").map { $0.pointee == 0 } ?? true
      var screen = try CursesScreen(ascii: ascii, colour: wantsColour)
      monitor.run(on: &screen)
    } catch {
      throw CommandError("\(error.description); 'dmatop stat' and 'dmatop dump' need no terminal")
    }
  }

  /// One picture of the monitor as text, for pipes and logs.
  private func printScreen() throws {
    let replay = try moment.replay.open(moment.trace, gates: gates)
    var state = MonitorState(path: moment.trace, moment: moment.at, replay: replay)
    while !state.isDone { state.advance(limit: .max) }
    let isUnicode = CursesScreen.localeIsUnicode && !ascii
    let frame = MonitorView(isUnicode: isUnicode).frame(
      &state,
      width: Self.dimension("COLUMNS", 100),
      height: Self.dimension("LINES", 24)
    )
    var output = StandardOutput()
    for line in frame.lines { output.write(line + "\n") }
    if let failure = state.failure { throw failure }
  }

  /// The environment's idea of a dimension of the screen.
  private static func dimension(_ name: String, _ standard: Int) -> Int {
    guard let text = getenv(name), let value = Int(String(cString: text)) else { return standard }
    return min(max(value, 20), 1000)
  }

  /// Gives standard input to the keyboard and keeps the trace on another descriptor.
  private static func moveInputAside() throws -> String {
    guard isatty(STDIN_FILENO) == 0 else { return "-" }
    let trace = dup(STDIN_FILENO)
    let terminal = Glibc.open("/dev/tty", O_RDWR)
    guard trace >= 0, terminal >= 0, dup2(terminal, STDIN_FILENO) >= 0 else {
      throw CommandError("there is no terminal to read keys from")
    }
    close(terminal)
    return "/dev/fd/\(trace)"
  }
}
