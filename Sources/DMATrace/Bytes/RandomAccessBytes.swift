// SPDX-License-Identifier: MIT
import Glibc

/// The bytes of a capture that can be read at any place.
///
/// A regular file is read where it is. What comes through a pipe or is packed goes into a temporary
/// file first.
final class RandomAccessBytes: @unchecked Sendable {
  /// What error messages call it, control characters escaped.
  let name: String
  let size: UInt64
  /// They came through a pipe whose end was requested: more was to come. See ``InputEnd``.
  private(set) var isCut = false
  private let descriptor: Int32
  /// Closes ``descriptor`` when it is of a temporary file.
  private let spool: TemporaryFile?
  /// Empty when the bytes are in a file.
  let memory: [UInt8]
  /// Why there are fewer bytes than there should be: a packed file that is cut off, or the like.
  let problem: String?

  /// Takes over what a source has, from its first byte on.
  ///
  /// - Throws: ``TraceError`` when the source cannot be read or the temporary file not be written.
  init(_ source: ByteSource) throws(TraceError) {
    name = source.name
    if source.isRewindable, source.descriptor >= 0 {
      memory = []
      spool = nil
      problem = nil
      size = source.totalSize ?? 0
      descriptor = fcntl(source.descriptor, F_DUPFD_CLOEXEC, 3)
      guard descriptor >= 0 else {
        throw TraceError(
          path: name,
          problem: "cannot be opened: \(String(cString: strerror(errno)))"
        )
      }
      return
    }
    if let bytes = source.memoryBytes {
      memory = bytes
      spool = nil
      problem = nil
      size = UInt64(bytes.count)
      descriptor = -1
      return
    }
    memory = []
    let file = try TemporaryFile()
    spool = file
    descriptor = file.descriptor
    source.isSpooled = true
    var written: UInt64 = 0
    var damage: String?
    while true {
      let bytes = UnsafeRawBufferPointer(source.bytes)
      try file.append(bytes, for: name)
      written += UInt64(bytes.count)
      source.consume(bytes.count)
      if source.ended { break }
      do throws(TraceError) {
        try source.fill()
      } catch {
        // The beginning may do: a cut-off archive holds a cut-off trace.
        guard written > 4096, !source.isRefused else { throw error }
        damage = error.problem
        break
      }
    }
    size = written
    isCut = source.isCut
    problem = damage
  }

  /// Bytes in memory, as a part of something.
  init(_ bytes: [UInt8], name: String) {
    self.name = name
    size = UInt64(bytes.count)
    memory = bytes
    descriptor = -1
    spool = nil
    problem = nil
  }

  /// Another descriptor of the file, -1 for memory.
  func duplicate() throws(TraceError) -> Int32 {
    if descriptor < 0 { return -1 }
    let other = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
    guard other >= 0 else { throw TraceError(path: name, problem: "cannot be opened again") }
    return other
  }

  deinit {
    if descriptor >= 0, spool == nil { close(descriptor) }
  }

  /// Reads bytes into `place`.
  ///
  /// - Returns: how many: fewer than there is room for at the end, or when the disk fails.
  func read(at offset: UInt64, into place: UnsafeMutableRawBufferPointer) -> Int {
    guard offset < size, let start = place.baseAddress else { return 0 }
    let want = Int(min(UInt64(place.count), size - offset))
    if descriptor < 0 {
      memory.withUnsafeBytes {
        start.copyMemory(from: $0.baseAddress! + Int(offset), byteCount: want)
      }
      return want
    }
    var done = 0
    while done < want {
      let count = pread(descriptor, start + done, want - done, off_t(offset) + off_t(done))
      if count < 0, errno == EINTR { continue }
      if count <= 0 { break }
      done += count
    }
    return done
  }

  /// Some bytes as an array: fewer than asked for at the end.
  func bytes(at offset: UInt64, count: Int) -> [UInt8] {
    guard offset < size, count > 0 else { return [] }
    let want = Int(min(UInt64(count), size - offset))
    return [UInt8](unsafeUninitializedCapacity: want) { buffer, filled in
      filled = read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
    }
  }
}
