// SPDX-License-Identifier: MIT
import DMADebugCore

/// A place in a capture from which a reader can go on reading.
///
/// Names are not part of it: they are only ever added, so those that are known by now will do.
public struct ReaderMark: Sendable {
  /// A place in the stream of a CPU in a trace.dat: a chunk, a page and a record.
  struct Stream: Sendable {
    var block: UInt64
    var offsetInBlock: Int
    var blocksLeft: Int
    var place: Int
    var time: UInt64
    var loss: UInt64?
    var hasPage: Bool
    var isDone: Bool
  }

  /// Where the unread input begins, in bytes.
  var offset: UInt64
  /// The state of a text reader; `nil` for a spool.
  var decoder: TextDecoder?
  var skipping = false
  var done = false
  /// Where the streams of a binary trace stand, and how many records were read.
  var streams: [Stream] = []
  var records: UInt64 = 0

  /// Bytes that it takes.
  public var storageBytes: Int {
    MemoryLayout<ReaderMark>.stride + streams.storageBytes + (decoder?.storageBytes ?? 0)
  }
}

/// A reader that can go back.
public protocol RewindableReader: TraceReader {
  /// Whether the input can be read again: a regular file or memory, not a pipe.
  var isRewindable: Bool { get }

  /// Where it stands: between two batches.
  func mark() -> ReaderMark

  /// Whether what follows a mark is still there.
  func has(_ mark: ReaderMark) -> Bool

  /// Whether so much has come since a mark that what follows it will soon be given up.
  func isAging(_ mark: ReaderMark) -> Bool

  /// Another reader that begins at a mark of this one and knows the names that this one knows.
  ///
  /// - Throws: ``TraceError`` when the input is gone.
  func resumed(at mark: ReaderMark) throws(TraceError) -> any RewindableReader
}

extension RewindableReader {
  public func isAging(_ mark: ReaderMark) -> Bool { false }
}

extension TextTraceReader: RewindableReader {
  public var isRewindable: Bool { source.isRewindable }

  public func has(_ mark: ReaderMark) -> Bool { true }
}
