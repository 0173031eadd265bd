// SPDX-License-Identifier: MIT
import DMADebugCore

/// The payloads of `dma:*` events in the shape that kernels print; everything else goes to
/// ``TextDecoder/keyedPayload(_:_:_:)``.
extension TextDecoder {
  /// Decodes the payload of the `dma:*` event `event.kind`.
  @inline(__always)
  mutating func payload(
    _ start: Cursor,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> Bool {
    let words = batch.payload.count
    var cursor = start
    if !isLastLine, template(&cursor, &event, &batch) { return true }
    batch.payload.removeLast(batch.payload.count - words)
    if keyedPayload(start, &event, &batch) { return true }
    batch.payload.removeLast(batch.payload.count - words)
    return false
  }

  /// The keys in the order in which kernels print them. A failure may leave words in the batch.
  @inline(__always)
  private mutating func template(
    _ cursor: inout Cursor,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> Bool {
    let name = cursor.at
    guard cursor.find(UInt8(ascii: " ")), cursor.isAt(Literal.direction), cursor.at > name else {
      return false
    }
    let device = deviceCache.number(name, cursor.at - name, in: &names.devices)
    event.device = DeviceID(rawValue: device)
    cursor.at += 5
    if cursor.skip(Literal.toDevice) {
      event.direction = .toDevice
    } else if cursor.skip(Literal.fromDevice) {
      event.direction = .fromDevice
    } else if cursor.skip(Literal.bidirectional) {
      event.direction = .bidirectional
    } else if cursor.skip(Literal.none) {
      event.direction = .none
    } else {
      return false
    }
    switch event.kind {
    case .mapPage, .mapPhys, .mapResource:
      guard area(&cursor, &event), cursor.skip(Literal.physical), let address = cursor.bareHex()
      else { return false }
      event.address = address
    case .unmapPage, .unmapPhys, .unmapResource:
      guard area(&cursor, &event) else { return false }
    case .syncSingleForCPU, .syncSingleForDevice:
      return area(&cursor, &event) && cursor.isAtEnd
    case .alloc, .allocPages, .free, .freePages:
      guard area(&cursor, &event), cursor.skip(Literal.virtual), let address = cursor.hex()
      else { return false }
      event.address = address
      if address != 0, address >> 32 == 0 { event.flags.insert(.hashedPointer) }
      if event.kind == .alloc || event.kind == .allocPages {
        guard cursor.skip(Literal.flags), cursor.find(UInt8(ascii: " ")) else { return false }
      }
    case .mapSG:
      return mapSG(&cursor, &event, &batch) && attributes(&cursor, &event)
    case .unmapSG:
      event.payload = UInt32(truncatingIfNeeded: batch.payload.count)
      guard cursor.skip(Literal.firstPhysicals), let count = Self.list(&cursor, &batch.payload)
      else { return false }
      event.physicalCount = count
      event.requestedEntries = count
    default:
      return false
    }
    return attributes(&cursor, &event)
  }

  @inline(__always)
  private func area(_ cursor: inout Cursor, _ event: inout DMAEvent) -> Bool {
    guard cursor.skip(Literal.dmaAddress), let address = cursor.bareHex(),
      cursor.skip(Literal.size), let size = cursor.decimal()
    else { return false }
    event.dmaAddress = address
    event.size = size
    return true
  }

  /// ` attrs=` and the end of the line.
  @inline(__always)
  private func attributes(_ cursor: inout Cursor, _ event: inout DMAEvent) -> Bool {
    guard cursor.skip(Literal.attributes) else { return false }
    if cursor.isAtEnd { return true }
    var complete = true
    event.attributes = Self.attributes(&cursor, &complete)
    return cursor.isAtEnd
  }

  private func mapSG(
    _ cursor: inout Cursor,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> Bool {
    guard cursor.skip(Literal.entries), let listed = cursor.decimal(),
      cursor.skip(UInt8(ascii: "/")), let full = cursor.decimal(),
      cursor.skip(Literal.segments), let listedSegments = cursor.decimal(),
      cursor.skip(UInt8(ascii: "/")), let segments = cursor.decimal(),
      full <= UInt64(UInt32.max), segments <= UInt64(UInt32.max)
    else { return false }
    if cursor.skip(" [TRUNCATED]") { event.flags.insert(.truncated) }
    let start = batch.payload.count
    event.payload = UInt32(truncatingIfNeeded: start)
    guard cursor.skip(Literal.addresses), let addresses = Self.list(&cursor, &batch.payload),
      cursor.skip(Literal.lengths), let lengths = Self.list(&cursor, &batch.payload),
      cursor.skip(Literal.physicals), let physical = Self.list(&cursor, &batch.payload),
      addresses == lengths, UInt64(addresses) == listedSegments, UInt64(physical) == listed
    else { return false }
    event.segmentCount = addresses
    event.physicalCount = physical
    event.requestedEntries = UInt32(full)
    event.mappedEntries = UInt32(segments)
    if full > listed || segments > listedSegments { event.flags.insert(.truncated) }
    Self.summarise(&event, batch)
    return true
  }

  /// Fills in the address of the first segment and the sum of the lengths.
  static func summarise(_ event: inout DMAEvent, _ batch: EventBatch) {
    guard event.segmentCount > 0 else { return }
    let start = Int(event.payload)
    let count = Int(event.segmentCount)
    event.dmaAddress = batch.payload[start]
    var sum: UInt64 = 0
    for length in batch.payload[start + count..<start + 2 * count] { sum &+= length }
    event.size = sum
  }

  /// `{0x1000,0x2000}` or `{}`, appended to `words`.
  @inline(__always)
  static func list(_ cursor: inout Cursor, _ words: inout [UInt64]) -> UInt32? {
    guard cursor.skip(UInt8(ascii: "{")) else { return nil }
    if cursor.skip(UInt8(ascii: "}")) { return 0 }
    var count: UInt32 = 0
    while true {
      guard let word = cursor.hex() else { return nil }
      words.append(word)
      count &+= 1
      if cursor.skip(UInt8(ascii: "}")) { return count }
      guard cursor.skip(UInt8(ascii: ",")) else { return nil }
    }
  }

  /// `SKIP_CPU_SYNC|MMIO|0x80000000`, up to a blank or the end of the line.
  ///
  /// A name that no kernel knows yet stands for no flag, and clears `complete`.
  static func attributes(_ cursor: inout Cursor, _ complete: inout Bool) -> DMAAttributes {
    var flags = DMAAttributes()
    while !cursor.isAtEnd, cursor.byte != 0x20 {
      let start = cursor.at
      if cursor.byte >= 0x30, cursor.byte <= 0x39, let number = cursor.number() {
        flags.insert(DMAAttributes(rawValue: UInt32(truncatingIfNeeded: number)))
      } else {
        while !cursor.isAtEnd, cursor.byte != UInt8(ascii: "|"), cursor.byte != 0x20 {
          cursor.at += 1
        }
        let name = cursor.text(from: start)
        var known = false
        for (candidate, flag) in DMAAttributes.traceNames
        where candidate.utf8CodeUnitCount == name.count {
          if candidate.withUTF8Buffer({ $0.elementsEqual(name) }) {
            flags.insert(flag)
            known = true
            break
          }
        }
        if !known { complete = false }
      }
      if !cursor.skip(UInt8(ascii: "|")) { break }
    }
    return flags
  }
}
