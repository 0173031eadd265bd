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
  /// - Throws: ``CommandError`` when it cannot be made.
  package init(_ path: String, mode: mode_t? = nil) throws {
    self.path = path
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
    DraftRemoval.begin(draft)
    let mask = umask(0)
    umask(mask)
    fchmod(descriptor, mode ?? (exists ? status.st_mode & 0o777 : 0o666 & ~mask))
  }

  private var target = ""

  deinit {
    if draft != nil || path != "-" && descriptor >= 0 { close(descriptor) }
    removeDraft()
  }

  private func removeDraft() {
    guard let draft else { return }
    _ = draft.withUnsafeBufferPointer { unlink($0.baseAddress!) }
    DraftRemoval.end(draft)
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

  /// Lets whoever reads along have what was written, unless it is a file that is not complete yet.
  package func flushStream() throws {
    if draft == nil { try flush() }
  }

  /// Puts the complete file in its place.
  ///
  /// - Throws: ``CommandError`` when that cannot be done; then there is no file.
  package func commit() throws {
    try flush()
    guard let draft else { return }
    guard fsync(descriptor) == 0, rename(draft, target) == 0 else { throw Self.failure(path) }
    DraftRemoval.end(draft)
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

/// Removes drafts when a signal ends the program.
package enum DraftRemoval {
  /// Drafts at a time; of more than that some would stay.
  private static let places = 16
  // A handler reads it, at any time: a place is filled last and emptied first.
  nonisolated(unsafe) private static let drafts:
    UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> =
      {
        let drafts = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: places)
        drafts.initialize(repeating: nil, count: places)
        return drafts
      }()

  /// Gets ready for ``removeAll()``; call it before a handler is installed.
  package static func prepare() { _ = drafts }

  package static func begin(_ draft: [CChar]) {
    guard let place = (0..<places).first(where: { drafts[$0] == nil }) else { return }
    drafts[place] = draft.withUnsafeBufferPointer { strdup($0.baseAddress!) }
  }

  package static func end(_ draft: [CChar]) {
    draft.withUnsafeBufferPointer { draft in
      for place in 0..<places {
        guard let path = drafts[place], strcmp(path, draft.baseAddress!) == 0 else { continue }
        drafts[place] = nil
        free(path)
      }
    }
  }

  /// May be called in a signal handler.
  package static func removeAll() {
    for place in 0..<places { if let path = drafts[place] { unlink(path) } }
  }
}
