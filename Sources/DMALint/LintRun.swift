import DMADebugCore
import DMAReplay
import DMATrace

/// Lints one capture: the kernel's checks, those beyond them, and the health of the evidence.
package struct LintRun {
  private var collector: FindingCollector
  private var judge: Judge
  private static let maximumSearches = 200
  private var searches = 0
  private let generation: KernelGeneration
  /// What happened over time, for charts; `nil` when nobody asks.
  private var activity: Activity?
  /// A kernel log of the same run; `nil` without one.
  private(set) var join: LogJoin?
  private let name: String
  private var firstTime: UInt64?
  private var lastTime: UInt64 = 0

  /// Gets ready to lint a replay that has not begun. Its output is then what a saved dump says was
  /// there before, which no event of the trace makes.
  package init(
    _ replay: inout Replay,
    name: String,
    options: Judge.Options,
    drawsCharts: Bool = false,
    join: LogJoin? = nil
  ) {
    self.name = name
    self.join = join
    replay.collect([.reports, .changes, .incidents])
    let generation = replay.engine.configuration.generation
    activity = drawsCharts ? Activity() : nil
    collector = FindingCollector(path: name)
    judge = Judge(generation, options: options)
    self.generation = generation
    // What a saved dump says was there before.
    judge.adopt(replay.output.changes, replay.engine)
    activity?.observe(replay.output.changes, at: 0)
  }

  /// Takes in the event that was just applied, and what came of it.
  @inline(__always)
  package mutating func observe(_ replay: borrowing Replay, _ event: DMAEvent) {
    activity?.observe(event)
    let changes = replay.output.changes
    let reports = replay.output.reports
    let hasIncidents = !replay.output.incidents.isEmpty
    let isShared = hasIncidents || event.kind.isSharing
    if isShared || !changes.isEmpty || !reports.isEmpty || Judge.wants(event) {
      judge.observe(event, replay.engine, changes, reports)
      let watchesMappings = replay.engine.sharing.watchesMappings
      if isShared || watchesMappings { observeSharing(replay, event) }
      if judge.hasVerdicts { takeVerdicts(replay) }
      if !changes.isEmpty { activity?.observe(changes, at: event.time) }
      if !reports.isEmpty { takeReports(replay) }
    }
    if join != nil { takeFaults(replay, until: event.time) }
  }

  @inline(never)
  private mutating func observeSharing(_ replay: borrowing Replay, _ event: DMAEvent) {
    let output = replay.output
    judge.buffers.observe(event, replay.engine, output.changes, output.incidents, replay.names)
  }

  private mutating func takeVerdicts(_ replay: borrowing Replay) {
    for verdict in judge.takeVerdicts() {
      collector.add(verdict, by: judge, replay.engine, replay.names)
    }
  }

  private mutating func takeFaults(_ replay: borrowing Replay, until time: UInt64) {
    if firstTime == nil { firstTime = time }
    lastTime = max(lastTime, time)
    guard join?.hasFault(until: time) == true else { return }
    join?.takeFaults(
      until: time,
      judge,
      replay.engine,
      replay.names,
      trace: name,
      range: (firstTime ?? 0)...lastTime
    )
  }

  /// Looks up the faults that were printed after the last event, and makes a result of the log.
  ///
  /// - Parameter result: what the trace gave.
  package mutating func finishLog(_ replay: borrowing Replay, _ result: inout LintResult)
    -> LintResult?
  {
    join?.takeFaults(
      until: .max,
      judge,
      replay.engine,
      replay.names,
      trace: name,
      range: firstTime.map { $0...lastTime }
    )
    return join?.finish(&result)
  }

  /// Why the log and the trace may not belong together; `nil` when nothing speaks against it.
  package func doubt(_ summary: TraceSummary) -> String? {
    guard let join, let span = join.span else { return nil }
    if summary.clock == .ticks {
      return "its clock counts ticks, so nothing of \(displayName(join.path)) can be found in it;"
        + " record with the trace clock 'local'"
    }
    guard let firstTime else { return nil }
    if span.upperBound < firstTime || span.lowerBound > lastTime {
      return
        "its times and those of \(displayName(join.path)) do not meet: they are of different runs or clocks"
        + " (printk goes with the trace clock 'local')"
    }
    if join.largestLag > LogJoin.tolerance {
      return
        "messages of \(displayName(join.path)) have stamps up to \(join.largestLag / 1000) µs later than what"
        + " they are about: the clocks differ, take what is said about an order with care"
    }
    return nil
  }

  private mutating func takeReports(_ replay: borrowing Replay) {
    for report in replay.output.reports {
      var other: Mapping?
      var driver: DriverID?
      switch report.kind {
      case .overlappingCacheline, .exceededOverlap:
        // All that is alive is looked at: not for each of very many.
        if searches < Self.maximumSearches, let mapping = report.mapping {
          searches += 1
          other = replay.engine.earlierMapping(onCachelineOf: mapping)
        }
      case .pendingAtUnbind: driver = judge.driver(of: report.device)
      default: break
      }
      collector.add(report, replay.names, generation, other: other, driver: driver)
    }
  }

  /// Takes in the end of the trace.
  package mutating func finish(_ replay: borrowing Replay, name: String) -> LintResult {
    takeReports(replay)
    judge.finish(replay.engine, time: replay.time)
    judge.buffers.finish(replay.engine, replay.output.incidents, replay.names)
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
