// SPDX-License-Identifier: MIT
import DMADebugCore
import Glibc

/// Records of a binary trace to events.
///
/// Records of `dma:*` are read field by field. Everything else is spelt out as the line
/// `name: field=value …` and goes the way of a text trace, so that markers, probes and stacks mean
/// the same in both.
struct RecordDecoder {
  /// What one record says besides its bytes.
  struct Header {
    var cpu: UInt32
    /// On the clock of the capture.
    var time: UInt64
  }

  var text = TextDecoder()
  private(set) var plans: RecordPlans
  /// `comm` by thread.
  private var tasks: [Int32: UInt32] = [:]
  /// The thread that was looked up last.
  private var lastTask: (pid: Int32, name: UInt32) = (-1, NameTable.unknown)
  /// Symbols, made when the first address has to be named.
  private var symbols: SymbolTable?
  private var symbolText: [UInt8]
  private var symbolCache: [UInt64: UInt32] = [:]
  private var scratch = TextBuffer()
  /// Callers of the mapping-error hook by address.
  private var callers = [Caller](repeating: Caller(), count: 256)
  /// Records seen.
  var recordCount: UInt64 = 0

  private static let maximumTasks = 1 << 20
  private static let maximumSymbols = 1 << 20

  /// - Parameter symbols: the text of `/proc/kallsyms`.
  init(plans: RecordPlans, symbols: [UInt8]) {
    self.plans = plans
    symbolText = symbols
    text.recognised = true
  }

  /// Takes over the layouts of a capture that tells them late.
  mutating func learn(plans: RecordPlans, symbols: [UInt8]) {
    self.plans = plans
    symbolText = symbols
    self.symbols = nil
    symbolCache = [:]
    callers = [Caller](repeating: Caller(), count: 256)
  }

  // MARK: Tasks

  /// Learns the name of a thread.
  mutating func name(pid: Int32, _ name: UnsafeBufferPointer<UInt8>) {
    guard tasks.count < Self.maximumTasks || tasks[pid] != nil else { return }
    tasks[pid] = text.names.tasks.intern(name)
    lastTask.pid = -1
  }

  /// A thread begins with the name of the one that it comes from.
  mutating func inherit(pid: Int32, from parent: Int32) {
    guard let name = tasks[parent], tasks.count < Self.maximumTasks else { return }
    tasks[pid] = name
    lastTask.pid = -1
  }

  /// Reads lines `PID COMM`.
  mutating func readTasks(_ lines: [UInt8]) {
    lines.withUnsafeBufferPointer { bytes in
      var start = 0
      while start < bytes.count {
        var end = start
        while end < bytes.count, bytes[end] != 0x0a { end += 1 }
        var place = start
        var pid = 0
        while place < end, bytes[place] >= 0x30, bytes[place] <= 0x39, pid < 1 << 40 {
          pid = pid * 10 + Int(bytes[place]) - 0x30
          place += 1
        }
        if place > start, place + 1 < end, bytes[place] == 0x20, pid <= Int(Int32.max) {
          name(pid: Int32(pid), UnsafeBufferPointer(rebasing: bytes[(place + 1)..<end]))
        }
        start = end + 1
      }
    }
  }

  @inline(__always)
  private mutating func task(_ pid: Int32) -> UInt32 {
    if pid == lastTask.pid { return lastTask.name }
    // What the kernel's text says for these.
    let name = tasks[pid] ?? text.names.tasks.intern(pid == 0 ? "<idle>" : "<...>")
    lastTask = (pid, name)
    return name
  }

  // MARK: Integers

  /// An integer of the record; the slot must be inside of it.
  @inline(__always)
  private func integer(_ record: UnsafePointer<UInt8>, _ offset: Int, _ size: Int) -> UInt64 {
    let place = UnsafeRawPointer(record + offset)
    if !plans.isBigEndian {
      switch size {
      case 8: return UInt64(littleEndian: place.loadUnaligned(as: UInt64.self))
      case 4: return UInt64(UInt32(littleEndian: place.loadUnaligned(as: UInt32.self)))
      case 2: return UInt64(UInt16(littleEndian: place.loadUnaligned(as: UInt16.self)))
      default: return UInt64(record[offset])
      }
    }
    switch size {
    case 8: return UInt64(bigEndian: place.loadUnaligned(as: UInt64.self))
    case 4: return UInt64(UInt32(bigEndian: place.loadUnaligned(as: UInt32.self)))
    case 2: return UInt64(UInt16(bigEndian: place.loadUnaligned(as: UInt16.self)))
    default: return UInt64(record[offset])
    }
  }

  @inline(__always)
  /// The column of interrupts, as text has it: `h` for one that is soft, hard or not maskable.
  private func interruptMark(_ record: UnsafePointer<UInt8>, _ length: Int) -> UInt8 {
    let isInterrupt = length >= plans.flags.end && value(record, plans.flags) & 0x58 != 0
    return isInterrupt ? UInt8(ascii: "h") : UInt8(ascii: ".")
  }

  private func value(_ record: UnsafePointer<UInt8>, _ slot: RecordPlan.Slot) -> UInt64 {
    slot.isPresent ? integer(record, Int(slot.offset), Int(slot.size)) : 0
  }

  /// The bytes of a text or list; `nil` when they reach beyond the record.
  @inline(__always)
  private func range(
    _ record: UnsafePointer<UInt8>,
    _ length: Int,
    _ slot: RecordPlan.Slot
  ) -> (offset: Int, count: Int)? {
    let word = integer(record, Int(slot.offset), 4)
    var offset = Int(word & 0xffff)
    let count = Int(word >> 16)
    if slot.shape == .relativeLocation { offset += slot.end }
    guard offset + count <= length else { return nil }
    return (offset, count)
  }

  // MARK: Records

  /// Decodes a record and puts its event, if it has one, into the batch.
  ///
  /// At least ``ByteSource/padding`` readable bytes must follow the record.
  mutating func decode(
    _ record: UnsafePointer<UInt8>,
    _ length: Int,
    _ header: Header,
    into batch: inout EventBatch
  ) {
    recordCount &+= 1
    text.summary.lines = recordCount
    guard length >= plans.type.end, length >= plans.pid.end else {
      broken("shorter than its common fields", header.cpu)
      return
    }
    guard header.cpu < DMAEvent.cpuLimit else {
      broken("no machine has so many CPUs", header.cpu)
      return
    }
    let type = Int(value(record, plans.type))
    guard type < plans.indices.count, plans.indices[type] >= 0 else {
      if type < plans.known.count, plans.known[type] {
        text.summary.foreignEvents &+= 1
        text.stacks.forget(cpu: header.cpu)
      } else {
        broken("an event that the capture does not describe", header.cpu)
      }
      return
    }
    var event = DMAEvent(.other)
    event.cpu = header.cpu
    event.time = header.time
    event.line = recordCount
    event.pid = Int32(truncatingIfNeeded: value(record, plans.pid))
    event.task = task(event.pid)
    let index = Int(plans.indices[type])
    // Lent out for the length of the call: a copy would count references for each record.
    plans.plans.withUnsafeBufferPointer { all in
      let plan = all.baseAddress! + index
      if let kind = plan.pointee.code.kind {
        event.kind = kind
        if fields(record, length, plan, &event, &batch) {
          text.deliver(event, &batch)
        } else {
          broken("a field reaches beyond the record", header.cpu)
        }
      } else if plan.pointee.isHook {
        hook(record, length, plan, &event, &batch)
      } else {
        text.interruptMark = interruptMark(record, length)
        other(record, length, plan.pointee, &event, &batch)
      }
    }
  }

  private mutating func broken(_ reason: StaticString, _ cpu: UInt32) {
    text.stacks.forget(cpu: cpu)
    text.summary.malformedLines &+= 1
    text.summary.undecoded &+= 1
    if text.summary.malformed.count < 10 {
      text.summary.malformed.append(
        TraceSummary.Malformed(line: recordCount, reason: reason.description, excerpt: "")
      )
    }
  }

  /// Reads the device that a record names.
  @inline(__always)
  private mutating func device(
    _ record: UnsafePointer<UInt8>,
    _ length: Int,
    _ slot: RecordPlan.Slot
  ) -> DeviceID? {
    guard let name = range(record, length, slot) else { return nil }
    // The name may end earlier than its room.
    var count = name.count
    if let end = memchr(record + name.offset, 0, count) {
      count = UnsafePointer(end.assumingMemoryBound(to: UInt8.self)) - (record + name.offset)
    }
    if count == 0 { return .unknown }
    return DeviceID(
      rawValue: text.deviceCache.number(record + name.offset, count, in: &text.names.devices)
    )
  }

  /// Reads a hit on the mapping-error hook.
  private mutating func hook(
    _ record: UnsafePointer<UInt8>,
    _ length: Int,
    _ plan: UnsafePointer<RecordPlan>,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) {
    guard length >= plan.pointee.minimumLength,
      let device = device(record, length, plan.pointee.device)
    else { return broken("a field reaches beyond the record", event.cpu) }
    event.device = device
    event.dmaAddress = value(record, plan.pointee.dmaAddress)
    let address = value(record, plan.pointee.caller)
    let slot = Int(truncatingIfNeeded: (address &* 0x9e37_79b9_7f4a_7c15) >> 56)
    if callers[slot].address != address || callers[slot].site == NameTable.unknown {
      var name = TextBuffer()
      appendSymbol(address, withOffset: true, to: &name)
      let count = name.bytes.count
      name.append(repeatElement(0, count: ByteSource.padding))
      var asked = DMAEvent(.mappingError)
      name.bytes.withUnsafeBufferPointer {
        text.caller(UnsafeBufferPointer(rebasing: $0[..<count]), &asked)
      }
      callers[slot] = Caller(address: address, site: asked.site, kind: asked.caller)
    }
    event.site = callers[slot].site
    event.caller = callers[slot].kind
    event.kind = .mappingError
    text.deliver(event, &batch)
  }

  /// A place in the kernel that asks for map errors, and what it is to dma-debug.
  private struct Caller {
    var address: UInt64 = 0
    var site = NameTable.unknown
    var kind = DMAEvent.HookCaller.absent
  }

  private mutating func fields(
    _ record: UnsafePointer<UInt8>,
    _ length: Int,
    _ plan: UnsafePointer<RecordPlan>,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> Bool {
    guard length >= plan.pointee.minimumLength,
      let device = device(record, length, plan.pointee.device)
    else { return false }
    event.device = device
    if plan.pointee.direction.isPresent {
      let direction = value(record, plan.pointee.direction)
      if let known = Direction(rawValue: UInt8(exactly: direction) ?? 0xff) {
        event.direction = known
      } else {
        event.flags.insert(.noDirection)
      }
    } else {
      event.flags.insert(.noDirection)
    }
    event.dmaAddress = value(record, plan.pointee.dmaAddress)
    event.size = value(record, plan.pointee.size)
    event.attributes = DMAAttributes(
      rawValue: UInt32(truncatingIfNeeded: value(record, plan.pointee.attributes))
    )
    switch event.kind {
    case .mapPage, .mapPhys, .mapResource:
      event.address = value(record, plan.pointee.physical)
    case .alloc, .free, .allocPages, .freePages, .allocSGTableError:
      event.address =
        plan.pointee.virtual.isPresent
        ? value(record, plan.pointee.virtual) : value(record, plan.pointee.physical)
      // No memory of a 64-bit kernel lies there: a hash, of a capture made from a text.
      if event.address != 0, event.address >> 32 == 0, plans.longSize == 8 {
        event.flags.insert(.hashedPointer)
      }
    case .mapSG, .unmapSG, .mapSGError, .syncSGForCPU, .syncSGForDevice, .allocSGTable,
      .freeSGTable:
      return lists(record, length, plan, &event, &batch)
    default: break
    }
    return true
  }

  private func lists(
    _ record: UnsafePointer<UInt8>,
    _ length: Int,
    _ plan: UnsafePointer<RecordPlan>,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> Bool {
    let words = batch.payload.count
    event.payload = UInt32(truncatingIfNeeded: words)
    var first = 0
    var second = 0
    var third = 0
    var physicals = plan.pointee.physicals
    switch event.kind {
    case .mapSG, .syncSGForCPU, .syncSGForDevice:
      first = append(record, length, plan.pointee.addresses, &batch.payload)
      if first >= 0 { second = append(record, length, plan.pointee.lengths, &batch.payload) }
      if event.kind != .mapSG { physicals = RecordPlan.Slot() }
    case .mapSGError:
      // The tracepoint keeps physical addresses and calls them dma_addrs.
      if !physicals.isPresent { physicals = plan.pointee.addresses }
    default: break
    }
    if first == second { third = append(record, length, physicals, &batch.payload) }
    guard first >= 0, first == second, third >= 0 else {
      batch.payload.removeLast(batch.payload.count - words)
      return false
    }
    event.segmentCount = UInt32(first)
    event.physicalCount = UInt32(third)
    event.requestedEntries =
      plan.pointee.entries.isPresent
      ? UInt32(truncatingIfNeeded: value(record, plan.pointee.entries))
      : UInt32(max(third, event.kind == .mapSG ? 0 : first))
    event.mappedEntries =
      plan.pointee.segments.isPresent
      ? UInt32(truncatingIfNeeded: value(record, plan.pointee.segments)) : UInt32(first)
    let isShort = event.requestedEntries > third || event.mappedEntries > first
    if event.kind == .mapSG, isShort || value(record, plan.pointee.truncated) != 0 {
      event.flags.insert(.truncated)
    }
    TextDecoder.summarise(&event, batch)
    return true
  }

  /// Appends the elements of a list.
  ///
  /// - Returns: how many, -1 when they reach beyond the record.
  private func append(
    _ record: UnsafePointer<UInt8>,
    _ length: Int,
    _ slot: RecordPlan.Slot,
    _ words: inout [UInt64]
  ) -> Int {
    guard slot.isPresent else { return 0 }
    let element = Int(slot.element)
    guard slot.shape != .integer, let range = range(record, length, slot), element > 0,
      range.count % element == 0
    else { return -1 }
    var place = range.offset
    let end = range.offset + range.count
    while place < end {
      // The lists stand directly behind a text: no element is aligned.
      words.append(integer(record, place, element))
      place += element
    }
    return range.count / element
  }

  // MARK: Everything else

  private mutating func other(
    _ record: UnsafePointer<UInt8>,
    _ length: Int,
    _ plan: RecordPlan,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) {
    guard length >= plan.minimumLength else {
      broken("shorter than its fields", event.cpu)
      return
    }
    switch plan.code {
    case .print: marker(record, length, plan, event, &batch)
    case .kernelStack: stack(record, length, plan, event, &batch)
    case .userStack: text.summary.foreignEvents &+= 1
    default: line(record, length, plan, &event, &batch)
    }
  }

  private mutating func marker(
    _ record: UnsafePointer<UInt8>,
    _ length: Int,
    _ plan: RecordPlan,
    _ event: DMAEvent,
    _ batch: inout EventBatch
  ) {
    let start = plan.tail ?? length
    var end = start
    while end < length, record[end] != 0 { end += 1 }
    if end > start, record[end - 1] == 0x0a { end -= 1 }
    _ = text.marker(Cursor(record + start, record + end), event, &batch)
  }

  /// Gives the stack to the last event of its CPU.
  private mutating func stack(
    _ record: UnsafePointer<UInt8>,
    _ length: Int,
    _ plan: RecordPlan,
    _ event: DMAEvent,
    _ batch: inout EventBatch
  ) {
    var offset = plan.tail ?? length
    var end = length
    if plan.tail == nil {
      guard let range = range(record, length, plan.physicals) else {
        broken("a field reaches beyond the record", event.cpu)
        return
      }
      offset = range.offset
      end = range.offset + range.count
    }
    let element = plan.tailElement == 4 ? 4 : 8
    if plan.frameCount.isPresent {
      let frames = Int(truncatingIfNeeded: value(record, plan.frameCount) & 0xffff)
      if frames > 0 { end = min(end, offset + frames * element) }
    }
    text.stacks.begin(cpu: event.cpu, pid: event.pid)
    while offset + element <= end {
      let address = integer(record, offset, element)
      // The end of a short stack.
      if address == (element == 8 ? .max : UInt64(UInt32.max)) { break }
      frame(address)
      offset += element
    }
    text.endStack(&batch)
  }

  /// Gives a stack to the event that was decoded last.
  ///
  /// - Parameter address: of a frame, the innermost one first; `nil` behind the last.
  mutating func stack(cpu: UInt32, _ batch: inout EventBatch, _ address: (Int) -> UInt64?) {
    text.stacks.begin(cpu: cpu, pid: -1)
    var index = 0
    while let place = address(index) {
      frame(place)
      index += 1
    }
    text.endStack(&batch)
  }

  /// A frame of the stack that is being collected.
  private mutating func frame(_ address: UInt64) {
    let number = symbol(address)
    let isWanted = text.names.symbols[number].withUnsafeBufferPointer { text.stacks.wants($0) }
    if isWanted { text.stacks.add(number) }
  }

  /// The number of the symbol at an address, without its offset; the address when nobody knows it.
  private mutating func symbol(_ address: UInt64) -> UInt32 {
    if let known = symbolCache[address] { return known }
    var name = TextBuffer()
    appendSymbol(address, withOffset: false, to: &name)
    let number = name.bytes.withUnsafeBufferPointer { text.names.symbols.intern($0) }
    if symbolCache.count < Self.maximumSymbols { symbolCache[address] = number }
    return number
  }

  /// Appends the symbol at an address; the address when nobody knows it.
  private mutating func appendSymbol(
    _ address: UInt64,
    withOffset: Bool,
    to name: inout TextBuffer
  ) {
    if symbols == nil {
      symbols = SymbolTable(symbolText)
      symbolText = []
    }
    if symbols?.append(address, withOffset: withOffset, to: &name) == true { return }
    name.append("0x")
    name.append(hex: address)
  }

  /// Spells a record out and reads that as a line.
  private mutating func line(
    _ record: UnsafePointer<UInt8>,
    _ length: Int,
    _ plan: RecordPlan,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) {
    var line = TextBuffer()
    swap(&line, &scratch)
    line.removeAll()
    for field in plan.lineFields {
      guard append(field, record, length, to: &line) else {
        broken("a field reaches beyond the record", event.cpu)
        return
      }
    }
    let count = line.bytes.count
    line.append(repeatElement(0, count: ByteSource.padding))
    var result = LineResult.foreign
    line.bytes.withUnsafeBufferPointer { bytes in
      let start = bytes.baseAddress!
      result = text.otherEvent(plan.code, Cursor(start, start + count), &event, &batch)
    }
    scratch = line
    switch result {
    case .foreign: text.summary.foreignEvents &+= 1
    case .malformed: broken(text.problem, event.cpu)
    case .event, .decoration: break
    }
  }

  /// Appends `name=value`, behind a blank when something stands before it.
  private mutating func append(
    _ line: RecordPlan.LineField,
    _ record: UnsafePointer<UInt8>,
    _ length: Int,
    to text: inout TextBuffer
  ) -> Bool {
    let field = line.field
    guard field.offset + field.size <= length else { return false }
    if !text.isEmpty { text.append(" ") }
    switch line.style {
    case .place:
      text.append("(")
      appendSymbol(integer(record, field.offset, field.size), withOffset: true, to: &text)
      text.append(")")
    case .symbol:
      text.append(line.opening)
      appendSymbol(integer(record, field.offset, field.size), withOffset: true, to: &text)
    case .unsigned:
      text.append(line.opening)
      text.append("0x")
      text.append(hex: integer(record, field.offset, field.size))
    case .signed:
      text.append(line.opening)
      let shift = UInt64(64 - 8 * field.size)
      let bits = integer(record, field.offset, field.size) << shift
      text.append(string: String(Int64(bitPattern: bits) >> Int64(shift)))
    case .text, .quoted:
      var offset = field.offset
      var room = field.size == 0 ? length - offset : field.size
      if case .array = field.shape {
      } else {
        guard let range = range(record, length, line.slot) else { return false }
        (offset, room) = range
      }
      text.append(line.opening)
      if line.style == .quoted { text.append("\"") }
      var index = 0
      while index < room, record[offset + index] != 0 {
        // A line end would end the line that this becomes.
        text.append(byte: record[offset + index] == 0x0a ? 0x20 : record[offset + index])
        index += 1
      }
      if line.style == .quoted { text.append("\"") }
    }
    return true
  }

  // MARK: Losses

  /// The tracer lost events here: `count` of them, 0 when it does not say.
  mutating func lost(_ count: UInt64, cpu: UInt32, time: UInt64, _ batch: inout EventBatch) {
    text.summary.lostEvents &+= max(1, count)
    guard cpu < DMAEvent.cpuLimit else {
      broken("no machine has so many CPUs", cpu)
      return
    }
    text.lost(count, cpu: cpu, time: time, &batch)
  }
}
