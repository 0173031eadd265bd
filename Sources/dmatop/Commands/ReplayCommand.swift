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
    let replay = try moment.replay.open(moment.trace, gates: gates)
    var monitor = Monitor(MonitorState(path: moment.trace, moment: moment.at, replay: replay))
    do {
      let session = try TerminalSession(
        TerminalOptions(
          characterSet: ascii ? .ascii : .automatic,
          colorDepth: noColor ? .monochrome : nil
        )
      )
      monitor.run(on: session.screen)
    } catch {
      throw CommandError("\(error.description); 'dmatop stat' and 'dmatop dump' need no terminal")
    }
  }

  /// One picture of the monitor as text, for pipes and logs.
  private func printScreen() throws {
    let replay = try moment.replay.open(moment.trace, gates: gates)
    var state = MonitorState(path: moment.trace, moment: moment.at, replay: replay)
    while !state.isDone { state.advance(limit: .max) }
    let glyphs: Glyphs = Self.localeIsUTF8 && !ascii ? .unicode : .ascii
    let frame = MonitorView(glyphs: glyphs).frame(
      &state,
      width: Self.dimension("COLUMNS", 100),
      height: Self.dimension("LINES", 24)
    )
    var output = StandardOutput()
    for line in frame.textRows { output.write(line + "\n") }
    if let failure = state.failure { throw failure }
  }

  /// Whether the environment asks for UTF-8.
  private static var localeIsUTF8: Bool {
    setlocale(LC_CTYPE, "")
    return nl_langinfo(Int32(CODESET)).map { String(cString: $0) } == "UTF-8"
  }

  /// The environment's idea of a dimension of the screen.
  private static func dimension(_ name: String, _ standard: Int) -> Int {
    guard let text = getenv(name), let value = Int(String(cString: text)) else { return standard }
    return min(max(value, 20), 1000)
  }
}
