import DMADebugCore
import DMATrace

/// What linting one capture gave.
public struct LintResult: Sendable {
  public var path: String
  /// By line, then by rule.
  public var findings: [Finding]
  public var eventCount: UInt64
  public var summary: TraceSummary
  /// The kernel that was mirrored, and why that one.
  public var kernel: String
  public var kernelOrigin: String
  public var undecided: Undecided

  public init(
    path: String,
    findings: [Finding],
    eventCount: UInt64,
    summary: TraceSummary,
    kernel: String,
    kernelOrigin: String,
    undecided: Undecided
  ) {
    self.path = path
    self.findings = findings
    self.eventCount = eventCount
    self.summary = summary
    self.kernel = kernel
    self.kernelOrigin = kernelOrigin
    self.undecided = undecided
  }

  /// The last line: `3 errors, 1 warning in 2 traces (41204 events, 0 lost, 7 undecided)`.
  public static func summary(_ results: [LintResult]) -> String {
    func count(_ severity: Severity) -> Int {
      results.reduce(0) { $0 + $1.findings.count { $0.rule.severity == severity } }
    }
    var parts: [String] = []
    for (severity, word) in [(Severity.error, "error"), (.warning, "warning"), (.note, "note")] {
      let number = count(severity)
      if number > 0 { parts.append(plural(number, word)) }
    }
    let events = results.reduce(0) { $0 + $1.eventCount }
    let lost = results.reduce(0) { $0 + $1.summary.lostEvents }
    let undecided = results.reduce(0) { $0 + $1.undecided.total }
    return (parts.isEmpty ? "no findings" : parts.joined(separator: ", "))
      + " in \(plural(results.count, "trace"))"
      + " (\(events) events, \(lost) lost, \(undecided) undecided)"
  }

  private static func plural(_ number: Int, _ word: String) -> String {
    number == 1 ? "1 \(word)" : "\(number) \(word)s"
  }
}
