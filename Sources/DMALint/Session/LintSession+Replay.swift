import DMADebugCore
import DMAReplay
import DMATrace

/// Lint beside a replay.
extension LintSession {
  /// Gets ready to lint a replay that has not begun.
  ///
  /// - Parameter adopt: Gets the mappings of a saved dump, which no event of the trace makes.
  package init(
    _ replay: inout Replay,
    captures: [String],
    _ configuration: LintConfiguration,
    invocation: Invocation = Invocation(),
    log: LogJoin? = nil,
    drawsCharts: Bool = false,
    adopt visit: ([MappingChange]) -> Void = { _ in }
  ) {
    self.init(
      captures: captures,
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
    visit(output.changes)
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
    // Out of the way while this changes; its memory stays.
    var output = Output()
    swap(&output, &self.output)
    let isSpoken = output.take(from: &replay)
    if isSpoken { visit(output.changes, output.reports) }
    if isSpoken || needs(event) {
      replay.withState { observe(event, output, LentState(engine: $0, names: $1)) }
    }
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
  /// Takes what the engine says of the last event: the one place that knows how.
  ///
  /// - Returns: Whether it says anything.
  @discardableResult
  @inline(__always)
  fileprivate mutating func take(from replay: inout Replay) -> Bool {
    replay.takeOutput(changes: &changes, reports: &reports, incidents: &incidents)
  }

  @inline(__always)
  fileprivate mutating func removeAll() {
    changes.removeAll(keepingCapacity: true)
    if !reports.isEmpty { reports.removeAll(keepingCapacity: true) }
    if !incidents.isEmpty { incidents.removeAll() }
  }
}
