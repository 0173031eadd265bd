// SPDX-License-Identifier: MIT
import ArgumentParser
import DMADebugCore
import DMAExport
import DMAReplay
import DMATrace

/// `dmatop log`
struct LogCommand: FileCommand {
  static let configuration = CommandConfiguration(
    commandName: "log",
    abstract: "Print the lines that dma-debug would have put into the kernel log.",
    discussion: """
      The lines are gated as the kernel gates them: only the first error, unless the trace writes \
      all_errors or num_errors (markers 'dma-api: write FILE VALUE'), or an option says otherwise.

      Of a kernel log, its DMA-API lines in the order in which their blocks end, in the form of the \
      newest kernels: so it can be compared with that of a trace.

      Example:
        dmatop log --all-errors --devices devices.txt trace.txt
      """
  )

  @OptionGroup var moment: MomentArguments
  @OptionGroup var gates: GateArguments

  @Flag(help: "Print the stack of the mapping behind each error ('Mapped at').")
  var stacks = false

  func files() -> RunFiles { moment.files }

  func run() throws {
    if let simulated = try SimulationOptions.simulation(path: moment.trace) {
      return try run(moment.replay.open(SimulationReader(simulated), gates))
    }
    switch try Capture.open(moment.trace) {
    case .trace(let reader): try run(moment.replay.open(reader, gates))
    case .log(var reader): try printLog(&reader)
    case .dump:
      throw TraceError(
        path: displayName(moment.trace),
        problem: "is a dma-api/dump: it has no messages",
        advice: "give it as --start-dump beside a trace"
      )
    }
  }

  /// Prints what dma-debug says in a kernel log, as the newest kernels would print it.
  private func printLog(_ reader: inout LogReader) throws {
    guard moment.at == .end else {
      throw CommandError(
        "--at is a moment of a trace; \(displayName(moment.trace)) is a kernel log"
      )
    }
    // What stands beside a trace is of no use here, but has to be right.
    _ = try moment.replay.options()
    var output = BufferedOutput()
    while let record = try reader.next() {
      guard record.kind != .iommuFault, record.kind != .swiotlbFull else { continue }
      output.write { text in
        for line in record.normalised.split(separator: "\n") {
          text.append(escaped: line.utf8)
          text.append("\n")
        }
        guard stacks, !record.mappedAt.isEmpty else { return }
        text.append("DMA-API: Mapped at:\n")
        for frame in record.mappedAt {
          text.append(" ")
          text.append(escaped: frame.utf8)
          text.append("\n")
        }
      }
      if reader.mayWait { output.flush() }
    }
    output.flush()
    moment.replay.report.say(moment.trace, log: reader.summary)
  }

  private func run(_ opened: Replay) throws {
    var replay = opened
    var output = BufferedOutput()
    let generation = replay.engine.configuration.generation
    output.write { KernelMessage.startUp(replay.engine.configuration, &$0) }
    replay.collect(.reports)
    func print(_ replay: inout Replay, _ output: inout BufferedOutput) {
      for report in replay.output.reports where report.isPrinted {
        output.write { KernelMessage.append(report, replay.names, generation, to: &$0) }
        if stacks { output.write { KernelMessage.appendStack(report, replay.names, to: &$0) } }
      }
    }
    try replay.run(moment.trace, to: moment.at, moment.replay.report) { replay, _ in
      print(&replay, &output)
      if replay.waitingDescriptor != nil { output.flush() }
    }
    print(&replay, &output)
    output.flush()
  }
}
