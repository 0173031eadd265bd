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
    let replay = try moment.replay.open(moment.trace, gates: gates)
    let state = MonitorState(path: moment.trace, moment: moment.at, replay: replay)
    let launcher = MonitorLauncher(ascii: ascii, noColor: noColor)
    if isatty(STDOUT_FILENO) == 1 {
      try launcher.open(state)
    } else {
      try launcher.printScreen(state)
    }
  }
}
