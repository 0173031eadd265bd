// SPDX-License-Identifier: MIT

/// How the pages of a ring buffer are laid out.
struct RingBufferLayout {
  /// Bytes of a page (sub-buffer).
  var pageSize = 4096
  /// Bytes of the word `commit`: the kernel's `long`.
  var commitSize = 8
  /// Where the events begin.
  var dataOffset = 16
  var isBigEndian = false
}

/// How the blocks of a file are packed.
enum BlockCompression {
  case none
  case zlib
  case zstd(ZstdBlocks)

  /// Expands a block of known size.
  func expand(
    _ block: UnsafeRawBufferPointer,
    into output: UnsafeMutableRawBufferPointer
  ) -> Bool {
    switch self {
    case .none: false
    case .zlib: Zlib.expand(block, into: output)
    case .zstd(let blocks): blocks.expand(block, into: output)
    }
  }
}

/// The memory that all streams of a capture share: a damaged file must not ask for more.
final class MemoryBudget {
  private var left = 160 << 20

  func take(_ bytes: Int) -> Bool {
    guard bytes <= left else { return false }
    left -= bytes
    return true
  }
}

/// The records of one CPU: a sequence of ring-buffer pages, perhaps packed in chunks.
///
/// Holds one window of the file, whatever the length of the stream.
final class RingBufferStream {
  /// A place in a block: that in the file, and how many blocks were left with it.
  private struct Origin {
    var block: UInt64
    var offset: Int
    var blocksLeft: Int
  }

  private static let windowSize = 256 << 10
  private static let smallWindow = 64 << 10

  let cpu: UInt32
  private let source: RandomAccessBytes
  private let layout: RingBufferLayout
  private let compression: BlockCompression
  private let isPacked: Bool
  private let budget: MemoryBudget
  private let window: Int
  /// Where the bytes of the stream begin and end in the file.
  let start: UInt64
  let end: UInt64

  /// Where the next chunk or window is read.
  private var next: UInt64
  private var chunksLeft = 0
  @exclusivity(unchecked) private var buffer: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private var first = 0
  private var last = 0
  private var packed: [UInt8] = []
  /// The block in the buffer: its place in the file, how many bytes before it are left of the
  /// ones before.
  private var block: UInt64 = 0
  private var carried = 0
  /// Where the carried bytes begin: they may be of several small blocks.
  private var origin = Origin(block: 0, offset: 0, blocksLeft: 0)

  /// The current page: where it begins in the buffer and in the file, and where its events end.
  private var page = 0
  private var pageOrigin = Origin(block: 0, offset: 0, blocksLeft: 0)
  @exclusivity(unchecked) private var hasPage = false
  @exclusivity(unchecked) private var place = 0
  @exclusivity(unchecked) private var stop = 0
  @exclusivity(unchecked) private var now: UInt64 = 0
  /// Before the current record was read.
  @exclusivity(unchecked) private var placeBefore = 0
  @exclusivity(unchecked) private var timeBefore: UInt64 = 0

  // Read and written for each record, by one reader: the checks would cost a third of the time.

  /// The current record; its bytes are valid until the next ``advance()``.
  @exclusivity(unchecked) private(set) var record: UnsafePointer<UInt8>
  @exclusivity(unchecked) private(set) var recordLength = 0
  @exclusivity(unchecked) private(set) var recordTime: UInt64 = 0
  /// Events were lost just before the current record: how many, 0 when nobody knows.
  @exclusivity(unchecked) private(set) var loss: UInt64?
  @exclusivity(unchecked) private(set) var isDone = false
  /// The first thing that is wrong with the stream.
  private(set) var problem: String?

  init(
    cpu: UInt32,
    _ source: RandomAccessBytes,
    from start: UInt64,
    size: UInt64,
    layout: RingBufferLayout,
    compression: BlockCompression,
    budget: MemoryBudget,
    streams: Int,
    at mark: ReaderMark.Stream? = nil
  ) {
    self.cpu = cpu
    self.source = source
    self.layout = layout
    self.compression = compression
    self.budget = budget
    if case .none = compression { isPacked = false } else { isPacked = true }
    // Both may lie past the end of the file.
    self.start = min(start, source.size)
    // The size of packed data leaves out the word that counts its chunks.
    let (sum, overflow) = start.addingReportingOverflow(
      isPacked ? size &+ 4 : size
    )
    end = overflow ? source.size : min(sum, source.size)
    next = self.start
    let wanted = streams > 64 ? Self.smallWindow : Self.windowSize
    window = max(layout.pageSize, wanted / layout.pageSize * layout.pageSize)
    capacity = 0
    buffer = .allocate(capacity: ByteSource.padding)
    buffer.initialize(repeating: 0, count: ByteSource.padding)
    record = UnsafePointer(buffer)
    if overflow || sum > source.size {
      let missing = overflow ? size : sum - max(start, source.size)
      problem = "\(missing) bytes of CPU \(cpu) are missing behind byte \(source.size)"
    }
    if start >= end {
      isDone = true
      return
    }
    if isPacked {
      var head = MetadataReader(source, at: start, end: end, isBigEndian: layout.isBigEndian)
      guard let count = try? head.u32() else {
        fail("the chunks of CPU \(cpu) are cut off", at: start)
        return
      }
      chunksLeft = Int(count)
      next = start + 4
    }
    if let mark { resume(at: mark) } else { advance() }
  }

  deinit {
    buffer.deallocate()
  }

  private func fail(_ text: String, at offset: UInt64) {
    isDone = true
    if problem == nil { problem = "\(text) at byte \(offset)" }
  }

  // MARK: Blocks

  /// Makes room for `count` bytes behind the carried ones.
  private func reserve(_ count: Int) -> Bool {
    guard count > capacity else { return true }
    guard budget.take(count - capacity) else { return false }
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: count + ByteSource.padding)
    larger.initialize(repeating: 0, count: count + ByteSource.padding)
    larger.update(from: buffer, count: last)
    buffer.deallocate()
    buffer = larger
    capacity = count
    return true
  }

  /// Brings the next window or chunk behind what is left of the last one.
  ///
  /// - Returns: `false` when there is none.
  private func fill() -> Bool {
    let left = last - first
    // What is carried for the second time begins where it did.
    if first >= carried { origin = place(of: first) }
    if first > 0 {
      buffer.update(from: buffer + first, count: left)
      first = 0
      last = left
    }
    carried = left
    block = next
    return isPacked ? fillChunk() : fillWindow()
  }

  /// Where a byte of the current block is.
  private func place(of index: Int) -> Origin {
    Origin(block: block, offset: index - carried, blocksLeft: chunksLeft + (isPacked ? 1 : 0))
  }

  private func fillWindow() -> Bool {
    guard next < end else { return false }
    let want = Int(min(UInt64(window), end - next))
    guard reserve(carried + want) else {
      fail("there is no memory for the pages of CPU \(cpu)", at: next)
      return false
    }
    let got = source.read(
      at: next,
      into: UnsafeMutableRawBufferPointer(start: buffer + last, count: want)
    )
    guard got > 0 else {
      fail("the pages of CPU \(cpu) cannot be read", at: next)
      return false
    }
    next += UInt64(got)
    last += got
    (buffer + last).update(repeating: 0, count: ByteSource.padding)
    return true
  }

  private func fillChunk() -> Bool {
    guard chunksLeft > 0 else { return false }
    var head = MetadataReader(source, at: next, end: end, isBigEndian: layout.isBigEndian)
    guard let packedSize = try? head.u32(), let size = try? head.u32() else {
      fail("the chunks of CPU \(cpu) are cut off", at: next)
      return false
    }
    guard UInt64(packedSize) <= head.left else {
      fail("a chunk of CPU \(cpu) is cut off", at: next)
      return false
    }
    let room = Int(packedSize)
    if room > packed.count {
      guard budget.take(room - packed.count) else {
        fail("a chunk of CPU \(cpu) claims \(packedSize) bytes", at: next)
        return false
      }
      packed = [UInt8](repeating: 0, count: room)
    }
    guard reserve(carried + Int(size)) else {
      fail("a chunk of CPU \(cpu) claims to expand to \(size) bytes", at: next)
      return false
    }
    let got = packed.withUnsafeMutableBytes {
      source.read(at: head.offset, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<room]))
    }
    let isWhole =
      got == room
      && packed.withUnsafeBytes {
        compression.expand(
          UnsafeRawBufferPointer(rebasing: $0[..<room]),
          into: UnsafeMutableRawBufferPointer(start: buffer + last, count: Int(size))
        )
      }
    guard isWhole else {
      fail("a chunk of CPU \(cpu) is damaged", at: next)
      return false
    }
    next = head.offset + UInt64(room)
    chunksLeft -= 1
    last += Int(size)
    (buffer + last).update(repeating: 0, count: ByteSource.padding)
    return true
  }

  // MARK: Pages

  @inline(__always)
  private func integer(_ place: Int, _ size: Int) -> UInt64 {
    let raw = UnsafeRawPointer(buffer + place)
    if size == 4 {
      let word = raw.loadUnaligned(as: UInt32.self)
      return UInt64(layout.isBigEndian ? UInt32(bigEndian: word) : UInt32(littleEndian: word))
    }
    let word = raw.loadUnaligned(as: UInt64.self)
    return layout.isBigEndian ? UInt64(bigEndian: word) : UInt64(littleEndian: word)
  }

  /// Goes to the next page that holds something.
  ///
  /// - Returns: `false` at the end of the stream.
  private func nextPage() -> Bool {
    while true {
      if hasPage {
        first = min(page + layout.pageSize, last)
        hasPage = false
      }
      while last - first < layout.pageSize {
        if !fill() {
          // The last page of a file may be shorter than the others.
          if last - first > layout.dataOffset, !isDone { break }
          isDone = true
          return false
        }
      }
      page = first
      pageOrigin = page >= carried ? place(of: page) : origin
      hasPage = true
      now = integer(page, 8)
      let commit = integer(page + 8, layout.commitSize)
      var size = Int(commit & 0x7ff_ffff)
      let room = min(layout.pageSize, last - page) - layout.dataOffset
      if size > room, last - page < layout.pageSize {
        // Cut off: what is there counts.
        if problem == nil { problem = "the last page of CPU \(cpu) is cut off at byte \(end)" }
        size = room
      }
      if size > room {
        if problem == nil {
          let block = pageOrigin.block
          let offset = isPacked ? "chunk at byte \(block)" : "byte \(block)"
          problem = "a page of CPU \(cpu) claims \(size) bytes (\(offset)); it is left out"
        }
        loss = 0
        continue
      }
      place = page + layout.dataOffset
      stop = place + size
      if commit & 1 << 31 != 0 {
        let isCounted = commit & 1 << 30 != 0 && size + layout.commitSize <= room
        loss = isCounted ? integer(stop, layout.commitSize) : 0
      }
      if size > 0 { return true }
    }
  }

  // MARK: Records

  /// Goes to the next record. At the end ``isDone`` is set.
  func advance() {
    if hasRecord { loss = nil }
    hasRecord = false
    placeBefore = place
    timeBefore = now
    while true {
      if !hasPage || place + 4 > stop {
        guard !isDone, nextPage() else {
          isDone = true
          return
        }
        placeBefore = place
        timeBefore = now
        continue
      }
      let header = integer(place, 4)
      let type = layout.isBigEndian ? header >> 27 : header & 0x1f
      let delta = layout.isBigEndian ? header & 0x7ff_ffff : header >> 5
      let data = place + 4
      switch type {
      case 1...28:
        let length = Int(type) * 4
        guard data + length <= stop else {
          leavePage()
          continue
        }
        now &+= delta
        take(data, length)
        return
      case 0:
        guard data + 4 <= stop else {
          leavePage()
          continue
        }
        let length = Int(integer(data, 4))
        guard length >= 4, data + length <= stop else {
          leavePage()
          continue
        }
        now &+= delta
        take(data + 4, length - 4)
        place = data + (length + 3) & ~3
        return
      case 29:
        guard delta != 0, data + 4 <= stop else {
          // The rest of the page is empty.
          place = stop
          continue
        }
        let length = Int(integer(data, 4))
        guard length >= 4, data + length <= stop else {
          leavePage()
          continue
        }
        now &+= delta
        place = data + (length + 3) & ~3
      default:
        guard data + 4 <= stop else {
          leavePage()
          continue
        }
        let stamp = integer(data, 4) << 27 | delta
        if type == 30 {
          now &+= stamp
        } else {
          // 59 bits: the highest ones are those of the time before.
          let high = now & 0xf800_0000_0000_0000
          var absolute = high | stamp
          if high != 0, absolute < now { absolute &+= 1 << 59 }
          now = absolute
        }
        place = data + 4
      }
    }
  }

  /// A record is at hand that has not been taken.
  @exclusivity(unchecked) private var hasRecord = false

  @inline(__always)
  private func take(_ data: Int, _ length: Int) {
    record = UnsafePointer(buffer + data)
    recordLength = length
    recordTime = now
    place = data + (length + 3) & ~3
    hasRecord = true
  }

  /// The rest of the page makes no sense.
  private func leavePage() {
    if problem == nil {
      let offset = isPacked ? "in the chunk at byte \(pageOrigin.block)" : "at byte \(fileOffset)"
      problem = "a record of CPU \(cpu) reaches beyond its page \(offset); the rest is left out"
    }
    place = stop
  }

  private var fileOffset: UInt64 {
    pageOrigin.block + UInt64(max(0, pageOrigin.offset + place - page))
  }

  /// Bytes of the stream that were read.
  var bytesRead: UInt64 { max(start, min(next, end)) - start }

  // MARK: Going back

  /// Where the stream stands: before its current record.
  var mark: ReaderMark.Stream {
    ReaderMark.Stream(
      block: pageOrigin.block,
      offsetInBlock: pageOrigin.offset,
      blocksLeft: pageOrigin.blocksLeft,
      place: placeBefore - page,
      time: timeBefore,
      loss: loss,
      hasPage: hasPage,
      isDone: isDone
    )
  }

  /// Goes to a mark of another stream of the same bytes.
  private func resume(at mark: ReaderMark.Stream) {
    isDone = mark.isDone
    guard !isDone, mark.hasPage else { return }
    next = mark.block
    chunksLeft = mark.blocksLeft
    first = 0
    last = 0
    carried = 0
    hasPage = false
    loss = nil
    guard fill() else {
      isDone = true
      return
    }
    first = mark.offsetInBlock
    guard first <= last, nextPage() else {
      isDone = true
      return
    }
    place = page + mark.place
    now = mark.time
    hasRecord = false
    advance()
    loss = mark.loss
  }
}
