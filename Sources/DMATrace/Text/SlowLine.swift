// SPDX-License-Identifier: MIT
import DMADebugCore

/// Lines that are not laid out in the kernel's fixed columns.
extension TextDecoder {
  /// Any line: other dialects, headers, stacks, losses.
  @inline(never)
  mutating func slowLine(
    _ start: UnsafePointer<UInt8>,
    _ end: UnsafePointer<UInt8>,
    _ batch: inout EventBatch
  ) -> LineResult {
    var cursor = Cursor(start, end)
    while cursor.byte == 0x20 || cursor.byte == 0x09 { cursor.at += 1 }
    if stacks.isCollecting {
      if frame(cursor, indented: cursor.at > start) { return .decoration }
      endStack(&batch)
    }
    if cursor.isAtEnd { return .decoration }
    // The rest of a stack whose beginning came long before it.
    if stacks.seen, cursor.isAt("=> ") { return .decoration }
    if start.pointee == UInt8(ascii: "#") { return header(cursor, &batch) }
    if start.pointee == 0x09, perfFrame(cursor) != nil {
      stacks.beginAfterLine()
      _ = frame(cursor, indented: true)
      return .decoration
    }
    interruptMark = 0
    if let prefix = LinePrefix(start, end) {
      recognised = true
      interruptMark = prefix.interruptMark
      return event(after: prefix, end, &batch)
    }
    return bareLine(start, cursor, &batch)
  }

  private mutating func event(
    after prefix: LinePrefix,
    _ end: UnsafePointer<UInt8>,
    _ batch: inout EventBatch
  ) -> LineResult {
    var event = DMAEvent(.other)
    guard prefix.cpu < DMAEvent.cpuLimit else {
      problem = "no machine has so many CPUs"
      return .malformed
    }
    event.cpu = prefix.cpu
    event.pid = prefix.pid
    if let comm = prefix.comm.baseAddress, !prefix.comm.isEmpty {
      event.task = commCache.number(comm, prefix.comm.count, in: &names.tasks)
    }
    event.time = prefix.time
    if prefix.isTicks { summary.clock = .ticks }
    if summary.dialect == "unknown" {
      summary.dialect = prefix.isQualified(end) ? "perf script" : "ftrace text"
    }
    event.line = summary.lines
    var cursor = Cursor(prefix.event, end)
    return decodeEvent(&cursor, &event, &batch)
  }

  /// A line without a task: a loss, a heading, an event of option nocontext-info.
  private mutating func bareLine(
    _ start: UnsafePointer<UInt8>,
    _ trimmed: Cursor,
    _ batch: inout EventBatch
  ) -> LineResult {
    var cursor = trimmed
    if cursor.skip("cpus=") || cursor.skip("version = ") {
      if cursor.decimal() != nil, cursor.isAtEnd {
        recognised = true
        summary.name(dialect: "trace-cmd report")
        return .decoration
      }
    }
    cursor = trimmed
    if cursor.skip("CPU "), cursor.decimal() != nil, cursor.isAt(" is empty") {
      recognised = true
      return .decoration
    }
    cursor = trimmed
    if let result = loss(cursor, &batch) {
      recognised = true
      return result
    }
    if cursor.skip("Linux version ") {
      release(&cursor)
      return .decoration
    }
    if isGraph(cursor) {
      recognised = true
      return .foreign
    }
    if cursor.at == start, let result = bareEvent(cursor, &batch) {
      recognised = true
      return result
    }
    isRecord = isRaw(cursor)
    problem = isRecord ? "option raw: such lines carry no data" : "not an event"
    if !recognised { hints.look(cursor) }
    return .malformed
  }

  /// `dma_map_page: 0000:00:03.0 …` at the beginning of the line.
  private mutating func bareEvent(
    _ start: Cursor,
    _ batch: inout EventBatch
  ) -> LineResult? {
    var cursor = start
    var event = DMAEvent(.other)
    event.line = summary.lines
    if cursor.isAt("<stack trace>") || cursor.isAt("<user stack trace>") {
      return oddEvent(cursor, event, &batch)
    }
    guard cursor.find(UInt8(ascii: ":")) else { return nil }
    if cursor.count > 1, cursor.at[1] != 0x20 {
      cursor.at += 1
      guard cursor.find(UInt8(ascii: ":")), cursor.count < 2 || cursor.at[1] == 0x20 else {
        return nil
      }
    }
    let name = cursor.text(from: start.at)
    guard !name.isEmpty, name.count <= NameCache.longest, !name.contains(0x20) else { return nil }
    switch EventCode(name: name) {
    case .foreign:
      cursor.at += 1
      cursor.skipSpaces()
      guard cursor.byte == UInt8(ascii: "("), Self.probedFunction(cursor) != .foreign else {
        return nil
      }
    case .print, .kernelStack, .userStack, .bareAddress, .record: return nil
    default: break
    }
    cursor = start
    return decodeEvent(&cursor, &event, &batch)
  }

  /// ` 0)   1.234 us    |  vfs_read();` of the function graph tracer.
  private func isGraph(_ start: Cursor) -> Bool {
    var cursor = start
    guard cursor.decimal() != nil, cursor.skip(UInt8(ascii: ")")), cursor.byte == 0x20 else {
      return false
    }
    return cursor.find(UInt8(ascii: "|"))
  }

  /// `1234 0 676491278691 type: 440`
  private func isRaw(_ start: Cursor) -> Bool {
    var cursor = start
    for _ in 0..<3 {
      guard cursor.decimal() != nil, cursor.skip(0x20) else { return false }
    }
    return cursor.isAt("type: ") || cursor.isAt("# ")
  }

  // MARK: Headers and losses

  private mutating func header(_ start: Cursor, _ batch: inout EventBatch) -> LineResult {
    var cursor = start
    if cursor.isAt("# tracer: ") || cursor.isAt("# ========") || cursor.isAt("# captured on") {
      recognised = true
      if cursor.isAt("# tracer: ") { summary.name(dialect: "ftrace text") }
    } else if cursor.skip("# entries-in-buffer/entries-written: ") {
      recognised = true
      if let inside = cursor.decimal(), cursor.skip(UInt8(ascii: "/")),
        let written = cursor.decimal(), inside < written
      {
        overwritten = true
        summary.overwrittenEvents &+= written - inside
        lost(written - inside, cpu: 0, time: 0, &batch)
      }
    } else if cursor.skip("##### CPU ") {
      recognised = true
      if overwritten, let cpu = cursor.decimal(), cpu < DMAEvent.cpuLimit {
        lost(0, cpu: UInt32(cpu), time: 0, &batch)
      }
    } else if cursor.skip("# os release : ") {
      release(&cursor)
    } else if cursor.skip(UInt8(ascii: "#")), cursor.skip(0x20) {
      // # nop latency trace v1.1.5 on 6.18.44
      if cursor.find(0x20), cursor.skip(" latency trace v"), cursor.find(0x20),
        cursor.skip(" on ")
      {
        recognised = true
        summary.name(dialect: "ftrace text (latency format)")
        release(&cursor)
      }
    }
    return .decoration
  }

  private mutating func release(_ cursor: inout Cursor) {
    let start = cursor.at
    _ = cursor.find(0x20)
    let text = cursor.text(from: start)
    if summary.kernelRelease == nil, !text.isEmpty {
      summary.kernelRelease = String(escaping: text.prefix(64))
    }
  }

  /// `CPU:0 [LOST 3099 EVENTS]`, `CPU:0 [42 EVENTS DROPPED]`, with or without the number, perhaps
  /// behind the column of a buffer.
  private mutating func loss(_ start: Cursor, _ batch: inout EventBatch) -> LineResult? {
    var cursor = start
    if !cursor.isAt("CPU:") {
      guard cursor.find(UInt8(ascii: ":")) else { return nil }
      cursor.at += 1
      cursor.skipSpaces()
    }
    guard cursor.skip("CPU:"), let cpu = cursor.decimal(), cpu < DMAEvent.cpuLimit,
      cursor.skip(" [")
    else {
      return nil
    }
    if cursor.isAt("SUBBUFFER START]") { return .decoration }
    var count: UInt64 = 0
    if cursor.skip("LOST ") {
      if let number = cursor.decimal() {
        count = number
        guard cursor.skip(0x20) else { return nil }
      }
      guard cursor.isAt("EVENTS]") else { return nil }
    } else {
      if let number = cursor.decimal() {
        count = number
        guard cursor.skip(0x20) else { return nil }
      }
      guard cursor.isAt("EVENTS DROPPED]") else { return nil }
    }
    summary.lostEvents &+= max(1, count)
    lost(count, cpu: UInt32(cpu), time: 0, &batch)
    return .decoration
  }

  // MARK: Stacks

  /// Adds the frame of a stack, when the line is one.
  private mutating func frame(_ start: Cursor, indented: Bool) -> Bool {
    var cursor = start
    if cursor.skip("=> ") {
      cursor.skipSpaces()
      let name = cursor.at
      // Behind the symbol: ` (ffffffff8118f0d0)` of trace-cmd, ` <ffffffff8118f0d0>` of sym-addr.
      if !cursor.find(0x20) { cursor.at = cursor.end }
      if cursor.skip(" ["), cursor.find(UInt8(ascii: "]")) { cursor.at += 1 }
      add(cursor.text(from: name))
      return true
    }
    guard indented, let symbol = perfFrame(cursor) else { return false }
    add(symbol)
    return true
  }

  private mutating func add(_ symbol: UnsafeBufferPointer<UInt8>) {
    var end = symbol.count
    while end > 0, symbol[end - 1] == 0x20 { end -= 1 }
    guard end > 0, let start = symbol.baseAddress else { return }
    let name = UnsafeBufferPointer(start: start, count: end)
    guard stacks.wants(name) else { return }
    stacks.add(symbolCache.number(start, end, in: &names.symbols))
  }

  /// The symbol of `ffffffff8118f0d0 dma_map_page_attrs+0x10 ([kernel.kallsyms])`.
  private func perfFrame(_ start: Cursor) -> UnsafeBufferPointer<UInt8>? {
    var cursor = start
    guard cursor.bareHex() != nil, cursor.byte == 0x20 else { return nil }
    cursor.skipSpaces()
    let name = cursor.at
    while cursor.find(0x20) {
      if cursor.skip(" (") {
        cursor.at -= 2
        break
      }
      cursor.at += 1
    }
    return cursor.text(from: name)
  }

  /// Gives a complete stack to its event.
  mutating func endStack(_ batch: inout EventBatch) {
    guard stacks.isCollecting else { return }
    stacks.end(&batch, delivered: delivered, in: &names.stacks)
  }
}
