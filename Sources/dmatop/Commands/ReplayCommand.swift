import ArgumentParser
import DMADebugCore
import DMATimeline
import Glibc

/// `dmatop TRACE`, `dmatop replay TRACE`
struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Open the monitor on a trace; without a terminal, print one screen of totals.",
    discussion: """
      Example:
        dmatop replay --devices devices.txt trace.txt
      """)

  @OptionGroup var moment: MomentArguments
  @OptionGroup var gates: GateArguments

  @Flag(help: "Draw with ASCII characters only.")
  var ascii = false

  @Flag(help: "Use no colours. So does the environment variable NO_COLOR.")
  var noColor = false

  func run() throws {
  }
}
