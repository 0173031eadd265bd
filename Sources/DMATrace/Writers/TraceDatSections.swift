// SPDX-License-Identifier: MIT
import DMADebugCore

/// The parts of a `trace.dat` of version 7 around its ring-buffer pages, in the order of the file.
struct TraceDatSections {
  /// Numbers of sections and options.
  private enum ID {
    static let done: UInt16 = 0
    static let buffer: UInt16 = 3
    static let clock: UInt16 = 4
    static let uname: UInt16 = 5
    static let cpuCount: UInt16 = 8
    static let version: UInt16 = 9
    static let strings: UInt16 = 15
    static let headers: UInt16 = 16
    static let ftrace: UInt16 = 17
    static let formats: UInt16 = 18
    static let kallsyms: UInt16 = 19
    static let printk: UInt16 = 20
    static let cmdlines: UInt16 = 21
  }

  /// What was made since somebody took it away.
  var bytes: [UInt8] = []
  /// Bytes of the file that were taken away.
  private var taken: UInt64 = 0
  private let clock: String
  private let pageSize: UInt32
  private var strings: [UInt8] = []
  private var sections: [(id: UInt16, offset: UInt64)] = []
  private var buffers: [(cpu: UInt32, offset: UInt64, size: UInt64)] = []
  /// Where the offset of the first options stands, and that of the second ones.
  private static let firstLink = 24

  init(clock: String, pageSize: UInt32) {
    self.clock = clock
    self.pageSize = pageSize
    bytes = [0x17, 0x08, 0x44] + Array("tracing7\0".utf8) + [0, 8]
    put(u32: pageSize)
    bytes += Array("none\0\0".utf8)
    put(u64: 0)
  }

  private mutating func put(u16 value: UInt16) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  private mutating func put(u32 value: UInt32) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  private mutating func put(u64 value: UInt64) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  private mutating func set(u64 value: UInt64, at position: Int) {
    bytes.withUnsafeMutableBytes {
      $0.storeBytes(of: value.littleEndian, toByteOffset: position, as: UInt64.self)
    }
  }

  // MARK: Sections

  private mutating func name(_ text: StaticString) -> UInt32 {
    let place = UInt32(strings.count)
    text.withUTF8Buffer { strings.append(contentsOf: $0) }
    strings.append(0)
    return place
  }

  /// A section whose size is not known before its end.
  private mutating func section(
    _ id: UInt16,
    _ title: StaticString,
    _ body: (inout TraceDatSections) -> Void
  ) {
    sections.append((id, taken + UInt64(bytes.count)))
    let name = name(title)
    put(u16: id)
    put(u16: 0)
    put(u32: name)
    let size = bytes.count
    put(u64: 0)
    let start = bytes.count
    body(&self)
    set(u64: UInt64(bytes.count - start), at: size)
  }

  mutating func addHeaders(pageSize: Int) {
    section(ID.headers, "headers") { file in
      file.bytes += Array("header_page\0".utf8)
      file.text(
        """
        \tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
        \tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
        \tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
        \tfield: char data;\toffset:16;\tsize:\(pageSize - 16);\tsigned:0;

        """
      )
      file.bytes += Array("header_event\0".utf8)
      file.text(
        """
        # compressed entry header
        \ttype_len    :    5 bits
        \ttime_delta  :   27 bits
        \tarray       :   32 bits

        \tpadding     : type == 29
        \ttime_extend : type == 30
        \ttime_stamp : type == 31
        \tdata max type_len  == 28

        """
      )
    }
  }

  private mutating func text(_ text: String) {
    put(u64: UInt64(text.utf8.count))
    bytes += Array(text.utf8)
  }

  mutating func addFormats() {
    section(ID.ftrace, "ftrace events") { file in
      file.put(u32: UInt32(TraceDatFormat.ftrace.count))
      for format in TraceDatFormat.ftrace { file.add(format) }
    }
    section(ID.formats, "events format") { file in
      let systems: [StaticString] = ["dma", "dmaapi", "swiotlb", "iommu", "dma_buf", "dma_fence"]
      file.put(u32: UInt32(systems.count))
      for system in systems {
        let name = system.description
        let formats = TraceDatFormat.all.filter { $0.system.description == name }
        file.bytes += Array(name.utf8) + [0]
        file.put(u32: UInt32(formats.count))
        for format in formats { file.add(format) }
      }
    }
  }

  private mutating func add(_ format: TraceDatFormat) {
    let text = format.text
    put(u64: UInt64(text.count))
    bytes += text
  }

  mutating func addKallsyms(_ symbols: KernelSymbols) {
    section(ID.kallsyms, "kallsyms") { file in
      let start = file.bytes.count
      file.put(u32: 0)
      var text = TextBuffer()
      for function in symbols.functions {
        text.append(hex: function.address, digits: 16)
        text.append(" t ")
        text.append(function.name.map(Self.word))
        if !function.module.isEmpty {
          text.append("\t")
          text.append(function.module.map(Self.word))
        }
        text.append("\n")
      }
      // Without an end the last function would have none.
      text.append(hex: symbols.end, digits: 16)
      text.append(" t _end\n")
      file.bytes += text.bytes
      let length = UInt32(file.bytes.count - start - 4)
      file.bytes.withUnsafeMutableBytes {
        $0.storeBytes(of: length.littleEndian, toByteOffset: start, as: UInt32.self)
      }
    }
  }

  /// A blank would end the name.
  private static func word(_ byte: UInt8) -> UInt8 {
    byte > 0x20 && byte != 0x7f ? byte : UInt8(ascii: "_")
  }

  mutating func addPrintk() {
    section(ID.printk, "printk") { $0.put(u32: 0) }
  }

  mutating func addTasks(_ tasks: [Int32: UInt32], _ names: borrowing TraceNames) {
    var text = TextBuffer()
    for pid in tasks.keys.sorted() {
      guard let task = tasks[pid] else { continue }
      text.append(decimal: UInt64(pid))
      text.append(" ")
      text.append(ControlCharacters.escaped(names.tasks[task]))
      text.append("\n")
    }
    let bytes = text.bytes
    section(ID.cmdlines, "command lines") { file in
      file.put(u64: UInt64(bytes.count))
      file.bytes += bytes
    }
  }

  // MARK: Options

  private mutating func option(_ id: UInt16, _ body: (inout TraceDatSections) -> Void) {
    put(u16: id)
    let size = bytes.count
    put(u32: 0)
    body(&self)
    let length = UInt32(bytes.count - size - 4)
    bytes.withUnsafeMutableBytes {
      $0.storeBytes(of: length.littleEndian, toByteOffset: size, as: UInt32.self)
    }
  }

  /// Where the link from the first options to the second ones stands in ``bytes``.
  private var link = 0

  mutating func addOptions(release: String?, version: String, cpus: UInt32) {
    let sections = sections
    set(u64: taken + UInt64(bytes.count), at: Self.firstLink)
    let clock = clock
    section(ID.done, "options") { file in
      for section in sections { file.option(section.id) { $0.put(u64: section.offset) } }
      file.option(ID.clock) { file in
        let clocks = ["local", "global", "counter", "uptime", "perf", "mono", "mono_raw", "boot"]
        let list = clocks.map { $0 == clock ? "[\($0)]" : $0 }.joined(separator: " ")
        file.bytes += Array("\(list)\n\0".utf8)
      }
      if let release {
        file.option(ID.uname) { $0.bytes += Array("Linux (none) \(release) unknown\0".utf8) }
      }
      file.option(ID.version) { $0.bytes += Array("dmatop \(version)\0".utf8) }
      file.option(ID.cpuCount) { $0.put(u32: cpus) }
      file.option(ID.done) { file in
        file.link = file.bytes.count
        file.put(u64: 0)
      }
    }
  }

  // MARK: Pages

  /// Begins the section of the pages; they follow it in the order of `sizes`.
  ///
  /// - Returns: its offset.
  mutating func beginBuffer(_ sizes: [(cpu: UInt32, size: UInt64)]) -> UInt64 {
    let start = UInt64(bytes.count)
    let first = (start + 16 + UInt64(pageSize) - 1) / UInt64(pageSize) * UInt64(pageSize)
    var offset = first
    for (cpu, size) in sizes {
      buffers.append((cpu, offset, size))
      offset += size
    }
    set(u64: offset, at: link)
    let name = name("buffer flyrecord ")
    put(u16: ID.buffer)
    put(u16: 0)
    put(u32: name)
    put(u64: offset - start - 16)
    bytes += repeatElement(0, count: Int(first) - bytes.count)
    taken = offset
    return start
  }

  /// What follows the pages.
  mutating func endBuffer(at start: UInt64) {
    let buffers = buffers
    let clock = clock
    let pageSize = pageSize
    section(ID.done, "options") { file in
      file.option(ID.buffer) { file in
        file.put(u64: start)
        file.bytes.append(0)
        file.bytes += Array(clock.utf8) + [0]
        file.put(u32: pageSize)
        file.put(u32: UInt32(buffers.count))
        for buffer in buffers {
          file.put(u32: buffer.cpu)
          file.put(u64: buffer.offset)
          file.put(u64: buffer.size)
        }
      }
      file.option(ID.done) { $0.put(u64: 0) }
    }
    let text = name("strings")
    let strings = strings
    put(u16: ID.strings)
    put(u16: 0)
    put(u32: text)
    put(u64: UInt64(strings.count))
    bytes += strings
  }
}
