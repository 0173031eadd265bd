import ArgumentParser
import DMADebugCore
import DMALint
import DMATimeline
import DMATrace

extension Severity: ExpressibleByArgument {}

/// `dmatop lint`
struct LintCommand: ParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text
    case json
  }

  /// The least severity that makes the exit status 1.
  enum FailLevel: String, ExpressibleByArgument, CaseIterable {
    case error
    case warning
    case note
    case never

    func isReached(by severity: Severity) -> Bool {
      Severity(rawValue: rawValue).map { severity >= $0 } ?? false
    }
  }

  static let configuration = CommandConfiguration(
    commandName: "lint",
    abstract: "Check traces: what is proved to be wrong is a finding, what cannot be seen is not.",
    discussion: """
      Exit status: 0 nothing at or above --fail-on, 1 findings, 2 something could not be read.

      Example:
        dmatop lint --devices devices.txt --format json trace.txt
      """
  )

  @Argument(help: "Traces: files, FIFOs, or - for standard input.")
  var traces: [String]

  @OptionGroup var replay: ReplayArguments

  @Option(help: "text or json.")
  var format = Format.text

  @Option(help: ArgumentHelp("Exit with 1 from this severity on.", valueName: "level"))
  var failOn = FailLevel.error

  @Flag(name: .shortAndLong, help: "No summary.")
  var quiet = false

  func run() throws {
    var results: [LintResult] = []
    var hasFailed = false
    for path in traces {
      do {
        results.append(try lint(path))
      } catch let error as TraceError {
        StandardError.write("dmatop: \(error.description)")
        hasFailed = true
      }
    }
    var output = BufferedOutput()
    switch format {
    case .text:
      for result in results { output.write { result.appendText(to: &$0) } }
      if !quiet { output.write(LintResult.summary(results) + "\n") }
    case .json:
      output.write(bytes: LintResult.json(results))
      if !quiet { StandardError.write(LintResult.summary(results)) }
    }
    output.flush()
    if hasFailed { throw ExitCode(2) }
    let isReached = results.contains { result in
      result.findings.contains { failOn.isReached(by: $0.rule.severity) }
    }
    if isReached { throw ExitCode(1) }
  }

  private func lint(_ path: String) throws -> LintResult {
    var replay = try self.replay.open(path)
    replay.collectChanges()
    let name = path == "-" ? "<stdin>" : path
    var options = Judge.Options()
    options.alignment = UInt64(self.replay.dmaAlignment)
    var run = LintRun(
      name: name,
      generation: replay.engine.configuration.generation,
      options: options
    )
    try replay.run(path, to: .end, verbose: self.replay.verbose) { replay, event in
      run.observe(&replay, event)
    }
    return run.finish(&replay, name: name)
  }
}
