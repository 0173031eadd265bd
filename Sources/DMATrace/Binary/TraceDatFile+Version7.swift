// SPDX-License-Identifier: MIT
import DMADebugCore

/// Version 7: sections, found through options.
extension TraceDatFile {
  mutating func readSections(_ reader: inout MetadataReader) throws(TraceError) {
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

  /// The bytes of a section, expanded when it is packed.
  func section(
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

  mutating func readSection(_ id: UInt16, at offset: UInt64) throws(TraceError) {
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
}
