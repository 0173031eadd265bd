import DMADebugCore
import Glibc

/// Keeps the events of a source that cannot be read twice in a temporary file, as they are.
///
/// The file has no name and is gone with the program. Names stay with the reader: events hold
/// numbers, and names are only ever added.
public final class BatchSpool {
  private struct Header: BitwiseCopyable {
    var events: UInt32
    var text: UInt32
    var payload: UInt64
  }

  private let descriptor: Int32
  /// Bytes written.
  public private(set) var size: UInt64 = 0

  /// - Throws: ``TraceError`` when there is no room for temporary files.
  public init() throws(TraceError) {
    let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var path = Array((directory + "/dmatop-XXXXXX").utf8CString)
    descriptor = path.withUnsafeMutableBufferPointer { mkstemp($0.baseAddress!) }
    guard descriptor >= 0 else {
      throw TraceError(
        path: String(escaping: directory.utf8),
        problem: "cannot hold a temporary file: \(String(cString: strerror(errno)))",
        advice: "set TMPDIR to a directory with room"
      )
    }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = path.withUnsafeBufferPointer { unlink($0.baseAddress!) }
  }

  deinit {
    close(descriptor)
  }

  /// Appends a batch.
  ///
  /// - Throws: ``TraceError`` when the disk is full.
  public func append(_ batch: borrowing EventBatch) throws(TraceError) {
    let header = Header(
      events: UInt32(batch.events.count),
      text: UInt32(batch.text.count),
      payload: UInt64(batch.payload.count)
    )
    let isWritten =
      withUnsafeBytes(of: header, put) && batch.events.withUnsafeBytes(put)
      && batch.payload.withUnsafeBytes(put) && batch.text.withUnsafeBytes(put)
    guard isWritten else {
      throw TraceError(
        path: "temporary file",
        problem: "cannot be written: \(String(cString: strerror(errno)))",
        advice: "set TMPDIR to a directory with room"
      )
    }
  }

  private func put(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var done = 0
    while done < bytes.count, let start = bytes.baseAddress {
      let count = pwrite(descriptor, start + done, bytes.count - done, off_t(size))
      if count < 0 {
        if errno == EINTR { continue }
        return false
      }
      done += count
      size += UInt64(count)
    }
    return true
  }

  /// Reads the batch that begins at an offset.
  ///
  /// - Returns: The offset of the next one, `nil` at the end.
  func read(at offset: UInt64, into batch: inout EventBatch) -> UInt64? {
    batch.removeAll()
    guard offset < size else { return nil }
    var header = Header(events: 0, text: 0, payload: 0)
    var position = offset
    guard withUnsafeMutableBytes(of: &header, { get($0, &position) }) else { return nil }
    let events = Int(header.events)
    batch.events = Array(unsafeUninitializedCapacity: events) { buffer, count in
      if get(UnsafeMutableRawBufferPointer(buffer), &position) { count = events }
    }
    let words = Int(header.payload)
    batch.payload = Array(unsafeUninitializedCapacity: words) { buffer, count in
      if get(UnsafeMutableRawBufferPointer(buffer), &position) { count = words }
    }
    let bytes = Int(header.text)
    batch.text = Array(unsafeUninitializedCapacity: bytes) { buffer, count in
      if get(UnsafeMutableRawBufferPointer(buffer), &position) { count = bytes }
    }
    return position
  }

  private func get(_ bytes: UnsafeMutableRawBufferPointer, _ position: inout UInt64) -> Bool {
    var done = 0
    while done < bytes.count, let start = bytes.baseAddress {
      let count = pread(descriptor, start + done, bytes.count - done, off_t(position))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
      position += UInt64(count)
    }
    return true
  }
}

/// Reads a source once and lets its events be read again.
public final class SpooledReader: RewindableReader {
  private var source: (any TraceReader)?
  private let spool: BatchSpool
  private var offset: UInt64 = 0
  private var knownNames = TraceNames()
  private var knownSummary: TraceSummary

  /// - Throws: ``TraceError`` when there is no room for temporary files.
  public init(_ source: any TraceReader) throws(TraceError) {
    self.source = source
    spool = try BatchSpool()
    knownSummary = source.summary
  }

  private init(_ other: SpooledReader, at offset: UInt64) {
    spool = other.spool
    self.offset = offset
    knownNames = other.names
    knownSummary = other.summary
  }

  public var names: TraceNames {
    get { source?.names ?? knownNames }
    set {
      if source == nil { knownNames = newValue } else { source?.names = newValue }
    }
  }

  public var summary: TraceSummary { source?.summary ?? knownSummary }
  public var progress: (read: UInt64, total: UInt64?) { source?.progress ?? (offset, spool.size) }
  public var liveDescriptor: Int32? { source?.liveDescriptor }
  public var pace: Int? { source?.pace }

  public func read(into batch: inout EventBatch) throws(TraceError) -> Bool {
    if source == nil {
      guard let next = spool.read(at: offset, into: &batch) else { return false }
      offset = next
      return true
    }
    guard try source?.read(into: &batch) == true else { return false }
    if !batch.events.isEmpty { try spool.append(batch) }
    offset = spool.size
    return true
  }

  public func mark() -> ReaderMark { ReaderMark(offset: offset) }

  public func resumed(at mark: ReaderMark) throws(TraceError) -> any RewindableReader {
    SpooledReader(self, at: mark.offset)
  }
}
