// SPDX-License-Identifier: MIT
import DMADebugCore

/// Everything that a trace.dat says apart from its records: versions 6 and 7.
struct TraceDatFile {
  /// Records of one CPU in one buffer.
  struct Stream {
    var cpu: UInt32
    var offset: UInt64
    var size: UInt64
  }

  /// A ring buffer: the top one or that of an instance.
  struct Buffer {
    var name: [UInt8]
    var clock: [UInt8]
    var pageSize: Int
    var isPacked: Bool
    var streams: [Stream]
  }

  /// Text of a latency tracer in place of records.
  struct Latency {
    var offset: UInt64
    /// The text itself, when it was packed.
    var text: [UInt8]?
  }

  static let maximumStreams = 1 << 14
  static let maximumSections = 4096
  /// Options that are looked at: sections may overlap, so their bytes bound nothing.
  private static let maximumOptions = 1 << 20

  var version = 6
  var isBigEndian = false
  var pageSize = 4096
  var layout = RingBufferLayout()
  var compression = BlockCompression.none
  var plans: RecordPlans
  var symbols: [UInt8] = []
  var tasks: [UInt8] = []
  var buffers: [Buffer] = []
  var latency: Latency?
  var clock = Clock()
  var clockName: [UInt8] = []
  /// The kernel release.
  var release: [UInt8] = []
  /// Events that were overwritten or dropped, by the statistics of the CPUs.
  var overwritten: UInt64 = 0
  /// The first thing that is wrong with the description; the records may be fine.
  var problem: String?
  var cpuCount = 0
  var optionsLeft = maximumOptions
  var streamsLeft = maximumStreams

  let bytes: RandomAccessBytes

  /// Reads the description.
  ///
  /// - Throws: ``TraceError`` when too little is left of it to read any record.
  init(_ bytes: RandomAccessBytes) throws(TraceError) {
    self.bytes = bytes
    problem = bytes.problem
    plans = RecordPlans(isBigEndian: false, longSize: 8)
    var reader = MetadataReader(bytes, at: 10, isBigEndian: false)
    let digits = try reader.string(limit: 32)
    guard let version = Int(String(decoding: digits, as: UTF8.self)) else {
      throw reader.problem("is a trace.dat of an unknown version")
    }
    guard version == 6 || version == 7 else {
      throw reader.problem(
        "is a trace.dat of version \(version); versions 6 and 7 are known",
        advice: "`trace-cmd convert --file-version 7` may help"
      )
    }
    self.version = version
    try readInitial(&reader)
    if version == 6 { try readSequence(&reader) } else { try readSections(&reader) }
    if buffers.isEmpty, latency == nil {
      throw reader.problem(
        problem.map { "is damaged: \($0)" } ?? "is damaged: it has no buffers",
        advice: "record it again, or copy it again: the file is not complete"
      )
    }
  }

  /// Reads what `perf` stores as tracing data: the first parts of version 6.
  init(tracingData reader: inout MetadataReader) throws(TraceError) {
    bytes = reader.source
    plans = RecordPlans(isBigEndian: false, longSize: 8)
    reader.part = "its tracing data"
    for expected: UInt8 in [0x17, 0x08, 0x44] {
      guard try reader.byte() == expected else {
        throw reader.problem("is damaged: its tracing data does not begin at byte \(reader.offset)")
      }
    }
    try reader.expect("tracing")
    let digits = try reader.string(limit: 32)
    try readInitial(&reader)
    try readHeaderInfo(&reader)
    try readEvents(&reader)
    // Without symbols and names the records are still good.
    do throws(TraceError) {
      symbols = try reader.bytes(UInt64(try reader.u32()))
      _ = try reader.bytes(UInt64(try reader.u32()))
      if digits.elementsEqual("0.6".utf8) { tasks = try reader.bytes(try reader.u64()) }
    } catch {
      note(error)
    }
  }

  mutating func note(_ error: TraceError) {
    note(error.damage)
  }

  mutating func note(_ text: String) {
    guard problem == nil else { return }
    problem = text
  }

  private mutating func readInitial(_ reader: inout MetadataReader) throws(TraceError) {
    isBigEndian = try reader.byte() == 1
    reader.isBigEndian = isBigEndian
    layout.isBigEndian = isBigEndian
    let long = Int(try reader.byte())
    let page = try reader.u32()
    pageSize = page >= 1024 && page <= 1 << 20 ? Int(page) : 4096
    layout.pageSize = pageSize
    layout.commitSize = long == 4 ? 4 : 8
    layout.dataOffset = 8 + layout.commitSize
  }

  /// Adds a buffer. What is left of the streams bounds the memory that a file can ask for.
  mutating func add(_ buffer: Buffer) {
    streamsLeft -= max(1, buffer.streams.count)
    buffers.append(buffer)
  }

  // MARK: Parts that both versions have

  mutating func readHeaderInfo(_ reader: inout MetadataReader) throws(TraceError) {
    reader.part = "the layout of its pages"
    try reader.expect("header_page")
    _ = try reader.byte()
    let text = try reader.bytes(try reader.u64())
    learnLayout(text)
    try reader.expect("header_event")
    _ = try reader.byte()
    try reader.skip(try reader.u64())
  }

  /// `	field: local_t commit;	offset:8;	size:8;	signed:1;`
  private mutating func learnLayout(_ text: [UInt8]) {
    let header = Array("name: header_page\nID: 0\n".utf8) + text
    if let format = EventFormat(header, system: "", longSize: layout.commitSize) {
      if let commit = format.field("commit"), commit.size == 4 || commit.size == 8,
        commit.offset == 8
      {
        layout.commitSize = commit.size
      }
      layout.dataOffset = 8 + layout.commitSize
      if let data = format.field("data"), data.offset >= 8 + layout.commitSize, data.offset <= 64 {
        layout.dataOffset = data.offset
        let size = data.offset + data.size
        if size >= 1024, size <= 1 << 20 { layout.pageSize = size }
      }
    }
    plans = RecordPlans(isBigEndian: isBigEndian, longSize: layout.commitSize)
  }

  mutating func readEvents(_ reader: inout MetadataReader) throws(TraceError) {
    try readTracerEvents(&reader)
    try readEventFormats(&reader)
  }

  mutating func readTracerEvents(_ reader: inout MetadataReader) throws(TraceError) {
    reader.part = "the formats of the tracer's own events"
    for _ in 0..<(try reader.count(4, of: 8)) {
      _ = plans.add(try reader.bytes(try reader.u64()), system: "ftrace")
    }
  }

  mutating func readEventFormats(_ reader: inout MetadataReader) throws(TraceError) {
    reader.part = "the formats of the events"
    for _ in 0..<(try reader.count(4, of: 5)) {
      let system = String(decoding: try reader.string(), as: UTF8.self)
      for _ in 0..<(try reader.count(4, of: 8)) {
        let text = try reader.bytes(try reader.u64())
        if !plans.add(text, system: system) { note("a format in \(escaped(system)) is none") }
      }
    }
  }

  private func escaped(_ name: String) -> String { String(escaping: name.utf8) }

  /// The layout of the pages of a buffer.
  func layout(of buffer: Buffer) -> RingBufferLayout {
    var layout = layout
    // What the option says, unless it only repeats the page size of the machine.
    if buffer.pageSize > 0, buffer.pageSize != pageSize || layout.pageSize == 0 {
      layout.pageSize = buffer.pageSize
    }
    return layout
  }
}
