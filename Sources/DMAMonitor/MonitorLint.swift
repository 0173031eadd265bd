import DMALint
import DMAReplay
import DMATrace

/// Lint beside what the monitor reads: its findings but for those that dma-debug reports itself, which
/// the timeline has.
package struct MonitorLint {
  /// What lint is to know; all of it is the same for `dmatop lint`.
  package struct Options {
    var captures: [String]?
    var configuration: LintConfiguration
    var log: LogJoin?

    /// - Parameters:
    ///   - captures: As findings name them; `nil` for the path of the monitor.
    ///   - log: A kernel log of the same run.
    package init(
      captures: [String]? = nil,
      _ configuration: LintConfiguration = LintConfiguration(),
      log: LogJoin? = nil
    ) {
      self.captures = captures
      self.configuration = configuration
      self.log = log
    }
  }

  /// `nil` at the end.
  private var session: LintSession?
  /// By event, those about a capture as a whole last.
  private(set) var findings: [Finding] = []
  /// Findings at the end, also those that dma-debug reports.
  private(set) var all: [Finding] = []
  /// Grows whenever ``findings`` are others.
  private(set) var revision = 0
  private var lastLook: (count: Int, at: ContinuousClock.Instant, duration: Duration)?

  init(_ timeline: Timeline, path: String, _ options: Options) {
    session = LintSession(
      timeline,
      captures: options.captures ?? [path],
      options.configuration,
      log: options.log
    )
  }

  /// Makes the timeline read on.
  ///
  /// - Parameter limit: Events to read at most, about.
  mutating func read(_ timeline: Timeline, limit: Int) throws(TraceError) {
    guard var session else {
      try timeline.read(limit: limit)
      return
    }
    // Two that hold it would make each event copy it.
    self.session = nil
    defer { self.session = timeline.isComplete ? nil : session }
    try session.read(timeline, limit: limit)
    if timeline.isComplete {
      // A dump is a state and no run.
      guard timeline.eventCount > 0 else { return }
      all = session.finish(timeline).traces.flatMap(\.findings)
      take(all)
    } else {
      look(session)
    }
  }

  /// Takes over what was found so far, not more often than a twelfth of the time.
  private mutating func look(_ session: LintSession) {
    guard session.count > 0 else { return }
    let start = ContinuousClock.now
    if let last = lastLook {
      let pause = max(
        last.duration * 12,
        session.count == last.count ? .milliseconds(500) : .milliseconds(50)
      )
      if start - last.at < pause { return }
    }
    take(session.configuredFindings)
    let end = ContinuousClock.now
    lastLook = (session.count, end, end - start)
  }

  private mutating func take(_ found: [Finding]) {
    findings = found.enumerated()
      .filter { !$1.rule.isOfKernel && $1.isOpen && $1.isReplayable }
      .sorted { a, b in (Self.place(a.element), a.offset) < (Self.place(b.element), b.offset) }
      .map(\.element)
    revision += 1
  }

  private static func place(_ finding: Finding) -> UInt64 {
    finding.eventNumber == 0 ? .max : finding.eventNumber
  }

  /// The finding that lint calls so; `nil` also when not everything was read yet.
  func finding(_ identifier: String) -> Finding? { all.first { $0.identifier == identifier } }

  /// The event of the first finding after a moment, or of the last one before it.
  ///
  /// - Parameter errorsOnly: Notes are passed over.
  func event(after now: UInt64, forwards: Bool, errorsOnly: Bool) -> UInt64? {
    func isWanted(_ finding: Finding) -> Bool {
      finding.eventNumber > 0 && (!errorsOnly || finding.severity != .note)
    }
    return forwards
      ? findings.first { $0.eventNumber > now && isWanted($0) }?.eventNumber
      : findings.last { $0.eventNumber < now && isWanted($0) }?.eventNumber
  }

  /// How many findings are no mere notes: until a moment, and in all.
  func counts(until now: UInt64) -> (until: UInt64, all: UInt64) {
    var counts: (until: UInt64, all: UInt64) = (0, 0)
    for finding in findings where finding.severity != .note {
      counts.all += 1
      if finding.eventNumber <= now { counts.until += 1 }
    }
    return counts
  }
}
