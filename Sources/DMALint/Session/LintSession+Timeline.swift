import DMADebugCore
import DMAReplay
import DMATrace

/// Lint beside the head of a timeline.
extension LintSession {
  /// Gets ready to lint what a timeline reads, of which nothing was read yet.
  package init(
    _ timeline: Timeline,
    captures: [String],
    _ configuration: LintConfiguration,
    log: LogJoin? = nil
  ) {
    self.init(
      captures: captures,
      configuration,
      engine: timeline.engine.configuration,
      log: log
    )
    timeline.withHead { adopt($2.changes, LentState(engine: $0, names: $1)) }
  }

  /// Makes a timeline read on and takes in what it reads.
  ///
  /// - Parameter limit: Events to read at most, about.
  package mutating func read(_ timeline: Timeline, limit: Int) throws(TraceError) {
    try timeline.read(limit: limit) { event, engine, names, output in
      if needs(event) || !output.isEmpty {
        observe(event, output, LentState(engine: engine, names: names))
      }
    }
  }

  /// Takes in the end of what a timeline has read, all of it.
  package mutating func finish(_ timeline: Timeline) -> Results {
    let time = timeline.lastTime
    let summary = timeline.summary
    let origin = timeline.origin
    return timeline.withHead {
      finish($2, LentState(engine: $0, names: $1), time: time, summary, origin)
    }
  }
}
