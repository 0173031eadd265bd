// SPDX-License-Identifier: MIT
import DMADebugCore
import TestSupport
import Testing

@testable import DMATrace

/// The bytes of a `trace.dat`, read by what the format says and nothing else.
@Suite struct TraceDatWriterTests {
  /// A record with its time, the bytes of the event, and whether events were lost before it.
  private struct Record: Equatable {
    var time: UInt64
    var id: UInt16
    var bytes: [UInt8]
    var lost: UInt64?
  }

  private struct File {
    var pageSize = 0
    var records: [UInt32: [Record]] = [:]
    var kallsyms = ""
    var tasks = ""
    var options: [UInt16: [UInt8]] = [:]
    var pageCount = 0

    init(_ bytes: [UInt8]) throws {
      func number(_ at: Int, _ size: Int) -> UInt64 {
        (0..<size).reduce(0) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
      }
      func text(_ at: Int) -> String {
        String(decoding: bytes[at...].prefix { $0 != 0 }, as: UTF8.self)
      }
      #expect(Array(bytes[..<12]) == [0x17, 0x08, 0x44] + Array("tracing7\0".utf8))
      pageSize = Int(number(14, 4))
      var place = Int(number(24, 8))
      while place != 0 {
        #expect(number(place, 2) == 0)
        var at = place + 16
        let end = at + Int(number(place + 8, 8))
        place = 0
        while at < end {
          let id = UInt16(number(at, 2))
          let size = Int(number(at + 2, 4))
          if id == 0 { place = Int(number(at + 6, 8)) }
          options[id] = Array(bytes[at + 6..<at + 6 + size])
          if (16...21).contains(id) {
            // A section begins with the number that its option has.
            let section = Int(number(at + 6, 8))
            #expect(number(section, 2) == UInt64(id))
            let body = section + 16
            if id == 19 {
              let length = Int(number(body, 4))
              kallsyms = String(decoding: bytes[body + 4..<body + 4 + length], as: UTF8.self)
            }
            if id == 21 {
              let length = Int(number(body, 8))
              tasks = String(decoding: bytes[body + 8..<body + 8 + length], as: UTF8.self)
            }
          }
          if id == 3 {
            #expect(text(at + 14) == "")
            let clock = text(at + 15)
            var entry = at + 15 + clock.utf8.count + 1
            #expect(Int(number(entry, 4)) == pageSize)
            let count = Int(number(entry + 4, 4))
            entry += 8
            for _ in 0..<count {
              let offset = Int(number(entry + 4, 8))
              let size = Int(number(entry + 12, 8))
              #expect(offset % pageSize == 0 && size % pageSize == 0)
              let pages = stride(from: offset, to: offset + size, by: pageSize)
              let cpu = UInt32(number(entry, 4))
              for page in pages { try read(Array(bytes[page..<page + pageSize]), cpu) }
              entry += 20
            }
          }
          at += 6 + size
        }
        #expect(at == end)
      }
    }

    private mutating func read(_ page: [UInt8], _ cpu: UInt32) throws {
      pageCount += 1
      func number(_ at: Int, _ size: Int) -> UInt64 {
        (0..<size).reduce(0) { $0 | UInt64(page[at + $1]) << UInt64(8 * $1) }
      }
      var time = number(0, 8)
      let commit = number(8, 8)
      let end = 16 + Int(commit & 0x7ff_ffff)
      var lost: UInt64? = commit >> 31 & 1 == 1 ? 0 : nil
      if commit >> 30 & 1 == 1 { lost = number(end, 8) }
      var at = 16
      while at < end {
        let word = number(at, 4)
        let type = word & 31
        time &+= word >> 5
        var start = at + 4
        var length = Int(type) * 4
        switch type {
        case 29:
          at += 4 + Int(number(at + 4, 4))
          records[cpu, default: []].append(Record(time: time, id: 0, bytes: [], lost: lost))
          lost = nil
          continue
        case 30:
          time &+= number(at + 4, 4) << 27
          at += 8
          continue
        case 31: throw Problem()
        case 0:
          length = Int(number(at + 4, 4)) - 4
          start = at + 8
        default: break
        }
        let record = Array(page[start..<start + length])
        let id = UInt16(record[0]) | UInt16(record[1]) << 8
        records[cpu, default: []].append(Record(time: time, id: id, bytes: record, lost: lost))
        lost = nil
        at = start + length
      }
      #expect(at == end)
    }
  }

  private struct Problem: Error {}

  private func write(_ batch: EventBatch, _ names: TraceNames) throws -> File {
    var writer = try TraceDatWriter()
    try writer.write(batch, names: names)
    return try finish(&writer, names)
  }

  private func finish(_ writer: inout TraceDatWriter, _ names: TraceNames) throws -> File {
    var bytes: [UInt8] = []
    try writer.finish(names: names, release: "6.18.44", clock: .nanoseconds, version: "test") {
      bytes += $0
    }
    return try File(bytes)
  }

  private func event(_ time: UInt64, cpu: UInt32 = 0) -> DMAEvent {
    var event = DMAEvent(.unmapPhys)
    event.time = time
    event.cpu = cpu
    event.pid = 7
    event.size = time
    return event
  }

  @Test func timesKeepTheirNanosecondsAcrossPagesAndGaps() throws {
    var batch = EventBatch()
    var times: [UInt64] = [5, 5, 6, 1 << 26, (1 << 27) + (1 << 26), 1 << 40, (1 << 40) + 1]
    times += (0..<1000).map { (1 << 41) + $0 * 134_217_729 }
    times += [1 << 62, .max - 1]
    for time in times { batch.events.append(event(time)) }
    let file = try write(batch, TraceNames())
    let records = try #require(file.records[0])
    #expect(records.map(\.time) == times)
    #expect(file.pageSize == 4096)
    #expect(file.pageCount > 10)
    // The fields say the same.
    for (record, time) in zip(records, times) {
      let size = (0..<8).reduce(0 as UInt64) {
        $0 | UInt64(record.bytes[24 + $1]) << UInt64(8 * $1)
      }
      #expect(size == time)
    }
  }

  @Test func eventsOfAllCPUsKeepTheirOrder() throws {
    var batch = EventBatch()
    // Microseconds as text has them: many events in one, on CPUs in any order.
    let cpus: [UInt32] = [3, 1, 0, 2, 2, 3, 0, 0, 1]
    for index in 0..<900 {
      batch.events.append(event(UInt64(index / 9) * 1000, cpu: cpus[index % 9]))
    }
    var writer = try TraceDatWriter()
    for (index, _) in batch.events.enumerated() { batch.events[index].size = UInt64(index) }
    try writer.write(batch, names: TraceNames())
    #expect(writer.losses == TraceDatWriter.Losses())
    let file = try finish(&writer, TraceNames())
    var all: [(time: UInt64, cpu: UInt32, place: Int, size: UInt64)] = []
    for (cpu, records) in file.records {
      for (place, record) in records.enumerated() {
        let size = UInt64(record.bytes[24]) | UInt64(record.bytes[25]) << 8
        all.append((record.time, cpu, place, size))
      }
    }
    all.sort { ($0.time, $0.cpu, $0.place) < ($1.time, $1.cpu, $1.place) }
    #expect(all.map(\.size) == (0..<900).map { UInt64($0) })
    #expect(all.allSatisfy { $0.time / 1000 == $0.size / 9 })
  }

  @Test func lossesStandBeforeTheEventThatFollows() throws {
    var batch = EventBatch()
    func lost(_ count: UInt64, cpu: UInt32) -> DMAEvent {
      var event = DMAEvent(.lost)
      event.size = count
      event.cpu = cpu
      return event
    }
    batch.events = [
      event(1), lost(42, cpu: 0), event(2), event(3), lost(0, cpu: 0), event(4), event(5, cpu: 1),
      lost(3, cpu: 0), lost(4, cpu: 0), event(6), lost(9, cpu: 1),
    ]
    let file = try write(batch, TraceNames())
    #expect(file.records[0]?.map(\.lost) == [nil, 42, nil, 0, 7])
    // Nothing follows: an event that was discarded carries it.
    #expect(file.records[1]?.map(\.lost) == [nil, 9])
    #expect(file.records[1]?.last?.id == 0)
  }

  @Test func largeListsMakeLargePages() throws {
    var batch = EventBatch()
    var list = event(1000)
    list.kind = .unmapSG
    list.physicalCount = 3000
    batch.payload = (0..<3000).map { UInt64($0) << 12 }
    for index in 0..<500 { batch.events.append(event(UInt64(index))) }
    batch.events.append(list)
    for index in 0..<500 { batch.events.append(event(UInt64(2000 + index))) }
    let file = try write(batch, TraceNames())
    let records = try #require(file.records[0])
    #expect(file.pageSize == 32768)
    #expect(records.count == 1001)
    #expect(records.map(\.time) == batch.events.map(\.time))
    // Small pages were put together.
    #expect(file.pageCount == 3)
    #expect(records[500].bytes.count == 32 + 2 + 2 + 24000)
  }

  @Test func whatNoRecordHoldsIsCutAndCounted() throws {
    var names = TraceNames()
    var batch = EventBatch()
    var list = event(1)
    list.kind = .mapSG
    list.segmentCount = 9000
    list.physicalCount = 9000
    list.requestedEntries = 9000
    list.mappedEntries = 9000
    batch.payload = Array(repeating: 0x1000, count: 27000)
    var marker = DMAEvent(.marker)
    marker.segmentCount = 100_000
    batch.text = Array(repeating: 0x61, count: 100_000)
    var buffer = DMAEvent(.bufferVmap)
    buffer.task = names.tasks.intern("a")
    batch.events = [list, marker, buffer, DMAEvent(.other)]
    var writer = try TraceDatWriter()
    try writer.write(batch, names: names)
    #expect(writer.losses.cut == 2)
    #expect(writer.losses.skipped == 2)
    let file = try finish(&writer, names)
    #expect(file.pageSize == 131_072 || file.pageSize == 65536)
    let record = try #require(file.records[0]?.first)
    #expect(record.bytes[20] == 1, "a list that was cut says so")
  }

  @Test func symbolsAndTasksHaveTheirNames() throws {
    var names = TraceNames()
    let frames = ["nvme_map_data+0x1c/0x200 [nvme]", "nvme_map_data+0x30/0x200 [nvme]", "do_idle"]
    var event = event(1)
    event.stack = names.stacks.intern(frames.map { names.symbols.intern($0) })
    event.task = names.tasks.intern("kworker/0:1\nx")
    var batch = EventBatch()
    batch.events = [event]
    let file = try write(batch, names)
    let records = try #require(file.records[0])
    #expect(records.map(\.id) == [405, 4])
    func address(_ index: Int) -> UInt64 {
      (0..<8).reduce(0) { $0 | UInt64(records[1].bytes[16 + 8 * index + $1]) << UInt64(8 * $1) }
    }
    let functions = file.kallsyms.split(separator: "\n").map { $0.split(separator: " ") }
    let map = try #require(functions.first { $0[2].hasPrefix("nvme_map_data") })
    #expect(map[2] == "nvme_map_data\t[nvme]")
    let base = try #require(UInt64(map[0], radix: 16))
    #expect(address(0) == base + 0x1c)
    #expect(address(1) == base + 0x30)
    #expect(functions.contains { $0[2] == "do_idle" && UInt64($0[0], radix: 16) == address(2) })
    // Sorted, each function once.
    let places = functions.map { $0[0] }
    #expect(places == places.sorted() && Set(places).count == places.count)
    #expect(file.tasks == "7 kworker/0:1\\x0ax\n")
  }

  @Test func nothingMakesAFileWithoutCPUs() throws {
    let file = try write(EventBatch(), TraceNames())
    #expect(file.records.isEmpty)
    #expect(
      file.options[5].map { String(decoding: $0, as: UTF8.self) }?.contains("6.18.44") == true
    )
  }
}
