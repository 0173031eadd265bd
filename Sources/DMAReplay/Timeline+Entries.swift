import DMADebugCore
import DMATrace

/// What a timeline keeps of what was said, and going there.
extension Timeline {
  /// An error or another message, and when it came up.
  public struct Entry: Sendable {
    /// Events applied until then, its own included.
    public var event: UInt64
    public var report: Report
  }

  /// A marker of the trace.
  public struct Marker: Sendable {
    public var event: UInt64
    public var time: UInt64
    public var text: String
  }

  /// Goes on by a number of events, or back by a negative one.
  public func step(_ count: Int) throws(TraceError) {
    let now = event
    let back = UInt64(count.magnitude)
    try seek(event: count < 0 ? now - min(now, back) : now + back)
  }

  /// The message after now, or before it, and going there.
  ///
  /// - Parameter errorsOnly: lines of the log that are no error are passed over.
  /// - Returns: its position in ``entries``, `nil` when there is none.
  @discardableResult
  public func seekEntry(forwards: Bool, errorsOnly: Bool) throws(TraceError) -> Int? {
    guard let index = nextEntry(forwards: forwards, errorsOnly: errorsOnly) else { return nil }
    try seek(event: entries[index].event)
    return index
  }

  /// The message after now, or before it.
  ///
  /// - Parameter errorsOnly: Lines of the log that are no error are passed over.
  /// - Returns: Its position in ``entries``, `nil` when there is none.
  package func nextEntry(forwards: Bool, errorsOnly: Bool) -> Int? {
    let now = event
    func isWanted(_ entry: Entry) -> Bool { !errorsOnly || entry.report.kind.isError }
    return forwards
      ? entries.firstIndex { $0.event > now && isWanted($0) }
      : entries.lastIndex { $0.event < now && isWanted($0) }
  }
}
