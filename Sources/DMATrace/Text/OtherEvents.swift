// SPDX-License-Identifier: MIT
import DMADebugCore

/// Events that are not of the `dma:` system: markers, probes, stacks, swiotlb.
extension TextDecoder {
  /// Decodes an event whose name is not that of a `dma:*` tracepoint.
  ///
  /// - Parameter cursor: behind the colon of the name.
  @inline(never)
  mutating func otherEvent(
    _ code: EventCode,
    _ start: Cursor,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> LineResult {
    var cursor = start
    switch code {
    case .mappingErrorProbe, .notifyProbe, .bindProbe, .unbindProbe, .mapSingleProbe:
      cursor.skipSpaces()
      return probe(code, cursor, &event, &batch)
    case .markerText, .bareAddress:
      _ = cursor.skip(0x20)
      return marker(cursor, event, &batch)
    case .print:
      cursor.skipSpaces()
      let isMark = cursor.isAt("tracing_mark_write")
      var address = cursor
      let isAddress = address.hex() != nil && address.byte == UInt8(ascii: ":")
      if isMark || isAddress, cursor.find(UInt8(ascii: ":")) {
        cursor.at += 1
        _ = cursor.skip(0x20)
        return marker(cursor, event, &batch)
      }
      if cursor.skip("ip="), cursor.find(0x20), cursor.skip(" buf=") {
        // trace-cmd report -R
        return marker(cursor, event, &batch)
      }
    case .bounced:
      cursor.skipSpaces()
      return bounced(cursor, &event, &batch)
    case .kernelStack:
      stacks.begin(cpu: event.cpu, pid: event.pid)
      return .decoration
    case .userStack:
      stacks.beginForeign()
      return .decoration
    case .record:
      return .decoration
    case .understood:
      return understood(cursor, &event, &batch)
    case .pageFault:
      cursor.skipSpaces()
      return pageFault(cursor, &event, &batch)
    case .iommu:
      cursor.skipSpaces()
      if cursor.isAt("IOMMU:") { return understood(cursor, &event, &batch) }
    default:
      if let kind = code.sharingKind { return sharing(kind, cursor, &event, &batch) }
      cursor.skipSpaces()
      if cursor.byte == UInt8(ascii: "(") {
        let function = Self.probedFunction(cursor)
        if let kind = function.sharingKind { return sharing(kind, cursor, &event, &batch) }
        if function != .foreign { return probe(function, cursor, &event, &batch) }
      }
    }
    stacks.forget(cpu: event.cpu)
    return .foreign
  }

  /// What follows the time is not `name:`.
  @inline(never)
  mutating func oddEvent(
    _ start: Cursor,
    _ event: DMAEvent,
    _ batch: inout EventBatch
  ) -> LineResult {
    var cursor = start
    if cursor.isAt("<stack trace") {
      stacks.begin(cpu: event.cpu, pid: event.pid)
      return .decoration
    }
    if cursor.isAt("<user stack trace") {
      stacks.beginForeign()
      return .decoration
    }
    stacks.forget(cpu: event.cpu)
    if cursor.skip("PERF_RECORD_LOST") {
      _ = cursor.skip("_SAMPLES")
      guard cursor.skip(" lost "), let count = cursor.decimal() else { return .decoration }
      summary.lostEvents &+= max(1, count)
      lost(count, cpu: event.cpu, time: event.time, &batch)
      return .decoration
    }
    if cursor.isAt("PERF_RECORD_") { return .decoration }
    // The function tracer: `vfs_read <-ksys_read`.
    while cursor.find(UInt8(ascii: "<")) {
      if cursor.isAt("<-") { return .foreign }
      cursor.at += 1
    }
    problem = "no event name"
    return .malformed
  }

  mutating func marker(
    _ text: Cursor,
    _ start: DMAEvent,
    _ batch: inout EventBatch
  ) -> LineResult {
    var event = start
    if text.isAt("dma-api: device "), device(text, &event) {
      deliver(event, &batch)
      return .event
    }
    event.kind = .marker
    event.payload = UInt32(truncatingIfNeeded: batch.text.count)
    event.segmentCount = UInt32(truncatingIfNeeded: text.count)
    batch.text.append(contentsOf: UnsafeBufferPointer(start: text.at, count: text.count))
    deliver(event, &batch)
    return .event
  }

  /// `dma-api: device BUS DEVICE DRIVER key=value…`: a line of a device table as a marker.
  private mutating func device(_ text: Cursor, _ event: inout DMAEvent) -> Bool {
    let prefix = "dma-api: device ".utf8.count
    let line = UnsafeBufferPointer(start: text.at + prefix, count: text.count - prefix)
    guard let table = try? DeviceTable(bytes: Array(line), name: "marker"),
      let entry = table.entries.first
    else { return false }
    event.kind = .deviceDescription
    event.device = DeviceID(rawValue: names.devices.intern(entry.device))
    event.driver = DriverID(rawValue: names.drivers.intern(entry.bus))
    event.size = entry.maximumSegmentSize ?? 0
    event.dmaAddress = entry.segmentBoundary ?? 0
    event.address = UInt64(entry.mask ?? 0)
    return true
  }

  /// `IOMMU:driver 0000:00:06.0 iova=0x00000000fffff000 flags=0x0001`
  private mutating func pageFault(
    _ start: Cursor,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> LineResult {
    var cursor = start
    if cursor.skip("IOMMU:") {
      cursor.skipSpaces()
      let driver = cursor.at
      if cursor.find(0x20), cursor.at > driver {
        let length = cursor.at - driver
        event.driver = DriverID(rawValue: driverCache.number(driver, length, in: &names.drivers))
        cursor.skipSpaces()
        let name = cursor.at
        Self.skipText(&cursor)
        if cursor.at > name {
          let number = deviceCache.number(name, cursor.at - name, in: &names.devices)
          event.device = DeviceID(rawValue: number)
        }
        cursor.skipSpaces()
        if cursor.skip("iova="), let address = cursor.hex() {
          event.dmaAddress = address
          cursor.skipSpaces()
          if cursor.skip("flags="), let flags = cursor.hex() { event.address = flags }
          event.kind = .iommuFault
          deliver(event, &batch)
          return .event
        }
      }
    }
    stacks.forget(cpu: event.cpu)
    problem = "a field of io_page_fault is missing"
    return .malformed
  }

  /// An iommu event, or one of dma_buf that is new. What device it names is all that is read of it.
  private mutating func understood(
    _ start: Cursor,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> LineResult {
    var cursor = start
    while cursor.find(0x20) {
      cursor.at += 1
      if cursor.skip("dev_name=") || cursor.skip("device=") {
        let name = cursor.at
        Self.skipText(&cursor)
        let number = deviceCache.number(name, cursor.at - name, in: &names.devices)
        event.device = DeviceID(rawValue: number)
        break
      }
    }
    event.kind = .other
    deliver(event, &batch)
    return .event
  }

  /// `dev_name: 0000:00:06.0 dma_mask=ffffffffffffffff dev_addr=62e0000 size=4096 FORCE`
  private mutating func bounced(
    _ start: Cursor,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> LineResult {
    var cursor = start
    var found = 0
    if cursor.skip("[FAILED TO PARSE]") { cursor.skipSpaces() }
    if cursor.skip("dev_name:") { cursor.skipSpaces() } else { _ = cursor.skip("dev_name=") }
    let name = cursor.at
    Self.skipText(&cursor)
    if cursor.at > name {
      let number = deviceCache.number(name, cursor.at - name, in: &names.devices)
      event.device = DeviceID(rawValue: number)
      found += 1
    }
    while !cursor.isAtEnd {
      cursor.skipSpaces()
      if cursor.skip("dev_addr=") {
        guard let address = cursor.hex() else { break }
        event.dmaAddress = address
        found += 1
      } else if cursor.skip("size=") {
        guard let size = cursor.number() else { break }
        event.size = size
        found += 1
      } else if cursor.skip("dma_mask=") {
        guard let mask = cursor.hex() else { break }
        event.address = mask
      } else if cursor.skip("FORCE") {
        event.flags.insert(.forced)
      } else {
        Self.skipValue(&cursor)
      }
    }
    guard found == 3 else {
      stacks.forget(cpu: event.cpu)
      problem = "a field of swiotlb_bounced is missing"
      return .malformed
    }
    event.kind = .swiotlbBounced
    deliver(event, &batch)
    return .event
  }

  // MARK: Probes

  /// Which of the probes it is, by the function in parentheses: `(really_probe+0x0/0x2a0)`.
  static func probedFunction(_ start: Cursor) -> EventCode {
    var cursor = start
    guard cursor.skip(UInt8(ascii: "(")) else { return .foreign }
    let code: EventCode
    if cursor.skip("debug_dma_mapping_error") {
      code = .mappingErrorProbe
    } else if cursor.skip("debug_dma_map_single") {
      code = .mapSingleProbe
    } else if cursor.skip("dma_debug_device_change") {
      code = .notifyProbe
    } else if cursor.skip("really_probe") {
      code = .bindProbe
    } else if cursor.skip("device_unbind_cleanup") {
      code = .unbindProbe
    } else {
      let name = cursor.at
      while !cursor.isAtEnd, cursor.byte != UInt8(ascii: "+"), cursor.byte != UInt8(ascii: ")"),
        cursor.byte != 0x20
      { cursor.at += 1 }
      guard let function = EventCode(function: cursor.text(from: name)) else { return .foreign }
      code = function
    }
    // Not a longer name, and not `(caller+0x1c4/0x3e0 <- function)` of a return probe.
    guard cursor.byte == UInt8(ascii: "+") || cursor.byte == UInt8(ascii: ")") else {
      return .foreign
    }
    guard cursor.find(UInt8(ascii: ")")) else { return .foreign }
    return code
  }

  private mutating func probe(
    _ code: EventCode,
    _ start: Cursor,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> LineResult {
    if code == .mappingErrorProbe, hook(start, &event) {
      deliver(event, &batch)
      return .event
    }
    if let reason = probeFields(code, start, &event) {
      problem = reason
      stacks.forget(cpu: event.cpu)
      return .malformed
    }
    deliver(event, &batch)
    return .event
  }

  /// The usual shape of a hit on the mapping-error hook:
  /// `(debug_dma_mapping_error+0x4/0xa0) device="0000:00:03.0" dma_addr=0x76f0000 caller=…`.
  private mutating func hook(_ start: Cursor, _ event: inout DMAEvent) -> Bool {
    var cursor = start
    guard !isLastLine, cursor.find(UInt8(ascii: ")")), cursor.skip(Literal.probeDevice) else {
      return false
    }
    let name = cursor.at
    guard cursor.find(UInt8(ascii: "\"")) else { return false }
    let length = cursor.at - name
    guard length > 0, cursor.skip(Literal.probeAddress), let address = cursor.bareHex(),
      cursor.skip(Literal.probeCaller)
    else { return false }
    let site = cursor.at
    if cursor.find(0x20) {
      // `symbol+0x357/0x1630 [module]`
      guard cursor.count > 1, cursor.at[1] == UInt8(ascii: "[") else { return false }
      cursor.at += 1
      if cursor.find(0x20) { return false }
    }
    let device = deviceCache.number(name, length, in: &names.devices)
    event.device = DeviceID(rawValue: device)
    event.dmaAddress = address
    event.kind = .mappingError
    caller(cursor.text(from: site), &event)
    return true
  }

  /// Reads the fields of a probe.
  ///
  /// - Returns: what is wrong, or nothing.
  private mutating func probeFields(
    _ code: EventCode,
    _ start: Cursor,
    _ event: inout DMAEvent
  ) -> StaticString? {
    var cursor = start
    if cursor.byte == UInt8(ascii: "(") {
      guard cursor.find(UInt8(ascii: ")")) else { return "the probe's place does not end" }
      cursor.at += 1
    }
    var sawAddress = false
    var sawDevice = false
    var sawAction = false
    var sawDriver = false
    var sawCaller = false
    while true {
      cursor.skipSpaces()
      if cursor.isAtEnd { break }
      if cursor.skip("device=") {
        guard let name = value(&cursor) else { return "device does not end" }
        sawDevice = true
        if let start = name.baseAddress, !name.isEmpty {
          let number = deviceCache.number(start, name.count, in: &names.devices)
          event.device = DeviceID(rawValue: number)
        }
      } else if cursor.skip("dma_addr=") {
        guard let address = cursor.number() else { return "dma_addr is no address" }
        event.dmaAddress = address
        sawAddress = true
      } else if code == .mapSingleProbe, cursor.skip("addr=") {
        guard let address = cursor.number() else { return "addr is no address" }
        event.address = address
        sawAddress = true
      } else if code == .mapSingleProbe, cursor.skip("size=") {
        guard let size = cursor.number() else { return "size is no number" }
        event.size = size
      } else if code == .mappingErrorProbe, cursor.skip("caller=") {
        guard let name = value(&cursor) else { return "caller does not end" }
        if isLastLine, name.contains(UInt8(ascii: "[")), name.last != UInt8(ascii: "]") {
          return "caller does not end"
        }
        sawCaller = true
        caller(name, &event)
      } else if code == .notifyProbe, cursor.skip("action=") {
        guard let action = cursor.number() else { return "action is no number" }
        event.address = action
        sawAction = true
      } else if code == .bindProbe, cursor.skip("driver=") {
        guard let name = value(&cursor) else { return "driver does not end" }
        sawDriver = true
        if let start = name.baseAddress, !name.isEmpty {
          let number = driverCache.number(start, name.count, in: &names.drivers)
          event.driver = DriverID(rawValue: number)
        }
      } else {
        Self.skipValue(&cursor)
      }
    }
    guard sawDevice else { return "the probe has no device" }
    switch code {
    case .mappingErrorProbe:
      guard sawAddress else { return "the probe has no dma_addr" }
      // A line that is cut off may end in the address: then it lacks what the lines before had.
      guard sawCaller || !isLastLine || !hookHasCaller else { return "the line is cut off" }
      event.kind = .mappingError
    case .mapSingleProbe:
      guard sawAddress else { return "the probe has no addr" }
      event.kind = .mapSingleCheck
    case .notifyProbe:
      guard sawAction else { return "the probe has no action" }
      event.kind = .busNotify
    case .bindProbe:
      guard sawDriver || !isLastLine else { return "the line is cut off" }
      event.kind = .driverProbe
    default: event.kind = .driverUnbind
    }
    return nil
  }

  /// A text with or without quotes; empty when the probe could not read it.
  private func value(_ cursor: inout Cursor) -> UnsafeBufferPointer<UInt8>? {
    if cursor.byte == UInt8(ascii: "\"") { return Self.quoted(&cursor) }
    let start = cursor.at
    Self.skipText(&cursor)
    let text = cursor.text(from: start)
    if text.count == 7, Cursor(start, cursor.end).isAt("(fault)") {
      return UnsafeBufferPointer(start: start, count: 0)
    }
    return text
  }

  /// Who asked about the mapping.
  mutating func caller(_ name: UnsafeBufferPointer<UInt8>, _ event: inout DMAEvent) {
    guard let start = name.baseAddress, !name.isEmpty else { return }
    hookHasCaller = true
    event.site = symbolCache.number(start, name.count, in: &names.symbols)
    var cursor = Cursor(start, start + name.count)
    if cursor.skip(Literal.mappingHook) {
      event.caller = .mapping
      if cursor.isAt("phys") { summary.sawPhysEvents = true }
      if cursor.isAt("page") { summary.sawPageEvents = true }
    } else if cursor.skip(Literal.unmapHook) {
      let ends = cursor.isAtEnd || cursor.byte == UInt8(ascii: "+") || cursor.byte == 0x2e
      event.caller = ends ? .failedUnmap : .driver
    } else if cursor.hex() != nil, cursor.isAtEnd {
      // An address without its symbol: it may be dma-debug itself.
      event.caller = .absent
    } else {
      event.caller = .driver
    }
  }
}
