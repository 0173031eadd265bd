// SPDX-License-Identifier: MIT
import DMADebugCore

/// The engine and the names of a replay, lent for as long as an event is looked at: the engine is more
/// than a kilobyte, and the names are many tables, so neither is copied.
package struct LentState {
  let engine: EngineView
  private let knownNames: UnsafePointer<TraceNames?>

  /// - Parameter names: May hold none: then nothing has a name.
  package init(engine: EngineView, names: UnsafePointer<TraceNames?>) {
    self.engine = engine
    knownNames = names
  }

  var names: TraceNames { knownNames.pointee ?? TraceNames() }
}
