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

  /// From the timestamps of the file to those of the user.
  struct Clock {
    struct Shift {
      var times: [UInt64] = []
      var offsets: [Int64] = []
      var scalings: [UInt64] = []
      var fractions: [UInt64] = []
      var interpolates = false
    }

    /// By CPU.
    var shifts: [Shift] = []
    /// `TSC2NSEC`: multiply, then shift right.
    var multiplier: UInt64 = 0
    var shift: UInt64 = 0
    /// Nanoseconds to add, from the date and from an offset.
    var offset: Int64 = 0

    var isPlain: Bool { shifts.isEmpty && multiplier == 0 && offset == 0 }
  }

  private static let maximumStreams = 1 << 14
  private static let maximumSections = 4096
  /// Options that are looked at: sections may overlap, so their bytes bound nothing.
  private static let maximumOptions = 1 << 20

  private(set) var version = 6
  private(set) var isBigEndian = false
  private(set) var pageSize = 4096
  private(set) var layout = RingBufferLayout()
  private(set) var compression = BlockCompression.none
  private(set) var plans: RecordPlans
  private(set) var symbols: [UInt8] = []
  private(set) var tasks: [UInt8] = []
  private(set) var buffers: [Buffer] = []
  private(set) var latency: Latency?
  private(set) var clock = Clock()
  private(set) var clockName: [UInt8] = []
  /// The kernel release.
  private(set) var release: [UInt8] = []
  /// Events that were overwritten or dropped, by the statistics of the CPUs.
  private(set) var overwritten: UInt64 = 0
  /// The first thing that is wrong with the description; the records may be fine.
  private(set) var problem: String?
  private var cpuCount = 0
  private var optionsLeft = maximumOptions
  private var streamsLeft = maximumStreams

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

  private mutating func note(_ error: TraceError) {
    note(error.damage)
  }

  private mutating func note(_ text: String) {
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
  private mutating func add(_ buffer: Buffer) {
    streamsLeft -= max(1, buffer.streams.count)
    buffers.append(buffer)
  }

  // MARK: Parts that both versions have

  private mutating func readHeaderInfo(_ reader: inout MetadataReader) throws(TraceError) {
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

  private mutating func readEvents(_ reader: inout MetadataReader) throws(TraceError) {
    try readTracerEvents(&reader)
    try readEventFormats(&reader)
  }

  private mutating func readTracerEvents(_ reader: inout MetadataReader) throws(TraceError) {
    reader.part = "the formats of the tracer's own events"
    for _ in 0..<(try reader.count(4, of: 8)) {
      _ = plans.add(try reader.bytes(try reader.u64()), system: "ftrace")
    }
  }

  private mutating func readEventFormats(_ reader: inout MetadataReader) throws(TraceError) {
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

  // MARK: Version 6

  private mutating func readSequence(_ reader: inout MetadataReader) throws(TraceError) {
    try readHeaderInfo(&reader)
    try readEvents(&reader)
    reader.part = "the symbols of the kernel"
    symbols = try reader.bytes(UInt64(try reader.u32()))
    reader.part = "the formats of trace_printk"
    try reader.skip(UInt64(try reader.u32()))
    reader.part = "the names of the tasks"
    tasks = try reader.bytes(try reader.u64())
    reader.part = "the number of CPUs"
    cpuCount = Int(try reader.u32())
    reader.part = "its options"
    var instances: [(offset: UInt64, name: [UInt8])] = []
    try readOptions(&reader, &instances)
    try readTable(&reader, name: [])
    if latency == nil, clockName.isEmpty == false, reader.left >= 8 {
      // The clock of the top buffer, said once more.
      let length = try? reader.u64()
      if let length, length < 4096, let text = try? reader.bytes(length) { chooseClock(text) }
    }
    for instance in instances.prefix(Self.maximumSections) {
      var part = MetadataReader(bytes, at: instance.offset, isBigEndian: isBigEndian)
      part.part = "an instance"
      do throws(TraceError) {
        var none: [(offset: UInt64, name: [UInt8])] = []
        try readOptions(&part, &none)
        try readTable(&part, name: instance.name)
      } catch {
        note(error)
      }
    }
  }

  /// The block `options`, when it stands here.
  private mutating func readOptions(
    _ reader: inout MetadataReader,
    _ instances: inout [(offset: UInt64, name: [UInt8])]
  ) throws(TraceError) {
    let start = reader.offset
    let tag = try reader.bytes(10)
    guard tag.elementsEqual("options  \0".utf8) else {
      reader.offset = start
      return
    }
    while true {
      let id = try reader.u16()
      if id == 0 { return }
      try takeOption(reader)
      let size = UInt64(try reader.u32())
      guard size <= reader.left else {
        throw reader.problem("is damaged: option \(id) has \(size) bytes at byte \(reader.offset)")
      }
      let next = reader.offset + size
      if id == 3 {
        var part = MetadataReader(bytes, at: reader.offset, end: next, isBigEndian: isBigEndian)
        part.part = "an instance"
        let offset = try part.u64()
        instances.append((offset, try part.string()))
      } else {
        try readOption(id, reader.offset, next)
      }
      reader.offset = next
    }
  }

  private mutating func takeOption(_ reader: MetadataReader) throws(TraceError) {
    guard optionsLeft > 0 else {
      throw reader.problem("is damaged: more options than make sense at byte \(reader.offset)")
    }
    optionsLeft -= 1
  }

  /// The table of per-CPU data, or the text of a latency tracer.
  private mutating func readTable(
    _ reader: inout MetadataReader,
    name: [UInt8]
  ) throws(TraceError) {
    reader.part = "the table of its CPUs"
    let tag = try reader.bytes(10)
    if tag.elementsEqual("latency  \0".utf8) {
      if latency == nil { latency = Latency(offset: reader.offset) }
      return
    }
    guard tag.elementsEqual("flyrecord\0".utf8) else {
      throw reader.problem("is damaged: no records begin at byte \(reader.offset - 10)")
    }
    guard cpuCount <= streamsLeft, UInt64(cpuCount) * 16 <= reader.left else {
      throw reader.problem("is damaged: it speaks of \(cpuCount) CPUs at byte \(reader.offset)")
    }
    var streams: [Stream] = []
    for cpu in 0..<cpuCount {
      let offset = try reader.u64()
      let size = try reader.u64()
      if size > 0 { streams.append(Stream(cpu: UInt32(cpu), offset: offset, size: size)) }
    }
    add(
      Buffer(name: name, clock: [], pageSize: 0, isPacked: false, streams: streams)
    )
  }

  // MARK: Version 7

  private mutating func readSections(_ reader: inout MetadataReader) throws(TraceError) {
    let name = try reader.string()
    _ = try reader.string()
    switch String(decoding: name, as: UTF8.self) {
    case "none", "": compression = .none
    case "zlib": compression = .zlib
    case "zstd": compression = .zstd(ZstdBlocks())
    default:
      throw reader.problem(
        "is packed with \(String(escaping: name)), which is not known",
        advice: "`trace-cmd convert --compression zstd` writes it anew"
      )
    }
    var next = try reader.u64()
    let firstSection = reader.offset
    var sections: [(id: UInt16, offset: UInt64)] = []
    var visited: [UInt64] = []
    while next != 0 {
      guard !visited.contains(next), visited.count < Self.maximumSections else {
        note("its options go round in a circle at byte \(next)")
        break
      }
      visited.append(next)
      do throws(TraceError) {
        next = try readOptionsSection(at: next, &sections)
      } catch {
        note(error)
        break
      }
    }
    // Layouts first: everything else depends on them.
    for wanted: UInt16 in [16, 17, 18, 19, 21, 3, 22] {
      for (id, offset) in sections where id == wanted {
        do throws(TraceError) {
          try readSection(id, at: offset)
        } catch {
          note(error)
        }
      }
    }
    if buffers.isEmpty, latency == nil { salvage(from: firstSection) }
    if problem == nil { checkEnd(from: firstSection) }
  }

  /// Says so when the last section, which need not be one that is read, is cut off.
  private mutating func checkEnd(from start: UInt64) {
    var offset = start
    for _ in 0..<Self.maximumSections where offset < bytes.size {
      var head = MetadataReader(bytes, at: offset, isBigEndian: isBigEndian)
      guard head.left >= 16 else {
        return note("cut off at byte \(bytes.size), in its last section")
      }
      guard let id = try? head.u16(), let flags = try? head.u16(), (try? head.u32()) != nil,
        let size = try? head.u64(), id <= 64, flags <= 1
      else { return }
      if size > head.left { return note("cut off at byte \(bytes.size), in its last section") }
      offset = head.offset + size
    }
  }

  /// The options at the end of the file are gone: what stands in front of them is found by walking
  /// from section to section.
  private mutating func salvage(from start: UInt64) {
    note("its options are gone")
    var offset = start
    for _ in 0..<Self.maximumSections {
      var head = MetadataReader(bytes, at: offset, isBigEndian: isBigEndian)
      guard let id = try? head.u16(), let flags = try? head.u16(), (try? head.u32()) != nil,
        let size = try? head.u64(), id <= 64, flags <= 1
      else { return }
      if id == 3 {
        let end = size > head.left ? bytes.size : head.offset + size
        salvageBuffer(from: head.offset, to: end, isPacked: flags == 1)
      } else if (16...21).contains(id) {
        do throws(TraceError) {
          try readSection(id, at: offset)
        } catch {
          note(error)
        }
      }
      guard size <= head.left else { return }
      offset = head.offset + size
    }
  }

  /// Finds where the data of each CPU begins; which CPU it is of is not known any more, so they are
  /// counted.
  private mutating func salvageBuffer(from start: UInt64, to end: UInt64, isPacked: Bool) {
    let page = UInt64(pageSize)
    let limit = streamsLeft
    var streams: [Stream] = []
    var place = (start + page - 1) / page * page
    if isPacked {
      while place < end, streams.count < limit {
        var reader = MetadataReader(bytes, at: place, end: end, isBigEndian: isBigEndian)
        guard let chunks = try? reader.u32(), chunks > 0 else { break }
        for _ in 0..<chunks {
          guard let packed = try? reader.u32(), (try? reader.u32()) != nil,
            (try? reader.skip(UInt64(packed))) != nil
          else {
            reader.offset = end
            break
          }
        }
        let size = reader.offset - place - 4
        streams.append(Stream(cpu: UInt32(streams.count), offset: place, size: size))
        place = (reader.offset + page - 1) / page * page
      }
    } else {
      // Time begins anew with each CPU.
      let step = UInt64(layout.pageSize)
      var last: UInt64 = .max
      while place < end, streams.count < limit {
        var reader = MetadataReader(bytes, at: place, end: end, isBigEndian: isBigEndian)
        guard let time = try? reader.u64() else { break }
        if time < last || streams.isEmpty {
          streams.append(Stream(cpu: UInt32(streams.count), offset: place, size: 0))
        }
        last = time
        streams[streams.count - 1].size += min(step, end - place)
        place += step
      }
    }
    guard !streams.isEmpty else { return }
    add(
      Buffer(name: [], clock: [], pageSize: 0, isPacked: isPacked, streams: streams)
    )
  }

  /// The bytes of a section, expanded when it is packed.
  private func section(
    at offset: UInt64,
    _ part: String
  ) throws(TraceError) -> (reader: MetadataReader, id: UInt16, isPacked: Bool) {
    var head = MetadataReader(bytes, at: offset, isBigEndian: isBigEndian)
    head.part = part
    let id = try head.u16()
    let isPacked = try head.u16() & 1 != 0
    _ = try head.u32()
    let size = try head.u64()
    let start = head.offset
    guard size <= head.left else {
      // A buffer that is cut off still holds something.
      var reader = MetadataReader(bytes, at: start, isBigEndian: isBigEndian)
      reader.part = part
      return (reader, id, isPacked)
    }
    var reader = MetadataReader(bytes, at: start, end: start + size, isBigEndian: isBigEndian)
    reader.part = part
    guard isPacked, id != 3 else { return (reader, id, isPacked) }
    let packed = try reader.u32()
    let expanded = try reader.u32()
    guard expanded <= MetadataReader.maximumLength else {
      throw reader.problem("is damaged: \(part) would expand to \(expanded) bytes at byte \(start)")
    }
    let block = try reader.bytes(UInt64(packed))
    // Nothing shrinks to less than a ten-thousandth: memory is not given for a promise.
    guard Int(expanded) <= (block.count + 64) * 10_000 else {
      throw reader.problem("is damaged: \(part) would expand to \(expanded) bytes at byte \(start)")
    }
    var plain = [UInt8](repeating: 0, count: Int(expanded))
    let isWhole = plain.withUnsafeMutableBytes { output in
      block.withUnsafeBytes { compression.expand($0, into: output) }
    }
    guard isWhole else {
      throw reader.problem("is damaged: \(part) at byte \(start) cannot be expanded")
    }
    let memory = RandomAccessBytes(plain, name: "")
    var inner = MetadataReader(memory, at: 0, isBigEndian: isBigEndian)
    inner.part = part
    return (inner, id, isPacked)
  }

  /// Reads a section of options.
  ///
  /// - Returns: where the next one is, 0 for none.
  private mutating func readOptionsSection(
    at offset: UInt64,
    _ sections: inout [(id: UInt16, offset: UInt64)]
  ) throws(TraceError) -> UInt64 {
    var (reader, id, _) = try section(at: offset, "its options")
    guard id == 0 else {
      throw reader.problem("is damaged: no options stand at byte \(offset)")
    }
    while reader.left >= 6 {
      try takeOption(reader)
      let id = try reader.u16()
      let size = UInt64(try reader.u32())
      guard size <= reader.left else {
        throw reader.problem("is damaged: option \(id) has \(size) bytes at byte \(reader.offset)")
      }
      let next = reader.offset + size
      switch id {
      case 0: return size >= 8 ? try reader.u64() : 0
      case 3: try readBuffer(&reader, end: next, offset)
      case 16...21:
        guard sections.count < Self.maximumSections else { break }
        sections.append((id, try reader.u64()))
      case 22:
        sections.append((id, try reader.u64()))
      default:
        try readOption(id, reader.offset, next, in: reader.source)
      }
      reader.offset = next
    }
    note("cut off at byte \(bytes.size), in its options")
    return 0
  }

  private mutating func readBuffer(
    _ reader: inout MetadataReader,
    end: UInt64,
    _ options: UInt64
  ) throws(TraceError) {
    var part = MetadataReader(reader.source, at: reader.offset, end: end, isBigEndian: isBigEndian)
    part.part = "a buffer"
    let offset = try part.u64()
    let name = try part.string()
    let clock = try part.string()
    let page = try part.u32()
    let count = try part.count(4, of: 20)
    guard count <= streamsLeft else {
      throw part.problem("is damaged: it speaks of \(count) CPUs near byte \(options)")
    }
    var streams: [Stream] = []
    for _ in 0..<count {
      let cpu = try part.u32()
      let start = try part.u64()
      let size = try part.u64()
      if size > 0 { streams.append(Stream(cpu: cpu, offset: start, size: size)) }
    }
    var isPacked = false
    do throws(TraceError) {
      isPacked = try section(at: offset, "a buffer").isPacked
    } catch {
      note(error)
      if case .none = compression {} else { isPacked = true }
    }
    add(
      Buffer(
        name: name,
        clock: clock,
        pageSize: page >= 1024 && page <= 1 << 20 ? Int(page) : 0,
        isPacked: isPacked,
        streams: streams
      )
    )
    if buffers.count == 1 || name.isEmpty { clockName = clock }
  }

  private mutating func readSection(_ id: UInt16, at offset: UInt64) throws(TraceError) {
    switch id {
    case 16:
      var (reader, _, _) = try section(at: offset, "the layout of its pages")
      try readHeaderInfo(&reader)
    case 17:
      var (reader, _, _) = try section(at: offset, "the formats of the tracer's own events")
      try readTracerEvents(&reader)
    case 18:
      var (reader, _, _) = try section(at: offset, "the formats of the events")
      try readEventFormats(&reader)
    case 19:
      var (reader, _, _) = try section(at: offset, "the symbols of the kernel")
      symbols = try reader.bytes(UInt64(try reader.u32()))
    case 21:
      var (reader, _, _) = try section(at: offset, "the names of the tasks")
      tasks = try reader.bytes(try reader.u64())
    case 22:
      guard latency == nil else { return }
      let (reader, _, isPacked) = try section(at: offset, "the text of the tracer")
      latency = Latency(
        offset: reader.offset,
        text: isPacked ? reader.source.bytes(at: 0, count: Int(reader.source.size)) : nil
      )
    default: return
    }
  }

  // MARK: Options

  private mutating func readOption(
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
  private mutating func chooseClock(_ text: [UInt8]) {
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
  private func signed(_ text: [UInt8]) -> Int64? {
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

extension TraceDatFile.Clock {
  /// The time of a record on the user's clock.
  func time(_ stamp: UInt64, cpu: UInt32) -> UInt64 {
    var time = stamp
    if Int(cpu) < shifts.count { time = shifts[Int(cpu)].apply(time) }
    if multiplier != 0 {
      let product = time.multipliedFullWidth(by: multiplier)
      time = shift == 0 ? product.low : product.high << (64 - shift) | product.low >> shift
    }
    return time &+ UInt64(bitPattern: offset)
  }
}

extension TraceDatFile.Clock.Shift {
  /// The guest's time as the host has it.
  func apply(_ time: UInt64) -> UInt64 {
    guard let last = times.indices.last else { return time }
    var low = 0
    if time >= times[last] {
      low = last
    } else if time > times[0] {
      var high = last
      while high - low > 1 {
        let middle = (low + high) / 2
        if times[middle] <= time { low = middle } else { high = middle }
      }
    }
    var result = time
    let scaling = low < scalings.count ? scalings[low] : 1
    let fraction = low < fractions.count ? fractions[low] : 0
    if scaling != 1 || fraction != 0 {
      let product = time.multipliedFullWidth(by: scaling)
      result =
        fraction == 0 ? product.low : product.high << (64 - fraction) | product.low >> fraction
    }
    var offset = offsets[low]
    if interpolates, low < last, time > times[low], times[low + 1] > times[low] {
      // Between two measurements: in proportion.
      let part = Double(time - times[low]) / Double(times[low + 1] - times[low])
      let difference = Double(offsets[low + 1]) - Double(offsets[low])
      let step = (part * difference).rounded()
      if abs(step) < 9e18 { offset = offset &+ Int64(step) }
    }
    return result &+ UInt64(bitPattern: offset)
  }
}
