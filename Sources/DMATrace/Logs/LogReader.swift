// SPDX-License-Identifier: MIT
import DMADebugCore

/// Reads what is said about DMA in a kernel log: messages of dma-debug with the stacks around them,
/// faults of IOMMUs, full bounce buffers.
///
/// The reader streams: it holds one piece of the log, and a bounded number of messages whose blocks
/// (`cut here` … `end trace`, `Mapped at:`) have not ended. Lines of several CPUs are told apart
/// where the log says who printed them (CONFIG_PRINTK_CALLER); where it does not and blocks run into
/// each other, their stacks are left out.
public struct LogReader {
  /// Blocks of how many callers may be open.
  private static let maximumBlocks = 32
  /// How many lines of others may stand between the end of a block and its `Mapped at:`.
  private static let patience = 16
  /// How long a block may be.
  private static let maximumBlockLines = 400
  private static let maximumFrames = 64
  /// Milliseconds without a line after which nothing more is expected to belong to the last ones.
  private static let quiet: Int32 = 500

  /// A message whose surroundings are being read.
  private struct Block {
    enum Mode { case none, stack, mapped }

    var caller: UInt64
    var record: LogRecord?
    /// Between `cut here` and `end trace`.
    var isOpen = false
    var mode = Mode.none
    var task: String?
    var pid: Int32 = -1
    var cpu: UInt32?
    var stack: [String] = []
    var mappedAt: [String] = []
    var mappedLine: UInt64 = 0
    var isMixed = false
    /// Lines since the last one that belonged to it.
    var idle = 0
    var lines = 0
  }

  private var lines: LineReader
  private var blocks: [Block] = []
  private var ready: [LogRecord] = []
  private var nextReady = 0
  /// A fault whose reason may be on the next line, and how many lines it has waited.
  private var fault: (record: LogRecord, lines: Int)?
  /// `AMD-Vi: Event logged [` without the rest.
  private var splitEvent: [UInt8]?
  private var shiftsTypes = false
  private var hasEnded = false
  /// The beginning of what a JSON line holds, with room behind it for loads of words.
  private var message: [UInt8] = []

  /// What the reader has learned about the log so far: `events` are the records, `lostEvents` the
  /// messages that the kernel says it dropped.
  public private(set) var summary = TraceSummary()

  /// Opens a file, a FIFO, or standard input for `-`.
  ///
  /// - Throws: ``TraceError`` when it cannot be opened.
  public init(path: String) throws(TraceError) {
    self.init(try ByteSource(path: path))
  }

  /// Reads a log that is in memory.
  ///
  /// - Parameter name: what error messages call it.
  public init(bytes: [UInt8], name: String) {
    self.init(ByteSource(bytes: bytes, name: name))
  }

  init(_ source: ByteSource) {
    lines = LineReader(source)
    summary.dialect = "kernel log"
  }

  /// The first and the last stamp of the lines so far, in nanoseconds since boot; `nil` without any.
  public private(set) var timeRange: ClosedRange<UInt64>?

  /// What error messages call the input.
  public var name: String { lines.source.name }

  /// How many bytes were read, and how many there are when that is known.
  public var progress: (read: UInt64, total: UInt64?) { (lines.used, lines.source.totalSize) }

  /// Whether the next record may have to be waited for.
  public var mayWait: Bool { nextReady >= ready.count && !hasEnded && lines.mayWait }

  /// The next record, in the order in which their blocks end.
  ///
  /// - Returns: `nil` at the end of the log.
  /// - Throws: ``TraceError`` when the input cannot be read.
  public mutating func next() throws(TraceError) -> LogRecord? {
    while true {
      if nextReady < ready.count {
        nextReady += 1
        return ready[nextReady - 1]
      }
      if hasEnded { return nil }
      ready.removeAll(keepingCapacity: true)
      nextReady = 0
      if emitComplete() { continue }
      do throws(TraceError) {
        guard let line = try lines.next() else {
          finish()
          continue
        }
        summary.lines = lines.number
        take(line)
      } catch {
        // What was read before the error counts.
        guard lines.number > 0, !lines.source.isRefused else { throw error }
        summary.damage = error.problem
        finish()
      }
    }
  }

  /// Gives out what only a line that belongs to it could hold back, when the log is quiet: the kernel
  /// prints what belongs together at once.
  ///
  /// - Returns: whether there was something.
  private mutating func emitComplete() -> Bool {
    guard fault != nil || blocks.contains(where: { !$0.isOpen && $0.record != nil }),
      lines.mayWait, !lines.source.hasMore(within: Self.quiet)
    else { return false }
    emitFault()
    while let index = blocks.firstIndex(where: { !$0.isOpen }) { flush(index) }
    return !ready.isEmpty
  }

  private mutating func finish() {
    hasEnded = true
    emitFault()
    while !blocks.isEmpty { flush(0) }
  }

  // MARK: Lines

  private mutating func take(_ line: Cursor) {
    if line.byte == UInt8(ascii: "{") {
      if let entry = JournalEntry(line) {
        summary.dialect = "kernel log (journal, JSON)"
        guard entry.isKernel else { return }
        takeJournal(entry)
        return
      }
    }
    var rest = line
    // A carriage return inside of a line begins it anew on a terminal; nothing is lost by reading
    // both parts.
    while true {
      var end = rest
      let hasReturn = end.find(0x0d)
      take(piece: Cursor(rest.at, hasReturn ? end.at : rest.end))
      guard hasReturn else { return }
      rest.at = end.at + 1
    }
  }

  private mutating func take(piece: Cursor) {
    var prefix = LogPrefix.parse(piece)
    // Another CPU may have printed into the line.
    while let second = LogPrefix.secondStamp(prefix.text) {
      let first = Cursor(prefix.text.at, second)
      take(text: first, prefix)
      prefix = LogPrefix.parse(Cursor(second, piece.end))
    }
    take(text: prefix.text, prefix)
  }

  private mutating func takeJournal(_ entry: JournalEntry) {
    for part in entry.message.split(separator: 0x0a, omittingEmptySubsequences: true) {
      message.removeAll(keepingCapacity: true)
      message.append(contentsOf: part)
      while message.last == 0x0d { message.removeLast() }
      let count = message.count
      message.append(contentsOf: repeatElement(0, count: ByteSource.padding))
      let held = message
      held.withUnsafeBufferPointer { bytes in
        guard let start = bytes.baseAddress else { return }
        let text = Cursor(start, start + count)
        var prefix = LogPrefix.parse(text)
        prefix.time = prefix.time ?? entry.time
        prefix.wallTime = entry.wallTime
        take(text: prefix.text, prefix)
      }
    }
  }

  private static func bytes(_ cursor: Cursor) -> ArraySlice<UInt8> {
    let count = min(cursor.count, LogMessage.maximumLength * 2)
    return Array(UnsafeBufferPointer(start: cursor.at, count: max(count, 0)))[...]
  }

  private static func has(_ text: Cursor, _ needle: StaticString) -> Bool {
    var cursor = text
    while cursor.find(needle.utf8Start.pointee) {
      if cursor.isAt(needle) { return true }
      cursor.at += 1
    }
    return false
  }

  /// A message of the kernel, or a line of one.
  private mutating func take(text: Cursor, _ prefix: LogPrefix) {
    age()
    if let time = prefix.time, !(timeRange?.contains(time) ?? false) {
      timeRange =
        min(timeRange?.lowerBound ?? time, time)...max(timeRange?.upperBound ?? time, time)
    }
    var words = text
    while words.byte == 0x20 || words.byte == 0x09 { words.at += 1 }
    if !blocks.isEmpty, takeFrame(words, prefix.caller) { return }
    // Nearly all lines of a log end here.
    guard Self.isOfInterest(words) else { return }
    let number = lines.number

    if Self.has(words, "DMA-API: ") {
      let bytes = Self.bytes(words)
      if bytes.first(LogMessage.tag + LogMessage.mappedAt) != nil {
        beginMapped(prefix.caller)
        return
      }
      guard let record = LogMessage.dmaDebug(bytes, line: number, shifts: &shiftsTypes) else {
        return
      }
      add(record, prefix)
      // Some daemons keep a line end inside of a message as `#012`.
      if let place = bytes.first(Array("#012One of leaked".utf8)) {
        addDetail(bytes[(place + 4)...], prefix.caller)
      }
      return
    }
    if words.isAt("One of leaked entries details: ") {
      addDetail(Self.bytes(words), prefix.caller)
      return
    }
    if words.isAt("Mapped at:") {
      beginMapped(prefix.caller)
      return
    }
    if words.isAt("------------[ cut here ]") || Self.has(words, "[ cut here ]---") {
      beginBlock(prefix.caller)
      return
    }
    if words.isAt("---[ end trace") {
      if let index = block(prefix.caller) {
        blocks[index].isOpen = false
        blocks[index].mode = .none
        if blocks[index].record == nil { blocks.remove(at: index) }
      }
      return
    }
    if words.isAt("Call Trace:") || words.isAt("Call trace:") || words.isAt("Backtrace:") {
      if let index = block(prefix.caller), blocks[index].isOpen { blocks[index].mode = .stack }
      return
    }
    if words.isAt("WARNING: ") {
      warning(Self.bytes(words), prefix.caller)
      return
    }
    if words.isAt("CPU: ") {
      context(Self.bytes(words), prefix.caller)
      return
    }
    if words.isAt("Linux version ") {
      let bytes = Self.bytes(words).dropFirst("Linux version ".utf8.count)
      summary.kernelRelease = LogMessage.string(bytes.prefix { $0 > 0x20 }.prefix(100))
      return
    }
    takeOther(Self.bytes(words), prefix, number)
  }

  /// Faults, bounce buffers, and what was dropped.
  private mutating func takeOther(_ bytes: ArraySlice<UInt8>, _ prefix: LogPrefix, _ line: UInt64) {
    if let record = LogMessage.swiotlb(bytes, line: line) {
      put(record, prefix)
      return
    }
    if let split = splitEvent, bytes.starts(with: "IO_PAGE_FAULT ") {
      splitEvent = nil
      if let record = LogMessage.fault(split[...] + bytes, line: line) { put(record, prefix) }
      return
    }
    splitEvent = nil
    if let record = LogMessage.fault(bytes, line: line) {
      emitFault()
      var record = record
      record.time = prefix.time
      record.wallTime = prefix.wallTime
      if bytes.first(Array("fault reason".utf8)) == nil, bytes.first(Array("DMAR".utf8)) != nil {
        fault = (record, 0)
      } else {
        emit(record)
      }
      return
    }
    if let (waiting, _) = fault, bytes.first(Array("DMAR".utf8)) != nil,
      let reason = LogMessage.reason(bytes)
    {
      var record = waiting
      record.message += ", " + reason
      fault = nil
      emit(record)
      return
    }
    if bytes.first(Array("AMD-Vi: Event logged [".utf8)) != nil,
      bytes.last == 0x5b || bytes.last == 0x20
    {
      splitEvent = Array(bytes)
      return
    }
    if let dropped = Self.dropped(bytes) { summary.lostEvents &+= dropped }
  }

  /// `dmar_fault: 893 callbacks suppressed`, `** 12 printk messages dropped **`
  private static func dropped(_ bytes: ArraySlice<UInt8>) -> UInt64? {
    if bytes.starts(with: "** "), bytes.first(Array(" printk messages dropped".utf8)) != nil {
      return LogMessage.decimal(bytes.dropFirst(3))
    }
    for name in [
      "dmar_fault: ", "amd_iommu_report_page_fault: ", "amd_iommu_report_rmp_fault: ",
      "arm_smmu_context_fault: ", "swiotlb_tbl_map_single: ", "swiotlb_full: ",
    ] where bytes.starts(with: Array(name.utf8)) {
      return LogMessage.decimal(bytes.dropFirst(name.utf8.count))
    }
    return nil
  }

  /// Whether a line outside of stacks may matter.
  private static func isOfInterest(_ words: Cursor) -> Bool {
    switch words.byte {
    case UInt8(ascii: "-"): if words.isAt("---") { return true }
    case UInt8(ascii: "C"), UInt8(ascii: "W"), UInt8(ascii: "M"), UInt8(ascii: "O"),
      UInt8(ascii: "L"), UInt8(ascii: "B"):
      if words.isAt("CPU: ") || words.isAt("Call ") || words.isAt("WARNING: ")
        || words.isAt("Mapped at:") || words.isAt("One of leaked") || words.isAt("Linux version ")
        || words.isAt("Backtrace:")
      {
        return true
      }
    case UInt8(ascii: "*"): if words.isAt("** ") { return true }
    default: break
    }
    return has(words, "DMA") || has(words, "AMD-Vi") || has(words, "IO_PAGE_FAULT")
      || has(words, "swiotlb") || has(words, "arm-smmu") || has(words, "SW-IOMMU")
      || has(words, "[ cut here ]") || has(words, " callbacks suppressed")
  }

  // MARK: Blocks

  private func block(_ caller: UInt64) -> Int? {
    blocks.lastIndex { $0.caller == caller }
  }

  private mutating func age() {
    if let waiting = fault {
      if waiting.lines >= 4 { emitFault() } else { fault?.lines += 1 }
    }
    guard !blocks.isEmpty else { return }
    var index = 0
    while index < blocks.count {
      blocks[index].idle += 1
      blocks[index].lines += 1
      let limit = blocks[index].isOpen ? Self.maximumBlockLines : Self.patience
      if blocks[index].idle > limit || blocks[index].lines > 4 * Self.maximumBlockLines {
        flush(index)
      } else {
        index += 1
      }
    }
  }

  private mutating func beginBlock(_ caller: UInt64) {
    var block = Block(caller: caller, isOpen: true)
    if let index = self.block(caller) {
      // Without callers a block that begins in another one mixes their lines.
      if blocks[index].isOpen, blocks[index].mode != .mapped {
        blocks[index].isMixed = true
        block.isMixed = true
      }
      flush(index)
    }
    append(block)
  }

  private mutating func append(_ block: Block) {
    if blocks.count >= Self.maximumBlocks { flush(0) }
    blocks.append(block)
  }

  private mutating func flush(_ index: Int) {
    let block = blocks.remove(at: index)
    guard var record = block.record else { return }
    record.task = block.task
    record.pid = block.pid
    record.cpu = block.cpu
    record.isMixed = block.isMixed
    if !block.isMixed {
      record.stack = block.stack
      record.mappedAt = block.mappedAt
      record.mappedLine = block.mappedAt.isEmpty ? 0 : block.mappedLine
    }
    emit(record)
  }

  private mutating func emit(_ record: LogRecord) {
    summary.events += 1
    ready.append(record)
  }

  private mutating func put(_ record: LogRecord, _ prefix: LogPrefix) {
    var record = record
    record.time = prefix.time
    record.wallTime = prefix.wallTime
    emit(record)
  }

  private mutating func emitFault() {
    if let (record, _) = fault {
      fault = nil
      emit(record)
    }
  }

  /// A message: into the block that waits for one, else on its own.
  private mutating func add(_ record: LogRecord, _ prefix: LogPrefix) {
    var record = record
    record.time = prefix.time
    record.wallTime = prefix.wallTime
    var isMixed = false
    if let index = block(prefix.caller) {
      if blocks[index].isOpen, blocks[index].record == nil {
        blocks[index].record = record
        blocks[index].idle = 0
        return
      }
      // A block has one message: the second one is of another CPU.
      if blocks[index].isOpen, record.device != nil { blocks[index].isMixed = true }
      isMixed = blocks[index].isMixed && blocks[index].isOpen
      flush(index)
    }
    if record.kind == .note {
      emit(record)
      return
    }
    append(Block(caller: prefix.caller, record: record, isMixed: isMixed))
  }

  private mutating func addDetail(_ text: ArraySlice<UInt8>, _ caller: UInt64) {
    guard let index = block(caller), var record = blocks[index].record,
      record.kind == .report(.pendingAtUnbind), !record.message.utf8.contains(0x0a)
    else { return }
    LogMessage.addDetail(text, to: &record, shifts: shiftsTypes)
    blocks[index].record = record
    blocks[index].idle = 0
  }

  private mutating func beginMapped(_ caller: UInt64) {
    guard let index = block(caller), blocks[index].record != nil else { return }
    blocks[index].mode = .mapped
    blocks[index].isOpen = false
    blocks[index].mappedLine = lines.number
    blocks[index].idle = 0
  }

  /// `WARNING: CPU: 1 PID: 1 at FILE:LINE FUNCTION`, from 6.18 on
  /// `WARNING: FILE:LINE at FUNCTION, CPU#0: init/1`.
  private mutating func warning(_ bytes: ArraySlice<UInt8>, _ caller: UInt64) {
    if block(caller).map({ !blocks[$0].isOpen }) ?? true {
      // A log whose first lines were cut off, or a console that drops them.
      beginBlock(caller)
    }
    guard let index = block(caller) else { return }
    if let place = bytes.first(Array(", CPU#".utf8)) {
      let rest = bytes[(place + 6)...]
      blocks[index].cpu = LogMessage.decimal(rest).flatMap { UInt32(exactly: $0) }
      if let colon = rest.first(Array(": ".utf8)), let slash = rest.lastIndex(of: 0x2f),
        slash > colon + 1
      {
        blocks[index].task = LogMessage.string(rest[(colon + 2)..<slash].prefix(64))
        blocks[index].pid =
          LogMessage.decimal(rest[(slash + 1)...]).flatMap { Int32(exactly: $0) } ?? -1
      }
      return
    }
    takeNumbers(bytes, index)
  }

  private mutating func takeNumbers(_ bytes: ArraySlice<UInt8>, _ index: Int) {
    if let place = bytes.first(Array("CPU: ".utf8)) {
      blocks[index].cpu = LogMessage.decimal(bytes[(place + 5)...]).flatMap { UInt32(exactly: $0) }
    }
    if let place = bytes.first(Array("PID: ".utf8)) {
      blocks[index].pid =
        LogMessage.decimal(bytes[(place + 5)...]).flatMap { Int32(exactly: $0) } ?? -1
    }
  }

  /// `CPU: 1 UID: 0 PID: 1 Comm: init Tainted: G        W  O       6.12.117 #1 …`
  private mutating func context(_ bytes: ArraySlice<UInt8>, _ caller: UInt64) {
    guard let comm = bytes.first(Array(" Comm: ".utf8)) else { return }
    let rest = bytes[(comm + 7)...]
    let end = rest.first(Array(" Tainted: ".utf8)) ?? rest.first(Array(" Not tainted ".utf8))
    // The release is the word before ` #1`.
    if let end, let number = rest[end...].first(Array(" #".utf8)) {
      let words = rest[end..<number]
      let start = words.lastIndex(of: 0x20).map { $0 + 1 } ?? words.startIndex
      let release = LogMessage.string(rest[start..<number].prefix(100))
      if release.first?.isNumber == true { summary.kernelRelease = release }
    }
    guard let index = block(caller), blocks[index].isOpen else { return }
    takeNumbers(bytes, index)
    blocks[index].task = LogMessage.string(rest[..<(end ?? rest.endIndex)].prefix(64))
  }

  // MARK: Stacks

  /// Takes a line for a frame of the stack that is being read.
  ///
  /// - Returns: Whether it was one, or belonged to the stack otherwise.
  private mutating func takeFrame(_ words: Cursor, _ caller: UInt64) -> Bool {
    guard let index = block(caller), blocks[index].mode != .none else { return false }
    guard Self.has(words, "+0x") || words.byte == UInt8(ascii: "<") || words.isAt("? ") else {
      // Registers between the frames of some architectures.
      if blocks[index].mode == .stack { return false }
      // The end of `Mapped at:`.
      if !words.isAtEnd { flush(index) }
      return false
    }
    if Self.has(words, "RIP: ") || Self.has(words, "DMA-API: ") { return false }
    if blocks[index].mode == .mapped {
      if words.isAt("? ") || words.byte == UInt8(ascii: "<") { return true }
      guard let frame = Self.frame(Self.bytes(words)) else {
        flush(index)
        return false
      }
      blocks[index].mappedAt.append(frame)
      if blocks[index].mappedAt.count >= 5 { flush(index) } else { blocks[index].idle = 0 }
      return true
    }
    if words.isAt("? ") || words.byte == UInt8(ascii: "<") { return true }
    guard let frame = Self.frame(Self.bytes(words)) else { return false }
    if blocks[index].stack.count < Self.maximumFrames { blocks[index].stack.append(frame) }
    blocks[index].idle = 0
    return true
  }

  /// `symbol+0x1/0x2 [module]` out of a line of a stack; `nil` for a doubtful frame, or none.
  static func frame(_ text: ArraySlice<UInt8>) -> String? {
    var text = text
    // `[<80867a20>] (dump_backtrace) from [<80867c74>] (show_stack+0x20/0x24)`: the caller counts.
    if let place = text.first(Array(" from ".utf8)) { text = text[(place + 6)...] }
    func skipSpaces() { while text.first == 0x20 { text = text.dropFirst() } }
    skipSpaces()
    if text.starts(with: "[<"), let end = text.firstIndex(of: 0x5d) {
      text = text[(end + 1)...]
      skipSpaces()
    }
    if text.starts(with: "? ") { return nil }
    if text.first == UInt8(ascii: "(") { text = text.dropFirst() }
    let symbol = text.prefix { $0 > 0x20 && $0 != UInt8(ascii: ")") && $0 < 0x7f }
    guard let plus = symbol.first(Array("+0x".utf8)), plus > symbol.startIndex, symbol.count < 512
    else {
      return nil
    }
    var frame = String(decoding: symbol, as: UTF8.self)
    // The module, without the build id that may follow its name.
    let rest = text[symbol.endIndex...].drop { $0 == 0x20 || $0 == UInt8(ascii: ")") }
    if rest.first == 0x5b {
      let module = rest.dropFirst().prefix { $0 > 0x20 && $0 != 0x5d && $0 < 0x7f }
      if !module.isEmpty, module.count < 128 {
        frame += " [" + String(decoding: module, as: UTF8.self) + "]"
      }
    }
    return frame
  }
}
