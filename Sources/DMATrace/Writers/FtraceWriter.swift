import DMADebugCore

/// Writes events as the text of the kernel's `trace` file, probes and markers included.
///
/// What it writes reads back as the same events, with times in whole microseconds. Events that a
/// text of ftrace cannot show (``DMAEvent/Kind/lost`` without a count, ``DMAEvent/Kind/other``) are
/// left out.
public struct FtraceWriter: ~Copyable {
  /// The text so far. The caller takes it away with ``removeAll()`` when it has grown.
  private var buffer: UnsafeMutablePointer<UInt8>
  private var capacity = 1 << 16
  /// Bytes written since the last ``removeAll()``.
  public private(set) var count = 0
  /// Whether stacks are written behind the events that have one.
  public let writesStacks: Bool

  public init(writesStacks: Bool = false) {
    self.writesStacks = writesStacks
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
  /// - Parameter release: The kernel release, which is stated so that a reader need not guess.
  public mutating func writeHeader(release: String, cpus: Int) {
    reserve(2048 + release.utf8.count)
    put("# tracer: nop\n#\n# os release : ")
    for byte in release.utf8 where byte > 0x20 && byte < 0x7f { put(byte: byte) }
    put("\n#\n# CPUs: ")
    put(decimal: UInt64(max(cpus, 1)))
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

  private mutating func write(
    _ batch: borrowing EventBatch,
    _ index: Int,
    _ names: borrowing TraceNames
  ) {
    let event = batch.events[index]
    let words = event.kind == .marker ? 0 : 2 * Int(event.segmentCount) + Int(event.physicalCount)
    reserve(4 * NameTable.maximumLength + 512 + 20 * words + Int(event.segmentCount))
    let start = count
    prefix(event, names)
    guard payload(event, batch, names) else {
      count = start
      return
    }
    put(byte: 0x0a)
    if writesStacks, event.stack != StackTable.none { stack(event, names) }
  }

  /// `            init-1       [000] .....     0.980180: `
  private mutating func prefix(_ event: DMAEvent, _ names: borrowing TraceNames) {
    let task = event.task == NameTable.unknown ? nil : names.tasks[event.task]
    let length = task?.count ?? 5
    if length < 16 { for _ in length..<16 { put(byte: 0x20) } }
    if let task { put(task) } else { put("<...>") }
    put(byte: 0x2d)
    let before = count
    put(decimal: UInt64(max(event.pid, 0)))
    while count - before < 8 { put(byte: 0x20) }
    put(byte: 0x5b)
    put(decimal: UInt64(event.cpu), width: 3, fill: 0x30)
    put("] ..... ")
    put(decimal: event.time / 1_000_000_000, width: 5, fill: 0x20)
    put(byte: 0x2e)
    put(decimal: event.time % 1_000_000_000 / 1000, width: 6, fill: 0x30)
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
      put(" err=-5")
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
    default: put(" flags=GFP_KERNEL")
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
    put(" flags=GFP_KERNEL")
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
    case .deviceDescription: description(event, names)
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

  /// `dma-api: device pci 0000:00:06.0 - mask=64 max_seg=65536 boundary=0xffffffff`
  private mutating func description(_ event: DMAEvent, _ names: borrowing TraceNames) {
    put("tracing_mark_write: dma-api: device ")
    put(names.drivers[event.driver.rawValue])
    put(byte: 0x20)
    put(names.devices[event.device.rawValue])
    put(" -")
    if event.address != 0 {
      put(" mask=")
      put(decimal: event.address)
    }
    if event.size != 0 {
      put(" max_seg=")
      put(decimal: event.size)
    }
    if event.dmaAddress != 0 {
      put(" boundary=0x")
      put(hex: event.dmaAddress)
    }
  }

  private mutating func stack(_ event: DMAEvent, _ names: borrowing TraceNames) {
    reserve(256 + StackTable.maximumDepth * (NameTable.maximumLength + 8))
    prefix(event, names)
    // Like the kernel, without the colon of an event.
    count -= 2
    put(": <stack trace>\n")
    for frame in names.stacks[event.stack] {
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

  @inline(__always)
  mutating func put(_ bytes: ArraySlice<UInt8>) {
    bytes.withUnsafeBufferPointer { bytes in
      guard let base = bytes.baseAddress else { return }
      (buffer + count).update(from: base, count: bytes.count)
    }
    count += bytes.count
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
