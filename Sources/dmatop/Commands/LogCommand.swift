import ArgumentParser
import DMADebugCore
import DMATimeline

/// `dmatop log`
struct LogCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "log",
    abstract: "Print the lines that dma-debug would have put into the kernel log.",
    discussion: """
      The lines are gated as the kernel gates them: only the first error, unless the trace writes \
      all_errors or num_errors (markers 'dma-api: write FILE VALUE'), or an option says otherwise.

      Example:
        dmatop log --all-errors --devices devices.txt trace.txt
      """
  )

  @OptionGroup var moment: MomentArguments
  @OptionGroup var gates: GateArguments

  @Flag(help: "Print the stack of the mapping behind each error ('Mapped at').")
  var stacks = false

  func run() throws {
    var replay = try moment.replay.open(moment.trace, gates: gates)
    var output = BufferedOutput()
    let generation = replay.engine.configuration.generation
    output.write { KernelMessage.startUp(replay.engine.configuration, &$0) }
    var reports: [Report] = []
    func print(_ replay: inout Replay, _ output: inout BufferedOutput) {
      guard replay.engine.hasReports else { return }
      reports.removeAll(keepingCapacity: true)
      replay.takeReports(&reports)
      for report in reports where report.isPrinted {
        output.write { KernelMessage.append(report, replay.names, generation, to: &$0) }
        if stacks { output.write { KernelMessage.appendStack(report, replay.names, to: &$0) } }
      }
    }
    try replay.run(moment.trace, to: moment.at, verbose: moment.replay.verbose) { replay, _ in
      print(&replay, &output)
    }
    print(&replay, &output)
    output.flush()
    try replay.requireWhole()
  }
}
