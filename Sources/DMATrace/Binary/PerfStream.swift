// SPDX-License-Identifier: MIT

/// The records of one file or pipe of perf, sorted by time.
///
/// The kernel's buffers are written one after the other, so records come out of order, but not
/// further than to the round before. Of two rounds the earlier one is sorted and given out.
final class PerfStream {
  /// What was recorded.
  enum Kind: UInt8 {
    case sample
    case lost
    case task
    case fork
  }

  /// A record of interest, its bytes in an arena.
  struct Entry {
    var time: UInt64
    var sequence: UInt64
    var kind: Kind
    var cpu: UInt32
    /// ``Kind/task``, ``Kind/fork``: the thread; ``Kind/lost``: how many.
    var number: UInt64
    /// ``Kind/fork``: the thread that it comes from.
    var other: UInt64
    /// Raw bytes of a sample, or the name of a task.
    var offset: Int
    var length: Int
    /// Addresses of a call chain, eight bytes each in the byte order of this machine.
    var chain: Int
    var frames: Int
  }

  /// Bytes that wait to be sorted before some of them are given out regardless.
  private static let maximumPending = 16 << 20
  private static let maximumFrames = 128
  private static let longestTracingData = 128 << 20

  private let source: ByteSource
  private let isBigEndian: Bool
  /// Bytes of the source that are records; `nil` to its end.
  private var left: UInt64?
  var layout: PerfLayout
  private var pending: [Entry] = []
  private var arena: [UInt8] = []
  private(set) var ready: [Entry] = []
  private(set) var readyArena: [UInt8] = []
  /// The next one of ``ready``.
  var next = 0
  private var sequence: UInt64 = 0
  private var latest: UInt64 = 0
  private var latestOfRound: UInt64 = 0
  private var hasEnded = false
  private(set) var problem: String?
  /// Samples that nothing could be made of.
  private(set) var broken: UInt64 = 0
  /// Tracing data came through the pipe.
  private(set) var newTracingData: TraceDatFile?

  private var expander: ZstdDecompressor?
  private var expanded: [UInt8] = []
  private var expandedCount = 0
  private var offset: UInt64

  init(
    _ source: ByteSource,
    offset: UInt64,
    size: UInt64?,
    layout: PerfLayout,
    isBigEndian: Bool
  ) {
    self.source = source
    self.offset = offset
    left = size
    self.layout = layout
    self.isBigEndian = isBigEndian
  }

  var bytesRead: UInt64 { source.bytesRead }

  /// Nothing is at hand, and nothing comes for a moment.
  var isWaiting: Bool {
    next >= ready.count && source.bytes.count < 8 && !source.hasMore(within: 20)
  }

  private func fail(_ text: String) {
    if problem == nil, !source.isCut { problem = "\(text) at byte \(offset)" }
    hasEnded = true
  }

  private func fail(_ error: TraceError) {
    if problem == nil, !source.isCut { problem = error.damage }
    hasEnded = true
  }

  // MARK: Sorting

  /// Whether a sorted entry is at hand; reads on until one is.
  ///
  /// - Throws: ``TraceError`` when the input cannot be read.
  func hasNext() throws(TraceError) -> Bool {
    while next >= ready.count {
      if hasEnded {
        guard !pending.isEmpty else { return false }
        release(upTo: .max)
        continue
      }
      try readRecord()
      if arena.count > Self.maximumPending {
        // Rather a record in the wrong place than no memory left.
        let times = pending.map(\.time).sorted()
        release(upTo: times[times.count / 2])
      }
    }
    return true
  }

  private func release(upTo limit: UInt64) {
    // A packed record may end several rounds: what waits to be taken stays.
    if next >= ready.count {
      ready.removeAll(keepingCapacity: true)
      readyArena.removeAll(keepingCapacity: true)
      next = 0
    }
    var rest: [Entry] = []
    for var entry in pending {
      if entry.time <= limit {
        move(&entry, to: &readyArena)
        ready.append(entry)
      } else {
        rest.append(entry)
      }
    }
    ready[next...].sort { ($0.time, $0.sequence) < ($1.time, $1.sequence) }
    readyArena.append(contentsOf: repeatElement(0, count: ByteSource.padding))
    var other: [UInt8] = []
    for index in rest.indices { move(&rest[index], to: &other) }
    arena = other
    pending = rest
  }

  private func move(_ entry: inout Entry, to other: inout [UInt8]) {
    let start = entry.offset
    let chain = entry.chain
    entry.offset = other.count
    other.append(contentsOf: arena[start..<start + entry.length])
    entry.chain = other.count
    other.append(contentsOf: arena[chain..<chain + entry.frames * 8])
  }

  private func add(_ entry: Entry) {
    var entry = entry
    entry.sequence = sequence
    sequence += 1
    latest = max(latest, entry.time)
    pending.append(entry)
  }

  private func finishRound() {
    // What is older than all of the round before cannot come any more.
    release(upTo: latestOfRound)
    latestOfRound = latest
  }

  // MARK: Reading

  /// Makes sure that `count` bytes stand in the buffer.
  private func need(_ count: Int) throws(TraceError) -> Bool {
    while source.bytes.count < count, !source.ended {
      do throws(TraceError) {
        try source.fill()
      } catch {
        fail(error)
        return false
      }
    }
    return source.bytes.count >= count
  }

  private func consume(_ count: Int) {
    source.consume(count)
    offset += UInt64(count)
    if let rest = left { left = rest - min(rest, UInt64(count)) }
  }

  @inline(__always)
  private func integer(_ bytes: UnsafeRawPointer, _ place: Int, _ size: Int) -> UInt64 {
    if size == 8 {
      let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
      return isBigEndian ? UInt64(bigEndian: word) : UInt64(littleEndian: word)
    }
    var value: UInt64 = 0
    for index in 0..<size {
      let byte = UInt64(bytes.load(fromByteOffset: place + index, as: UInt8.self))
      value = isBigEndian ? value << 8 | byte : value | byte << UInt64(8 * index)
    }
    return value
  }

  private func readRecord() throws(TraceError) {
    if let left, left < 8 {
      hasEnded = true
      return
    }
    guard try need(8), let start = source.bytes.baseAddress else {
      if problem == nil, left.map({ $0 > 0 }) ?? !source.bytes.isEmpty { fail("it is cut off") }
      hasEnded = true
      return
    }
    let size = Int(integer(start, 6, 2))
    guard size >= 8 else {
      fail("a record has \(size) bytes")
      return
    }
    guard try need(size), let record = source.bytes.baseAddress else {
      fail("a record is cut off")
      return
    }
    let type = integer(record, 0, 4)
    if type == 66 {
      let bytes = size >= 12 ? integer(record, 8, 4) : 0
      consume(size)
      try readTracingData(Int(bytes))
      return
    }
    handle(record, type, size)
    consume(size)
  }

  private func handle(_ record: UnsafeRawPointer, _ type: UInt64, _ size: Int) {
    switch type {
    case 9: sample(record, size)
    case 2, 13: lost(record, type, size)
    case 3: task(record, size)
    case 7: fork(record, size)
    case 64: attribute(record, size)
    case 68: finishRound()
    case 80: feature(record, size)
    case 81: expand(UnsafeRawBufferPointer(start: record + 8, count: size - 8))
    case 83:
      guard size >= 16 else { return }
      let count = Int(clamping: integer(record, 8, 8))
      expand(UnsafeRawBufferPointer(start: record + 16, count: min(count, size - 16)))
    default: break
    }
  }

  // MARK: Packed records

  private func expand(_ bytes: UnsafeRawBufferPointer) {
    if expander == nil {
      expander = ZstdDecompressor()
      expanded = [UInt8](repeating: 0, count: 512 << 10)
    }
    guard let expander else { return fail("there is no memory to expand a record") }
    var rest = bytes
    while true {
      var step = Expansion(used: 0, made: 0, isComplete: true, problem: nil)
      expanded.withUnsafeMutableBytes { room in
        step = expander.expand(
          rest,
          into: UnsafeMutableRawBufferPointer(rebasing: room[expandedCount...])
        )
      }
      expandedCount += step.made
      rest = UnsafeRawBufferPointer(rebasing: rest[step.used...])
      if let problem = step.problem { return fail("a packed record is damaged (\(problem))") }
      takeExpanded()
      if hasEnded || step.made == 0 { return }
    }
  }

  /// Handles the complete records of what was expanded and keeps the rest.
  private func takeExpanded() {
    var place = 0
    expanded.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress else { return }
      while expandedCount - place >= 8 {
        let size = Int(integer(start, place + 6, 2))
        guard size >= 8 else { return fail("a packed record has \(size) bytes") }
        guard expandedCount - place >= size else { return }
        let type = integer(start, place, 4)
        // Records are packed once.
        if type != 81, type != 83, type != 66 { handle(start + place, type, size) }
        place += size
      }
    }
    guard place > 0 else { return }
    expanded.withUnsafeMutableBytes { bytes in
      bytes.baseAddress!.copyMemory(
        from: bytes.baseAddress! + place,
        byteCount: expandedCount - place
      )
    }
    expandedCount -= place
  }

  // MARK: Records

  private func attributes(_ record: UnsafeRawPointer, _ size: Int) -> PerfAttributes? {
    guard let first = layout.attributes.first else { return nil }
    if layout.attributes.count == 1 { return first }
    if first.sampleType & PerfAttributes.Part.identifier != 0, size >= 16 {
      if let index = layout.attributesOfID[integer(record, 8, 8)] {
        return layout.attributes[index]
      }
    }
    return first
  }

  private func sample(_ record: UnsafeRawPointer, _ size: Int) {
    guard let attributes = attributes(record, size) else {
      broken += 1
      return
    }
    let type = attributes.sampleType
    var place = 8
    func take() -> UInt64? {
      guard place + 8 <= size else { return nil }
      defer { place += 8 }
      return integer(record, place, 8)
    }
    var entry = Entry(
      time: 0,
      sequence: 0,
      kind: .sample,
      cpu: 0,
      number: 0,
      other: 0,
      offset: arena.count,
      length: 0,
      chain: arena.count,
      frames: 0
    )
    typealias Part = PerfAttributes.Part
    for part in [
      Part.identifier, Part.instructionPointer, Part.thread, Part.time, Part.address, Part.id,
      Part.stream, Part.cpu, Part.period,
    ] where type & part != 0 {
      guard let word = take() else {
        broken += 1
        return
      }
      if part == Part.time { entry.time = word }
      // The lower half of two words, which is the upper one there.
      if part == Part.cpu {
        entry.cpu = UInt32(truncatingIfNeeded: isBigEndian ? word >> 32 : word)
      }
    }
    if type & Part.read != 0, !skipRead(record, size, attributes.readFormat, &place) {
      broken += 1
      return
    }
    var chainStart = 0
    var chainCount = 0
    if type & Part.callchain != 0 {
      guard let count = take(), count <= UInt64((size - place) / 8) else {
        broken += 1
        return
      }
      chainStart = place
      chainCount = Int(count)
      place += chainCount * 8
    }
    guard type & Part.raw != 0, place + 4 <= size else { return }
    let length = Int(integer(record, place, 4))
    guard length <= size - place - 4 else {
      broken += 1
      return
    }
    arena.append(contentsOf: UnsafeRawBufferPointer(start: record + place + 4, count: length))
    entry.length = length
    entry.chain = arena.count
    addChain(record, chainStart, chainCount, &entry)
    add(entry)
  }

  /// The kernel's part of a call chain.
  private func addChain(
    _ record: UnsafeRawPointer,
    _ start: Int,
    _ count: Int,
    _ entry: inout Entry
  ) {
    for index in 0..<count {
      let address = integer(record, start + 8 * index, 8)
      if address >= 0xffff_ffff_ffff_f000 {
        // A marker: 128 below the top is the kernel, everything else is not.
        if address != 0xffff_ffff_ffff_ff80 { break }
        continue
      }
      guard entry.frames < Self.maximumFrames else { break }
      withUnsafeBytes(of: address) { arena.append(contentsOf: $0) }
      entry.frames += 1
    }
  }

  /// Steps over the counters of a sample.
  private func skipRead(
    _ record: UnsafeRawPointer,
    _ size: Int,
    _ format: UInt64,
    _ place: inout Int
  ) -> Bool {
    let times = (format & 1 != 0 ? 1 : 0) + (format & 2 != 0 ? 1 : 0)
    let extra = (format & 4 != 0 ? 1 : 0) + (format & 16 != 0 ? 1 : 0)
    var words = 1 + times + extra
    if format & 8 != 0 {
      guard place + 8 <= size else { return false }
      let count = integer(record, place, 8)
      guard count <= UInt64(size / 8) else { return false }
      words = 1 + times + Int(count) * (1 + extra)
    }
    place += words * 8
    return place <= size
  }

  /// Time and CPU of a record that is no sample.
  private func trailer(_ record: UnsafeRawPointer, _ size: Int) -> (time: UInt64, cpu: UInt32, Int)
  {
    guard let first = layout.attributes.first, first.hasTrailers else { return (0, 0, size) }
    let trailer = first.trailer
    guard size >= 8 + trailer.size else { return (0, 0, size) }
    let start = size - trailer.size
    let time = trailer.time.map { integer(record, start + $0, 8) } ?? 0
    let cpu = trailer.cpu.map { integer(record, start + $0, 4) } ?? 0
    return (time, UInt32(truncatingIfNeeded: cpu), start)
  }

  private func lost(_ record: UnsafeRawPointer, _ type: UInt64, _ size: Int) {
    let place = type == 2 ? 16 : 8
    guard size >= place + 8 else { return }
    let (time, cpu, _) = trailer(record, size)
    add(
      Entry(
        time: time == 0 ? latest : time,
        sequence: 0,
        kind: .lost,
        cpu: cpu,
        number: integer(record, place, 8),
        other: 0,
        offset: arena.count,
        length: 0,
        chain: arena.count,
        frames: 0
      )
    )
  }

  private func task(_ record: UnsafeRawPointer, _ size: Int) {
    guard size >= 17 else { return }
    let (time, cpu, end) = trailer(record, size)
    let start = arena.count
    var place = 16
    while place < end, place < 16 + 64 {
      let byte = record.load(fromByteOffset: place, as: UInt8.self)
      if byte == 0 { break }
      arena.append(byte)
      place += 1
    }
    add(
      Entry(
        time: time,
        sequence: 0,
        kind: .task,
        cpu: cpu,
        number: integer(record, 12, 4),
        other: 0,
        offset: start,
        length: arena.count - start,
        chain: arena.count,
        frames: 0
      )
    )
  }

  /// `pid, ppid, tid, ptid, time`
  private func fork(_ record: UnsafeRawPointer, _ size: Int) {
    guard size >= 32 else { return }
    add(
      Entry(
        time: integer(record, 24, 8),
        sequence: 0,
        kind: .fork,
        cpu: 0,
        number: integer(record, 16, 4),
        other: integer(record, 20, 4),
        offset: arena.count,
        length: 0,
        chain: arena.count,
        frames: 0
      )
    )
  }

  // MARK: What a pipe says of itself

  private func attribute(_ record: UnsafeRawPointer, _ size: Int) {
    let bytes = Array(UnsafeRawBufferPointer(start: record + 8, count: size - 8))
    let memory = RandomAccessBytes(bytes, name: source.name)
    var reader = MetadataReader(memory, at: 0, isBigEndian: isBigEndian)
    guard layout.attributes.count < 1 << 16, let attribute = try? PerfAttributes(&reader) else {
      return
    }
    layout.attributes.append(attribute)
    while reader.left >= 8, let id = try? reader.u64() {
      layout.note(id: id, of: layout.attributes.count - 1)
    }
  }

  private func feature(_ record: UnsafeRawPointer, _ size: Int) {
    guard size >= 20, integer(record, 8, 8) == 4 else { return }
    let length = min(Int(integer(record, 16, 4)), size - 20)
    layout.release = PerfLayout.text(
      Array(UnsafeRawBufferPointer(start: record + 20, count: max(0, length)))
    )
  }

  /// Bytes that follow their record.
  private func readTracingData(_ size: Int) throws(TraceError) {
    guard size <= Self.longestTracingData else {
      return fail("its tracing data claims \(size) bytes")
    }
    var bytes: [UInt8] = []
    let padded = (size + 7) & ~7
    while bytes.count < padded {
      guard try need(1) else { return fail("its tracing data is cut off") }
      let part = source.bytes.prefix(padded - bytes.count)
      bytes.append(contentsOf: part)
      consume(part.count)
    }
    let memory = RandomAccessBytes(bytes, name: source.name)
    var reader = MetadataReader(memory, at: 0, isBigEndian: isBigEndian)
    do throws(TraceError) {
      newTracingData = try TraceDatFile(tracingData: &reader)
    } catch {
      fail(error)
    }
  }

  /// Hands over what came through the pipe.
  func takeTracingData() -> TraceDatFile? {
    defer { newTracingData = nil }
    return newTracingData
  }
}
