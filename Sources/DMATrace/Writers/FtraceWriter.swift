// SPDX-License-Identifier: MIT
import DMADebugCore

/// Writes events as the text of the kernel's `trace` file, probes and markers included.
///
/// What it writes reads back as the same events, with times in whole microseconds. Events of which
/// only the kind is known (``DMAEvent/Kind/other``) are left out, and counted in ``skipped``.
public struct FtraceWriter: ~Copyable {
  /// The text so far. The caller takes it away with ``removeAll()`` when it has grown.
  private var buffer: UnsafeMutablePointer<UInt8>
  private var capacity = 1 << 16
  /// Bytes written since the last ``removeAll()``.
  public private(set) var count = 0
  /// Whether stacks are written behind the events that have one.
  public let writesStacks: Bool
  /// What the times of the events count.
  public var clock = TraceSummary.Clock.nanoseconds
  /// Events that were left out.
  public private(set) var skipped: UInt64 = 0
  private let isSimulation: Bool

  /// - Parameters:
  ///   - writesStacks: writes stacks behind the events that have one.
  ///   - isSimulation: the events are those of the simulator, whose allocations are made with
  ///     `GFP_KERNEL` and whose lists fail with `EIO`. Of other events that is not known, and left
  ///     out.
  public init(writesStacks: Bool = false, isSimulation: Bool = true) {
    self.writesStacks = writesStacks
    self.isSimulation = isSimulation
    buffer = .allocate(capacity: capacity)
  }

  deinit {
    buffer.deallocate()
  }

  /// The bytes since the last ``removeAll()``.
  public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: buffer, count: count)
  }

  public mutating func removeAll() {
    count = 0
  }

  // MARK: Text

  /// What stands before the first event.
  ///
  /// - Parameters:
  ///   - release: the kernel release, which is stated so that a reader need not guess.
  ///   - cpus: how many CPUs the machine has, when that is known.
  public mutating func writeHeader(release: String?, cpus: Int?) {
    reserve(2048 + (release?.utf8.count ?? 0))
    put("# tracer: nop\n#")
    if let release {
      put("\n# os release : ")
      for byte in release.utf8 where byte > 0x20 && byte < 0x7f { put(byte: byte) }
      put("\n#")
    }
    if let cpus {
      put("\n# CPUs: ")
      put(decimal: UInt64(max(cpus, 1)))
    }
    put(
      """

      #
      #                                _-----=> irqs-off/BH-disabled
      #                               / _----=> need-resched
      #                              | / _---=> hardirq/softirq
      #                              || / _--=> preempt-depth
      #                              ||| / _-=> migrate-disable
      #                              |||| /     delay
      #           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
      #              | |         |   |||||     |         |

      """
    )
  }

  /// Writes the events of a batch.
  public mutating func write(_ batch: borrowing EventBatch, names: borrowing TraceNames) {
    for index in batch.events.indices { write(batch, index, names) }
  }

  /// Writes one event of a batch.
  public mutating func write(
    _ batch: borrowing EventBatch,
    at index: Int,
    names: borrowing TraceNames
  ) {
    write(batch, index, names)
  }

  private mutating func write(
    _ batch: borrowing EventBatch,
    _ index: Int,
    _ names: borrowing TraceNames
  ) {
    let event = batch.events[index]
    if event.kind == .lost { return loss(event) }
    let words = event.kind == .marker ? 0 : 2 * Int(event.segmentCount) + Int(event.physicalCount)
    // A control character takes four bytes.
    reserve(4 * (3 * NameTable.maximumLength + Int(event.segmentCount)) + 1024 + 20 * words)
    let start = count
    prefix(event, names)
    guard payload(event, batch, names) else {
      count = start
      skipped += 1
      return
    }
    put(byte: 0x0a)
    if writesStacks, event.stack != StackTable.none { stack(event, names) }
  }

  /// `CPU:0 [LOST 3099 EVENTS]`
  private mutating func loss(_ event: DMAEvent) {
    reserve(128)
    put("CPU:")
    put(decimal: UInt64(event.cpu))
    put(" [LOST ")
    if event.size > 0 {
      put(decimal: event.size)
      put(byte: 0x20)
    }
    put("EVENTS]\n")
  }

  /// `            init-1       [000] .....     0.980180: `
  private mutating func prefix(_ event: DMAEvent, _ names: borrowing TraceNames) {
    // A line that had no prefix gets none (option nocontext-info).
    if event.pid == -1, event.task == NameTable.unknown, event.time == 0, event.cpu == 0 { return }
    let task = event.task == NameTable.unknown ? nil : names.tasks[event.task]
    // An unknown thread: nobody is named; or a task alone, as perf prints it, without a CPU.
    let hasCPU = event.pid >= 0 || task == nil || event.cpu != 0 || clock == .ticks
    if event.pid < 0, task == nil {
      for _ in 0..<25 { put(byte: 0x20) }
    } else {
      let length = task?.count ?? 5
      if length < 16 { for _ in length..<16 { put(byte: 0x20) } }
      if let task { put(task) } else { put("<...>") }
      if hasCPU {
        put(byte: 0x2d)
        let before = count
        put(decimal: UInt64(max(event.pid, 0)))
        repeat { put(byte: 0x20) } while count - before < 8
      }
    }
    if hasCPU {
      put(byte: 0x5b)
      put(decimal: UInt64(event.cpu), width: 3, fill: 0x30)
      put(event.flags.contains(.interrupt) ? "] ..h.." : "] .....")
    }
    put(byte: 0x20)
    if clock == .ticks {
      put(decimal: event.time, width: 12, fill: 0x20)
    } else {
      put(decimal: event.time / 1_000_000_000, width: 5, fill: 0x20)
      put(byte: 0x2e)
      put(decimal: event.time % 1_000_000_000 / 1000, width: 6, fill: 0x30)
    }
    put(": ")
  }

  private mutating func payload(
    _ event: DMAEvent,
    _ batch: borrowing EventBatch,
    _ names: borrowing TraceNames
  ) -> Bool {
    switch event.kind {
    case .mapPage: return map("dma_map_page: ", event, names)
    case .mapResource: return map("dma_map_resource: ", event, names)
    case .mapPhys: return map("dma_map_phys: ", event, names)
    case .unmapPage: return unmap("dma_unmap_page: ", event, names)
    case .unmapResource: return unmap("dma_unmap_resource: ", event, names)
    case .unmapPhys: return unmap("dma_unmap_phys: ", event, names)
    case .mapSG: mapSG(event, batch, names)
    case .mapSGError:
      head("dma_map_sg_err: ", event, names)
      list(" dma_addrs={", batch, event, 2 * Int(event.segmentCount), Int(event.physicalCount))
      if isSimulation { put(" err=-5") }
      attributes(event)
    case .unmapSG:
      head("dma_unmap_sg: ", event, names)
      list(" phys_addrs={", batch, event, 2 * Int(event.segmentCount), Int(event.physicalCount))
      attributes(event)
    case .alloc: return allocation("dma_alloc: ", event, names)
    case .allocPages: return allocation("dma_alloc_pages: ", event, names)
    case .allocSGTableError: return allocation("dma_alloc_sgt_err: ", event, names)
    case .free: return allocation("dma_free: ", event, names)
    case .freePages: return allocation("dma_free_pages: ", event, names)
    case .allocSGTable, .freeSGTable: sgTable(event, batch, names)
    case .syncSingleForCPU: sync("dma_sync_single_for_cpu: ", event, names)
    case .syncSingleForDevice: sync("dma_sync_single_for_device: ", event, names)
    case .syncSGForCPU: syncSG("dma_sync_sg_for_cpu: ", event, batch, names)
    case .syncSGForDevice: syncSG("dma_sync_sg_for_device: ", event, batch, names)
    default: return other(event, batch, names)
    }
    return true
  }

  // MARK: dma:*

  /// `dma_map_page: 0000:00:06.0 dir=TO_DEVICE`
  private mutating func head(
    _ name: StaticString,
    _ event: DMAEvent,
    _ names: borrowing TraceNames
  ) {
    put(name)
    put(names.devices[event.device.rawValue])
    if event.flags.contains(.noDirection) {
      switch event.kind {
      case .alloc, .allocPages, .allocSGTable, .allocSGTableError, .free, .freePages, .freeSGTable:
        return
      default:
        // What the driver passed was no direction, and which number it was is not kept.
        put(" dir=0xff")
        return
      }
    }
    switch event.direction {
    case .bidirectional: put(" dir=BIDIRECTIONAL")
    case .toDevice: put(" dir=TO_DEVICE")
    case .fromDevice: put(" dir=FROM_DEVICE")
    case .none: put(" dir=NONE")
    }
  }

  private mutating func area(_ event: DMAEvent) {
    put(" dma_addr=")
    put(hex: event.dmaAddress)
    put(" size=")
    put(decimal: event.size)
  }

  private mutating func attributes(_ event: DMAEvent) {
    put(" attrs=")
    if !event.attributes.isEmpty { put(event.attributes.traceText.utf8) }
  }

  private mutating func map(
    _ name: StaticString,
    _ event: DMAEvent,
    _ names: borrowing TraceNames
  ) -> Bool {
    head(name, event, names)
    area(event)
    put(" phys_addr=")
    put(hex: event.address)
    attributes(event)
    return true
  }

  private mutating func unmap(
    _ name: StaticString,
    _ event: DMAEvent,
    _ names: borrowing TraceNames
  ) -> Bool {
    head(name, event, names)
    area(event)
    attributes(event)
    return true
  }

  private mutating func allocation(
    _ name: StaticString,
    _ event: DMAEvent,
    _ names: borrowing TraceNames
  ) -> Bool {
    head(name, event, names)
    area(event)
    put(" virt_addr=")
    put(hex: event.address, digits: 16)
    switch event.kind {
    case .free, .freePages: break
    default: if isSimulation { put(" flags=GFP_KERNEL") }
    }
    attributes(event)
    return true
  }

  private mutating func sgTable(
    _ event: DMAEvent,
    _ batch: borrowing EventBatch,
    _ names: borrowing TraceNames
  ) {
    let isAllocation = event.kind == .allocSGTable
    head(isAllocation ? "dma_alloc_sgt: " : "dma_free_sgt: ", event, names)
    area(event)
    list(" phys_addrs={", batch, event, 2 * Int(event.segmentCount), Int(event.physicalCount))
    guard isAllocation else { return }
    if isSimulation { put(" flags=GFP_KERNEL") }
    attributes(event)
  }

  private mutating func sync(
    _ name: StaticString,
    _ event: DMAEvent,
    _ names: borrowing TraceNames
  ) {
    head(name, event, names)
    area(event)
  }

  private mutating func syncSG(
    _ name: StaticString,
    _ event: DMAEvent,
    _ batch: borrowing EventBatch,
    _ names: borrowing TraceNames
  ) {
    head(name, event, names)
    let segments = Int(event.segmentCount)
    list(" dma_addrs={", batch, event, 0, segments)
    list(" sizes={", batch, event, segments, segments)
  }

  private mutating func mapSG(
    _ event: DMAEvent,
    _ batch: borrowing EventBatch,
    _ names: borrowing TraceNames
  ) {
    head("dma_map_sg: ", event, names)
    let segments = Int(event.segmentCount)
    let entries = Int(event.physicalCount)
    put(" nents=")
    put(decimal: UInt64(entries))
    put(byte: 0x2f)
    put(decimal: UInt64(event.requestedEntries))
    put(" ents=")
    put(decimal: UInt64(segments))
    put(byte: 0x2f)
    put(decimal: UInt64(event.mappedEntries))
    if event.flags.contains(.truncated) { put(" [TRUNCATED]") }
    list(" dma_addrs={", batch, event, 0, segments)
    list(" sizes={", batch, event, segments, segments)
    list(" phys_addrs={", batch, event, 2 * segments, entries)
    attributes(event)
  }

  /// `{0x1000,0x2000}`
  private mutating func list(
    _ name: StaticString,
    _ batch: borrowing EventBatch,
    _ event: DMAEvent,
    _ first: Int,
    _ length: Int
  ) {
    put(name)
    let start = Int(event.payload) + first
    for index in 0..<length {
      put(index == 0 ? "0x" : ",0x")
      put(hex: batch.payload[start + index])
    }
    put(byte: 0x7d)
  }

  // MARK: Probes, markers and the rest

  private mutating func other(
    _ event: DMAEvent,
    _ batch: borrowing EventBatch,
    _ names: borrowing TraceNames
  ) -> Bool {
    switch event.kind {
    case .mappingError:
      put("dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0)")
      device(event, names)
      put(" dma_addr=0x")
      put(hex: event.dmaAddress)
      guard event.site != NameTable.unknown else { break }
      put(" caller=")
      put(names.symbols[event.site])
    case .mapSingleCheck:
      put("dma_map_single: (debug_dma_map_single+0x4/0x90)")
      device(event, names)
      put(" addr=0x")
      put(hex: event.address)
      put(" size=")
      put(decimal: event.size)
    case .driverProbe:
      put("driver_probe: (really_probe+0x0/0x2a0)")
      device(event, names)
      put(" driver=\"")
      put(names.drivers[event.driver.rawValue])
      put("\"")
    case .busNotify:
      put("bus_notify: (dma_debug_device_change+0x4/0x1d0) action=")
      put(decimal: event.address)
      device(event, names)
    case .driverUnbind:
      put("driver_unbind: (device_unbind_cleanup+0x4/0xb0)")
      device(event, names)
    case .marker:
      put("tracing_mark_write: ")
      put(batch.markerText(event))
    case .deviceDescription:
      put("tracing_mark_write: ")
      put(DeviceTable.marker(event, names).bytes[...])
    case .swiotlbBounced:
      put("swiotlb_bounced: dev_name: ")
      put(names.devices[event.device.rawValue])
      put(" dma_mask=")
      put(hex: event.address)
      put(" dev_addr=")
      put(hex: event.dmaAddress)
      put(" size=")
      put(decimal: event.size)
      put(event.flags.contains(.forced) ? " FORCE" : " NORMAL")
    case .iommuFault:
      put("io_page_fault: IOMMU:")
      put(names.drivers[event.driver.rawValue])
      put(byte: 0x20)
      put(names.devices[event.device.rawValue])
      put(" iova=0x")
      put(hex: event.dmaAddress, digits: 16)
      put(" flags=0x")
      put(hex: event.address, digits: 4)
    default: return sharing(event, names)
    }
    return true
  }

  mutating func device(_ event: DMAEvent, _ names: borrowing TraceNames) {
    put(" device=\"")
    put(names.devices[event.device.rawValue])
    put(byte: 0x22)
  }

  private mutating func stack(_ event: DMAEvent, _ names: borrowing TraceNames) {
    reserve(256 + 4 * NameTable.maximumLength)
    prefix(event, names)
    put("<stack trace>\n")
    for frame in names.stacks[event.stack] {
      reserve(8 + 4 * NameTable.maximumLength)
      put(" => ")
      put(names.symbols[frame])
      put(byte: 0x0a)
    }
  }

  // MARK: Bytes

  /// Makes room, so that nothing below has to look.
  @inline(__always)
  private mutating func reserve(_ bytes: Int) {
    if count + bytes > capacity { grow(bytes) }
  }

  @inline(never)
  private mutating func grow(_ bytes: Int) {
    capacity = max(2 * capacity, count + bytes)
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    larger.update(from: buffer, count: count)
    buffer.deallocate()
    buffer = larger
  }

  @inline(__always)
  mutating func put(byte: UInt8) {
    buffer[count] = byte
    count += 1
  }

  @inline(__always)
  mutating func put(_ text: StaticString) {
    (buffer + count).update(from: text.utf8Start, count: text.utf8CodeUnitCount)
    count += text.utf8CodeUnitCount
  }

  /// A name or text of the trace. What would end the line or move a cursor is escaped.
  @inline(__always)
  mutating func put(_ bytes: ArraySlice<UInt8>) {
    let length = bytes.count
    let start = buffer + count
    let isPlain = bytes.withUnsafeBufferPointer { bytes in
      var isPlain = true
      for index in 0..<length {
        let byte = bytes[index]
        start[index] = byte
        if ControlCharacters.contains(byte) { isPlain = false }
      }
      return isPlain
    }
    if isPlain { count += length } else { putEscaped(bytes) }
  }

  @inline(never)
  private mutating func putEscaped(_ bytes: ArraySlice<UInt8>) {
    for byte in ControlCharacters.escaped(bytes) { put(byte: byte) }
  }

  mutating func put(_ text: String.UTF8View) {
    for byte in text { put(byte: byte) }
  }

  @inline(__always)
  mutating func put(decimal value: UInt64) {
    var digits = 1
    var limit: UInt64 = 10
    while digits < 20, value >= limit {
      digits += 1
      limit = digits == 20 ? .max : limit * 10
    }
    put(decimal: value, digits: digits)
  }

  /// `%5lu` or `%06lu`
  @inline(__always)
  mutating func put(decimal value: UInt64, width: Int, fill: UInt8) {
    let start = count
    put(decimal: value)
    let missing = width - (count - start)
    guard missing > 0 else { return }
    var index = count
    while index > start {
      index -= 1
      buffer[index + missing] = buffer[index]
    }
    for position in start..<start + missing { buffer[position] = fill }
    count += missing
  }

  @inline(__always)
  mutating func put(decimal value: UInt64, digits: Int) {
    var rest = value
    var position = digits
    while position > 0 {
      position -= 1
      let next = rest / 10
      buffer[count + position] = 0x30 + UInt8(truncatingIfNeeded: rest &- next &* 10)
      rest = next
    }
    count += digits
  }

  @inline(__always)
  mutating func put(hex value: UInt64, digits: Int = 1) {
    let length = max(digits, (67 - value.leadingZeroBitCount) / 4)
    var shift = UInt64(length) * 4
    while shift > 0 {
      shift -= 4
      let digit = UInt8(truncatingIfNeeded: value &>> shift & 15)
      buffer[count] = digit < 10 ? 0x30 + digit : 0x57 + digit
      count += 1
    }
  }
}
