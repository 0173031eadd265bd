// SPDX-License-Identifier: MIT
import DMAExport
import DMAReplay
import DMATrace

/// What there is to say of a capture that was read. Here what could not be read becomes lines on
/// standard error and the exit status, for every command.
struct CaptureReport {
  /// Show the first of the lines that could not be understood.
  var verbose = false
  /// How many of a hundred trace records in a text may be impossible to understand.
  var maximumMalformed = 1.0
  /// The table of devices beside the trace, as the user named it.
  var devices: String?

  /// The summary with its damage judged, which makes the exit status 2 when there is any.
  func judge(_ summary: TraceSummary) -> TraceSummary {
    var summary = summary
    summary.damage = summary.damage(maximumMalformed: maximumMalformed)
    if summary.damage != nil { ExitStatus.noteDamage() }
    return summary
  }

  private func write(_ lines: [String]) {
    for line in lines { StandardError.write(line) }
  }

  /// Says what a replay that has come to its moment could not tell.
  func say(_ path: String, _ replay: Replay) {
    write(Diagnostics.lines(path, replay, judge(replay.summary), verbose: verbose))
    if replay.isAtEnd, replay.engine.eventCount > 0 { sayTable(replay.hasMetTable) }
  }

  /// The same of a trace that was read without a replay.
  func say(_ path: String, _ summary: TraceSummary) {
    write(Diagnostics.lines(path, judge(summary), isAtEnd: true, verbose: verbose))
  }

  /// The same of a kernel log.
  func say(_ path: String, log summary: TraceSummary) {
    write(Diagnostics.lines(path, log: judge(summary)))
  }

  /// The same of a dump.
  func say(_ path: String, _ dump: MappingDump) {
    write(Diagnostics.unread(judge(dump.summary), displayName(path), verbose: verbose))
  }

  /// Says what could not be read of what the monitor shows; the rest it says itself.
  func say(_ path: String, _ timeline: Timeline) {
    write(Diagnostics.unread(judge(timeline.summary), displayName(path), verbose: verbose))
    if timeline.isComplete, timeline.eventCount > 0 { sayTable(timeline.hasMetTable) }
  }

  private func sayTable(_ hasMet: Bool?) {
    guard let devices, hasMet == false else { return }
    write(["dmatop: \(displayName(devices)): none of its devices is in the trace"])
  }
}
