// SPDX-License-Identifier: MIT
import DMADebugCore

/// Writes events as a `trace.dat` of version 7, which `trace-cmd report`, KernelShark and dmatop read.
///
/// What a kernel would have recorded is there: the events with their real formats, markers, probes,
/// call stacks with a table of symbols, tasks, losses. Little endian, 64 bit, uncompressed.
///
/// Times keep their nanoseconds. Readers merge the CPUs by time and prefer the lower CPU; where that
/// would change the order of the source, an event is moved by a nanosecond. What lies in the pages
/// waits in a temporary file, so memory does not grow with the trace.
public struct TraceDatWriter: ~Copyable {
  /// What the format could not take.
  public struct Losses: Sendable, Equatable {
    /// Events of kinds without a format (``DMAEvent/Kind/other``, buffers, fences, channels).
    public var skipped: UInt64 = 0
    /// Events whose names, texts or lists were too long for a record, or lengths beyond 4 GiB.
    public var cut: UInt64 = 0
    /// Events whose time went back by more than a microsecond in the source.
    public var moved: UInt64 = 0
  }

  /// Offsets of `__data_loc` have 16 bits.
  private static let maximumRecord = 65_528
  private static let maximumTasks = 1 << 20

  public private(set) var losses = Losses()
  private var pages: RingBufferPages
  private var symbols = KernelSymbols()
  private let record: UnsafeMutablePointer<UInt8>
  /// Bytes of the record at hand.
  private var count = 0
  private var isCut = false
  private var tasks: [Int32: UInt32] = [:]
  private var lastTime: UInt64 = 0
  private var lastCPU: UInt32 = 0

  /// - Throws: ``TraceError`` when there is no room for a temporary file.
  public init() throws(TraceError) {
    pages = try RingBufferPages()
    record = .allocate(capacity: Self.maximumRecord + 8)
  }

  deinit {
    record.deallocate()
  }

  // MARK: Events

  /// Takes in the events of a batch.
  ///
  /// - Throws: ``TraceError`` when the temporary file cannot be written.
  public mutating func write(
    _ batch: borrowing EventBatch,
    names: borrowing TraceNames
  ) throws(TraceError) {
    for index in batch.events.indices { try write(batch.events[index], batch, names) }
  }

  private mutating func write(
    _ event: DMAEvent,
    _ batch: borrowing EventBatch,
    _ names: borrowing TraceNames
  ) throws(TraceError) {
    guard event.cpu < DMAEvent.cpuLimit else {
      losses.skipped += 1
      return
    }
    if event.kind == .lost {
      try pages.lose(event.size, cpu: event.cpu)
      return
    }
    guard let id = TraceDatFormat.id(of: event.kind) else {
      losses.skipped += 1
      return
    }
    isCut = false
    begin(id, event.pid)
    // TRACE_FLAG_HARDIRQ in common_flags.
    if event.flags.contains(.interrupt) { put(u32: UInt32(id) | 0x08 << 16, at: 0) }
    payload(event, batch, names)
    if isCut { losses.cut += 1 }
    let time = ordered(event)
    try pages.append(UnsafeRawBufferPointer(start: record, count: count), at: time, cpu: event.cpu)
    if event.pid > 0, event.task != NameTable.unknown,
      tasks.count < Self.maximumTasks || tasks[event.pid] != nil
    {
      tasks[event.pid] = event.task
    }
    guard event.stack != StackTable.none else { return }
    stack(event, names)
    try pages.append(UnsafeRawBufferPointer(start: record, count: count), at: time, cpu: event.cpu)
  }

  /// The time under which an event keeps its place when the CPUs are merged.
  private mutating func ordered(_ event: DMAEvent) -> UInt64 {
    var time = event.time
    if time < lastTime || time == lastTime && event.cpu < lastCPU {
      if lastTime &- time > 1000 { losses.moved += 1 }
      time = event.cpu < lastCPU ? lastTime &+ 1 : lastTime
    }
    lastTime = time
    lastCPU = event.cpu
    return time
  }

  private mutating func payload(
    _ event: DMAEvent,
    _ batch: borrowing EventBatch,
    _ names: borrowing TraceNames
  ) {
    let segments = Int(event.segmentCount)
    let start = Int(event.payload)
    switch event.kind {
    case .mapPage, .mapResource, .mapPhys:
      fixed(to: 56)
      put(u64: event.address, at: 16)
      put(u64: event.dmaAddress, at: 24)
      put(u64: event.size, at: 32)
      direction(event, at: 40)
      put(u64: UInt64(event.attributes.rawValue), at: 48)
      device(event, names, at: 8)
    case .unmapPage, .unmapResource, .unmapPhys:
      fixed(to: 48)
      put(u64: event.dmaAddress, at: 16)
      put(u64: event.size, at: 24)
      direction(event, at: 32)
      put(u64: UInt64(event.attributes.rawValue), at: 40)
      device(event, names, at: 8)
    case .mapSG:
      fixed(to: 48)
      put(u32: event.requestedEntries, at: 12)
      put(u32: event.mappedEntries, at: 16)
      record[20] = event.flags.contains(.truncated) ? 1 : 0
      direction(event, at: 36)
      put(u64: UInt64(event.attributes.rawValue), at: 40)
      device(event, names, at: 8)
      // Whoever has to be cut, all three lists keep their share.
      let most = (Self.maximumRecord - count) / 20
      list64(batch, start + 2 * segments, Int(event.physicalCount), most, at: 24)
      list64(batch, start, segments, most, at: 28)
      list32(batch, start + segments, segments, at: 32)
      // A list that had to be cut here is one that the tracer cut.
      if isCut { record[20] = 1 }
    case .mapSGError:
      fixed(to: 32)
      direction(event, at: 20)
      put(u64: UInt64(event.attributes.rawValue), at: 24)
      device(event, names, at: 8)
      list64(batch, start + 2 * segments, Int(event.physicalCount), at: 12)
    case .unmapSG:
      fixed(to: 32)
      direction(event, at: 16)
      put(u64: UInt64(event.attributes.rawValue), at: 24)
      device(event, names, at: 8)
      list64(batch, start + 2 * segments, Int(event.physicalCount), at: 12)
    case .alloc, .allocPages, .allocSGTableError, .free, .freePages:
      fixed(to: 56)
      put(u64: event.address, at: 16)
      put(u64: event.dmaAddress, at: 24)
      put(u64: event.size, at: 32)
      direction(event, at: event.kind == .free || event.kind == .freePages ? 40 : 44)
      put(u64: UInt64(event.attributes.rawValue), at: 48)
      device(event, names, at: 8)
    case .allocSGTable, .freeSGTable:
      fixed(to: 48)
      put(u64: event.dmaAddress, at: 16)
      put(u64: event.size, at: 24)
      direction(event, at: 32)
      put(u64: UInt64(event.attributes.rawValue), at: 40)
      device(event, names, at: 8)
      list64(batch, start + 2 * segments, Int(event.physicalCount), at: 12)
    case .syncSingleForCPU, .syncSingleForDevice:
      fixed(to: 36)
      put(u64: event.dmaAddress, at: 16)
      put(u64: event.size, at: 24)
      direction(event, at: 32)
      device(event, names, at: 8)
    case .syncSGForCPU, .syncSGForDevice:
      fixed(to: 24)
      direction(event, at: 20)
      device(event, names, at: 8)
      list64(batch, start, segments, (Self.maximumRecord - count) / 12, at: 12)
      list32(batch, start + segments, segments, at: 16)
    default: other(event, batch, names)
    }
  }

  /// Probes, markers and the rest.
  private mutating func other(
    _ event: DMAEvent,
    _ batch: borrowing EventBatch,
    _ names: borrowing TraceNames
  ) {
    switch event.kind {
    case .mappingError:
      fixed(to: 36)
      put(u64: symbols.address(of: .mappingError), at: 8)
      put(u64: event.dmaAddress, at: 20)
      let caller = event.site == NameTable.unknown ? 0 : symbols.address(event.site, names)
      put(u64: caller, at: 28)
      device(event, names, at: 16)
    case .mapSingleCheck:
      fixed(to: 36)
      put(u64: symbols.address(of: .mapSingle), at: 8)
      put(u64: event.address, at: 20)
      put(u64: event.size, at: 28)
      device(event, names, at: 16)
    case .driverProbe:
      fixed(to: 24)
      put(u64: symbols.address(of: .reallyProbe), at: 8)
      device(event, names, at: 16)
      text(names.drivers[event.driver.rawValue], at: 20)
    case .busNotify:
      fixed(to: 28)
      put(u64: symbols.address(of: .deviceChange), at: 8)
      put(u64: event.address, at: 16)
      device(event, names, at: 24)
    case .driverUnbind:
      fixed(to: 20)
      put(u64: symbols.address(of: .unbindCleanup), at: 8)
      device(event, names, at: 16)
    case .swiotlbBounced:
      fixed(to: 44)
      put(u64: event.address, at: 16)
      put(u64: event.dmaAddress, at: 24)
      put(u64: event.size, at: 32)
      record[40] = event.flags.contains(.forced) ? 1 : 0
      device(event, names, at: 8)
    case .iommuFault:
      fixed(to: 28)
      put(u64: event.dmaAddress, at: 16)
      put(u32: UInt32(truncatingIfNeeded: event.address), at: 24)
      device(event, names, at: 8)
      text(names.drivers[event.driver.rawValue], at: 12)
    case .marker:
      mark(batch.markerText(event))
    case .deviceDescription:
      mark(DeviceTable.marker(event, names).bytes[...])
    default:
      sharing(event, names)
    }
  }

  /// Tracepoints of `dma_buf` and `dma_fence`.
  private mutating func sharing(_ event: DMAEvent, _ names: borrowing TraceNames) {
    if event.kind.isFence {
      fixed(to: 24)
      put(u32: UInt32(truncatingIfNeeded: event.address), at: 16)
      put(u32: UInt32(truncatingIfNeeded: event.size), at: 20)
      text(names.drivers[event.driver.rawValue], at: 8)
      text(names.timelines[event.site], at: 12)
      return
    }
    let isAttachment = event.kind == .bufferAttach || event.kind == .bufferDetach
    fixed(to: 44)
    put(u64: event.size, at: 16)
    put(u64: event.address, at: 24)
    if isAttachment {
      put(u64: event.dmaAddress, at: 32)
      record[40] = event.flags.contains(.dynamic) ? 1 : 0
      device(event, names, at: 8)
    } else {
      put(u32: event.mappedEntries, at: 32)
    }
    text(names.exporters[event.site], at: isAttachment ? 12 : 8)
  }

  /// What a write to `trace_marker` leaves: with a line end, and a zero.
  private mutating func mark(_ text: ArraySlice<UInt8>) {
    fixed(to: 16)
    put(u64: symbols.address(of: .marker), at: 8)
    bytes(text, reserve: 2)
    record[count] = 0x0a
    record[count + 1] = 0
    count += 2
  }

  private mutating func stack(_ event: DMAEvent, _ names: borrowing TraceNames) {
    begin(TraceDatFormat.stackID, event.pid)
    fixed(to: 16)
    let frames = names.stacks[event.stack]
    put(u32: UInt32(frames.count), at: 8)
    for frame in frames {
      put(u64: symbols.address(frame, names), at: count)
      count += 8
    }
  }

  // MARK: Records

  private mutating func begin(_ id: UInt16, _ pid: Int32) {
    put(u32: UInt32(id), at: 0)
    put(u32: UInt32(bitPattern: pid), at: 4)
    count = 8
  }

  /// Zeroes what is left of the fields; names and lists come behind them.
  private mutating func fixed(to end: Int) {
    (record + 8).update(repeating: 0, count: end - 8)
    count = end
  }

  private func put(u32 value: UInt32, at offset: Int) {
    UnsafeMutableRawPointer(record + offset).storeBytes(of: value.littleEndian, as: UInt32.self)
  }

  private func put(u64 value: UInt64, at offset: Int) {
    UnsafeMutableRawPointer(record + offset).storeBytes(of: value.littleEndian, as: UInt64.self)
  }

  private func direction(_ event: DMAEvent, at offset: Int) {
    // What is no direction reads back as one that the trace does not tell.
    let isKnown = !event.flags.contains(.noDirection)
    put(u32: isKnown ? UInt32(event.direction.rawValue) : .max, at: offset)
  }

  private mutating func device(_ event: DMAEvent, _ names: borrowing TraceNames, at offset: Int) {
    text(names.devices[event.device.rawValue], at: offset)
  }

  /// `__data_loc char[]`, its zero included.
  private mutating func text(_ name: ArraySlice<UInt8>, at offset: Int) {
    let start = count
    bytes(name, reserve: 1)
    record[count] = 0
    count += 1
    put(u32: UInt32(start) | UInt32(count - start) << 16, at: offset)
  }

  /// A text without zeros, and without what would end a line or move a cursor.
  private mutating func bytes(_ text: ArraySlice<UInt8>, reserve: Int) {
    let isPlain = text.allSatisfy { !ControlCharacters.contains($0) }
    append(isPlain ? text : ControlCharacters.escaped(text)[...], reserve)
  }

  private mutating func append(_ text: ArraySlice<UInt8>, _ reserve: Int) {
    let room = max(0, Self.maximumRecord - count - reserve)
    if text.count > room { isCut = true }
    let length = min(text.count, room)
    text.prefix(length).withUnsafeBufferPointer { bytes in
      if let base = bytes.baseAddress { (record + count).update(from: base, count: length) }
    }
    count += length
  }

  /// `__data_loc u64[]`
  private mutating func list64(
    _ batch: borrowing EventBatch,
    _ first: Int,
    _ length: Int,
    _ most: Int = .max,
    at offset: Int
  ) {
    let kept = min(length, most, (Self.maximumRecord - count) / 8)
    if kept < length { isCut = true }
    put(u32: UInt32(count) | UInt32(8 * kept) << 16, at: offset)
    for index in 0..<kept { put(u64: batch.payload[first + index], at: count + 8 * index) }
    count += 8 * kept
  }

  /// `__data_loc unsigned int[]`
  private mutating func list32(
    _ batch: borrowing EventBatch,
    _ first: Int,
    _ length: Int,
    at offset: Int
  ) {
    let kept = min(length, (Self.maximumRecord - count) / 4)
    if kept < length { isCut = true }
    put(u32: UInt32(count) | UInt32(4 * kept) << 16, at: offset)
    for index in 0..<kept {
      let value = batch.payload[first + index]
      if value > UInt64(UInt32.max) { isCut = true }
      put(u32: UInt32(clamping: value), at: count + 4 * index)
    }
    count += 4 * kept
  }

  // MARK: The file

  /// Writes the file. Nothing can be added afterwards.
  ///
  /// - Parameters:
  ///   - names: those of the reader at its end.
  ///   - release: the kernel release, when it is known.
  ///   - clock: what the times count.
  ///   - version: of the program that writes.
  ///   - sink: takes the bytes in their order; they need not go to a file.
  /// - Throws: ``TraceError`` when the temporary file cannot be read, and what `sink` throws.
  public mutating func finish(
    names: borrowing TraceNames,
    release: String?,
    clock: TraceSummary.Clock,
    version: String,
    to sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    try pages.finish()
    let pageSize = pages.pageSize
    let buffers = try pages.layout()
    var file = TraceDatSections(
      clock: clock == .ticks ? "counter" : "local",
      pageSize: UInt32(pageSize)
    )
    file.addHeaders(pageSize: pageSize)
    file.addFormats()
    file.addKallsyms(symbols)
    file.addPrintk()
    file.addTasks(tasks, names)
    file.addOptions(release: release, version: version, cpus: buffers.last.map { $0.cpu + 1 } ?? 1)
    let start = file.beginBuffer(buffers.map { ($0.cpu, UInt64($0.pages * pageSize)) })
    try file.bytes.withUnsafeBytes { try sink($0) }
    file.bytes.removeAll()
    for buffer in buffers { try pages.write(buffer, to: sink) }
    file.endBuffer(at: start)
    try file.bytes.withUnsafeBytes { try sink($0) }
  }
}

/// Names as they stand in files of lines.
enum ControlCharacters {
  /// Whether a byte is one of them; a tab is none, it does no harm.
  @inline(__always)
  static func contains(_ byte: UInt8) -> Bool {
    byte < 0x20 && byte != 0x09 || byte == 0x7f
  }

  /// The text with control characters as `\x0a`.
  static func escaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var buffer = TextBuffer()
    for byte in text {
      if contains(byte) {
        buffer.append("\\x")
        buffer.append(hex: UInt64(byte), digits: 2)
      } else {
        buffer.append(byte: byte)
      }
    }
    return buffer.bytes
  }
}

/// Kernel functions with addresses made up for a trace that has only their names.
struct KernelSymbols {
  /// Functions that probes and markers stand in.
  enum Known: Int, CaseIterable {
    case marker, mappingError, mapSingle, reallyProbe, deviceChange, unbindCleanup

    fileprivate var name: StaticString {
      switch self {
      case .marker: "tracing_mark_write"
      case .mappingError: "debug_dma_mapping_error"
      case .mapSingle: "debug_dma_map_single"
      case .reallyProbe: "really_probe"
      case .deviceChange: "dma_debug_device_change"
      case .unbindCleanup: "device_unbind_cleanup"
      }
    }
  }

  /// Where the kernel's text begins on x86-64, and the least room for a function.
  private static let base: UInt64 = 0xffff_ffff_8100_0000
  private static let alignment: UInt64 = 0x400
  /// From here on functions get no more than the least room: then all of them fit, whatever sizes
  /// the trace claims.
  private static let narrow: UInt64 = 0xffff_ffff_b000_0000

  /// Functions with their modules, in order of their addresses.
  private(set) var functions: [(address: UInt64, name: [UInt8], module: [UInt8])] = []
  private var numbers = NameTable()
  /// Of each number of ``numbers`` the address and the room.
  private var places: [(address: UInt64, room: UInt64)] = [(0, 0), (0, 0)]
  /// By symbol number, 0 when it was not met yet.
  private var addresses: [UInt64] = []
  private var next = base

  /// Behind the last function.
  var end: UInt64 { next }

  init() {
    for known in Known.allCases {
      let name = known.name.withUTF8Buffer { Array($0) }
      functions.append((next, name, []))
      next += Self.alignment
    }
  }

  /// The address of a probe or marker: behind the entry of its function.
  func address(of known: Known) -> UInt64 {
    Self.base + UInt64(known.rawValue) * Self.alignment + 4
  }

  /// The address of a symbol of the trace, such as `nvme_queue_rq+0x1c4/0x3e0 [nvme]`.
  mutating func address(_ symbol: UInt32, _ names: borrowing TraceNames) -> UInt64 {
    let index = Int(symbol)
    if index >= addresses.count {
      addresses.append(contentsOf: repeatElement(0, count: index + 1 - addresses.count))
    }
    if addresses[index] == 0 { addresses[index] = makeAddress(names.symbols[symbol]) }
    return addresses[index]
  }

  private mutating func makeAddress(_ text: ArraySlice<UInt8>) -> UInt64 {
    var name = text
    var module: ArraySlice<UInt8> = []
    if let space = text.lastIndex(of: 0x20), text.last == UInt8(ascii: "]") {
      module = text[(space + 1)...]
      name = text[..<space]
    }
    var offset: UInt64 = 0
    var size: UInt64 = 0
    if let plus = name.lastIndex(of: UInt8(ascii: "+")) {
      let parts = name[(plus + 1)...].split(separator: UInt8(ascii: "/"), maxSplits: 1)
      if let first = parts.first.flatMap(Self.hex) {
        offset = first
        size = parts.count > 1 ? Self.hex(parts[1]) ?? 0 : 0
        name = name[..<plus]
      }
    }
    let key = Array(name) + [0x20] + Array(module)
    let number = Int(key.withUnsafeBufferPointer { numbers.intern($0) })
    if number >= places.count {
      let wanted = min(max(size, offset + 1), 1 << 20)
      let isNarrow = next >= Self.narrow
      let room =
        isNarrow ? Self.alignment : (wanted + Self.alignment - 1) / Self.alignment * Self.alignment
      places.append((next, room))
      functions.append((next, Array(name), Array(module)))
      next += room
    }
    let place = places[number]
    return place.address &+ (place.room == 0 ? 0 : min(offset, place.room - 1))
  }

  private static func hex(_ text: ArraySlice<UInt8>) -> UInt64? {
    guard text.starts(with: [0x30, 0x78]), text.count > 2, text.count <= 12 else { return nil }
    return UInt64(String(decoding: text.dropFirst(2), as: UTF8.self), radix: 16)
  }
}
