// SPDX-License-Identifier: MIT

/// Version 6: one part after the other.
extension TraceDatFile {
  mutating func readSequence(_ reader: inout MetadataReader) throws(TraceError) {
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

  mutating func takeOption(_ reader: MetadataReader) throws(TraceError) {
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
}
