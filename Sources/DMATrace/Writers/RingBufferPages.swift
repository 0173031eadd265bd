// SPDX-License-Identifier: MIT
import DMADebugCore
import Glibc

/// Ring-buffer pages of every CPU, laid out as the kernel does, kept in a temporary file.
///
/// A page holds 4080 bytes of events. An event that is larger than that has a page of its own size;
/// then all pages of the file are made as large, and what fits is put together.
struct RingBufferPages: ~Copyable {
  /// Time of the page, and the word with the length.
  static let headerSize = 16
  private static let smallPage = 4096
  private static let capacity = smallPage - headerSize
  /// Room behind the events for the number of lost ones.
  private static let lossSize = 8
  private static let spoolFlush = 1 << 20

  /// The page that a CPU is filling.
  private struct Page {
    var bytes: [UInt8] = []
    var start: UInt64 = 0
    var last: UInt64 = 0
    /// Events lost before it: `nil` for none, 0 for an unknown number.
    var lost: UInt64?
    /// Where its finished pages are in the file.
    var finished: [UInt64] = []
  }

  /// What stands before each page in the temporary file.
  private struct Header: BitwiseCopyable {
    var length: UInt64
    var start: UInt64
    var last: UInt64
    /// 0 for none, 1 for an unknown number, else the number and 1.
    var lost: UInt64
  }

  /// The pages of one CPU in the file to be written.
  struct Buffer {
    var cpu: UInt32
    var pages: Int
  }

  private let file: TemporaryFile
  private var pending: [UInt8] = []
  /// Bytes in the temporary file.
  private var size: UInt64 = 0
  private var cpus: [Page?] = []
  private var largest = 0
  /// Bytes of a page in the file to be written; of use after ``finish()``.
  private(set) var pageSize = smallPage

  init() throws(TraceError) {
    file = try TemporaryFile()
  }

  // MARK: Filling

  /// Adds a record to the pages of a CPU. Times of a CPU must not go back.
  mutating func append(
    _ record: UnsafeRawBufferPointer,
    at time: UInt64,
    cpu: UInt32
  ) throws(TraceError) {
    let index = use(cpu)
    let padded = (record.count + 3) & ~3
    let isShort = padded <= 112
    let length = padded + (isShort ? 4 : 8)
    var delta = time &- cpus[index]!.last
    var isExtended = delta >= 1 << 27
    if !cpus[index]!.bytes.isEmpty {
      let room = Self.capacity - (cpus[index]!.lost == nil ? 0 : Self.lossSize)
      let needed = cpus[index]!.bytes.count + length + (isExtended ? 8 : 0)
      if needed > room || delta >= 1 << 59 { try flush(index) }
    }
    if cpus[index]!.bytes.isEmpty {
      cpus[index]!.start = time
      cpus[index]!.last = time
      delta = 0
      isExtended = false
    }
    cpus[index]!.last = time
    if isExtended { Self.extend(&cpus[index]!.bytes, by: delta) }
    let bits = isExtended ? 0 : UInt32(delta) << 5
    if isShort {
      Self.put(u32: bits | UInt32(padded / 4), &cpus[index]!.bytes)
    } else {
      Self.put(u32: bits, &cpus[index]!.bytes)
      Self.put(u32: UInt32(padded + 4), &cpus[index]!.bytes)
    }
    cpus[index]!.bytes.append(contentsOf: record)
    for _ in record.count..<padded { cpus[index]!.bytes.append(0) }
  }

  /// Notes that events of a CPU were lost here, 0 for an unknown number.
  mutating func lose(_ count: UInt64, cpu: UInt32) throws(TraceError) {
    let index = use(cpu)
    if !cpus[index]!.bytes.isEmpty { try flush(index) }
    if let before = cpus[index]!.lost, before == 0 || count == 0 {
      cpus[index]!.lost = 0
    } else {
      cpus[index]!.lost = (cpus[index]!.lost ?? 0) &+ count
    }
  }

  private mutating func use(_ cpu: UInt32) -> Int {
    let index = Int(cpu)
    if index >= cpus.count {
      cpus.append(contentsOf: repeatElement(nil, count: index + 1 - cpus.count))
    }
    if cpus[index] == nil { cpus[index] = Page() }
    return index
  }

  /// A time extend: 59 bits.
  private static func extend(_ bytes: inout [UInt8], by delta: UInt64) {
    put(u32: 30 | UInt32(truncatingIfNeeded: delta & 0x7ff_ffff) << 5, &bytes)
    put(u32: UInt32(truncatingIfNeeded: delta >> 27), &bytes)
  }

  private static func put(u32 value: UInt32, _ bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  private static func put(u64 value: UInt64, _ bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  private mutating func flush(_ index: Int) throws(TraceError) {
    let lost = cpus[index]!.lost
    let header = Header(
      length: UInt64(cpus[index]!.bytes.count),
      start: cpus[index]!.start,
      last: cpus[index]!.last,
      lost: lost.map { $0 &+ 1 } ?? 0
    )
    largest = max(largest, cpus[index]!.bytes.count + (lost == nil ? 0 : Self.lossSize))
    cpus[index]!.finished.append(size + UInt64(pending.count))
    withUnsafeBytes(of: header) { pending.append(contentsOf: $0) }
    pending.append(contentsOf: cpus[index]!.bytes)
    cpus[index]!.bytes.removeAll(keepingCapacity: true)
    cpus[index]!.lost = nil
    if pending.count > Self.spoolFlush { try writePending() }
  }

  private mutating func writePending() throws(TraceError) {
    var failure: TraceError?
    pending.withUnsafeBytes { bytes in
      do throws(TraceError) {
        try file.append(bytes, for: "trace.dat to be written")
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    size += UInt64(pending.count)
    pending.removeAll(keepingCapacity: true)
  }

  // MARK: The file

  /// Ends the pages that are being filled.
  mutating func finish() throws(TraceError) {
    for index in cpus.indices where cpus[index] != nil {
      if cpus[index]!.bytes.isEmpty, cpus[index]!.lost != nil {
        // A loss that nothing follows: a page with a discarded event carries it.
        cpus[index]!.start = cpus[index]!.last
        Self.put(u32: 29 | 1 << 5, &cpus[index]!.bytes)
        Self.put(u32: 4, &cpus[index]!.bytes)
      }
      if !cpus[index]!.bytes.isEmpty { try flush(index) }
    }
    try writePending()
    while pageSize - Self.headerSize < largest { pageSize *= 2 }
  }

  /// The CPUs with events, and how many pages each has.
  func layout() throws(TraceError) -> [Buffer] {
    var buffers: [Buffer] = []
    for index in cpus.indices {
      guard let cpu = cpus[index], !cpu.finished.isEmpty else { continue }
      var count = 0
      try forEachPage(cpu.finished) { (_: [UInt64]) throws(TraceError) in count += 1 }
      buffers.append(Buffer(cpu: UInt32(index), pages: count))
    }
    return buffers
  }

  /// Calls `body` with the places of what goes together into a page.
  private func forEachPage(
    _ places: [UInt64],
    _ body: ([UInt64]) throws(TraceError) -> Void
  ) throws(TraceError) {
    if pageSize == Self.smallPage {
      for place in places { try body([place]) }
      return
    }
    var group: [UInt64] = []
    var filled = 0
    var last: UInt64 = 0
    for place in places {
      let header = try header(at: place)
      let length = Int(header.length)
      let fits = filled + 8 + length <= pageSize - Self.headerSize - Self.lossSize
      if !group.isEmpty, fits, header.lost == 0, header.start &- last < 1 << 59 {
        filled += 8 + length
        group.append(place)
      } else {
        if !group.isEmpty { try body(group) }
        group = [place]
        filled = length
      }
      last = header.last
    }
    if !group.isEmpty { try body(group) }
  }

  private func header(at place: UInt64) throws(TraceError) -> Header {
    var header = Header(length: 0, start: 0, last: 0, lost: 0)
    let isRead = withUnsafeMutableBytes(of: &header) { read($0, at: place) }
    guard isRead, header.length <= 1 << 20 else { throw TemporaryFile.failure("cannot be read") }
    return header
  }

  private func read(_ bytes: UnsafeMutableRawBufferPointer, at place: UInt64) -> Bool {
    var done = 0
    while done < bytes.count {
      let count = pread(
        file.descriptor,
        bytes.baseAddress! + done,
        bytes.count - done,
        off_t(place) + off_t(done)
      )
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return false }
      done += count
    }
    return true
  }

  /// Writes the pages of a CPU.
  func write(_ buffer: Buffer, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    guard let cpu = cpus[Int(buffer.cpu)] else { return }
    var groups: [[UInt64]] = []
    var page: [UInt8] = []
    // Page after page, so that nothing but the places is held.
    try forEachPage(cpu.finished) { (group) throws(TraceError) in
      if pageSize != Self.smallPage { groups.append(group) }
    }
    if pageSize == Self.smallPage {
      for place in cpu.finished { try write([place], &page, to: sink) }
    } else {
      for group in groups { try write(group, &page, to: sink) }
    }
  }

  private func write(
    _ group: [UInt64],
    _ page: inout [UInt8],
    to sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    page.removeAll(keepingCapacity: true)
    var lost: UInt64 = 0
    var last: UInt64 = 0
    for place in group {
      let header = try header(at: place)
      if page.isEmpty {
        Self.put(u64: header.start, &page)
        Self.put(u64: 0, &page)
        lost = header.lost
      } else {
        Self.extend(&page, by: header.start &- last)
      }
      last = header.last
      let start = page.count
      page.append(contentsOf: repeatElement(0, count: Int(header.length)))
      let isRead = page.withUnsafeMutableBytes {
        read(
          UnsafeMutableRawBufferPointer(rebasing: $0[start...]),
          at: place + UInt64(MemoryLayout<Header>.size)
        )
      }
      guard isRead else { throw TemporaryFile.failure("cannot be read") }
    }
    var commit = UInt64(page.count - Self.headerSize)
    if lost > 0 { commit |= 1 << 31 }
    if lost > 1 {
      commit |= 1 << 30
      Self.put(u64: lost - 1, &page)
    }
    page.withUnsafeMutableBytes { bytes in
      bytes.storeBytes(of: commit.littleEndian, toByteOffset: 8, as: UInt64.self)
    }
    page.append(contentsOf: repeatElement(0, count: pageSize - page.count))
    try page.withUnsafeBytes { try sink($0) }
  }
}
