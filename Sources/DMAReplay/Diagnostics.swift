// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

/// What is to be said about a trace on standard error, so that silence never misleads.
package enum Diagnostics {
  package static func lines(
    _ path: String,
    _ replay: Replay,
    _ summary: TraceSummary,
    verbose: Bool
  ) -> [String] {
    let lines = lines(
      path,
      summary,
      replay.engine,
      isAtEnd: replay.isAtEnd,
      verbose: verbose
    )
    return lines + assumption(path, replay)
  }

  /// Which kernel is mirrored when nothing tells which it was, and it would matter.
  private static func assumption(_ path: String, _ replay: Replay) -> [String] {
    guard replay.origin == .assumed, replay.engine.eventCount > 0 else { return [] }
    return [
      "dmatop: \(displayName(path)): nothing tells the kernel's version, 6.12 is assumed;"
        + " --kernel says otherwise"
    ]
  }

  package static func lines(_ path: String, _ timeline: Timeline) -> [String] {
    lines(path, timeline.summary, timeline.engine, isAtEnd: timeline.isComplete, verbose: false)
  }

  /// What could not be read of a log.
  package static func lines(_ path: String, log summary: TraceSummary) -> [String] {
    let kept =
      summary.lostEvents == 0
      ? []
      : ["dmatop: \(displayName(path)): the kernel kept back \(summary.lostEvents) messages"]
    return kept + unread(summary, displayName(path), verbose: false)
  }

  /// Damage, lines that could not be understood, and a cut off end.
  package static func unread(
    _ summary: TraceSummary,
    _ name: String,
    verbose: Bool
  ) -> [String] {
    var lines: [String] = []
    if let damage = summary.damage {
      lines.append("dmatop: \(name): damaged, read in part: \(damage)")
    }
    if summary.malformedLines > 0 {
      let things = (summary.isBinary ? "record" : "line") + (summary.malformedLines == 1 ? "" : "s")
      let hint = verbose ? "" : "; -v shows the first"
      lines.append(
        "dmatop: \(name): \(summary.malformedLines) \(things) could not be understood\(hint)"
      )
      if verbose {
        for line in summary.malformed {
          let excerpt = line.excerpt.isEmpty ? "" : ": \(line.excerpt)"
          let thing = summary.isBinary ? "record" : "line"
          lines.append("  \(thing) \(line.line): \(line.reason)\(excerpt)")
        }
      }
    }
    if summary.cutOff { lines.append("dmatop: \(name): the last line is cut off") }
    return lines
  }

  private static func lines(
    _ path: String,
    _ summary: TraceSummary,
    _ engine: DMADebug,
    isAtEnd: Bool,
    verbose: Bool
  ) -> [String] {
    let name = displayName(path)
    var lines = lines(path, summary, isAtEnd: isAtEnd, verbose: verbose)
    if engine.refusedWrites > 0 {
      lines.append(
        "dmatop: \(name): \(engine.refusedWrites) writes to dma-api files were refused"
      )
    }
    if let undecided = sentence(engine.undecided) {
      lines.append("dmatop: \(name): left out, the trace cannot decide them: \(undecided)")
    }
    return lines
  }

  /// What is to be said of the trace itself.
  package static func lines(
    _ path: String,
    _ summary: TraceSummary,
    isAtEnd: Bool,
    verbose: Bool
  ) -> [String] {
    let name = displayName(path)
    var lines: [String] = []
    if summary.dmaEvents == 0, isAtEnd, !summary.isDump, summary.damage == nil {
      lines.append(
        "dmatop: \(name): a trace without dma events (\(summary.events + summary.foreignEvents)"
          + " others); record some with: trace-cmd record -e dma"
      )
    }
    if summary.overwrittenEvents > 0 {
      lines.append(
        "dmatop: \(name): \(summary.overwrittenEvents) events were overwritten before the trace"
          + " was saved; use a larger trace buffer"
      )
    }
    if summary.lostEvents > 0 {
      lines.append("dmatop: \(name): the tracer lost \(summary.lostEvents) events or more")
    }
    lines += unread(summary, name, verbose: verbose)
    return lines
  }

  /// Why a question about buffers has no answer, when the trace shows none.
  ///
  /// Reads the rest of the trace when it has not come to its end.
  package static func noBuffers(_ path: String, _ replay: inout Replay) throws -> String? {
    guard replay.engine.sharing.bufferEvents == 0 else { return nil }
    if let first = try replay.skip(to: { $0.kind.isBuffer }) {
      let thing = replay.summary.isBinary ? "record" : "line"
      return "dmatop: \(displayName(path)): no buffer exists yet; the first dma_buf event is"
        + " \(thing) \(first.line)"
    }
    let generation = replay.engine.configuration.generation
    let hint =
      generation.hasBufferTracepoints
      ? "record them with: trace-cmd record -e dma -e dma_buf"
      : "kernels before 7.0 have none; probes can stand in for them (see docs/RECORDING.md)"
    return "dmatop: \(displayName(path)): the trace has no dma_buf events; \(hint)"
  }

  /// The reasons and their counts, or `nil` when all was decided.
  package static func sentence(_ undecided: Undecided) -> String? {
    let parts = Undecided.Reason.allCases.filter { undecided[$0] > 0 }
      .map { "\(undecided[$0]) \(words($0))" }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  private static func words(_ reason: Undecided.Reason) -> String {
    switch reason {
    case .unknownFrees:
      "frees of mappings made before the trace (--complete says there were none)"
    case .unknownLists: "unmaps of scatterlists never seen mapped"
    case .unknownSyncs: "syncs of mappings made before the trace"
    case .unseenChecks: "map-error checks that no probe shows (see docs/RECORDING.md)"
    case .afterLoss: "errors that may be effects of lost events"
    }
  }
}
