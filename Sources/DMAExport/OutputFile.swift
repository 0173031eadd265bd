import DMADebugCore
import DMATrace
import Glibc

/// A file that is there as a whole or not at all: it is written beside its place and moved there when
/// it is complete. Devices and pipes are written to as they are.
///
/// When the program fails before ``commit()``, nothing is left.
package final class OutputFile {
  private static let flushSize = 1 << 18

  private let path: String
  private(set) var descriptor: Int32
  /// Where it is written until it is complete; `nil` when it is no regular file.
  private var draft: [CChar]?
  private var buffer: [UInt8] = []

  /// - Parameters:
  ///   - path: `-` for standard output.
  ///   - mode: the permissions; those of the file that is replaced, or of any new file, by default.
  ///   - isLong: it takes long, and signals that end the program remove the draft. For one file at
  ///     a time, and not in the monitor, which has its own handlers.
  /// - Throws: ``CommandError`` when it cannot be made.
  package init(_ path: String, mode: mode_t? = nil, isLong: Bool = false) throws {
    self.path = path
    handlesSignals = isLong
    if path == "-" {
      descriptor = STDOUT_FILENO
      return
    }
    var status = stat()
    let exists = stat(path, &status) == 0
    if exists, status.st_mode & S_IFMT != S_IFREG {
      descriptor = open(path, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw Self.failure(path) }
      return
    }
    // A link stays one: what it leads to is replaced.
    var place = path
    if let resolved = exists ? realpath(path, nil) : nil {
      place = String(cString: resolved)
      free(resolved)
    }
    target = place
    var draft = Array((place + ".XXXXXX").utf8CString)
    descriptor = mkstemp(&draft)
    guard descriptor >= 0 else { throw Self.failure(path) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    self.draft = draft
    if isLong { DraftRemoval.begin(draft) }
    let mask = umask(0)
    umask(mask)
    fchmod(descriptor, mode ?? (exists ? status.st_mode & 0o777 : 0o666 & ~mask))
  }

  private var target = ""
  private let handlesSignals: Bool

  deinit {
    if draft != nil || path != "-" && descriptor >= 0 { close(descriptor) }
    removeDraft()
  }

  private func removeDraft() {
    guard let draft else { return }
    _ = draft.withUnsafeBufferPointer { unlink($0.baseAddress!) }
    if handlesSignals { DraftRemoval.end() }
    self.draft = nil
  }

  /// The path of the draft, for libraries that write files themselves; `nil` when there is none.
  package var draftPath: String? {
    draft.map { $0.withUnsafeBufferPointer { String(cString: $0.baseAddress!) } }
  }

  private static func failure(_ path: String) -> CommandError {
    CommandError(
      "\((path == "-" ? "standard output" : displayName(path))): \(String(cString: strerror(errno)))"
    )
  }

  // MARK: Writing

  /// - Throws: ``CommandError`` when the disk is full, or the like.
  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    if buffer.count + bytes.count < Self.flushSize {
      buffer.append(contentsOf: bytes)
      return
    }
    try flush()
    if bytes.count >= Self.flushSize { try put(bytes) } else { buffer.append(contentsOf: bytes) }
  }

  package func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try write($0) }
  }

  private func flush() throws {
    try buffer.withUnsafeBytes { try put($0) }
    buffer.removeAll(keepingCapacity: true)
  }

  private func put(_ bytes: UnsafeRawBufferPointer) throws {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count < 0 {
        if errno == EINTR { continue }
        throw Self.failure(path)
      }
      done += count
    }
  }

  /// Puts the complete file in its place.
  ///
  /// - Throws: ``CommandError`` when that cannot be done; then there is no file.
  package func commit() throws {
    try flush()
    guard let draft else { return }
    guard fsync(descriptor) == 0, rename(draft, target) == 0 else { throw Self.failure(path) }
    if handlesSignals { DraftRemoval.end() }
    self.draft = nil
  }

  // MARK: Input and output

  /// Refuses to write over what is read.
  ///
  /// - Throws: ``CommandError``
  package static func refuse(output: String, over input: String) throws {
    var source = stat()
    var target = stat()
    let isSource = input == "-" ? fstat(STDIN_FILENO, &source) : stat(input, &source)
    let isTarget = output == "-" ? fstat(STDOUT_FILENO, &target) : stat(output, &target)
    guard isSource == 0, isTarget == 0, source.st_mode & S_IFMT == S_IFREG,
      source.st_dev == target.st_dev, source.st_ino == target.st_ino
    else { return }
    throw CommandError("\(displayName(output)): is what is read; write to another file")
  }
}

/// Removes a draft when a signal ends the program.
private enum DraftRemoval {
  // Written before the handlers are set and after they are reset; a handler only reads it.
  nonisolated(unsafe) private static var path: UnsafeMutablePointer<CChar>?
  private static let signals = [SIGINT, SIGTERM, SIGHUP, SIGPIPE]

  static func begin(_ draft: [CChar]) {
    path = draft.withUnsafeBufferPointer { strdup($0.baseAddress!) }
    for number in signals {
      // Who started the program may want it to live on (nohup).
      let before = signal(number) { number in
        if let path = DraftRemoval.path { unlink(path) }
        signal(number, SIG_DFL)
        raise(number)
      }
      if unsafeBitCast(before, to: Int.self) == 1 { signal(number, SIG_IGN) }
    }
  }

  static func end() {
    for number in signals {
      let before = signal(number, SIG_DFL)
      if unsafeBitCast(before, to: Int.self) == 1 { signal(number, SIG_IGN) }
    }
    free(path)
    path = nil
  }
}
