// SPDX-License-Identifier: MIT
import DMADebugCore

/// Payloads of `dma:*` events as `key=value` in any order: raw fields of trace-cmd and perf, the
/// kernel's option `fields`, generations of the tracepoints that ``TextDecoder`` has no template for.
extension TextDecoder {
  /// Which keys a line had.
  struct Keys: OptionSet {
    let rawValue: UInt16
    static let device = Keys(rawValue: 1 << 0)
    static let direction = Keys(rawValue: 1 << 1)
    static let dmaAddress = Keys(rawValue: 1 << 2)
    static let size = Keys(rawValue: 1 << 3)
    static let physical = Keys(rawValue: 1 << 4)
    static let virtual = Keys(rawValue: 1 << 5)
    static let attributes = Keys(rawValue: 1 << 6)
    static let entries = Keys(rawValue: 1 << 7)
    static let segments = Keys(rawValue: 1 << 8)
    static let addresses = Keys(rawValue: 1 << 9)
    static let lengths = Keys(rawValue: 1 << 10)
    static let physicals = Keys(rawValue: 1 << 11)
    static let error = Keys(rawValue: 1 << 12)
    /// A list that stands in the line as a bare number (option `fields`): its content is unknown.
    static let opaque = Keys(rawValue: 1 << 13)
    /// The last value may have been cut off.
    static let doubtful = Keys(rawValue: 1 << 14)
  }

  struct Fields {
    var keys: Keys = []
    /// Where the lists begin.
    var addresses: UnsafePointer<UInt8>?
    var lengths: UnsafePointer<UInt8>?
    var physicals: UnsafePointer<UInt8>?
    /// `nents=n/N`, `ents=e/E`: what is listed.
    var listedEntries: UInt64?
    var listedSegments: UInt64?
    var entries: UInt64 = 0
    var segments: UInt64 = 0
    var virtual: UInt64 = 0
    var physical: UInt64 = 0
    /// Addresses without `0x` are decimal: libtraceevent gave up on the print format.
    var isDecimal = false
  }

  /// Decodes a payload key by key. A failure may leave words in the batch.
  @inline(never)
  mutating func keyedPayload(
    _ start: Cursor,
    _ event: inout DMAEvent,
    _ batch: inout EventBatch
  ) -> Bool {
    event.direction = .bidirectional
    event.flags = []
    event.attributes = []
    event.segmentCount = 0
    event.physicalCount = 0
    event.requestedEntries = 0
    event.mappedEntries = 0
    event.size = 0
    event.dmaAddress = 0
    event.address = 0
    event.device = .unknown
    var cursor = start
    var fields = Fields()
    if cursor.skip("[FAILED TO PARSE]") {
      cursor.skipSpaces()
      fields.isDecimal = true
    }
    if Self.key(cursor) == nil {
      let name = cursor.at
      Self.skipText(&cursor)
      guard cursor.at > name, !cursor.isAtEnd else { return fail("the payload has no fields") }
      setDevice(name, cursor.at - name, &event, &fields)
    }
    while true {
      cursor.skipSpaces()
      if cursor.isAtEnd { break }
      guard let equals = Self.key(cursor) else {
        if cursor.skip("[TRUNCATED]") {
          event.flags.insert(.truncated)
        } else {
          Self.skipValue(&cursor)
        }
        continue
      }
      let key = UnsafeBufferPointer(start: cursor.at, count: equals - cursor.at)
      cursor.at = equals + 1
      if !field(key, &cursor, &event, &fields) { return false }
    }
    return complete(fields, &event) && lists(fields, start.end, &event, &batch)
  }

  mutating func fail(_ reason: StaticString) -> Bool {
    problem = reason
    return false
  }

  private mutating func setDevice(
    _ name: UnsafePointer<UInt8>,
    _ length: Int,
    _ event: inout DMAEvent,
    _ fields: inout Fields
  ) {
    event.device = DeviceID(rawValue: deviceCache.number(name, length, in: &names.devices))
    fields.keys.insert(.device)
  }

  // MARK: Tokens

  /// Where the `=` of the key stands that begins here, if one does.
  static func key(_ cursor: Cursor) -> UnsafePointer<UInt8>? {
    var place = cursor.at
    while place < cursor.end, isWord(place.pointee) { place += 1 }
    guard place > cursor.at, place < cursor.end, place.pointee == UInt8(ascii: "=") else {
      return nil
    }
    return place
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    let letter = byte | 0x20
    return letter >= 0x61 && letter <= 0x7a || byte >= 0x30 && byte <= 0x39 || byte == 0x5f
  }

  /// Skips a text that may hold blanks: it ends before ` key=`, or with the line.
  static func skipText(_ cursor: inout Cursor) {
    while cursor.find(0x20) {
      var next = cursor
      next.skipSpaces()
      if next.isAtEnd || key(next) != nil { return }
      cursor.at = next.at
    }
  }

  /// Skips a value of a field that does not matter.
  static func skipValue(_ cursor: inout Cursor) {
    switch cursor.byte {
    case UInt8(ascii: "{"): _ = cursor.find(UInt8(ascii: "}"))
    case UInt8(ascii: "("): _ = cursor.find(UInt8(ascii: ")"))
    case UInt8(ascii: "\""): _ = quoted(&cursor)
    default:
      if cursor.isAt("ARRAY[") { _ = cursor.find(UInt8(ascii: "]")) }
    }
    if !cursor.isAtEnd { _ = cursor.find(0x20) }
  }

  /// A text in quotes, which itself may hold quotes: the last one stands before ` key=` or the end.
  static func quoted(_ cursor: inout Cursor) -> UnsafeBufferPointer<UInt8>? {
    guard cursor.skip(UInt8(ascii: "\"")) else { return nil }
    let start = cursor.at
    while cursor.find(UInt8(ascii: "\"")) {
      var next = cursor
      next.at += 1
      if next.isAtEnd || next.byte == 0x20 {
        next.skipSpaces()
        if next.isAtEnd || key(next) != nil {
          let text = cursor.text(from: start)
          cursor.at += 1
          return text
        }
      }
      cursor.at += 1
    }
    return nil
  }

  // MARK: Fields

  private mutating func field(
    _ key: UnsafeBufferPointer<UInt8>,
    _ cursor: inout Cursor,
    _ event: inout DMAEvent,
    _ fields: inout Fields
  ) -> Bool {
    switch key.count {
    case 3:
      if Self.equals(key, "dir") { return direction(&cursor, &event, &fields) }
      if Self.equals(key, "err") { fields.keys.insert(.error) }
    case 4:
      if Self.equals(key, "addr") { return dmaAddress(&cursor, &event, &fields) }
      if Self.equals(key, "size") {
        guard let size = cursor.number(), isEnded(cursor) else { return fail("size is no number") }
        event.size = size
        fields.keys.insert(.size)
      }
      if Self.equals(key, "ents") {
        return count(&cursor, &fields.listedSegments, &fields.segments, .segments, &fields.keys)
      }
    case 5:
      if Self.equals(key, "attrs") {
        var complete = true
        event.attributes = Self.attributes(&cursor, &complete)
        fields.keys.insert(.attributes)
        if !complete { fields.keys.insert(.doubtful) }
      }
      if Self.equals(key, "nents") {
        return count(&cursor, &fields.listedEntries, &fields.entries, .entries, &fields.keys)
      }
      if Self.equals(key, "addrs") {
        return list(&cursor, &fields.physicals, .physicals, &fields.keys)
      }
      if Self.equals(key, "sizes") {
        return list(&cursor, &fields.lengths, .lengths, &fields.keys)
      }
    case 6:
      if Self.equals(key, "device") {
        let name = cursor.at
        Self.skipText(&cursor)
        setDevice(name, cursor.at - name, &event, &fields)
        return true
      }
    case 7:
      if Self.equals(key, "lengths") {
        return list(&cursor, &fields.lengths, .lengths, &fields.keys)
      }
    case 8:
      if Self.equals(key, "dma_addr") { return dmaAddress(&cursor, &event, &fields) }
    default:
      return longField(key, &cursor, &event, &fields)
    }
    Self.skipValue(&cursor)
    return true
  }

  private mutating func longField(
    _ key: UnsafeBufferPointer<UInt8>,
    _ cursor: inout Cursor,
    _ event: inout DMAEvent,
    _ fields: inout Fields
  ) -> Bool {
    if Self.equals(key, "phys_addr") {
      guard let address = fields.isDecimal ? cursor.number() : cursor.hex(), isEnded(cursor) else {
        return fail("phys_addr is no address")
      }
      fields.physical = address
      fields.keys.insert(.physical)
    } else if Self.equals(key, "virt_addr") {
      return virtualAddress(&cursor, &event, &fields)
    } else if Self.equals(key, "dma_addrs") {
      return list(&cursor, &fields.addresses, .addresses, &fields.keys)
    } else if Self.equals(key, "phys_addrs") {
      return list(&cursor, &fields.physicals, .physicals, &fields.keys)
    } else if Self.equals(key, "full_nents") {
      var none: UInt64?
      return count(&cursor, &none, &fields.entries, .entries, &fields.keys)
    } else if Self.equals(key, "full_ents") {
      var none: UInt64?
      return count(&cursor, &none, &fields.segments, .segments, &fields.keys)
    } else if Self.equals(key, "truncated") {
      if cursor.number() ?? 0 != 0 { event.flags.insert(.truncated) }
    }
    Self.skipValue(&cursor)
    return true
  }

  private static func equals(_ key: UnsafeBufferPointer<UInt8>, _ name: StaticString) -> Bool {
    guard key.count == name.utf8CodeUnitCount, let start = key.baseAddress else { return false }
    return Cursor(start, start + key.count).isAt(name)
  }

  /// Whether a value ends here.
  private func isEnded(_ cursor: Cursor) -> Bool {
    cursor.isAtEnd || cursor.byte == 0x20
  }

  private mutating func dmaAddress(
    _ cursor: inout Cursor,
    _ event: inout DMAEvent,
    _ fields: inout Fields
  ) -> Bool {
    guard let address = fields.isDecimal ? cursor.number() : cursor.hex(), isEnded(cursor) else {
      return fail("dma_addr is no address")
    }
    event.dmaAddress = address
    fields.keys.insert(.dmaAddress)
    return true
  }

  private mutating func virtualAddress(
    _ cursor: inout Cursor,
    _ event: inout DMAEvent,
    _ fields: inout Fields
  ) -> Bool {
    fields.keys.insert(.virtual)
    if cursor.byte == UInt8(ascii: "(") {
      // (null), (nil): no memory. (____ptrval____): the hash was not ready yet.
      if cursor.isAt("(____ptrval____)") {
        fields.virtual = 1
        event.flags.insert(.hashedPointer)
      }
      Self.skipValue(&cursor)
      return true
    }
    guard let address = cursor.hex(), isEnded(cursor) else {
      return fail("virt_addr is no address")
    }
    fields.virtual = address
    if address != 0, address >> 32 == 0 { event.flags.insert(.hashedPointer) }
    return true
  }

  private mutating func direction(
    _ cursor: inout Cursor,
    _ event: inout DMAEvent,
    _ fields: inout Fields
  ) -> Bool {
    fields.keys.insert(.direction)
    guard Self.direction(&cursor, &event) else { return fail("dir is no direction") }
    return isEnded(cursor) || fail("dir is no direction")
  }

  /// The name or number of a direction.
  static func direction(_ cursor: inout Cursor, _ event: inout DMAEvent) -> Bool {
    if cursor.skip("TO_DEVICE") {
      event.direction = .toDevice
    } else if cursor.skip("FROM_DEVICE") {
      event.direction = .fromDevice
    } else if cursor.skip("BIDIRECTIONAL") {
      event.direction = .bidirectional
    } else if cursor.skip("NONE") {
      event.direction = .none
    } else if let number = cursor.number() {
      // A number that is no direction comes from the driver: it is a fact, but none to judge by.
      if let direction = Direction(rawValue: UInt8(exactly: number) ?? 0xff) {
        event.direction = direction
      } else {
        event.flags.insert(.noDirection)
      }
    } else {
      return false
    }
    return true
  }

  /// `nents=2/3` or `full_nents=3`.
  private mutating func count(
    _ cursor: inout Cursor,
    _ listed: inout UInt64?,
    _ full: inout UInt64,
    _ key: Keys,
    _ keys: inout Keys
  ) -> Bool {
    guard let first = cursor.number() else { return fail("a count is no number") }
    full = first
    if cursor.skip(UInt8(ascii: "/")) {
      guard let second = cursor.number() else { return fail("a count is no number") }
      listed = first
      full = second
    }
    guard full <= UInt64(UInt32.max), isEnded(cursor) else { return fail("a count is no number") }
    keys.insert(key)
    return true
  }

  private mutating func list(
    _ cursor: inout Cursor,
    _ place: inout UnsafePointer<UInt8>?,
    _ key: Keys,
    _ keys: inout Keys
  ) -> Bool {
    guard place == nil else { return fail("a list stands there twice") }
    if cursor.byte == UInt8(ascii: "{") {
      place = cursor.at
      guard cursor.find(UInt8(ascii: "}")) else { return fail("a list does not end") }
    } else if cursor.isAt("ARRAY[") {
      place = cursor.at
      guard cursor.find(UInt8(ascii: "]")) else { return fail("a list does not end") }
    } else {
      guard cursor.number() != nil else { return fail("a list has no elements") }
      keys.insert(.opaque)
      return true
    }
    cursor.at += 1
    keys.insert(key)
    return isEnded(cursor) || fail("a list does not end")
  }
}
