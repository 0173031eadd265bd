// SPDX-License-Identifier: MIT

/// How the samples of one event of a perf.data are laid out (`perf_event_attr`).
struct PerfAttributes {
  /// Bits of `sample_type`.
  enum Part {
    static let instructionPointer: UInt64 = 1 << 0
    static let thread: UInt64 = 1 << 1
    static let time: UInt64 = 1 << 2
    static let address: UInt64 = 1 << 3
    static let read: UInt64 = 1 << 4
    static let callchain: UInt64 = 1 << 5
    static let id: UInt64 = 1 << 6
    static let cpu: UInt64 = 1 << 7
    static let period: UInt64 = 1 << 8
    static let stream: UInt64 = 1 << 9
    static let raw: UInt64 = 1 << 10
    static let identifier: UInt64 = 1 << 16
  }

  var sampleType: UInt64
  var readFormat: UInt64
  /// Every record ends in a trailer with thread, time and so on.
  var hasTrailers: Bool

  /// Reads one; `reader` is left behind its last byte.
  init(_ reader: inout MetadataReader) throws(TraceError) {
    let start = reader.offset
    _ = try reader.u32()
    let size = UInt64(try reader.u32())
    guard size >= 64, size <= 4096, size - 8 <= reader.left else {
      throw reader.problem("is damaged: an event of \(size) bytes is described at byte \(start)")
    }
    try reader.skip(16)
    sampleType = try reader.u64()
    readFormat = try reader.u64()
    let flags = try reader.u64()
    // Bit fields begin at the other end there.
    hasTrailers = flags & (reader.isBigEndian ? 1 << (63 - 18) : 1 << 18) != 0
    reader.offset = start + size
  }

  /// Bytes of the trailer of a record, and where the time stands in it.
  var trailer: (size: Int, time: Int?, cpu: Int?) {
    var size = 0
    var time: Int?
    var cpu: Int?
    if sampleType & Part.thread != 0 { size += 8 }
    if sampleType & Part.time != 0 {
      time = size
      size += 8
    }
    if sampleType & Part.id != 0 { size += 8 }
    if sampleType & Part.stream != 0 { size += 8 }
    if sampleType & Part.cpu != 0 {
      cpu = size
      size += 8
    }
    if sampleType & Part.identifier != 0 { size += 8 }
    return (size, time, cpu)
  }
}

/// What a perf.data says apart from its records, gathered from its header or from a pipe.
struct PerfLayout {
  var attributes: [PerfAttributes] = []
  /// Which of them an id belongs to.
  var attributesOfID: [UInt64: Int] = [:]
  var tracingData: TraceDatFile?
  var release: [UInt8] = []
  /// Where the records are, of a file.
  var data: (offset: UInt64, size: UInt64) = (0, 0)
  var problem: String?

  private static let maximumAttributes = 1 << 16
  private static let maximumIDs = 1 << 20

  init() {}

  /// Reads the header of a file.
  ///
  /// - Throws: ``TraceError`` when it is not there.
  init(_ bytes: RandomAccessBytes, isBigEndian: Bool) throws(TraceError) {
    var reader = MetadataReader(bytes, at: 8, isBigEndian: isBigEndian)
    let headerSize = try reader.u64()
    let entrySize = try reader.u64()
    let attributesStart = try reader.u64()
    let attributesSize = try reader.u64()
    data = (try reader.u64(), try reader.u64())
    try reader.skip(16)
    var features: [UInt64] = []
    for _ in 0..<4 { features.append(try reader.u64()) }
    guard headerSize >= 104, entrySize >= 80, entrySize <= 4112 else {
      throw reader.problem("is damaged: its header makes no sense at byte 8")
    }
    try readAttributes(
      bytes,
      from: attributesStart,
      count: Int(clamping: attributesSize / entrySize),
      entrySize: entrySize,
      isBigEndian
    )
    do throws(TraceError) {
      try readFeatures(bytes, features, isBigEndian)
    } catch {
      problem = error.damage
    }
    if data.size == 0 {
      // A recording that was killed has not written how much there is.
      data.size = bytes.size - min(data.offset, bytes.size)
      if problem == nil { problem = "the recording was not finished" }
    }
  }

  private mutating func readAttributes(
    _ bytes: RandomAccessBytes,
    from start: UInt64,
    count: Int,
    entrySize: UInt64,
    _ isBigEndian: Bool
  ) throws(TraceError) {
    var reader = MetadataReader(bytes, at: start, isBigEndian: isBigEndian)
    reader.part = "the list of its events"
    guard count <= Self.maximumAttributes, UInt64(count) * entrySize <= reader.left else {
      throw reader.problem("is damaged: it speaks of \(count) events at byte \(start)")
    }
    // Several may name the same place: the sum is bounded, not only what is kept.
    var idsLeft = Self.maximumIDs
    for index in 0..<count {
      reader.offset = start + UInt64(index) * entrySize
      let attribute = try PerfAttributes(&reader)
      reader.offset = start + UInt64(index + 1) * entrySize - 16
      let idsStart = try reader.u64()
      let idsSize = try reader.u64()
      attributes.append(attribute)
      var ids = MetadataReader(bytes, at: idsStart, isBigEndian: isBigEndian)
      ids.part = "the ids of an event"
      guard idsSize <= ids.left else {
        if problem == nil { problem = "the ids of an event are cut off at byte \(idsStart)" }
        continue
      }
      for _ in 0..<(idsSize / 8) {
        guard idsLeft > 0 else {
          if problem == nil { problem = "more than \(Self.maximumIDs) ids at byte \(idsStart)" }
          break
        }
        idsLeft -= 1
        note(id: try ids.u64(), of: index)
      }
    }
  }

  mutating func note(id: UInt64, of index: Int) {
    guard attributesOfID.count < Self.maximumIDs else { return }
    attributesOfID[id] = index
  }

  private mutating func readFeatures(
    _ bytes: RandomAccessBytes,
    _ features: [UInt64],
    _ isBigEndian: Bool
  ) throws(TraceError) {
    let (start, overflow) = data.offset.addingReportingOverflow(data.size)
    var table = MetadataReader(
      bytes,
      at: overflow ? .max : start,
      isBigEndian: isBigEndian
    )
    table.part = "the table of its features"
    for bit in 0..<256 where features[bit / 64] & 1 << UInt64(bit % 64) != 0 {
      let offset = try table.u64()
      let size = try table.u64()
      if offset > bytes.size || size > bytes.size - offset, problem == nil {
        problem = "cut off at byte \(bytes.size), in what describes the recording"
      }
      guard bit == 1 || bit == 4, offset < bytes.size else { continue }
      let end = size > bytes.size - offset ? bytes.size : offset + size
      var part = MetadataReader(bytes, at: offset, end: end, isBigEndian: isBigEndian)
      if bit == 1 {
        tracingData = try TraceDatFile(tracingData: &part)
      } else {
        part.part = "the release of its kernel"
        release = Self.text(try part.bytes(min(UInt64(try part.u32()), 256, part.left)))
      }
    }
  }

  /// Up to the first NUL.
  static func text(_ bytes: [UInt8]) -> [UInt8] {
    Array(bytes.prefix { $0 != 0 })
  }
}
