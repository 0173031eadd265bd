// SPDX-License-Identifier: MIT
import DMADebugCore

/// Something that turns the bytes of a capture into events.
///
/// A reader streams: it holds one piece of its input, whatever the length of the capture.
public protocol TraceReader {
  /// The names met so far. Names of a table beside the trace may be added before reading.
  var names: TraceNames { get set }

  /// What the reader has learned about the capture so far.
  var summary: TraceSummary { get }

  /// How many bytes were read, and how many there are when that is known.
  var progress: (read: UInt64, total: UInt64?) { get }

  /// The descriptor of a pipe or terminal, on which a read may have to wait; `nil` for a file.
  var liveDescriptor: Int32? { get }

  /// Milliseconds after which to look for more events, for a source that makes them as time
  /// passes; `nil` for one that has them.
  var pace: Int? { get }

  /// Empties `batch` and fills it with the next events.
  ///
  /// - Returns: `false` when the input has ended; the batch is empty then. It may also be empty with
  ///   more to come, when nothing of interest was met for a long while.
  /// - Throws: ``TraceError`` when the input cannot be read or is not a capture.
  mutating func read(into batch: inout EventBatch) throws(TraceError) -> Bool
}

extension TraceReader {
  public var pace: Int? { nil }
}
