// SPDX-License-Identifier: MIT
import DMADebugCore

/// Events of dma-bufs, fences, IOVA-based mappings and channels: tracepoints as kernels and
/// trace-cmd print them, and probes that are named after their function, all `key=value`.
extension TextDecoder {
  /// Which fields a line had.
  private struct SharingKeys: OptionSet {
    let rawValue: UInt16
    static let inode = SharingKeys(rawValue: 1 << 0)
    static let device = SharingKeys(rawValue: 1 << 1)
    static let descriptor = SharingKeys(rawValue: 1 << 2)
    static let context = SharingKeys(rawValue: 1 << 3)
    static let sequence = SharingKeys(rawValue: 1 << 4)
    static let dmaAddress = SharingKeys(rawValue: 1 << 5)
    static let size = SharingKeys(rawValue: 1 << 6)
    static let channel = SharingKeys(rawValue: 1 << 7)
    static let direction = SharingKeys(rawValue: 1 << 8)
    static let cookie = SharingKeys(rawValue: 1 << 9)
    static let failed = SharingKeys(rawValue: 1 << 10)
    static let attachment = SharingKeys(rawValue: 1 << 11)
    static let usage = SharingKeys(rawValue: 1 << 12)
  }

  /// Decodes an event of a kind that is not of the DMA-API proper.
  ///
  /// - Parameter start: behind the colon of the name.
  @inline(never)
  mutating func sharing(
    _ kind: DMAEvent.Kind,
    _ start: Cursor,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> LineResult {
    var cursor = start
    cursor.skipSpaces()
    var isReturn = false
    var isProbe = false
    if cursor.byte == UInt8(ascii: "(") {
      isProbe = true
      var place = cursor
      guard cursor.find(UInt8(ascii: ")")) else {
        return fail("the probe's place does not end", event)
      }
      while place.find(UInt8(ascii: "<")), place.at < cursor.at {
        if place.isAt("<- ") { isReturn = true }
        place.at += 1
      }
      cursor.at += 1
    } else if cursor.skip("[FAILED TO PARSE]") {
      cursor.skipSpaces()
    }
    event.kind = kind
    var keys: SharingKeys = []
    var offset: UInt64 = 0
    while true {
      cursor.skipSpaces()
      if cursor.isAtEnd { break }
      let name = cursor.at
      let equals: UnsafePointer<UInt8>
      if let place = Self.key(cursor) {
        equals = place
      } else if cursor.isAt("attachment:") {
        equals = name + 10
      } else {
        Self.skipValue(&cursor)
        continue
      }
      let key = UnsafeBufferPointer(start: name, count: equals - name)
      cursor.at = equals + 1
      if cursor.isAt("(fault)") {
        // The probe could not read it.
        cursor.at += 7
        continue
      }
      if let reason = sharingField(key, &cursor, &event, &keys, &offset) {
        return fail(reason, event)
      }
    }
    if let reason = missing(kind, keys) {
      // A probe on the return of a function that shows something else.
      if isReturn {
        stacks.forget(cpu: event.cpu)
        return .foreign
      }
      return fail(reason, event)
    }
    if kind.isIOVA {
      event.dmaAddress &+= offset
      if keys.contains(.failed) { event.size = 0 }
    }
    if kind.hasBufferTracepoint {
      if isProbe { event.flags.insert(.probe) } else { summary.sawBufferTracepoints = true }
    }
    if kind.hasSharingDirection, !keys.contains(.direction) { event.flags.insert(.noDirection) }
    if kind == .fenceSignaled, interruptMark > UInt8(ascii: ".") { event.flags.insert(.interrupt) }
    deliver(event, &batch)
    return .event
  }

  private mutating func fail(_ reason: StaticString, _ event: DMAEvent) -> LineResult {
    problem = reason
    stacks.forget(cpu: event.cpu)
    return .malformed
  }

  /// What the line must have and has not.
  private func missing(_ kind: DMAEvent.Kind, _ keys: SharingKeys) -> StaticString? {
    if kind.isBuffer {
      guard keys.contains(.inode) else { return "the event of a dma-buf has no ino" }
      switch kind {
      case .bufferFD, .bufferGet:
        return keys.contains(.descriptor) ? nil : "the event of a dma-buf has no fd"
      case .bufferAttach, .bufferDetach:
        return keys.contains(.device) ? nil : "the attachment has no dev_name"
      case .bufferMapAttachment, .bufferUnmapAttachment, .bufferPin, .bufferUnpin:
        return keys.contains(.device) || keys.contains(.attachment)
          ? nil : "the event of an attachment names neither attachment nor device"
      default: return nil
      }
    }
    if kind.isFence {
      guard keys.contains(.context), keys.contains(.sequence) else {
        return "the event of a fence lacks context or seqno"
      }
      return kind == .fenceAdd && !keys.contains(.inode) ? "dma_resv_add_fence has no ino" : nil
    }
    if kind.isIOVA {
      guard keys.contains(.device), keys.contains(.dmaAddress) else {
        return "the event of an IOVA lacks device or dma_addr"
      }
      switch kind {
      case .iovaFree, .iovaDestroy: return nil
      default: return keys.contains(.size) ? nil : "the event of an IOVA has no size"
      }
    }
    guard keys.contains(.channel) else { return "the event of a channel has no channel" }
    switch kind {
    case .descriptorSubmit, .descriptorComplete:
      return keys.contains(.cookie) ? nil : "the event of a descriptor has no cookie"
    case .descriptorPrepare:
      return keys.contains(.dmaAddress) && keys.contains(.size)
        ? nil : "the descriptor lacks dma_addr or size"
    default: return nil
    }
  }

  // MARK: Fields

  /// Reads the value of one field.
  ///
  /// - Returns: what is wrong, or nothing.
  private mutating func sharingField(
    _ key: UnsafeBufferPointer<UInt8>,
    _ cursor: inout Cursor,
    _ event: inout DMAEvent,
    _ keys: inout SharingKeys,
    _ offset: inout UInt64
  ) -> StaticString? {
    let kind = event.kind
    func isKey(_ name: StaticString) -> Bool {
      name.withUTF8Buffer { $0.elementsEqual(key) }
    }
    if isKey("device") || isKey("dev_name") {
      guard let name = sharingText(&cursor) else { return "the device does not end" }
      guard let start = name.baseAddress, !name.isEmpty else { return nil }
      event.device = DeviceID(rawValue: deviceCache.number(start, name.count, in: &names.devices))
      keys.insert(.device)
      return nil
    }
    if kind.isBuffer || kind == .fenceAdd, isKey("ino") {
      guard let number = cursor.number() else { return "ino is no number" }
      if kind == .fenceAdd { event.dmaAddress = number } else { event.address = number }
      keys.insert(.inode)
      return ended(cursor)
    }
    if isKey("size") && !kind.isFence {
      guard let size = cursor.number() else { return "size is no number" }
      event.size = size
      keys.insert(.size)
      return ended(cursor)
    }
    if isKey("dir"), kind.hasSharingDirection {
      guard sharingDirection(&cursor, &event) else { return "dir is no direction" }
      keys.insert(.direction)
      return ended(cursor)
    }
    if kind.isBuffer { return bufferField(key, &cursor, &event, &keys) }
    if kind.isFence { return fenceField(key, &cursor, &event, &keys) }
    if isKey("dma_addr") {
      guard let address = cursor.number() else { return "dma_addr is no address" }
      event.dmaAddress = address
      keys.insert(.dmaAddress)
      return ended(cursor)
    }
    if kind.isIOVA {
      if isKey("offset") {
        guard let number = cursor.number() else { return "offset is no number" }
        offset = number
        return ended(cursor)
      }
      if isKey("phys_addr") {
        guard let address = cursor.number() else { return "phys_addr is no address" }
        event.address = address
        return ended(cursor)
      }
      if isKey("attrs") {
        // Names, or the number of a probe, which may be decimal.
        var number = cursor
        if let bits = number.number(), number.isAtEnd || number.byte == 0x20 {
          event.attributes = DMAAttributes(rawValue: UInt32(truncatingIfNeeded: bits))
          cursor = number
          return nil
        }
        var complete = true
        event.attributes = Self.attributes(&cursor, &complete)
        return nil
      }
      if kind == .iovaAlloc, isKey("ret") {
        guard let result = cursor.number() else { return "ret is no number" }
        if result & 0xff == 0 { keys.insert(.failed) }
        return ended(cursor)
      }
      Self.skipValue(&cursor)
      return nil
    }
    return channelField(key, &cursor, &event, &keys)
  }

  private mutating func bufferField(
    _ key: UnsafeBufferPointer<UInt8>,
    _ cursor: inout Cursor,
    _ event: inout DMAEvent,
    _ keys: inout SharingKeys
  ) -> StaticString? {
    func isKey(_ name: StaticString) -> Bool {
      name.withUTF8Buffer { $0.elementsEqual(key) }
    }
    if isKey("exp_name") {
      guard let name = sharingText(&cursor) else { return "exp_name does not end" }
      if let start = name.baseAddress, !name.isEmpty {
        event.site = exporterCache.number(start, name.count, in: &names.exporters)
      }
    } else if isKey("fd") {
      guard let number = Self.signed(&cursor) else { return "fd is no number" }
      event.mappedEntries = UInt32(truncatingIfNeeded: number)
      keys.insert(.descriptor)
      return ended(cursor)
    } else if isKey("attachment") || isKey("attach") {
      // A pointer or its hash; `(____ptrval____)` and `(null)` say nothing.
      if cursor.byte == UInt8(ascii: "(") {
        Self.skipValue(&cursor)
        return nil
      }
      guard let pointer = cursor.hex() else { return "attachment is no pointer" }
      event.dmaAddress = pointer
      keys.insert(.attachment)
      return ended(cursor)
    } else if isKey("is_dynamic") || isKey("dynamic") {
      guard let number = cursor.number() else { return "is_dynamic is no number" }
      if number != 0 { event.flags.insert(.dynamic) }
      return ended(cursor)
    } else {
      Self.skipValue(&cursor)
    }
    return nil
  }

  private mutating func fenceField(
    _ key: UnsafeBufferPointer<UInt8>,
    _ cursor: inout Cursor,
    _ event: inout DMAEvent,
    _ keys: inout SharingKeys
  ) -> StaticString? {
    func isKey(_ name: StaticString) -> Bool {
      name.withUTF8Buffer { $0.elementsEqual(key) }
    }
    if isKey("driver") {
      guard let name = sharingText(&cursor) else { return "driver does not end" }
      if let start = name.baseAddress, !name.isEmpty {
        let number = driverCache.number(start, name.count, in: &names.drivers)
        event.driver = DriverID(rawValue: number)
      }
    } else if isKey("timeline") {
      guard let name = sharingText(&cursor) else { return "timeline does not end" }
      if let start = name.baseAddress, !name.isEmpty {
        event.site = timelineCache.number(start, name.count, in: &names.timelines)
      }
    } else if isKey("context") {
      guard let number = cursor.number() else { return "context is no number" }
      event.address = number
      keys.insert(.context)
      return ended(cursor)
    } else if isKey("seqno") {
      guard let number = cursor.number() else { return "seqno is no number" }
      event.size = number
      keys.insert(.sequence)
      return ended(cursor)
    } else if isKey("usage") {
      guard let number = cursor.number() else { return "usage is no number" }
      event.mappedEntries = UInt32(truncatingIfNeeded: number)
      keys.insert(.usage)
      return ended(cursor)
    } else {
      Self.skipValue(&cursor)
    }
    return nil
  }

  private mutating func channelField(
    _ key: UnsafeBufferPointer<UInt8>,
    _ cursor: inout Cursor,
    _ event: inout DMAEvent,
    _ keys: inout SharingKeys
  ) -> StaticString? {
    func isKey(_ name: StaticString) -> Bool {
      name.withUTF8Buffer { $0.elementsEqual(key) }
    }
    if isKey("channel") {
      guard let name = sharingText(&cursor) else { return "channel does not end" }
      if let start = name.baseAddress, !name.isEmpty {
        event.site = channelCache.number(start, name.count, in: &names.channels)
        keys.insert(.channel)
      }
    } else if isKey("cookie") {
      guard let number = Self.signed(&cursor) else { return "cookie is no number" }
      event.address = number
      keys.insert(.cookie)
      return ended(cursor)
    } else if isKey("residue") {
      guard let number = cursor.number() else { return "residue is no number" }
      event.size = number
      return ended(cursor)
    } else if isKey("nents") {
      guard let number = cursor.number() else { return "nents is no number" }
      event.requestedEntries = UInt32(clamping: number)
      return ended(cursor)
    } else if isKey("type") {
      if cursor.skip("slave_sg") {
        event.mappedEntries = 0
      } else if cursor.skip("memcpy") {
        event.mappedEntries = 1
      } else if cursor.skip("cyclic") {
        event.mappedEntries = 2
      } else {
        return "type is neither slave_sg, memcpy nor cyclic"
      }
      return ended(cursor)
    } else {
      Self.skipValue(&cursor)
    }
    return nil
  }

  private func ended(_ cursor: Cursor) -> StaticString? {
    cursor.isAtEnd || cursor.byte == 0x20 ? nil : "a number does not end"
  }

  /// A text with or without quotes, `nil` when its quotes do not end.
  private func sharingText(_ cursor: inout Cursor) -> UnsafeBufferPointer<UInt8>? {
    if cursor.byte == UInt8(ascii: "\"") { return Self.quoted(&cursor) }
    let start = cursor.at
    while cursor.find(0x20) {
      var next = cursor
      next.skipSpaces()
      if next.isAtEnd || Self.key(next) != nil || next.isAt("attachment:") { break }
      cursor.at = next.at
    }
    return cursor.text(from: start)
  }

  /// A number that may be negative, as 64 bits.
  private static func signed(_ cursor: inout Cursor) -> UInt64? {
    if cursor.skip(UInt8(ascii: "-")) { return cursor.decimal().map { 0 &- $0 } }
    return cursor.number()
  }

  private func sharingDirection(_ cursor: inout Cursor, _ event: inout DMAEvent) -> Bool {
    _ = cursor.skip("DMA_")
    return Self.direction(&cursor, &event)
  }
}
