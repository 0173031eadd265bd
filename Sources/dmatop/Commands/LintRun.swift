import DMADebugCore
import DMALint
import DMATimeline
import DMATrace

/// Lints one capture: the kernel's checks, those beyond them, and the health of the evidence.
struct LintRun {
  private var collector: FindingCollector
  private var judge: Judge
  private var changes: [MappingChange] = []
  private var reports: [Report] = []
  private let generation: KernelGeneration
  /// What happened over time, for charts; `nil` when nobody asks.
  private var activity: Activity?

  /// Gets ready to lint a replay that has not begun.
  init(
    _ replay: inout Replay,
    name: String,
    options: Judge.Options,
    drawsCharts: Bool = false
  ) {
    replay.collectChanges()
    replay.collectIncidents()
    let generation = replay.engine.configuration.generation
    activity = drawsCharts ? Activity() : nil
    collector = FindingCollector(path: name)
    judge = Judge(generation, options: options)
    self.generation = generation
  }

  /// Takes in the event that was just applied.
  @inline(__always)
  mutating func observe(_ replay: inout Replay, _ event: DMAEvent) {
    let hasChanges = replay.engine.hasChanges
    let hasReports = replay.engine.hasReports
    activity?.observe(event)
    let isShared = event.kind.isSharing || replay.engine.sharing.hasIncidents
    guard hasChanges || hasReports || isShared || Judge.wants(event) else { return }
    if hasChanges { replay.drainChanges { changes.append($0) } }
    if hasReports { replay.takeReports(&reports) }
    judge.observe(event, replay.engine, changes, reports)
    if isShared || replay.engine.sharing.watchesMappings { observeSharing(&replay, event) }
    if judge.hasVerdicts { takeVerdicts(replay) }
    if hasChanges { activity?.observe(changes, at: event.time) }
    if !changes.isEmpty { changes.removeAll(keepingCapacity: true) }
    if !reports.isEmpty { takeReports(replay) }
  }

  @inline(never)
  private mutating func observeSharing(_ replay: inout Replay, _ event: DMAEvent) {
    let incidents = replay.takeIncidents()
    judge.buffers.observe(event, replay.engine, changes, incidents, replay.names)
  }

  private mutating func takeVerdicts(_ replay: Replay) {
    for verdict in judge.takeVerdicts() {
      collector.add(verdict, by: judge, replay.engine, replay.names)
    }
  }

  private mutating func takeReports(_ replay: Replay) {
    for report in reports { collector.add(report, replay.names, generation) }
    reports.removeAll(keepingCapacity: true)
  }

  /// Takes in the end of the trace.
  mutating func finish(_ replay: inout Replay, name: String) -> LintResult {
    replay.takeReports(&reports)
    takeReports(replay)
    judge.finish(replay.engine, time: replay.time)
    let incidents = replay.takeIncidents()
    judge.buffers.finish(replay.engine, incidents, replay.names)
    takeVerdicts(replay)
    collector.add(replay.summary)
    var result = LintResult(
      path: name,
      findings: collector.sorted,
      eventCount: replay.engine.eventCount,
      summary: replay.summary,
      kernel: generation.version,
      kernelOrigin: replay.origin.description,
      undecided: replay.engine.undecided
    )
    result.omitted = collector.omitted
    if let activity {
      result.course = LintResult.Course(
        bytes: activity.total.pieces.map(\.peakBytes),
        live: activity.total.pieces.map { UInt64($0.peakLive) },
        lifetimes: activity.lifetimes
      )
    }
    return result
  }
}
