// SPDX-License-Identifier: MIT
import DMADebugCore
import Glibc

/// What a line turned out to be.
enum LineResult {
  /// An event, delivered.
  case event
  /// A well-formed event of another kind.
  case foreign
  /// A header, a blank line, a frame of a stack, a loss: understood, no event of its own.
  case decoration
  /// Not understood; ``TextDecoder/problem`` says why.
  case malformed
}

/// Lines of text to events. Everything between the bytes and the batch, apart from input itself.
struct TextDecoder {
  static let batchEvents = 1024
  static let batchWords = 1 << 18
  static let batchText = 1 << 20

  var names = TraceNames()
  var summary = TraceSummary()

  /// Why the last line was ``LineResult/malformed``.
  var problem: StaticString = ""
  /// The line at hand looks like the record of an event, not like prose between such.
  var isRecord = false
  /// A line was met that only a trace has.
  var recognised = false
  /// Lines like those of dma-debug were met, which are a kernel log or a dump.
  var hints = UnreadableInput.Hints()
  var stacks = StackCollector()
  /// What the line says of interrupts: `h`, `s` and the like within one, `.` in a thread, 0 nothing.
  var interruptMark: UInt8 = 0

  /// The line has no line end: it may have been cut off anywhere.
  var isLastLine = false
  /// A header said that events were overwritten.
  var overwritten = false
  /// The probe on the mapping-error hook names its callers.
  var hookHasCaller = false

  var eventCache = NameCache()
  var deviceCache = NameCache()
  var symbolCache = NameCache()
  var commCache = NameCache()
  var driverCache = NameCache()
  var exporterCache = NameCache()
  var timelineCache = NameCache()
  var channelCache = NameCache()
  var taskCache = TaskCache()

  /// Bit n: an event with kind number n was delivered; the last bit is that of all higher numbers.
  private var kinds: UInt64 = 0
  private(set) var delivered: UInt64 = 0
  private var deliveredDMA: UInt64 = 0

  /// What reading on from here needs: without the names, which the reader has, and the caches in front
  /// of them, which would make a mark a hundred times as large as what it says.
  var atRest: TextDecoder {
    var state = self
    state.names = TraceNames.none
    state.stacks = stacks.atRest
    for cache in Self.caches { state[keyPath: cache] = NameCache.empty }
    state.taskCache = TaskCache.empty
    return state
  }

  private static var caches: [WritableKeyPath<TextDecoder, NameCache>] {
    [
      \.eventCache, \.deviceCache, \.symbolCache, \.commCache, \.driverCache, \.exporterCache,
      \.timelineCache, \.channelCache,
    ]
  }

  /// Bytes that a mark with this takes.
  var storageBytes: Int {
    MemoryLayout<TextDecoder>.stride + stacks.storageBytes + summary.malformed.storageBytes
  }

  // MARK: Lines

  /// Decodes complete lines until the batch is full.
  ///
  /// - Parameter searched: how many of the bytes are known to hold no line end.
  /// - Returns: how many bytes have been used up.
  mutating func decodeLines(
    _ bytes: UnsafeBufferPointer<UInt8>,
    searched: Int,
    into batch: inout EventBatch
  ) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    let end = base + bytes.count
    var line = base
    var search = base + min(searched, bytes.count)
    while search < end, !Self.isFull(batch),
      let newline = memchr(search, 0x0a, end - search)
    {
      let stop = UnsafePointer(newline.assumingMemoryBound(to: UInt8.self))
      decodeLine(line, stop, into: &batch)
      line = stop + 1
      search = line
    }
    return line - base
  }

  @inline(__always)
  static func isFull(_ batch: borrowing EventBatch) -> Bool {
    batch.events.count >= batchEvents || batch.payload.count >= batchWords
      || batch.text.count >= batchText
  }

  /// Decodes one line, given without its line feed.
  @inline(__always)
  mutating func decodeLine(
    _ start: UnsafePointer<UInt8>,
    _ stop: UnsafePointer<UInt8>,
    into batch: inout EventBatch
  ) {
    var end = stop
    if end > start, end[-1] == 0x0d { end -= 1 }
    summary.lines &+= 1
    var result = LineResult.malformed
    isRecord = true
    if fastLine(start, end, &batch, &result) {
      recognised = true
    } else {
      result = slowLine(start, end, &batch)
    }
    switch result {
    case .event, .decoration: break
    case .foreign: summary.foreignEvents &+= 1
    case .malformed: malformed(start, end)
    }
  }

  /// A line with the fixed columns of the kernel's own text:
  /// `%16s-%-7d [%03d] fffff %5lu.%06lu: event: payload`.
  @inline(__always)
  private mutating func fastLine(
    _ start: UnsafePointer<UInt8>,
    _ end: UnsafePointer<UInt8>,
    _ batch: inout EventBatch,
    _ result: inout LineResult
  ) -> Bool {
    guard end - start > 52, !stacks.isCollecting, start[24] == 0x20,
      start[25] == UInt8(ascii: "["), start[29] == UInt8(ascii: "]"), start[30] == 0x20,
      start[36] == 0x20
    else { return false }
    let hundreds = UInt32(start[26]) &- 0x30
    let tens = UInt32(start[27]) &- 0x30
    let ones = UInt32(start[28]) &- 0x30
    guard hundreds < 10, tens < 10, ones < 10, start[31] != 0x20, start[35] != 0x20,
      let task = taskCache.find(start, in: &names.tasks)
    else { return false }
    var cursor = Cursor(start + 37, end)
    cursor.skipSpaces()
    guard let seconds = cursor.decimal(), seconds < 1 << 32, cursor.skip(UInt8(ascii: ".")),
      let part = cursor.fraction(), cursor.skip(Literal.colon)
    else { return false }
    interruptMark = start[33]
    var event = DMAEvent(.other)
    event.cpu = hundreds &* 100 &+ tens &* 10 &+ ones
    event.pid = task.pid
    event.task = task.name
    event.time = seconds &* 1_000_000_000 &+ part
    event.line = summary.lines
    result = decodeEvent(&cursor, &event, &batch)
    return true
  }

  /// Remembers a line that was not understood.
  @inline(never)
  private mutating func malformed(
    _ start: UnsafePointer<UInt8>,
    _ end: UnsafePointer<UInt8>
  ) {
    if isLastLine {
      summary.cutOff = true
      return
    }
    if isRecord { summary.brokenRecords &+= 1 }
    countMalformed(start, end)
  }

  /// Counts a line as malformed, for the reason in ``problem``.
  mutating func countMalformed(
    _ start: UnsafePointer<UInt8>,
    _ end: UnsafePointer<UInt8>
  ) {
    summary.malformedLines &+= 1
    guard summary.malformed.count < 10 else { return }
    let line = UnsafeBufferPointer(start: start, count: min(end - start, 480))
    summary.malformed.append(
      TraceSummary.Malformed(
        line: summary.lines,
        reason: problem.description,
        excerpt: String(escaping: line.prefix(120))
      )
    )
  }

  // MARK: Events

  /// Counts a line that is too long to be decoded. An event in it, such as a list of very many
  /// entries, is missing.
  mutating func lineTooLong(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) {
    summary.lines &+= 1
    problem = "longer than 1 MiB"
    countMalformed(start, end)
    let prefix = LinePrefix(start, end)
    let name = prefix?.event ?? start
    var cursor = Cursor(name, min(end, name + NameCache.longest + 2))
    while cursor.find(UInt8(ascii: ":")) {
      if cursor.count > 1, cursor.at[1] == 0x20 {
        let code = EventCode(name: UnsafeBufferPointer(start: name, count: cursor.at - name))
        guard code.kind != nil || prefix != nil && code != .foreign && code != .understood else {
          return
        }
        recognised = true
        summary.undecoded &+= 1
        return
      }
      cursor.at += 1
    }
  }

  /// Decodes what follows the time: the name of an event and its payload.
  @inline(__always)
  mutating func decodeEvent(
    _ cursor: inout Cursor,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> LineResult {
    let start = cursor.at
    let whole = cursor
    guard cursor.find(UInt8(ascii: ":")) else { return oddEvent(whole, event, &batch) }
    if cursor.count > 1, cursor.at[1] != 0x20 {
      // system:event:
      cursor.at += 1
      guard cursor.find(UInt8(ascii: ":")) else { return oddEvent(whole, event, &batch) }
      if cursor.count > 1, cursor.at[1] != 0x20 { return oddEvent(whole, event, &batch) }
    }
    let length = cursor.at - start
    let code: EventCode
    if let cached = eventCache.find(start, length) {
      code = EventCode(cached: cached)
    } else {
      let name = UnsafeBufferPointer(start: start, count: length)
      if length == 0 || start.pointee == UInt8(ascii: "<") || name.contains(0x20) {
        return oddEvent(whole, event, &batch)
      }
      code = EventCode(name: name)
      eventCache.insert(start, length, code.rawValue)
    }
    cursor.at += 1
    guard let kind = code.kind else { return otherEvent(code, cursor, &event, &batch) }
    cursor.skipSpaces()
    event.kind = kind
    if payload(cursor, &event, &batch) {
      deliver(event, &batch)
      return .event
    }
    stacks.forget(cpu: event.cpu)
    return .malformed
  }

  /// Puts an event into the batch.
  @inline(__always)
  mutating func deliver(_ event: DMAEvent, _ batch: inout EventBatch) {
    batch.events.append(event)
    delivered &+= 1
    kinds |= 1 &<< UInt64(min(event.kind.rawValue, 63))
    if event.kind.isCall { deliveredDMA &+= 1 }
    stacks.note(event, delivered: delivered)
  }

  /// The tracer lost events here.
  mutating func lost(_ count: UInt64, cpu: UInt32, time: UInt64, _ batch: inout EventBatch) {
    var event = DMAEvent(.lost)
    event.size = count
    event.cpu = cpu
    event.time = time
    event.line = summary.lines
    batch.events.append(event)
    delivered &+= 1
  }

  // MARK: Batches

  /// Empties the batch and puts back the events that the last one did not deliver.
  mutating func begin(_ batch: inout EventBatch) {
    batch.removeAll()
    stacks.restore(&batch)
  }

  /// Closes a batch: brings the summary up to date and keeps events back that may get a stack.
  mutating func finish(_ batch: inout EventBatch, holding: Bool) {
    if holding { stacks.hold(&batch, delivered: delivered) }
    if recognised { summary.name(dialect: "ftrace text") }
    if stacks.seen { summary.sawStacks = true }
    let held = UInt64(stacks.held.events.count)
    summary.events = delivered - held
    var heldDMA: UInt64 = 0
    for event in stacks.held.events
    where event.kind.isCall { heldDMA += 1 }
    summary.dmaEvents = deliveredDMA - heldDMA
    if has(.mapPhys) || has(.unmapPhys) { summary.sawPhysEvents = true }
    if has(.mapPage) || has(.mapResource) || has(.unmapPage) || has(.unmapResource) {
      summary.sawPageEvents = true
    }
    if has(.mappingError) { summary.sawMapErrorHook = true }
  }

  private func has(_ kind: DMAEvent.Kind) -> Bool {
    kind.rawValue < 63 && kinds & (1 &<< UInt64(kind.rawValue)) != 0
  }
}
