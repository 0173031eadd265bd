// SPDX-License-Identifier: MIT
import DMADebugCore
import Glibc

/// Keeps the events of a source that cannot be read twice in temporary files, as they are.
///
/// The files have no name and are gone with the program. There are a few pieces; when a source goes
/// on for long, the oldest piece is given up, and with it what happened then. Names stay with the
/// reader: events hold numbers, and names are only ever added.
public final class BatchSpool {
  private struct Header: BitwiseCopyable {
    var events: UInt32
    var text: UInt32
    var payload: UInt64
  }

  private struct Piece {
    var start: UInt64
    var descriptor: Int32
  }

  /// Bytes on disk at most, but for the last batch of each piece.
  public static let standardCapacity: UInt64 = 2 << 30
  private static let standardPieces = 8

  /// Bytes of a piece, and how many there are at most.
  private let pieceSize: UInt64
  private let maximumPieces: Int
  private var pieces: [Piece] = []
  /// Bytes written, those that were given up included.
  public private(set) var size: UInt64 = 0

  /// A spool of the standard capacity.
  ///
  /// - Throws: ``TraceError`` when there is no room for temporary files.
  public convenience init() throws(TraceError) {
    try self.init(
      pieceSize: Self.standardCapacity / UInt64(Self.standardPieces),
      maximumPieces: Self.standardPieces
    )
  }

  /// - Parameters:
  ///   - pieceSize: bytes of a piece; all of them stay below ``TemporaryFile/limit``.
  ///   - maximumPieces: pieces that are kept, 2 at least.
  /// - Throws: ``TraceError`` when there is no room for temporary files.
  public init(pieceSize: UInt64, maximumPieces: Int) throws(TraceError) {
    let pieces = max(2, maximumPieces)
    self.pieceSize = min(pieceSize, TemporaryFile.limit / UInt64(pieces))
    self.maximumPieces = pieces
    try addPiece()
  }

  deinit {
    for piece in pieces { close(piece.descriptor) }
  }

  private func addPiece() throws(TraceError) {
    let descriptor = try TemporaryFile.open()
    pieces.append(Piece(start: size, descriptor: descriptor))
    if pieces.count > maximumPieces { close(pieces.removeFirst().descriptor) }
  }

  /// Where what is still kept begins.
  public var oldest: UInt64 { pieces.first?.start ?? 0 }

  /// Bytes that are kept at most.
  var capacity: UInt64 { pieceSize * UInt64(maximumPieces) }

  /// Appends a batch.
  ///
  /// - Throws: ``TraceError`` when the disk is full.
  public func append(_ batch: borrowing EventBatch) throws(TraceError) {
    if let last = pieces.last, size - last.start > pieceSize { try addPiece() }
    let header = Header(
      events: UInt32(batch.events.count),
      text: UInt32(batch.text.count),
      payload: UInt64(batch.payload.count)
    )
    let isWritten =
      withUnsafeBytes(of: header, put) && batch.events.withUnsafeBytes(put)
      && batch.payload.withUnsafeBytes(put) && batch.text.withUnsafeBytes(put)
    guard isWritten else { throw TemporaryFile.failure("cannot be written") }
  }

  private func put(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let piece = pieces.last else { return false }
    var done = 0
    while done < bytes.count, let start = bytes.baseAddress {
      let place = off_t(size - piece.start)
      let count = pwrite(piece.descriptor, start + done, bytes.count - done, place)
      if count < 0 {
        if errno == EINTR { continue }
        // On a disk that is full there is less to go back to, but what comes can still be shown.
        if errno == ENOSPC, pieces.count > 2 {
          close(pieces.removeFirst().descriptor)
          continue
        }
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
    let place = position
    guard let piece = pieces.last(where: { $0.start <= place }) else { return false }
    var done = 0
    while done < bytes.count, let start = bytes.baseAddress {
      let count = pread(
        piece.descriptor,
        start + done,
        bytes.count - done,
        off_t(position - piece.start)
      )
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
  public init(_ source: any TraceReader, spool: BatchSpool? = nil) throws(TraceError) {
    self.source = source
    if let spool { self.spool = spool } else { self.spool = try BatchSpool() }
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
  public var isRewindable: Bool { true }
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

  public func has(_ mark: ReaderMark) -> Bool { mark.offset >= spool.oldest }

  public func isAging(_ mark: ReaderMark) -> Bool {
    spool.size - mark.offset > spool.capacity / 4
  }

  public func resumed(at mark: ReaderMark) throws(TraceError) -> any RewindableReader {
    SpooledReader(self, at: mark.offset)
  }
}
