// SPDX-License-Identifier: MIT

/// The options of both versions.
extension TraceDatFile {
  mutating func readOption(
    _ id: UInt16,
    _ start: UInt64,
    _ end: UInt64,
    in source: RandomAccessBytes? = nil
  ) throws(TraceError) {
    var reader = MetadataReader(source ?? bytes, at: start, end: end, isBigEndian: isBigEndian)
    reader.part = "option \(id)"
    switch id {
    case 1:
      // Microseconds, as text: 0x57a12b…
      let text = trimmed(try reader.bytes(reader.left))
      if let value = signed(text) { clock.offset &+= value &* 1000 }
    case 2:
      countLosses(try reader.bytes(min(reader.left, 1 << 16)))
    case 4:
      let text = try reader.bytes(min(reader.left, 4096))
      if clockName.isEmpty { chooseClock(text) }
    case 5:
      // `Linux host 6.12.117 x86_64`
      let words = trimmed(try reader.bytes(min(reader.left, 4096))).split(separator: 0x20)
      if words.count >= 3 { release = Array(words[2]) }
    case 7:
      if let value = signed(trimmed(try reader.bytes(min(reader.left, 64)))) {
        clock.offset &+= value
      }
    case 8:
      let count = try reader.u32()
      if count <= UInt32(Self.maximumStreams) { cpuCount = Int(count) }
    case 12: try readShift(&reader)
    case 14:
      clock.multiplier = UInt64(try reader.u32())
      clock.shift = UInt64(try reader.u32())
      if clock.shift > 63 { clock.multiplier = 0 }
    default: break
    }
  }

  private mutating func readShift(_ reader: inout MetadataReader) throws(TraceError) {
    _ = try reader.u64()
    let flags = try reader.u32()
    let cpus = try reader.count(4, of: 4)
    guard cpus <= Self.maximumStreams else { return }
    var shifts: [Clock.Shift] = []
    for _ in 0..<cpus {
      var shift = Clock.Shift()
      shift.interpolates = flags & 1 != 0
      let count = try reader.count(4, of: 24)
      for _ in 0..<count { shift.times.append(try reader.u64()) }
      for _ in 0..<count { shift.offsets.append(Int64(bitPattern: try reader.u64())) }
      for _ in 0..<count { shift.scalings.append(try reader.u64()) }
      shifts.append(shift)
    }
    // Newer writers say how many bits of the scaling are behind the point.
    if reader.left > 0 {
      for index in shifts.indices {
        for _ in shifts[index].times {
          guard let fraction = try? reader.u64() else { break }
          shifts[index].fractions.append(min(fraction, 63))
        }
      }
    }
    clock.shifts = shifts
  }

  /// `local [global] counter …`
  mutating func chooseClock(_ text: [UInt8]) {
    guard let open = text.firstIndex(of: UInt8(ascii: "[")),
      let close = text[open...].firstIndex(of: UInt8(ascii: "]"))
    else { return }
    clockName = Array(text[(open + 1)..<close])
  }

  /// Lines `overrun: 12` and `dropped events: 3` of a CPU's statistics.
  private mutating func countLosses(_ text: [UInt8]) {
    for line in text.split(separator: 0x0a) {
      for key in ["overrun: ", "dropped events: "] where line.starts(with: key.utf8) {
        if let value = signed(trimmed(Array(line.dropFirst(key.utf8.count)))), value > 0 {
          overwritten &+= UInt64(value)
        }
      }
    }
  }

  private func trimmed(_ text: [UInt8]) -> [UInt8] {
    var slice = text[...]
    if let end = slice.firstIndex(of: 0) { slice = slice[..<end] }
    while let last = slice.last, last <= 0x20 { slice = slice.dropLast() }
    while let first = slice.first, first <= 0x20 { slice = slice.dropFirst() }
    return Array(slice)
  }

  /// A decimal or, with `0x`, hexadecimal number that may be negative.
  func signed(_ text: [UInt8]) -> Int64? {
    var digits = text[...]
    var isNegative = false
    if digits.first == UInt8(ascii: "-") || digits.first == UInt8(ascii: "+") {
      isNegative = digits.first == UInt8(ascii: "-")
      digits = digits.dropFirst()
    }
    let isHex = digits.starts(with: "0x".utf8)
    let word = String(decoding: isHex ? digits.dropFirst(2) : digits, as: UTF8.self)
    guard let value = UInt64(word, radix: isHex ? 16 : 10) else { return nil }
    let number = Int64(bitPattern: value)
    return isNegative ? 0 &- number : number
  }
}
