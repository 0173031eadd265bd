import DMADebugCore
import DMAReplay
import DMATrace

/// Lint beside a replay.
extension LintSession {
  /// Gets ready to lint a replay that has not begun.
  package init(
    _ replay: inout Replay,
    name: String,
    _ configuration: LintConfiguration,
    invocation: Invocation = Invocation(),
    log: LogJoin? = nil,
    drawsCharts: Bool = false
  ) {
    self.init(
      name: name,
      configuration,
      engine: replay.engine.configuration,
      invocation: invocation,
      log: log,
      drawsCharts: drawsCharts
    )
    replay.collectChanges()
    replay.collectIncidents()
    var output = Output()
    output.take(from: &replay)
    replay.withState { adopt(output.changes, LentState(engine: $0, names: $1)) }
  }

  /// Takes in the event that was just applied.
  ///
  /// - Parameter visit: gets what the engine says of it, when it says anything.
  @inline(__always)
  package mutating func observe(
    _ replay: inout Replay,
    _ event: DMAEvent,
    visit: ([MappingChange], [Report]) -> Void = { _, _ in }
  ) {
    let isSpoken = Output.isWaiting(in: &replay)
    guard isSpoken || needs(event) else { return }
    // Out of the way while this changes; its memory stays.
    var output = Output()
    swap(&output, &self.output)
    if isSpoken {
      output.take(from: &replay)
      visit(output.changes, output.reports)
    }
    replay.withState { observe(event, output, LentState(engine: $0, names: $1)) }
    if isSpoken { output.removeAll() }
    swap(&output, &self.output)
  }

  /// Takes in the end of the trace.
  package mutating func finish(_ replay: inout Replay) -> Results {
    var output = Output()
    output.take(from: &replay)
    let time = replay.time
    let summary = replay.summary
    let origin = replay.origin
    return replay.withState {
      finish(output, LentState(engine: $0, names: $1), time: time, summary, origin)
    }
  }
}

extension LintSession.Output {
  /// Whether the engine says anything of the last event.
  @inline(__always)
  fileprivate static func isWaiting(in replay: inout Replay) -> Bool {
    replay.engine.hasChanges || replay.engine.hasReports || replay.engine.sharing.hasIncidents
  }

  /// Takes what the engine says of the last event: the one place that knows how.
  @inline(__always)
  fileprivate mutating func take(from replay: inout Replay) {
    if replay.engine.hasChanges { replay.drainChanges { changes.append($0) } }
    if replay.engine.hasReports { replay.takeReports(&reports) }
    if replay.engine.sharing.hasIncidents { incidents = replay.takeIncidents() }
  }

  @inline(__always)
  fileprivate mutating func removeAll() {
    changes.removeAll(keepingCapacity: true)
    if !reports.isEmpty { reports.removeAll(keepingCapacity: true) }
    if !incidents.isEmpty { incidents.removeAll() }
  }
}
