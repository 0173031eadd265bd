// SPDX-License-Identifier: MIT
import DMADebugCore

/// The second half of a payload of keys: is everything there, and what do the lists hold?
extension TextDecoder {
  /// Whether the fields that an event of this kind must have are there.
  mutating func complete(_ fields: Fields, _ event: inout DMAEvent) -> Bool {
    let keys = fields.keys
    guard keys.contains(.device) else { return fail("no device") }
    if isLastLine, keys.contains(.doubtful) { return fail("the last flag is cut off") }
    var needsAttributes = true
    switch event.kind {
    case .mapPage, .mapPhys, .mapResource:
      guard keys.contains([.dmaAddress, .size, .physical, .direction]) else {
        return fail("a field of the mapping is missing")
      }
      event.address = fields.physical
    case .unmapPage, .unmapPhys, .unmapResource:
      guard keys.contains([.dmaAddress, .size, .direction]) else {
        return fail("a field of the unmapping is missing")
      }
    case .syncSingleForCPU, .syncSingleForDevice:
      guard keys.contains([.dmaAddress, .size, .direction]) else {
        return fail("a field of the synchronisation is missing")
      }
      needsAttributes = false
    case .alloc, .free, .allocPages, .freePages, .allocSGTableError:
      guard keys.contains([.dmaAddress, .size]),
        !keys.isDisjoint(with: [.virtual, .physical])
      else { return fail("a field of the allocation is missing") }
      event.address = keys.contains(.virtual) ? fields.virtual : fields.physical
    case .allocSGTable, .freeSGTable:
      guard keys.contains([.dmaAddress, .size]) else {
        return fail("a field of the allocation is missing")
      }
      needsAttributes = event.kind == .allocSGTable
    case .syncSGForCPU, .syncSGForDevice:
      guard keys.contains(.direction) else { return fail("no direction") }
      needsAttributes = false
    default:
      guard keys.contains(.direction) else { return fail("no direction") }
    }
    if !keys.contains(.direction) { event.flags.insert(.noDirection) }
    if isLastLine, needsAttributes, !keys.contains(.attributes) {
      return fail("the line is cut off")
    }
    return true
  }

  /// Reads the lists into the batch: addresses, lengths, physical addresses.
  mutating func lists(
    _ fields: Fields,
    _ end: UnsafePointer<UInt8>,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> Bool {
    let opaque = fields.keys.contains(.opaque)
    var addresses = fields.addresses
    var physicals = fields.physicals
    switch event.kind {
    case .mapSG, .syncSGForCPU, .syncSGForDevice:
      guard opaque || addresses != nil && fields.lengths != nil else { return fail("no lists") }
      guard opaque || event.kind != .mapSG || physicals != nil else {
        return fail("no physical addresses")
      }
    case .mapSGError:
      // The tracepoint prints physical addresses and calls them dma_addrs.
      if physicals == nil { physicals = addresses }
      addresses = nil
      guard opaque || physicals != nil else { return fail("no lists") }
    case .unmapSG, .allocSGTable, .freeSGTable:
      guard opaque || physicals != nil else { return fail("no physical addresses") }
      addresses = nil
    default:
      return true
    }
    event.payload = UInt32(truncatingIfNeeded: batch.payload.count)
    guard let first = elements(addresses, end, 8, &batch.payload) else { return false }
    if addresses != nil {
      guard let second = elements(fields.lengths, end, 4, &batch.payload) else { return false }
      guard first == second else { return fail("more addresses than lengths, or fewer") }
    }
    guard let third = elements(physicals, end, 8, &batch.payload) else { return false }
    if let listed = fields.listedSegments, listed != UInt64(first), !opaque {
      return fail("ents= does not agree with the list")
    }
    if let listed = fields.listedEntries, listed != UInt64(third), !opaque {
      return fail("nents= does not agree with the list")
    }
    event.segmentCount = first
    event.physicalCount = third
    event.requestedEntries =
      fields.keys.contains(.entries)
      ? UInt32(truncatingIfNeeded: fields.entries) : max(third, event.kind == .mapSG ? 0 : first)
    event.mappedEntries =
      fields.keys.contains(.segments) ? UInt32(truncatingIfNeeded: fields.segments) : first
    let isShort = event.requestedEntries > third || event.mappedEntries > first
    if opaque || isShort && event.kind == .mapSG { event.flags.insert(.truncated) }
    Self.summarise(&event, batch)
    return true
  }

  /// The elements of a list, `{0x1,0x2}` or `ARRAY[00, 10, …]`, appended to `words`.
  private mutating func elements(
    _ place: UnsafePointer<UInt8>?,
    _ end: UnsafePointer<UInt8>,
    _ size: Int,
    _ words: inout [UInt64]
  ) -> UInt32? {
    guard let place else { return 0 }
    var cursor = Cursor(place, end)
    if cursor.byte == UInt8(ascii: "{") {
      if let count = Self.list(&cursor, &words) { return count }
      problem = "an element of a list is no number"
      return nil
    }
    guard cursor.skip("ARRAY[") else { return 0 }
    var count: UInt32 = 0
    if cursor.skip(UInt8(ascii: "]")) { return 0 }
    while true {
      var word: UInt64 = 0
      for index in 0..<size {
        let digits = cursor.at
        guard let byte = cursor.bareHex(), cursor.at - digits == 2 else {
          problem = "a byte of a list is no number"
          return nil
        }
        word |= byte << UInt64(8 * index)
        if index + 1 < size {
          guard cursor.skip(", ") else {
            problem = "a list ends inside an element"
            return nil
          }
        }
      }
      words.append(word)
      count &+= 1
      if cursor.skip(UInt8(ascii: "]")) { return count }
      guard cursor.skip(", ") else {
        problem = "a list does not end"
        return nil
      }
    }
  }
}
