// SPDX-License-Identifier: MIT

/// Reads what describes a binary capture: numbers in its byte order, texts, lengths.
///
/// Every length is checked before it is used; what does not fit is a ``TraceError`` that names the
/// part and the byte.
struct MetadataReader {
  /// The most bytes of one text or table: that of all symbols of a large kernel has 20 MiB.
  static let maximumLength = 64 << 20
  private static let windowSize = 64 << 10

  let source: RandomAccessBytes
  /// Where the next byte is read.
  var offset: UInt64
  /// Where the part ends.
  let end: UInt64
  var isBigEndian: Bool
  /// What is being read, for messages.
  var part = "its header"
  private var window: [UInt8] = []
  private var windowStart: UInt64 = 0

  init(_ source: RandomAccessBytes, at offset: UInt64, end: UInt64? = nil, isBigEndian: Bool) {
    self.source = source
    self.offset = offset
    self.end = min(end ?? source.size, source.size)
    self.isBigEndian = isBigEndian
  }

  /// How many bytes are left.
  var left: UInt64 { offset < end ? end - offset : 0 }

  func problem(_ text: String, advice: String = "") -> TraceError {
    TraceError(path: source.name, problem: text, advice: advice)
  }

  private func cutOff() -> TraceError {
    problem(
      "is damaged: cut off at byte \(end), in \(part)",
      advice: "record it again, or copy it again: the file is not complete"
    )
  }

  mutating func byte() throws(TraceError) -> UInt8 {
    guard offset < end else { throw cutOff() }
    if offset < windowStart || offset >= windowStart + UInt64(window.count) {
      windowStart = offset
      window = source.bytes(at: offset, count: Self.windowSize)
      if window.isEmpty { throw cutOff() }
    }
    defer { offset += 1 }
    return window[Int(offset - windowStart)]
  }

  /// An integer of up to 8 bytes.
  mutating func integer(_ size: Int) throws(TraceError) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<size {
      let byte = UInt64(try byte())
      value = isBigEndian ? value << 8 | byte : value | byte << UInt64(8 * index)
    }
    return value
  }

  mutating func u16() throws(TraceError) -> UInt16 { UInt16(try integer(2)) }
  mutating func u32() throws(TraceError) -> UInt32 { UInt32(try integer(4)) }
  mutating func u64() throws(TraceError) -> UInt64 { try integer(8) }

  /// A count that must make sense: of things that have `size` bytes at least.
  mutating func count(_ bytes: Int, of size: UInt64) throws(TraceError) -> Int {
    let count = try integer(bytes)
    guard count <= left / size else {
      throw problem("is damaged: \(part) speaks of \(count) entries at byte \(offset)")
    }
    return Int(count)
  }

  /// Bytes up to a NUL, which is stepped over.
  mutating func string(limit: Int = 4096) throws(TraceError) -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      let byte = try byte()
      if byte == 0 { return bytes }
      guard bytes.count < limit else {
        throw problem("is damaged: a name in \(part) does not end before byte \(offset)")
      }
      bytes.append(byte)
    }
  }

  /// The next `count` bytes.
  mutating func bytes(_ count: UInt64) throws(TraceError) -> [UInt8] {
    guard count <= left else {
      if count > UInt64(Self.maximumLength) {
        throw problem("is damaged: \(part) would have \(count) bytes at byte \(offset)")
      }
      throw cutOff()
    }
    guard count <= UInt64(Self.maximumLength) else {
      throw problem(
        "is damaged: \(part) has \(count) bytes at byte \(offset), more than"
          + " \(Self.maximumLength >> 20) MiB"
      )
    }
    let bytes = source.bytes(at: offset, count: Int(count))
    guard bytes.count == Int(count) else { throw cutOff() }
    offset += count
    return bytes
  }

  /// Steps over bytes.
  mutating func skip(_ count: UInt64) throws(TraceError) {
    guard count <= left else { throw cutOff() }
    offset += count
  }

  /// Steps over a tag that has to stand here.
  mutating func expect(_ tag: StaticString) throws(TraceError) {
    let start = offset
    for index in 0..<tag.utf8CodeUnitCount {
      guard try byte() == tag.utf8Start[index] else {
        throw problem("is damaged: \(part) does not begin at byte \(start)")
      }
    }
  }
}
