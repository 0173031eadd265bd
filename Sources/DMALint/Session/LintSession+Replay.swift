// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMATrace

/// Lint beside a replay.
extension LintSession {
  /// Gets ready to lint a replay that has not begun. Its output is then what a saved dump says was there
  /// before, which no event of the trace makes.
  package init(
    _ replay: inout Replay,
    captures: [String],
    _ configuration: LintConfiguration,
    invocation: Invocation = Invocation(),
    log: LogJoin? = nil,
    drawsCharts: Bool = false
  ) {
    self.init(
      captures: captures,
      configuration,
      engine: replay.engine.configuration,
      invocation: invocation,
      log: log,
      drawsCharts: drawsCharts
    )
    replay.collect([.reports, .changes, .incidents])
    replay.withState { adopt($2.changes, LentState(engine: $0, names: $1)) }
  }

  /// Takes in the event that was just applied, and what came of it.
  @inline(__always)
  package mutating func observe(_ replay: inout Replay, _ event: DMAEvent) {
    replay.withState { engine, names, output in
      if needs(event) || !output.isEmpty {
        observe(event, output, LentState(engine: engine, names: names))
      }
    }
  }

  /// Takes in the end of the trace.
  package mutating func finish(_ replay: inout Replay) -> Results {
    let time = replay.time
    let summary = replay.summary
    let origin = replay.origin
    return replay.withState {
      finish($2, LentState(engine: $0, names: $1), time: time, summary, origin)
    }
  }
}
