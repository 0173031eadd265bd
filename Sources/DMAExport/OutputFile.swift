// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace
import Glibc

/// A file that is there as a whole or not at all: it is written beside its place and moved there when
/// it is complete. Devices and pipes are written to as they are; what goes to a terminal is escaped.
///
/// When the program fails before ``commit()``, nothing is left; when it is killed, the next one that
/// writes the same file removes what is.
package final class OutputFile {
  private static let flushSize = 1 << 18

  private let path: String
  private let draft: Draft?
  private let descriptor: Int32
  private let isTerminal: Bool
  private var buffer: [UInt8] = []
  /// Bytes that were written, those in the buffer included.
  package private(set) var count: UInt64 = 0

  /// - Parameters:
  ///   - path: `-` for standard output. What a link leads to is written, and made when it is not
  ///     there.
  ///   - mode: the permissions; those of the file that is replaced, or of any new file, by default.
  /// - Throws: ``CommandError`` when it cannot be made.
  package init(_ path: String, mode: mode_t? = nil) throws {
    self.path = path
    var status = stat()
    let exists = path != "-" && stat(path, &status) == 0
    if path == "-" || exists && status.st_mode & S_IFMT != S_IFREG {
      draft = nil
      descriptor = path == "-" ? STDOUT_FILENO : open(path, O_WRONLY | O_CLOEXEC)
      let failure = descriptor < 0 ? Self.failure(path) : nil
      isTerminal = isatty(descriptor) == 1
      if let failure { throw failure }
      return
    }
    isTerminal = false
    guard let target = Self.destination(of: path) else { throw Self.failure(path) }
    let old = exists ? status.st_mode & 0o777 : nil
    guard let draft = Draft(target, mode: mode, old: old) else {
      throw Self.failure(path)
    }
    self.draft = draft
    descriptor = draft.descriptor
    DraftRemoval.begin(Array(draft.path.utf8CString))
  }

  /// A file in a directory that is open. It replaces a file, but nothing else, and no link.
  ///
  /// - Parameter folder: what to call the directory.
  /// - Throws: ``CommandError`` when it cannot be made.
  package init(in directory: Int32, _ folder: String, _ name: String) throws {
    path = folder + "/" + name
    var status = stat()
    let exists = fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0
    if exists, status.st_mode & S_IFMT != S_IFREG {
      throw CommandError("\(displayName(path)): \(Self.refusal(status))")
    }
    let old = exists ? status.st_mode & 0o777 : nil
    guard let draft = Draft(name, in: directory, mode: nil, old: old) else {
      throw Self.failure(path)
    }
    self.draft = draft
    // Not among those that a signal removes: its path begins at the directory, not at the working one.
    descriptor = draft.descriptor
    isTerminal = false
  }

  /// Why something is not written over, or into.
  package static func refusal(_ status: stat) -> String {
    status.st_mode & S_IFMT == S_IFLNK ? "is a link, and not followed" : "is there, and no file"
  }

  deinit {
    if draft == nil, path != "-", descriptor >= 0 { close(descriptor) }
    removeDraft()
  }

  private func removeDraft() {
    guard let draft, draft.isThere else { return }
    draft.remove()
    DraftRemoval.end(Array(draft.path.utf8CString))
  }

  /// The path of the draft, for libraries that write files themselves; `nil` when there is none.
  package var draftPath: String? { draft?.path }

  private static func failure(_ path: String) -> CommandError {
    let words = String(cString: strerror(errno))
    return CommandError("\(outputName(path)): \(words)")
  }

  /// Where a path leads: through links, also to what is not there yet.
  ///
  /// - Returns: `nil`, with `errno`, when it leads nowhere.
  package static func destination(of path: String) -> String? {
    var place = path
    var link = [UInt8](repeating: 0, count: Int(PATH_MAX))
    for _ in 0..<40 {
      let count = readlink(place, &link, link.count)
      // Neither a link nor there: the place itself.
      if count < 0 { return errno == EINVAL || errno == ENOENT ? place : nil }
      guard let next = String(validating: link[..<count], as: UTF8.self) else {
        errno = EILSEQ
        return nil
      }
      if next.hasPrefix("/") {
        place = next
      } else if let slash = place.lastIndex(of: "/") {
        place = place[...slash] + next
      } else {
        place = next
      }
    }
    errno = ELOOP
    return nil
  }

  // MARK: Writing

  /// - Throws: ``CommandError`` when the disk is full, or the like.
  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    count += UInt64(bytes.count)
    if isTerminal {
      var text = TextBuffer()
      text.append(bytes)
      text.escapeControls(from: 0, keeping: .carriageReturnNewline)
      return try text.bytes.withUnsafeBytes { try put($0) }
    }
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
    guard let draft, draft.isThere else { return }
    guard draft.commit() else { throw Self.failure(path) }
    DraftRemoval.end(Array(draft.path.utf8CString))
  }
}

/// A path as a message about an output has it.
package func outputName(_ path: String) -> String {
  path == "-" ? "standard output" : displayName(path)
}

/// A file that is being written, under a name of its own: `NAME.dmatop-draft-XXXXXX`.
///
/// As long as the process lives it holds a lock on it. A draft that nobody holds was left by a
/// process that was killed; whoever writes the same file next removes it.
private final class Draft {
  private static let mark = ".dmatop-draft-"
  private static let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
  private static let suffixLength = 6
  /// Bytes of the target's name that a draft's name has: names must not be longer than 255.
  private static let nameLength = 200

  let descriptor: Int32
  let path: String
  private let directory: Int32
  private let target: String
  private(set) var isThere = true

  /// - Parameters:
  ///   - target: the path of the file.
  ///   - directory: where relative paths begin; stays open, and is open as long as this lives.
  ///   - mode: the permissions; those of any new file by default.
  ///   - old: those of the file that will be replaced.
  /// - Returns: `nil`, with `errno`, when it cannot be made.
  init?(_ target: String, in directory: Int32 = AT_FDCWD, mode: mode_t?, old: mode_t?) {
    let start = target.lastIndex(of: "/").map { target.index(after: $0) } ?? target.startIndex
    let folder = String(target[..<start])
    let name = String(target[start...])
    guard !name.isEmpty, name != ".", name != ".." else {
      errno = EISDIR
      return nil
    }
    let stem = Self.stem(name)
    Self.removeAbandoned(directory, folder, stem)
    // Nobody but the user reads what takes the place of a private file, not even for a moment.
    let initial = mode ?? (old == nil ? 0o666 : 0o600)
    var made: (descriptor: Int32, path: String)?
    for _ in 0..<100 where made == nil {
      let suffix = (0..<Self.suffixLength).map { _ in
        Self.letters[Int.random(in: 0..<Self.letters.count)]
      }
      let path = folder + stem + String(suffix)
      let file = openat(
        directory,
        path,
        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
        initial
      )
      if file < 0 {
        if errno == EEXIST || errno == EINTR { continue }
        return nil
      }
      var status = stat()
      let isLocked = flock(file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK
      // Between the two somebody may have taken it for an abandoned one.
      if isLocked, fstat(file, &status) == 0, status.st_nlink > 0 {
        made = (file, path)
      } else {
        unlinkat(directory, path, 0)
        close(file)
      }
    }
    guard let made else {
      errno = EEXIST
      return nil
    }
    descriptor = made.descriptor
    path = made.path
    self.target = target
    self.directory = directory
    if let old, mode == nil { fchmod(descriptor, old) }
  }

  deinit {
    close(descriptor)
  }

  func remove() {
    unlinkat(directory, path, 0)
    isThere = false
  }

  /// Moves it to its place.
  func commit() -> Bool {
    guard fsync(descriptor) == 0, renameat(directory, path, directory, target) == 0 else {
      return false
    }
    isThere = false
    return true
  }

  /// What the names of all drafts of a target begin with.
  private static func stem(_ target: String) -> String {
    var stem = target
    while stem.utf8.count > nameLength { stem.unicodeScalars.removeLast() }
    return stem + mark
  }

  /// Removes drafts that no process holds.
  private static func removeAbandoned(_ directory: Int32, _ folder: String, _ stem: String) {
    let place = folder.isEmpty ? "." : folder
    let readable = openat(directory, place, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard readable >= 0, let entries = fdopendir(readable) else {
      if readable >= 0 { close(readable) }
      return
    }
    defer { closedir(entries) }
    while let entry = readdir(entries) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name.utf8.starts(with: stem.utf8), name.utf8.count == stem.utf8.count + suffixLength,
        name.suffix(suffixLength).allSatisfy({ letters.contains($0) })
      else { continue }
      removeAbandoned(directory, folder + name)
    }
  }

  private static func removeAbandoned(_ directory: Int32, _ path: String) {
    let file = openat(directory, path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { return }
    defer { close(file) }
    var opened = stat()
    var named = stat()
    // The lock tells; the name must still be that of the file that was locked.
    guard fstat(file, &opened) == 0, opened.st_mode & S_IFMT == S_IFREG,
      opened.st_uid == geteuid(), flock(file, LOCK_EX | LOCK_NB) == 0,
      fstatat(directory, path, &named, AT_SYMLINK_NOFOLLOW) == 0,
      named.st_dev == opened.st_dev, named.st_ino == opened.st_ino
    else { return }
    unlinkat(directory, path, 0)
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
