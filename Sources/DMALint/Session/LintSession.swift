import DMADebugCore
import DMAReplay
import DMATrace

/// Lints one run: the kernel's checks, those beyond them, and the soundness of the evidence.
///
/// It is made of the settings and of the replay that it runs beside, and sees each event after the
/// engine has. Who lints makes one: `lint`, `replay --finding`, `convert`, the monitor.
package struct LintSession {
  /// What came of a run.
  package struct Results {
    /// One for each trace.
    package var traces: [LintResult]
    /// Of the kernel log beside it.
    package var log: LintResult?
    /// Why the log and the trace may not belong together; `nil` when nothing speaks against it.
    package var doubt: String?
  }

  private let captures: [String]
  private let configuration: LintConfiguration
  private let invocation: Invocation
  private var rules = RuleSet()
  private var context: LintContext
  private var collector: FindingCollector
  /// What happened over time, for charts; `nil` when nobody asks.
  private var activity: Activity?
  /// A kernel log of the same run; `nil` without one.
  private var log: LogJoin?
  private var firstTime: UInt64?
  private var lastTime: UInt64 = 0

  /// Gets ready to lint a run that has not begun.
  ///
  /// - Parameters:
  ///   - captures: The traces, as findings name them, in the order in which they were merged.
  ///   - engine: What the engine was made with: the kernel, and the alignment of the machine.
  ///   - log: A kernel log of the same run.
  ///   - drawsCharts: The result has a ``LintResult/course``.
  package init(
    captures: [String],
    _ configuration: LintConfiguration,
    engine: Configuration,
    invocation: Invocation = Invocation(),
    log: LogJoin? = nil,
    drawsCharts: Bool = false
  ) {
    self.captures = captures
    self.configuration = configuration
    self.invocation = invocation
    self.log = log
    activity = drawsCharts ? Activity() : nil
    collector = FindingCollector(captures: captures)
    context = LintContext(
      engine.generation,
      leakMinimum: configuration.leakMinimum,
      alignment: engine.dmaAlignment,
      joinsLog: log != nil
    )
  }

  /// The findings so far, in the order in which they came up, with the levels of their rules; what
  /// settings say of them is not applied yet.
  package var findings: [Finding] { collector.findings }

  /// How many findings there are so far, before settings leave out any.
  package var count: Int { collector.findings.count }

  /// The findings so far as the settings have them, but for their fingerprints, which they get at the
  /// end.
  package var configuredFindings: [Finding] {
    var used: Set<Int> = []
    return configuration.apply(collector.findings, used: &used)
  }

  // MARK: Events

  /// Takes over what was mapped before the first event, of a saved dump: nothing is said of it.
  package mutating func adopt(_ changes: [MappingChange], _ state: LentState) {
    for change in changes { context.evidence.adopt(change, state) }
    activity?.observe(changes, at: 0)
  }

  /// Whether a check looks at an event even if the engine says nothing of it.
  @inline(__always)
  private static func wants(_ event: borrowing DMAEvent) -> Bool {
    switch event.kind {
    case .syncSingleForCPU, .syncSingleForDevice, .swiotlbBounced, .iommuFault: true
    case .mappingError: event.dmaAddress == .max
    default: event.kind.isSharing
    }
  }

  /// Whether ``observe(_:_:_:)`` has to see an event of which the engine says nothing.
  @inline(__always)
  package func needs(_ event: borrowing DMAEvent) -> Bool {
    Self.wants(event) || log != nil || activity != nil
  }

  /// Takes in an event that was just applied.
  ///
  /// - Parameter output: What the engine says of it.
  package mutating func observe(
    _ event: DMAEvent,
    _ output: EngineOutput,
    _ state: LentState
  ) {
    activity?.observe(event)
    context.begin(event, state)
    if Self.wants(event) || !output.changes.isEmpty || !output.reports.isEmpty
      || !output.incidents.isEmpty
    {
      check(event, output, state)
    }
    if log != nil { takeFaults(until: event.time) }
    context.letGo()
  }

  @inline(__always)
  private mutating func check(
    _ event: DMAEvent,
    _ output: EngineOutput,
    _ state: LentState
  ) {
    if !output.reports.isEmpty { context.reports.append(contentsOf: output.reports) }
    switch event.kind {
    case .syncSingleForCPU, .syncSingleForDevice: sync(event, state)
    case .swiotlbBounced: rules.bounced(&context)
    case .iommuFault: rules.faulted(&context)
    case .mappingError where event.dmaAddress == .max:
      context.evidence.noteMapErrorCheck(event)
      rules.mapErrorChecked(&context)
    default: break
    }
    for change in output.changes { take(change, event, state) }
    for report in output.reports { rules.reported(report, &context) }
    if event.kind.isSharing || !output.incidents.isEmpty || context.engine.watchesMappings {
      rules.shared(&context)
      for incident in output.incidents { rules.incident(incident, &context) }
    }
    if context.hasVerdicts { takeVerdicts() }
    if !output.changes.isEmpty { activity?.observe(output.changes, at: event.time) }
    if !output.reports.isEmpty { takeReports() }
  }

  @inline(__always)
  private mutating func take(_ change: MappingChange, _ event: DMAEvent, _ state: LentState) {
    if change.isAdded {
      let overlap = context.evidence.noteMapped(change, by: event, state)
      if let overlap { rules.overlapped(overlap, &context) }
      rules.mapped(change, &context)
    } else {
      context.evidence.noteUnmapped(change, by: event, state)
      rules.unmapped(change, &context)
    }
  }

  private mutating func sync(_ event: DMAEvent, _ state: LentState) {
    let sync = context.evidence.observed(event, state)
    rules.synced(sync, &context)
    if let sync { context.evidence.note(sync, event) }
  }

  private mutating func takeVerdicts() {
    for verdict in context.takeVerdicts() {
      collector.add(
        verdict,
        driver: context.driver(of: verdict.event.device),
        eventNumber: context.engine.eventCount,
        context.names
      )
    }
  }

  private mutating func takeReports() {
    let names = context.names
    for report in context.reports {
      var report = report
      RuleSet.amend(&report, &context)
      collector.add(report, names, context.generation)
    }
    context.reports.removeAll(keepingCapacity: true)
  }

  private mutating func takeFaults(until time: UInt64) {
    if firstTime == nil { firstTime = time }
    lastTime = max(lastTime, time)
    guard log?.hasFault(until: time) == true else { return }
    let trace = LogJoin.Trace(captures: captures, range: (firstTime ?? 0)...lastTime)
    log?.takeFaults(until: time, &context, of: trace)
  }

  // MARK: The end

  /// Takes in the end of the trace.
  ///
  /// - Parameters:
  ///   - output: What the engine says of the end.
  ///   - time: Of the last event.
  ///   - summary: What the reader says of the capture.
  ///   - origin: Why this kernel was mirrored.
  package mutating func finish(
    _ output: EngineOutput,
    _ state: LentState,
    time: UInt64,
    _ summary: TraceSummary,
    _ origin: GenerationOrigin
  ) -> Results {
    context.end(at: time, state)
    defer { context.letGo() }
    context.reports.append(contentsOf: output.reports)
    takeReports()
    for incident in output.incidents { rules.incident(incident, &context) }
    rules.finish(&context)
    takeVerdicts()
    let summaries = captures.count > 1 ? summary.captures : [summary]
    for (number, summary) in summaries.enumerated() {
      collector.add(CaptureHealth(kind: .trace, summary: summary), number: number)
    }
    var result = LintResult(
      path: captures[0],
      findings: collector.sorted,
      eventCount: context.engine.eventCount,
      summary: summary,
      kernel: context.generation.version,
      kernelOrigin: origin.description,
      undecided: context.engine.undecided
    )
    result.omitted = collector.omitted
    if let activity {
      result.course = LintResult.Course(
        bytes: activity.total.pieces.map(\.peakBytes),
        live: activity.total.pieces.map { UInt64($0.peakLive) },
        lifetimes: activity.lifetimes
      )
    }
    var results = Results(traces: [])
    finishLog(&results, &result)
    result.configure(configuration, invocation)
    results.log?.configure(configuration, invocation)
    results.traces = split(result)
    return results
  }

  /// A result for each capture of several; what is known of all together is with the first.
  private func split(_ whole: LintResult) -> [LintResult] {
    guard captures.count > 1 else { return [whole] }
    return zip(captures, whole.summary.captures).enumerated().map { number, capture in
      var result = whole
      if number > 0 {
        result.undecided = Undecided()
        result.omitted = 0
        result.course = nil
        result.usedSuppressions = []
      }
      result.path = capture.0
      result.summary = capture.1
      result.eventCount = capture.1.events
      result.findings = whole.findings.filter { $0.capture == number }
      return result
    }
  }

  /// Looks up the faults that were printed after the last event, and makes a result of the log.
  private mutating func finishLog(_ results: inout Results, _ trace: inout LintResult) {
    guard var log else { return }
    let range = firstTime.map { $0...lastTime }
    log.takeFaults(until: .max, &context, of: LogJoin.Trace(captures: captures, range: range))
    results.log = log.finish(&trace)
    results.doubt = log.doubt(range, trace.summary)
  }
}
