import DMADebugCore
import Glibc

/// The bytes of a capture, a piece at a time: a file, a pipe, standard input or memory.
///
/// The unread bytes stand in one buffer. Behind them are always at least ``padding`` zero bytes, so
/// that a word may be loaded at any place up to their end. The buffer does not grow with the
/// length of the capture, only with that of its longest line, and no further than ``maximumLine``.
final class ByteSource {
  /// How many zero bytes follow the valid ones.
  static let padding = 64
  /// The longest line that is kept, without its line end.
  static let maximumLine = 1 << 20
  /// How much is asked for at a time.
  static let defaultChunk = 256 << 10

  /// What the user called it, control characters escaped.
  let name: String
  /// The size of a regular file or of memory.
  let totalSize: UInt64?
  /// Whether more may arrive later: a pipe, a FIFO or a terminal.
  let isLive: Bool
  /// All of the input has been read into the buffer.
  private(set) var ended = false
  /// Bytes of the input that have been read.
  private(set) var bytesRead: UInt64 = 0
  /// The beginning of the input, to say what it is when it is no trace.
  private(set) var head: [UInt8] = []

  /// What to wait on for more input, -1 for memory.
  let descriptor: Int32
  private let closes: Bool
  private var memory: [UInt8]
  private let chunk: Int
  private var base: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private var first = 0
  private var last = 0

  /// Opens a file, or standard input for `-`.
  init(path: String) throws(TraceError) {
    let shown = path == "-" ? "standard input" : String(escaping: path.utf8)
    var file: Int32 = 0
    if path != "-" {
      guard !path.isEmpty, !path.utf8.contains(0) else {
        throw TraceError(path: shown, problem: "not a file name")
      }
      repeat {
        file = open(path, O_RDONLY | O_CLOEXEC)
      } while file < 0 && errno == EINTR
      if file < 0 { throw Self.openError(errno, shown) }
    }
    var status = stat()
    var size: UInt64?
    var live = false
    if fstat(file, &status) == 0 {
      let type = status.st_mode & S_IFMT
      if type == S_IFDIR {
        if path != "-" { close(file) }
        throw Self.openError(EISDIR, shown)
      }
      if type == S_IFREG { size = UInt64(max(0, status.st_size)) }
      live = type == S_IFIFO || type == S_IFSOCK || type == S_IFCHR
    }
    if size == 0 {
      // Files of tracefs say that they are empty, and `trace_pipe` waits for more.
      size = nil
      live = true
    }
    name = shown
    totalSize = size
    isLive = live
    descriptor = file
    closes = path != "-"
    memory = []
    chunk = Self.defaultChunk
    capacity = Self.defaultChunk
    base = Self.allocate(capacity)
  }

  /// Whether ``init(again:from:)`` can read it a second time.
  var isRewindable: Bool { descriptor < 0 || totalSize != nil && !isLive }

  /// Reads the same input again, from a byte on. Both sources may be used side by side.
  ///
  /// - Throws: ``TraceError`` for a pipe, and when the file cannot be opened any more.
  init(again other: ByteSource, from offset: UInt64) throws(TraceError) {
    guard other.isRewindable else {
      throw TraceError(path: other.name, problem: "cannot be read twice")
    }
    name = other.name
    totalSize = other.totalSize
    isLive = false
    memory = other.memory
    chunk = Self.defaultChunk
    capacity = Self.defaultChunk
    base = Self.allocate(capacity)
    head = other.head
    bytesRead = offset
    closes = other.descriptor >= 0
    descriptor = other.descriptor < 0 ? -1 : fcntl(other.descriptor, F_DUPFD_CLOEXEC, 3)
    if other.descriptor >= 0, descriptor < 0 { throw Self.openError(errno, name) }
  }

  /// Reads from memory, `chunk` bytes at a time.
  init(bytes: [UInt8], name: String, chunk: Int = defaultChunk) {
    self.name = String(escaping: name.utf8)
    totalSize = UInt64(bytes.count)
    isLive = false
    descriptor = -1
    closes = false
    memory = bytes
    self.chunk = max(1, chunk)
    capacity = min(Self.defaultChunk, max(self.chunk, 64))
    base = Self.allocate(capacity)
  }

  deinit {
    if closes { close(descriptor) }
    base.deallocate()
  }

  /// The unread bytes. Valid until the next call of ``fill()``.
  var bytes: UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: base + first, count: last - first)
  }

  /// Gives up the first `count` of the unread bytes.
  func consume(_ count: Int) {
    precondition(count >= 0 && count <= last - first)
    first += count
  }

  /// Reads some more behind the unread bytes; waits for them when there are none yet.
  func fill() throws(TraceError) {
    guard !ended else { return }
    makeRoom()
    let room = capacity - last
    let want = min(chunk, room)
    var got = 0
    if descriptor >= 0 {
      repeat {
        // By position: another source may read the same file.
        got =
          isRewindable
          ? pread(descriptor, base + last, want, off_t(bytesRead))
          : read(descriptor, base + last, want)
      } while got < 0 && errno == EINTR
      if got < 0 {
        if errno == EISDIR { throw Self.openError(EISDIR, name) }
        if errno == EAGAIN {
          _ = hasMore(within: -1)
          return
        }
        throw TraceError(path: name, problem: "cannot be read: \(Self.message(errno))")
      }
    } else {
      let offset = Int(bytesRead)
      got = min(want, memory.count - offset)
      memory.withUnsafeBufferPointer { all in
        if got > 0, let start = all.baseAddress {
          (base + last).update(from: start + offset, count: got)
        }
      }
    }
    if got == 0 { ended = true }
    if head.count < 4096 {
      let part = UnsafeBufferPointer(start: base + last, count: min(got, 4096 - head.count))
      head.append(contentsOf: part)
    }
    last += got
    bytesRead += UInt64(got)
    (base + last).update(repeating: 0, count: Self.padding)
  }

  /// Whether more input is there, or its end, without waiting longer than some milliseconds.
  func hasMore(within milliseconds: Int32) -> Bool {
    guard !ended, descriptor >= 0 else { return !ended }
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&request, 1, milliseconds) != 0
  }

  private func makeRoom() {
    if first > 0 {
      let unread = last - first
      base.update(from: base + first, count: unread)
      first = 0
      last = unread
    }
    // A line that has not ended needs a larger buffer; twice as much, up to the longest line.
    if last * 2 > capacity, capacity < Self.maximumLine + Self.defaultChunk {
      let larger = min(capacity * 2, Self.maximumLine + Self.defaultChunk)
      let moved = Self.allocate(larger)
      moved.update(from: base, count: last)
      base.deallocate()
      base = moved
      capacity = larger
    }
    precondition(last < capacity, "the caller gives up lines that are too long")
  }

  private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<UInt8> {
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity + padding)
    memory.initialize(repeating: 0, count: capacity + padding)
    return memory
  }

  private static func message(_ code: Int32) -> String {
    String(cString: strerror(code))
  }

  private static func openError(_ code: Int32, _ name: String) -> TraceError {
    switch code {
    case ENOENT:
      TraceError(path: name, problem: "no such file", advice: "check the name of the trace")
    case EISDIR:
      TraceError(path: name, problem: "is a directory", advice: "name a trace file inside it")
    case EACCES, EPERM:
      TraceError(
        path: name,
        problem: "permission denied",
        advice: "files of tracefs need root: copy the trace as root, or use sudo"
      )
    default:
      TraceError(path: name, problem: "cannot be opened: \(message(code))")
    }
  }
}
