// SPDX-License-Identifier: MIT
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
  /// The input ended because that was requested, not at its own end: see ``InputEnd``.
  private(set) var isCut = false
  /// Bytes of the input that have been read.
  private(set) var bytesRead: UInt64 = 0
  /// The beginning of the input, to say what it is when it is no trace.
  private(set) var head: [UInt8] = []
  /// Bytes given out, expanded when the input is compressed.
  private(set) var bytesMade: UInt64 = 0

  /// What to wait on for more input, -1 for memory.
  let descriptor: Int32
  private let closes: Bool
  private let watch = InputEnd.Watch()
  /// What a pipe held when the end was requested; `nil` before.
  private var rest: Int?
  /// What the input is, for people.
  private var kind = ""
  private var memory: [UInt8]
  private let chunk: Int
  private var base: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private var first = 0
  private var last = 0

  /// How the input is packed, once its beginning is known.
  private(set) var compression: Compression?
  private var isKnown = false
  private var decompressor: (any Decompressor)?
  /// Bytes as they are read, when they are to be expanded.
  private var packed: [UInt8] = []
  private var packedFirst = 0
  private var packedLast = 0
  private var isWhole = true
  private var isRawEnded = false
  /// What is expanded is not a trace when it is larger than this, and than the input by
  /// ``Compression/maximumRatio``. What only streams through costs nothing but time.
  private var bombSize: UInt64 { isSpooled ? 64 << 20 : 1 << 30 }
  /// All of it goes to a temporary file.
  var isSpooled = false
  /// It was refused: what was read of it is not to be used.
  private(set) var isRefused = false

  /// How the lines of a text end.
  private enum LineEnds {
    /// Not one has been seen.
    case unknown
    /// With a line feed; also binary data, of which nothing may be changed.
    case feeds
    /// With a carriage return alone, which is handed out as a line feed.
    case returns
  }

  private var lineEnds = LineEnds.unknown
  /// Bytes at the beginning that were passed over: a byte order mark.
  private(set) var skipped: UInt64 = 0

  /// Opens a file, or standard input for `-`.
  init(path: String) throws(TraceError) {
    let shown = path == "-" ? "standard input" : String(escaping: path.utf8)
    var file: Int32 = 0
    if path != "-" {
      guard !path.isEmpty, !path.utf8.contains(0) else {
        throw TraceError(path: shown, problem: "not a file name")
      }
      // A FIFO that nobody writes to yet is waited for when it is read, not here.
      var status = stat()
      let isFIFO = stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
      repeat {
        file = open(path, O_RDONLY | O_CLOEXEC | (isFIFO ? O_NONBLOCK : 0))
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
      kind =
        switch type {
        case S_IFIFO: path == "-" ? "a pipe" : "a FIFO"
        case S_IFSOCK: "a socket"
        case S_IFCHR: isatty(file) == 1 ? "a terminal" : "a device"
        default: "a file"
        }
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
  var isRewindable: Bool { isSeekable && compression == nil }

  /// Whether the bytes, packed or not, can be read at any place.
  var isSeekable: Bool { descriptor < 0 || totalSize != nil && !isLive }

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
    isKnown = true
    lineEnds = other.lineEnds
    closes = other.descriptor >= 0
    descriptor = other.descriptor < 0 ? -1 : fcntl(other.descriptor, F_DUPFD_CLOEXEC, 3)
    if other.descriptor >= 0, descriptor < 0 { throw Self.openError(errno, name) }
  }

  /// Reads a part of a file that is open, from a byte to its end.
  init(_ bytes: RandomAccessBytes, from offset: UInt64) throws(TraceError) {
    name = bytes.name
    totalSize = bytes.size
    isLive = false
    memory = bytes.memory
    chunk = Self.defaultChunk
    capacity = Self.defaultChunk
    base = Self.allocate(capacity)
    bytesRead = min(offset, bytes.size)
    isKnown = true
    lineEnds = .feeds
    descriptor = try bytes.duplicate()
    closes = descriptor >= 0
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

  /// All of an input that is in memory and not packed.
  var memoryBytes: [UInt8]? { descriptor < 0 && compression == nil ? memory : nil }

  /// Gives up the first `count` of the unread bytes.
  func consume(_ count: Int) {
    precondition(count >= 0 && count <= last - first)
    first += count
  }

  /// Gets the first bytes, as many as ask for it, or all there are.
  ///
  /// - Throws: ``TraceError`` when they cannot be read.
  func fillHead(_ count: Int) throws(TraceError) {
    while head.count < count, !ended { try fill() }
  }

  /// Reads some more behind the unread bytes; waits for them when there are none yet.
  func fill() throws(TraceError) {
    guard !ended else { return }
    makeRoom()
    let isStart = !isKnown
    let room = UnsafeMutableRawBufferPointer(start: base + last, count: capacity - last)
    // One byte less than there is room for: that after a carriage return may be needed, too.
    let want = min(isStart ? max(4, chunk) : chunk, room.count - 1)
    guard var got = try take(UnsafeMutableRawBufferPointer(rebasing: room[..<want])) else { return }
    if isStart { got = try beginText(room, got) }
    if lineEnds != .feeds { got = try settleLineEnds(room, got) }
    if head.count < 4096 {
      let part = UnsafeBufferPointer(start: base + last, count: min(got, 4096 - head.count))
      head.append(contentsOf: part)
    }
    last += got
    bytesMade += UInt64(got)
    (base + last).update(repeating: 0, count: Self.padding)
  }

  /// Reads some bytes, expanded when they are packed.
  ///
  /// - Returns: how many; `nil` when there are none at present.
  private func take(_ place: UnsafeMutableRawBufferPointer) throws(TraceError) -> Int? {
    guard compression == nil else { return try expand(into: place) }
    guard let count = try readRaw(into: place) else { return nil }
    if count == 0 { ended = true }
    return isKnown ? count : try lookAtStart(place, count)
  }

  // MARK: Text

  /// Looks at the first bytes, expanded: passes over a byte order mark, and finds out whether this
  /// is text, whose line ends may be of another kind.
  ///
  /// - Returns: how many bytes are left.
  private func beginText(
    _ room: UnsafeMutableRawBufferPointer,
    _ count: Int
  ) throws(TraceError) -> Int {
    var count = count
    while count < 4, !ended {
      count += try take(UnsafeMutableRawBufferPointer(rebasing: room[count..<4])) ?? 0
    }
    var bytes = room[..<count]
    if bytes.starts(with: [0xff, 0xfe]) || bytes.starts(with: [0xfe, 0xff]) {
      let isWide = bytes.starts(with: [0xff, 0xfe, 0, 0])
      let encoding = isWide ? "UTF-32" : "UTF-16"
      isRefused = true
      throw TraceError(
        path: name,
        problem: "is \(encoding) text",
        advice: "convert it first: `iconv -f \(encoding) -t UTF-8 FILE | …`"
      )
    }
    if bytes.starts(with: [0xef, 0xbb, 0xbf]), let start = room.baseAddress {
      skipped = 3
      count -= 3
      start.copyMemory(from: start + 3, byteCount: count)
      bytes = room[..<count]
    }
    // Nothing of a binary capture is a line end.
    let isText = bytes.allSatisfy { $0 >= 0x20 || $0 == 0x09 || $0 == 0x0a || $0 == 0x0d }
    let isPerf = bytes.starts(with: "PERF".utf8) || bytes.starts(with: "2ELI".utf8)
    lineEnds = isText && !isPerf ? .unknown : .feeds
    return count
  }

  /// Finds out how lines end, once the first one does, and makes carriage returns that stand alone
  /// line feeds, so that nobody else needs to know of them.
  ///
  /// - Returns: how many bytes there are now: the one after a carriage return may have to be read.
  private func settleLineEnds(
    _ room: UnsafeMutableRawBufferPointer,
    _ count: Int
  ) throws(TraceError) -> Int {
    var count = count
    while lineEnds == .unknown {
      let bytes = room[..<count]
      if bytes.contains(0x0a) {
        lineEnds = .feeds
      } else if let first = bytes.firstIndex(of: 0x0d) {
        // Serial consoles send several before a line feed.
        if ended || count == room.count || bytes[first...].contains(where: { $0 != 0x0d }) {
          lineEnds = .returns
        } else {
          count += try take(UnsafeMutableRawBufferPointer(rebasing: room[count...count])) ?? 0
        }
      } else {
        return count
      }
    }
    guard lineEnds == .returns else { return count }
    for index in 0..<count where room[index] == 0x0d { room[index] = 0x0a }
    return count
  }

  // MARK: Raw bytes

  /// Reads some bytes as they are.
  ///
  /// - Returns: how many, 0 at the end; `nil` when there are none at present.
  private func readRaw(into place: UnsafeMutableRawBufferPointer) throws(TraceError) -> Int? {
    guard let start = place.baseAddress else { return 0 }
    var got = 0
    if descriptor >= 0 {
      guard let room = try room(place.count) else { return 0 }
      repeat {
        // By position: another source may read the same file.
        got =
          isSeekable
          ? pread(descriptor, start, room, off_t(bytesRead))
          : read(descriptor, start, room)
      } while got < 0 && errno == EINTR
      if got < 0 {
        if errno == EISDIR { throw Self.openError(EISDIR, name) }
        if errno == EAGAIN {
          _ = hasMore(within: -1)
          return nil
        }
        throw TraceError(path: name, problem: "cannot be read: \(Self.message(errno))")
      }
    } else {
      let offset = Int(bytesRead)
      got = min(place.count, memory.count - offset)
      memory.withUnsafeBytes { all in
        if got > 0, let from = all.baseAddress {
          start.copyMemory(from: from + offset, byteCount: got)
        }
      }
    }
    bytesRead += UInt64(got)
    if let rest { self.rest = rest - got }
    return got
  }

  /// How many bytes may be read now; waits when a live input has none.
  ///
  /// - Parameter want: bytes that there is room for.
  /// - Returns: `nil` when the end of the input was requested.
  /// - Throws: ``TraceError`` when that was before anything was read.
  private func room(_ want: Int) throws(TraceError) -> Int? {
    if isLive, !watch.poll(descriptor, 0) {
      let input = WaitingInput(
        description: "\(name) (\(kind))",
        descriptor: descriptor,
        hasBegun: bytesRead > 0,
        watch: watch
      )
      if let waiter = WaitingInput.waiter { waiter(input) } else { _ = input.wait() }
    }
    guard watch.isOver else { return want }
    if rest == nil {
      // What a pipe holds was written before the end. What comes later could go on for ever.
      var count: Int32 = 0
      let isKnown = isLive && ioctl(descriptor, UInt(FIONREAD), &count) == 0
      rest = isKnown ? Int(count) : 0
    }
    if let rest, rest > 0 { return min(want, rest) }
    isCut = watch.ends()
    ended = true
    if bytesRead == 0 { throw interruption }
    return nil
  }

  /// The error of an input that was ended before anything could be made of it.
  var interruption: TraceError {
    TraceError(
      path: name,
      problem: "ended by a signal before there was anything to read",
      isInterruption: true
    )
  }

  /// Finds out from the first bytes whether the input is packed; if so they are taken away to be
  /// expanded.
  private func lookAtStart(
    _ place: UnsafeMutableRawBufferPointer,
    _ count: Int
  ) throws(TraceError) -> Int {
    var count = count
    // A pipe may bring the first few bytes one by one.
    while count < 4, !ended {
      guard let more = try readRaw(into: UnsafeMutableRawBufferPointer(rebasing: place[count...]))
      else { continue }
      if more == 0 { ended = true }
      count += more
    }
    isKnown = true
    guard let found = Compression(UnsafeRawBufferPointer(place).prefix(count)) else { return count }
    compression = found
    decompressor = found.makeDecompressor()
    guard decompressor != nil else {
      throw TraceError(path: name, problem: "cannot be expanded: out of memory")
    }
    packed = [UInt8](repeating: 0, count: Self.defaultChunk)
    packed.withUnsafeMutableBytes {
      $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: place[..<count]))
    }
    packedLast = count
    let rawEnded = ended
    ended = false
    if rawEnded { isRawEnded = true }
    return try expand(into: place) ?? 0
  }

  /// Expands some bytes.
  ///
  /// - Returns: how many; `nil` when there are none at present.
  private func expand(into place: UnsafeMutableRawBufferPointer) throws(TraceError) -> Int? {
    guard let decompressor else { return 0 }
    while true {
      if packedFirst == packedLast, !isRawEnded {
        packedFirst = 0
        packedLast = 0
        var failure: TraceError?
        let got = packed.withUnsafeMutableBytes { buffer -> Int? in
          do throws(TraceError) {
            return try readRaw(into: buffer)
          } catch {
            failure = error
            return 0
          }
        }
        if let failure { throw failure }
        guard let got else { return nil }
        if got == 0 { isRawEnded = true }
        packedLast = got
      }
      let step = packed.withUnsafeBytes { buffer in
        decompressor.expand(
          UnsafeRawBufferPointer(rebasing: buffer[packedFirst..<packedLast]),
          into: place
        )
      }
      packedFirst += step.used
      isWhole = step.isComplete
      // A step that does nothing with bytes at hand would be repeated for ever.
      let isStuck = step.used == 0 && packedFirst < packedLast
      if step.made == 0, let problem = step.problem ?? (isStuck ? "no progress" : nil) {
        throw TraceError(
          path: name,
          problem: "its compressed data is damaged before byte \(bytesRead): \(problem)",
          advice: "what came before it was read"
        )
      }
      if step.made > 0 {
        if let ratio = compression?.maximumRatio, bytesMade > bombSize,
          bytesMade / ratio > bytesRead
        {
          isRefused = true
          throw TraceError(
            path: name,
            problem: "expands to more than \(ratio) times its size: refused",
            advice: "unpack it yourself if it really is a trace"
          )
        }
        return step.made
      }
      if isRawEnded, step.used == 0 {
        ended = true
        if !isWhole, !isCut {
          throw TraceError(
            path: name,
            problem: "its compressed data is cut off at byte \(bytesRead)",
            advice: "what came before it was read"
          )
        }
        return 0
      }
    }
  }

  /// Whether more input is there, or its end, without waiting longer than some milliseconds.
  func hasMore(within milliseconds: Int32) -> Bool {
    guard !ended, descriptor >= 0 else { return !ended }
    return watch.poll(descriptor, milliseconds)
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
      TraceError(path: name, problem: "no such file", advice: "check the name")
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
