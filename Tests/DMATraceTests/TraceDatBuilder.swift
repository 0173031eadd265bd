// SPDX-License-Identifier: MIT

/// Makes trace.dat files by hand: versions, byte orders and word sizes of which there is no capture.
struct TraceDatBuilder {
  enum Compression: String, CaseIterable {
    case none, zlib, zstd

    func pack(_ bytes: [UInt8]) -> [UInt8] {
      switch self {
      case .none: bytes
      case .zlib: Packing.zlib(bytes)
      case .zstd: Packing.zstd(bytes)
      }
    }
  }

  /// Something in a ring buffer.
  enum Item {
    /// A record after so many nanoseconds.
    case record(delta: UInt64, [UInt8])
    case extend(UInt64)
    case absolute(UInt64)
    case discarded(delta: UInt64, length: Int)
    /// The rest of the page stays empty.
    case pageEnd
    /// A new page whose flags say that events were lost; `nil` when nobody knows how many.
    case lost(UInt64?)
  }

  struct Buffer {
    var name = ""
    var cpus: [[Item]]
    /// Of the first page.
    var start: UInt64 = 1_000_000_000
  }

  var version = 7
  var isBigEndian = false
  var longSize = 8
  var pageSize = 4096
  var compression = Compression.none
  /// Bytes of a chunk before it is packed; one and a half pages otherwise, so that one may be split.
  var chunkSize: Int?
  /// Records always say their length in a word of their own.
  var longRecords = false
  var buffers: [Buffer] = []
  /// Id and content.
  var options: [(UInt16, [UInt8])] = []
  var symbols = ""
  var latency: String?

  private func writer() -> BinaryWriter { BinaryWriter(isBigEndian: isBigEndian) }

  // MARK: Formats

  private static let common = """
    \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
    \tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
    \tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
    \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;


    """

  static func format(_ name: String, _ id: Int, _ fields: [(String, Int, Int)]) -> String {
    "name: \(name)\nID: \(id)\nformat:\n" + common
      + fields.map { "\tfield:\($0.0);\toffset:\($0.1);\tsize:\($0.2);\tsigned:0;\n" }.joined()
      + "\nprint fmt: \"\"\n"
  }

  var tracerFormats: [String] {
    let long = longSize
    return [
      Self.format("print", 5, [("unsigned long ip", 8, long), ("char buf[]", 8 + long, 0)]),
      Self.format("kernel_stack", 4, [("int size", 8, 4), ("unsigned long caller[]", 16, 0)]),
    ]
  }

  /// The layout of 6.18 with the words of this machine.
  var formats: [String] {
    let long = longSize
    let map: [(String, Int, Int)] = [
      ("__data_loc char[] device", 8, 4), ("u64 phys_addr", 16, 8), ("u64 dma_addr", 24, 8),
      ("size_t size", 32, long), ("enum dma_data_direction dir", 40, 4),
      ("unsigned long attrs", 48, long),
    ]
    let list: [(String, Int, Int)] = [
      ("__data_loc char[] device", 8, 4), ("int full_nents", 12, 4), ("int full_ents", 16, 4),
      ("bool truncated", 20, 1), ("__data_loc u64[] phys_addrs", 24, 4),
      ("__data_loc u64[] dma_addrs", 28, 4), ("__data_loc unsigned int[] lengths", 32, 4),
      ("enum dma_data_direction dir", 36, 4), ("unsigned long attrs", 40, long),
    ]
    return [Self.format("dma_map_phys", 440, map), Self.format("dma_map_sg", 441, list)]
  }

  // MARK: Records

  private func common(_ id: UInt64, _ pid: UInt64) -> BinaryWriter {
    var record = writer()
    record.put(id, 2)
    record.put(0, 2)
    record.put(pid, 4)
    return record
  }

  func map(_ address: UInt64, device: String = "0000:00:03.0", pid: UInt64 = 7) -> [UInt8] {
    var record = common(440, pid)
    let end = 48 + longSize
    record.put(UInt64(device.utf8.count + 1) << 16 | UInt64(end), 4)
    record.put(0, 4)
    record.put(address + 0x1000_0000, 8)
    record.put(address, 8)
    record.put(4096, longSize)
    record.put(0, 8 - longSize)
    record.put(2, 4)
    record.put(0, 4)
    record.put(0x20, longSize)
    record.string(device)
    return record.bytes
  }

  /// A scatterlist of two entries in one segment.
  func list(_ address: UInt64) -> [UInt8] {
    var record = common(441, 7)
    let end = UInt64(40 + longSize)
    let device = "0000:00:03.0"
    let lists = end + UInt64(device.utf8.count + 1)
    record.put(UInt64(device.utf8.count + 1) << 16 | end, 4)
    record.put(2, 4)
    record.put(1, 4)
    record.put(0, 4)
    record.put(16 << 16 | lists, 4)
    record.put(8 << 16 | lists + 16, 4)
    record.put(4 << 16 | lists + 24, 4)
    record.put(1, 4)
    record.put(0, longSize)
    record.string(device)
    record.put(0x7000, 8)
    record.put(0x9000, 8)
    record.put(address, 8)
    record.put(8192, 4)
    return record.bytes
  }

  func marker(_ text: String) -> [UInt8] {
    var record = common(5, 7)
    record.put(0, longSize)
    record.string(text + "\n")
    return record.bytes
  }

  func stack(_ frames: [UInt64]) -> [UInt8] {
    var record = common(4, 7)
    record.put(UInt64(frames.count), 4)
    record.put(0, 4)
    for frame in frames { record.put(frame, longSize) }
    record.put(.max, longSize)
    return record.bytes
  }

  // MARK: Pages

  private func header(_ type: UInt64, _ delta: UInt64) -> UInt64 {
    isBigEndian ? type << 27 | delta : delta << 5 | type
  }

  private func pages(_ items: [Item], start: UInt64) -> [UInt8] {
    var all: [UInt8] = []
    var page = writer()
    var now = start
    var pageStart = start
    var loss: UInt64??
    let dataOffset = 8 + longSize
    func close() {
      var head = writer()
      head.put(pageStart, 8)
      var commit = UInt64(page.bytes.count)
      var tail = writer()
      if let loss {
        commit |= 1 << 31
        if let count = loss {
          commit |= 1 << 30
          tail.put(count, longSize)
        }
        // Kernels of 64 bits extend the sign.
        if longSize == 8 { commit |= 0xffff_ffff_0000_0000 }
      }
      head.put(commit, longSize)
      all += head.bytes + page.bytes + tail.bytes
      while all.count % pageSize != 0 { all.append(0) }
      page = writer()
      pageStart = now
      loss = nil
    }
    func room(_ size: Int) {
      if dataOffset + page.bytes.count + size > pageSize { close() }
    }
    for item in items {
      switch item {
      case .record(let delta, let bytes):
        let padded = (bytes.count + 3) & ~3
        let isLong = longRecords || padded > 112
        room(padded + 8)
        now += delta
        // The first record of a page counts from the page's own time.
        let shown = now - pageStart >= 0 && page.bytes.isEmpty ? now - pageStart : delta
        page.put(header(isLong ? 0 : UInt64(padded / 4), shown), 4)
        if isLong { page.put(UInt64(padded + 4), 4) }
        page.put(bytes)
        page.align(4)
      case .extend(let delta):
        room(8)
        now += delta
        page.put(header(30, delta & 0x7ff_ffff), 4)
        page.put(delta >> 27, 4)
      case .absolute(let time):
        room(8)
        now = time
        page.put(header(31, time & 0x7ff_ffff), 4)
        page.put((time & ~0xf800_0000_0000_0000) >> 27, 4)
      case .discarded(let delta, let length):
        room(length + 8)
        now += delta
        page.put(header(29, delta), 4)
        page.put(UInt64(length + 4), 4)
        page.put([UInt8](repeating: 0xee, count: length))
        page.align(4)
      case .pageEnd:
        page.put(header(29, 0), 4)
        close()
      case .lost(let count):
        if !page.bytes.isEmpty { close() }
        loss = .some(count)
      }
    }
    if !page.bytes.isEmpty { close() }
    return all
  }

  // MARK: The file

  private func headerInfo() -> [UInt8] {
    var info = writer()
    let text =
      "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
      + "\tfield: local_t commit;\toffset:8;\tsize:\(longSize);\tsigned:1;\n"
      + "\tfield: char data;\toffset:\(8 + longSize);\tsize:\(pageSize - 8 - longSize);\tsigned:0;\n"
    info.string("header_page")
    info.put(UInt64(text.utf8.count), 8)
    info.put(text)
    info.string("header_event")
    info.put(0, 8)
    return info.bytes
  }

  private func tracerInfo() -> [UInt8] {
    var info = writer()
    info.put(UInt64(tracerFormats.count), 4)
    for format in tracerFormats {
      info.put(UInt64(format.utf8.count), 8)
      info.put(format)
    }
    return info.bytes
  }

  private func eventInfo() -> [UInt8] {
    var info = writer()
    info.put(1, 4)
    info.string("dma")
    info.put(UInt64(formats.count), 4)
    for format in formats {
      info.put(UInt64(format.utf8.count), 8)
      info.put(format)
    }
    return info.bytes
  }

  private func text(_ text: String, lengthSize: Int) -> [UInt8] {
    var info = writer()
    info.put(UInt64(text.utf8.count), lengthSize)
    info.put(text)
    return info.bytes
  }

  private static let tasks = "7 a task\n9 other\n"

  func build() -> [UInt8] {
    version == 6 ? buildSequence() : buildSections()
  }

  /// The first parts of version 6, which perf uses as well.
  func prefix(version digits: String) -> BinaryWriter {
    var file = writer()
    file.put([0x17, 0x08, 0x44])
    file.put("tracing")
    file.string(digits)
    file.put(isBigEndian ? 1 : 0, 1)
    file.put(UInt64(longSize), 1)
    file.put(4096, 4)
    guard digits != "7" else { return file }
    file.put(headerInfo() + tracerInfo() + eventInfo())
    file.put(text(symbols, lengthSize: 4))
    file.put(text("", lengthSize: 4))
    file.put(text(Self.tasks, lengthSize: 8))
    return file
  }

  private func buildSequence() -> [UInt8] {
    var file = prefix(version: "6")
    file.put(UInt64(buffers.first?.cpus.count ?? 1), 4)
    file.put("options  \0")
    for (id, content) in options {
      file.put(UInt64(id), 2)
      file.put(UInt64(content.count), 4)
      file.put(content)
    }
    var instances: [Int] = []
    for buffer in buffers.dropFirst() {
      file.put(3, 2)
      file.put(UInt64(9 + buffer.name.utf8.count), 4)
      instances.append(file.bytes.count)
      file.put(0, 8)
      file.string(buffer.name)
    }
    file.put(0, 2)
    if let latency {
      file.put("latency  \0")
      file.put(latency)
      return file.bytes
    }
    for (index, buffer) in buffers.enumerated() {
      if index > 0 { file.set(UInt64(file.bytes.count), 8, at: instances[index - 1]) }
      file.put("flyrecord\0")
      let table = file.bytes.count
      for _ in buffer.cpus { file.put([UInt8](repeating: 0, count: 16)) }
      file.align(4096)
      for (cpu, items) in buffer.cpus.enumerated() {
        let data = pages(items, start: buffer.start)
        file.set(UInt64(file.bytes.count), 8, at: table + cpu * 16)
        file.set(UInt64(data.count), 8, at: table + cpu * 16 + 8)
        file.put(data)
        file.align(4096)
      }
    }
    return file.bytes
  }

  private func buildSections() -> [UInt8] {
    var file = prefix(version: "7")
    file.string(compression.rawValue)
    file.string(compression == .none ? "" : "1.0")
    let optionsPlace = file.bytes.count
    file.put(0, 8)
    var references: [(UInt16, Int)] = []
    func section(_ id: UInt16, _ content: [UInt8], packed: Bool = true) {
      references.append((id, file.bytes.count))
      let isPacked = packed && compression != .none
      var body = content
      if isPacked {
        let block = compression.pack(content)
        var head = writer()
        head.put(UInt64(block.count), 4)
        head.put(UInt64(content.count), 4)
        body = head.bytes + block
      }
      file.put(UInt64(id), 2)
      file.put(isPacked ? 1 : 0, 2)
      file.put(0xffff_ffff, 4)
      file.put(UInt64(body.count), 8)
      file.put(body)
    }
    section(16, headerInfo())
    section(17, tracerInfo())
    section(18, eventInfo())
    section(19, text(symbols, lengthSize: 4))
    section(20, text("", lengthSize: 4))
    section(21, text(Self.tasks, lengthSize: 8))
    if let latency { section(22, Array(latency.utf8)) }
    var bufferOptions: [[UInt8]] = []
    for buffer in buffers {
      let start = file.bytes.count
      file.put(3, 2)
      file.put(compression == .none ? 0 : 1, 2)
      file.put(0xffff_ffff, 4)
      let sizePlace = file.bytes.count
      file.put(0, 8)
      var option = writer()
      option.put(UInt64(start), 8)
      option.string(buffer.name)
      option.string("local")
      option.put(UInt64(pageSize), 4)
      option.put(UInt64(buffer.cpus.count), 4)
      file.align(4096)
      for (cpu, items) in buffer.cpus.enumerated() {
        let data = pages(items, start: buffer.start)
        var body = data
        if compression != .none {
          var chunks = writer()
          let size = chunkSize ?? pageSize * 3 / 2
          chunks.put(UInt64((data.count + size - 1) / size), 4)
          for first in stride(from: 0, to: data.count, by: size) {
            let part = Array(data[first..<min(first + size, data.count)])
            let block = compression.pack(part)
            chunks.put(UInt64(block.count), 4)
            chunks.put(UInt64(part.count), 4)
            chunks.put(block)
          }
          body = chunks.bytes
        }
        option.put(UInt64(cpu), 4)
        option.put(UInt64(file.bytes.count), 8)
        option.put(UInt64(compression == .none ? body.count : body.count - 4), 8)
        file.put(body)
        file.align(4096)
      }
      file.set(UInt64(file.bytes.count - sizePlace - 8), 8, at: sizePlace)
      bufferOptions.append(option.bytes)
    }
    // Options come last, in two sections.
    file.set(UInt64(file.bytes.count), 8, at: optionsPlace)
    var first = writer()
    for (id, place) in references {
      first.put(UInt64(id), 2)
      if id == 22 {
        var content = writer()
        content.put(UInt64(place), 8)
        content.string("")
        content.string("local")
        first.put(UInt64(content.bytes.count), 4)
        first.put(content.bytes)
      } else {
        first.put(8, 4)
        first.put(UInt64(place), 8)
      }
    }
    for (id, content) in options {
      first.put(UInt64(id), 2)
      first.put(UInt64(content.count), 4)
      first.put(content)
    }
    // An option that nobody knows yet.
    first.put(99, 2)
    first.put(3, 4)
    first.put([1, 2, 3])
    first.put(0, 2)
    first.put(8, 4)
    let firstSize = first.bytes.count + 8
    first.put(UInt64(file.bytes.count + 16 + firstSize), 8)
    var second = writer()
    for option in bufferOptions {
      second.put(3, 2)
      second.put(UInt64(option.count), 4)
      second.put(option)
    }
    second.put(0, 2)
    second.put(8, 4)
    second.put(0, 8)
    section(0, first.bytes, packed: false)
    section(0, second.bytes, packed: false)
    return file.bytes
  }
}
