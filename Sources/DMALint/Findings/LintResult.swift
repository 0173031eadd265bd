// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

/// What linting one capture gave.
public struct LintResult: Sendable {
  public var path: String
  public var kind = LintedKind.trace
  /// By line, then by rule.
  public var findings: [Finding]
  public var eventCount: UInt64
  public var summary: TraceSummary
  /// The kernel that was mirrored, and why that one.
  public var kernel: String
  public var kernelOrigin: String
  public var undecided: Undecided
  /// Findings that were too many to keep.
  public var omitted: UInt64 = 0
  /// Suppressions of the configuration that have matched something, by position.
  public var usedSuppressions: Set<Int> = []
  /// Lines of the capture that findings are about, made safe to show.
  public var excerpts: [UInt64: String] = [:]

  /// How live mappings and bytes went, for charts.
  public struct Course: Sendable {
    public var bytes: [UInt64]
    public var live: [UInt64]
    /// By powers of two of nanoseconds.
    public var lifetimes: [UInt64]

    public init(bytes: [UInt64], live: [UInt64], lifetimes: [UInt64]) {
      self.bytes = bytes
      self.live = live
      self.lifetimes = lifetimes
    }
  }

  public static let toolVersion = Version.string

  public var course: Course?

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

  /// A finding about the configuration, which belongs to no capture.
  public static func note(_ rule: Rule, _ message: String, path: String) -> Finding {
    Finding(
      rule: rule,
      severity: rule.severity,
      path: path,
      line: 0,
      time: 0,
      task: nil,
      pid: -1,
      cpu: 0,
      device: nil,
      driver: nil,
      message: message
    )
  }

  /// The last line: `3 errors, 1 warning in 2 traces (41204 events, 0 lost, 7 undecided)`.
  public static func summary(_ results: [LintResult]) -> String {
    func count(_ severity: Severity) -> Int {
      results.reduce(0) { $0 + $1.findings.count { $0.isOpen && $0.severity == severity } }
    }
    var parts: [String] = []
    for (severity, word) in [(Severity.error, "error"), (.warning, "warning"), (.note, "note")] {
      let number = count(severity)
      if number > 0 { parts.append(plural(number, word)) }
    }
    let events = results.reduce(0) { $0 + $1.eventCount }
    let lost = results.reduce(0) { $0 + $1.summary.lostEvents }
    let undecided = results.reduce(0) { $0 + $1.undecided.total }
    let all = results.flatMap(\.findings)
    let suppressed = all.count { $0.suppression != nil }
    let baselined = all.count { $0.isBaselined }
    let omitted = results.reduce(0) { $0 + $1.omitted }
    let kinds = [(LintedKind.trace, "trace"), (.log, "log"), (.dump, "dump")].compactMap {
      kind,
      word in
      let number = results.count { $0.kind == kind }
      return number > 0 ? plural(number, word) : nil
    }
    return (parts.isEmpty ? "no findings" : parts.joined(separator: ", "))
      + " in \(kinds.isEmpty ? plural(0, "trace") : kinds.joined(separator: ", "))"
      + " (\(events) events, \(lost) lost, \(undecided) undecided"
      + (suppressed > 0 ? ", \(suppressed) suppressed" : "")
      + (baselined > 0 ? ", \(baselined) baselined" : "")
      + (omitted > 0 ? ", \(omitted) findings more not shown" : "") + ")"
  }

  private static func plural(_ number: Int, _ word: String) -> String {
    number == 1 ? "1 \(word)" : "\(number) \(word)s"
  }
}
