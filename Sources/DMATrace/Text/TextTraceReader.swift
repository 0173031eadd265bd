// SPDX-License-Identifier: MIT
import DMADebugCore
import Glibc

/// Reads the text that ftrace, `trace-cmd report` and `perf script` print.
///
/// Every dialect is recognised from its content, line by line. The reader streams: it holds one
/// piece of the input and never more than its longest line, 1 MiB at most.
///
/// A reader is used in one place: copies of it would share one input.
public struct TextTraceReader: TraceReader {
  /// How many bytes without a full batch are read before the caller gets control back.
  private static let patience: UInt64 = 16 << 20

  let source: ByteSource
  private var decoder = TextDecoder()
  /// How many of the unread bytes are known to hold no line end.
  private var searched = 0
  /// Inside of a line that is too long, up to its end.
  private var skipping = false
  private var started = false
  private var done = false
  private var used: UInt64 = 0
  /// Why the input cannot be read any further.
  private var failure: TraceError?

  /// Opens a file, a FIFO, or standard input for `-`.
  ///
  /// - Throws: ``TraceError`` when it cannot be opened.
  public init(path: String) throws(TraceError) {
    source = try ByteSource(path: path)
  }

  /// Reads an input that was opened to see what it is; nothing of it was given up.
  init(_ source: ByteSource) {
    self.source = source
  }

  /// Reads a trace that is in memory.
  ///
  /// - Parameter name: what error messages call it.
  public init(bytes: [UInt8], name: String) {
    source = ByteSource(bytes: bytes, name: name)
  }

  /// Reads the text of a latency tracer inside of a trace.dat.
  ///
  /// - Parameter text: the text itself, when it was packed.
  init(_ bytes: RandomAccessBytes, from offset: UInt64, text: [UInt8]?) throws(TraceError) {
    if let text {
      source = ByteSource(bytes: text, name: bytes.name)
    } else {
      source = try ByteSource(bytes, from: offset)
    }
  }

  /// Reads from memory a few bytes at a time, as a slow pipe delivers them.
  init(bytes: [UInt8], name: String, chunk: Int) {
    source = ByteSource(bytes: bytes, name: name, chunk: chunk)
  }

  /// Goes on at a mark of another reader.
  private init(_ other: TextTraceReader, at mark: ReaderMark) throws(TraceError) {
    source = try ByteSource(again: other.source, from: mark.offset)
    decoder = mark.decoder ?? TextDecoder()
    decoder.names = other.decoder.names
    skipping = mark.skipping
    done = mark.done
    started = true
    used = mark.offset
  }

  public func mark() -> ReaderMark {
    ReaderMark(
      offset: used + source.skipped,
      decoder: decoder.atRest,
      skipping: skipping,
      done: done
    )
  }

  public func resumed(at mark: ReaderMark) throws(TraceError) -> any RewindableReader {
    try TextTraceReader(self, at: mark)
  }

  public var names: TraceNames {
    get { decoder.names }
    set { decoder.names = newValue }
  }
  public var summary: TraceSummary { decoder.summary }

  /// How many bytes of the input the reader has dealt with.
  public var bytesRead: UInt64 { used }

  /// The size of the input when it is a regular file or memory.
  public var totalBytes: UInt64? { source.totalSize }

  /// How far the reader is, in bytes of the file as it is.
  private var position: UInt64 { source.compression == nil ? used : source.bytesRead }

  public var liveDescriptor: Int32? { source.isLive ? source.descriptor : nil }

  public var progress: (read: UInt64, total: UInt64?) { (position, totalBytes) }

  /// Empties `batch` and fills it with the next events.
  ///
  /// The batch may stay empty although there is more to come, when nothing but lines of no interest
  /// was met for a long while: so that a caller can show how far the reader is.
  public mutating func read(into batch: inout EventBatch) throws(TraceError) -> Bool {
    decoder.begin(&batch)
    let start = used
    // Of an input that was opened to see what it is the beginning is here already.
    if !started, source.ended || !source.head.isEmpty { try checkStart() }
    while !done, failure == nil {
      lines(&batch)
      if TextDecoder.isFull(batch) {
        decoder.finish(&batch, holding: true)
        return true
      }
      if source.ended {
        try lastLine(&batch)
        break
      }
      if used - start > Self.patience {
        decoder.finish(&batch, holding: true)
        return true
      }
      if !decoder.recognised, used > UInt64(ByteSource.maximumLine) { throw notATrace() }
      if source.isLive, !batch.events.isEmpty,
        !source.hasMore(within: decoder.stacks.seen ? 20 : 0)
      {
        decoder.endStack(&batch)
        decoder.finish(&batch, holding: false)
        return true
      }
      do throws(TraceError) {
        try source.fill()
      } catch {
        // What was read before the error comes first.
        guard decoder.recognised else {
          failure = error
          break
        }
        decoder.summary.damage = error.problem
        try lastLine(&batch)
        break
      }
      if !started { try checkStart() }
    }
    decoder.endStack(&batch)
    decoder.finish(&batch, holding: false)
    if let error = failure, batch.events.isEmpty {
      failure = nil
      done = true
      throw error
    }
    return !batch.events.isEmpty
  }

  /// Decodes the complete lines in the buffer.
  private mutating func lines(_ batch: inout EventBatch) {
    if skipping {
      let bytes = source.bytes
      guard let start = bytes.baseAddress,
        let end = memchr(start, 0x0a, bytes.count)?.assumingMemoryBound(to: UInt8.self)
      else {
        consume(bytes.count)
        return
      }
      consume(UnsafePointer(end) - start + 1)
      skipping = false
    }
    let bytes = source.bytes
    let count = decoder.decodeLines(bytes, searched: searched, into: &batch)
    consume(count)
    if TextDecoder.isFull(batch) { return }
    searched = bytes.count - count
    if searched > ByteSource.maximumLine {
      tooLong(source.bytes)
      consume(searched)
      skipping = true
    }
  }

  private mutating func consume(_ count: Int) {
    source.consume(count)
    used += UInt64(count)
    searched = 0
  }

  private mutating func tooLong(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard let start = bytes.baseAddress else { return }
    decoder.lineTooLong(start, start + bytes.count)
  }

  /// The last line, when it has no line end, and the end of everything.
  private mutating func lastLine(_ batch: inout EventBatch) throws(TraceError) {
    let bytes = source.bytes
    if let start = bytes.baseAddress, !bytes.isEmpty {
      if source.isCut {
        // A number may lack its last digits, and nothing would show it.
        decoder.summary.cutOff = true
      } else {
        decoder.isLastLine = true
        decoder.decodeLine(start, start + bytes.count, into: &batch)
      }
      consume(bytes.count)
    }
    decoder.endStack(&batch)
    done = true
    if !decoder.recognised { throw source.isCut ? source.interruption : notATrace() }
  }

  private mutating func checkStart() throws(TraceError) {
    let head = source.head
    if head.isEmpty, source.ended {
      done = true
      throw TraceError(
        path: source.name,
        problem: "is empty",
        advice: "was anything recorded? `cat trace` gives at least a header"
      )
    }
    guard head.count >= 16 || source.ended else { return }
    started = true
    if let kind = UnreadableInput.binary(head) {
      done = true
      throw TraceError(path: source.name, problem: kind.problem, advice: kind.advice)
    }
  }

  private mutating func notATrace() -> TraceError {
    done = true
    let kind = UnreadableInput.describe(source.head, decoder.hints)
    return TraceError(path: source.name, problem: kind.problem, advice: kind.advice)
  }
}
