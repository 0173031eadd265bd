// SPDX-License-Identifier: MIT
import DMADebugCore
import TestSupport
import Testing

@testable import DMATrace

/// Makes perf.data by hand.
private struct PerfBuilder {
  enum Item {
    case sample(time: UInt64, cpu: UInt64, raw: [UInt8], chain: [UInt64])
    case lost(UInt64, time: UInt64)
    case task(UInt64, String, time: UInt64)
    case fork(UInt64, from: UInt64, time: UInt64)
    case round
  }

  var isBigEndian = false
  var hasChains = false
  /// The samples carry counters.
  var hasCounters = false
  /// Packs records into one stream, in pieces of so many bytes.
  var packed: Int?
  var isPipe = false
  var items: [Item] = []
  var traceDat = TraceDatBuilder()

  static func sample(_ time: UInt64, _ raw: [UInt8], cpu: UInt64 = 0) -> Item {
    .sample(time: time, cpu: cpu, raw: raw, chain: [])
  }

  private var sampleType: UInt64 {
    // IP, TID, TIME, CPU, PERIOD, RAW, IDENTIFIER
    (1 << 0 | 1 << 1 | 1 << 2 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 16)
      | (hasChains ? 1 << 5 : 0) | (hasCounters ? 1 << 4 : 0)
  }

  private func writer() -> BinaryWriter { BinaryWriter(isBigEndian: isBigEndian) }

  private func attribute() -> [UInt8] {
    var attribute = writer()
    attribute.put(2, 4)
    attribute.put(128, 4)
    attribute.put(440, 8)
    attribute.put(1, 8)
    attribute.put(sampleType, 8)
    // One of a group, with ids and both times.
    attribute.put(hasCounters ? 15 : 0, 8)
    attribute.put(isBigEndian ? 1 << 45 : 1 << 18, 8)
    attribute.put([UInt8](repeating: 0, count: 128 - attribute.bytes.count))
    return attribute.bytes
  }

  private func record(_ type: UInt64, _ body: [UInt8]) -> [UInt8] {
    var record = writer()
    let padding = (8 - body.count % 8) % 8
    record.put(type, 4)
    record.put(0, 2)
    record.put(UInt64(8 + body.count + padding), 2)
    record.put(body)
    record.put([UInt8](repeating: 0, count: padding))
    return record.bytes
  }

  private func trailer(_ time: UInt64, cpu: UInt64) -> [UInt8] {
    var trailer = writer()
    trailer.put(7, 4)
    trailer.put(7, 4)
    trailer.put(time, 8)
    trailer.put(cpu, 4)
    trailer.put(0, 4)
    trailer.put(77, 8)
    return trailer.bytes
  }

  private func records() -> [UInt8] {
    var all: [UInt8] = []
    for item in items {
      var body = writer()
      switch item {
      case .sample(let time, let cpu, let raw, let chain):
        body.put(77, 8)
        body.put(0xffff_ffff_8100_0000, 8)
        body.put(7, 4)
        body.put(7, 4)
        body.put(time, 8)
        body.put(cpu, 4)
        body.put(0, 4)
        body.put(1, 8)
        if hasCounters {
          for word in [2, 10, 20, 1, 77, 2, 78] as [UInt64] { body.put(word, 8) }
        }
        if hasChains {
          body.put(UInt64(chain.count), 8)
          for address in chain { body.put(address, 8) }
        }
        let padded = (raw.count + 4 + 7) / 8 * 8 - 4
        body.put(UInt64(padded), 4)
        body.put(raw)
        body.put([UInt8](repeating: 0, count: padded - raw.count))
        all += record(9, body.bytes)
      case .lost(let count, let time):
        body.put(77, 8)
        body.put(count, 8)
        all += record(2, body.bytes + trailer(time, cpu: 1))
      case .task(let pid, let name, let time):
        body.put(pid, 4)
        body.put(pid, 4)
        body.put(name)
        body.put([UInt8](repeating: 0, count: 8 - name.utf8.count % 8))
        all += record(3, body.bytes + trailer(time, cpu: 0))
      case .fork(let pid, let parent, let time):
        for word in [pid, parent, pid, parent] { body.put(word, 4) }
        body.put(time, 8)
        all += record(7, body.bytes + trailer(time, cpu: 0))
      case .round:
        all += record(68, [])
      }
    }
    guard let packed else { return all }
    var output: [UInt8] = []
    let stream = Packing.zstd(all)
    for first in stride(from: 0, to: stream.count, by: packed) {
      // The size is that of the data: such records are not padded.
      let part = Array(stream[first..<min(first + packed, stream.count)])
      var head = writer()
      head.put(81, 4)
      head.put(0, 2)
      head.put(UInt64(8 + part.count), 2)
      output += head.bytes + part
    }
    return output
  }

  func build() -> [UInt8] {
    var dat = traceDat
    dat.isBigEndian = isBigEndian
    let tracing = dat.prefix(version: "0.6").bytes
    var file = writer()
    let magic = Array("PERFILE2".utf8)
    file.put(isBigEndian ? magic.reversed() : magic)
    if isPipe {
      file.put(16, 8)
      file.put(
        record(
          64,
          attribute()
            + {
              var id = writer()
              id.put(77, 8)
              return id.bytes
            }()
        )
      )
      var size = writer()
      size.put(UInt64(tracing.count), 4)
      size.put(0, 4)
      file.put(record(66, size.bytes))
      file.put(tracing)
      file.put([UInt8](repeating: 0, count: (8 - tracing.count % 8) % 8))
      file.put(records())
      return file.bytes
    }
    file.put(104, 8)
    file.put(144, 8)
    let table = file.bytes.count
    file.put([UInt8](repeating: 0, count: 48))
    // TRACING_DATA and OSRELEASE.
    file.put(1 << 1 | 1 << 4, 8)
    file.put([UInt8](repeating: 0, count: 24))
    let ids = file.bytes.count
    file.put(77, 8)
    let attributes = file.bytes.count
    file.put(attribute())
    file.put(UInt64(ids), 8)
    file.put(8, 8)
    let data = file.bytes.count
    let body = records()
    file.put(body)
    let features = file.bytes.count
    file.put([UInt8](repeating: 0, count: 32))
    let tracingStart = file.bytes.count
    file.put(tracing)
    let release = file.bytes.count
    file.put(16, 4)
    file.put("6.18.1-perf")
    file.put([UInt8](repeating: 0, count: 5))
    for (index, value) in [attributes, 144, data, body.count].enumerated() {
      file.set(UInt64(value), 8, at: table + 8 * index)
    }
    for (index, value) in [tracingStart, tracing.count, release, 20].enumerated() {
      file.set(UInt64(value), 8, at: features + 8 * index)
    }
    return file.bytes
  }
}

@Suite struct PerfTests {
  @Test("a CPU that no machine has is damage, and costs no memory")
  func absurdCPU() throws {
    var builder = PerfBuilder()
    let dat = builder.traceDat
    builder.items = [
      PerfBuilder.sample(1, dat.map(0x1000), cpu: 3),
      PerfBuilder.sample(2, dat.map(0x2000), cpu: 0x6600_0001),
      PerfBuilder.sample(3, dat.map(0x3000), cpu: 0xffff),
    ]
    let reading = Reading(anything: builder.build())
    #expect(reading.events.map(\.event.dmaAddress) == [0x1000, 0x3000])
    #expect(reading.summary.malformed.map(\.reason) == ["no machine has so many CPUs"])
    #expect(
      reading.summary.damage(maximumMalformed: 100)
        == "1 record could not be decoded (first: record 2: no machine has so many CPUs)"
    )
  }

  @Test("says the same as perf script", arguments: ["linux-6.12", "linux-7.3"])
  func sameAsScript(_ release: String) throws {
    let directory = Fixtures.root + "/fixtures/kernel/\(release)/perf-nvme"
    let binary = try Reading(capture: directory + "/perf.data")
    let script = try Reading(path: directory + "/perf.script.txt")
    func common(_ reading: Reading) -> [String] {
      reading.events.map {
        "\($0.meaning) \($0.event.cpu) \($0.event.pid) \($0.task) \($0.event.time / 1000)"
      }
    }
    #expect(!script.events.isEmpty)
    #expect(binary.summary.damage == nil)
    #expect(common(binary) == common(script))
  }

  @Test("small files by hand", arguments: ["synth-perf", "synth-perf-pipe"])
  func synthetic(_ name: String) throws {
    let binary = try Reading(capture: Fixtures.root + "/fixtures/formats/\(name).data")
    let script = try Reading(path: Fixtures.root + "/fixtures/formats/synth-perf.script.txt")
    func all(_ reading: Reading) -> [String] {
      reading.events.map { "\($0.meaning) \($0.event.cpu) \($0.event.time) \($0.task)" }
    }
    #expect(all(binary) == all(script))
    #expect(binary.events.count == 4)
  }

  struct Shape: Sendable, CustomStringConvertible {
    var isBigEndian: Bool
    var isPipe: Bool
    var packed: Int?
    var hasCounters: Bool
    var description: String { "\(isBigEndian) \(isPipe) \(packed ?? 0) \(hasCounters)" }
  }

  static let shapes: [Shape] = {
    var all: [Shape] = []
    for isBigEndian in [false, true] {
      for isPipe in [false, true] {
        for packed in [nil, 100, 4000] {
          for hasCounters in [false, true] {
            all.append(
              Shape(
                isBigEndian: isBigEndian,
                isPipe: isPipe,
                packed: packed,
                hasCounters: hasCounters
              )
            )
          }
        }
      }
    }
    return all
  }()

  @Test("every shape gives the same events, in the order of time", arguments: shapes)
  func shape(_ shape: Shape) {
    var builder = PerfBuilder()
    builder.isBigEndian = shape.isBigEndian
    builder.traceDat.isBigEndian = shape.isBigEndian
    builder.isPipe = shape.isPipe
    builder.packed = shape.packed
    builder.hasCounters = shape.hasCounters
    builder.items = [.task(7, "first", time: 0)]
    let dat = builder.traceDat
    // Rounds of two buffers, written one after the other.
    for round in 0..<20 as Range<UInt64> {
      for cpu in [1, 0] as [UInt64] {
        for number in 0..<10 as Range<UInt64> {
          let time = 1000 + round * 100 + number * 10 + cpu * 3
          builder.items.append(PerfBuilder.sample(time, dat.map(time << 12), cpu: cpu))
        }
      }
      if round == 5 { builder.items.append(.lost(9, time: 1555)) }
      if round == 10 { builder.items.append(.task(7, "second", time: 2000)) }
      builder.items.append(.round)
    }
    let reading = Reading(anything: builder.build())
    #expect(reading.error == nil)
    #expect(reading.summary.damage == nil)
    #expect(reading.events.count == 401)
    let times = reading.events.map(\.event.time)
    #expect(times == times.sorted())
    for seen in reading.events where seen.kind == .mapPhys {
      #expect(seen.event.dmaAddress == seen.event.time << 12)
      #expect(seen.event.cpu == UInt32((seen.event.time - 1000) % 10 / 3))
      #expect(seen.task == (seen.event.time <= 2000 ? "first" : "second"))
      #expect(seen.event.pid == 7)
    }
    #expect(reading.summary.lostEvents == 9)
    #expect(reading.events.first { $0.kind == .lost }?.event.cpu == 1)
    #expect(shape.isPipe || reading.summary.kernelRelease == "6.18.1-perf")
  }

  @Test func callChains() {
    var builder = PerfBuilder()
    builder.hasChains = true
    builder.traceDat.symbols = """
      ffffffff81000000 T first
      ffffffff81000100 t second
      ffffffff81000400 T beyond

      """
    let raw = builder.traceDat.map(0x1000)
    let kernel: UInt64 = 0xffff_ffff_ffff_ff80
    let user: UInt64 = 0xffff_ffff_ffff_fe00
    builder.items = [
      .sample(
        time: 5,
        cpu: 0,
        raw: raw,
        chain: [kernel, 0xffff_ffff_8100_0010, 0xffff_ffff_8100_0180, user, 0x40_0000]
      ),
      .sample(time: 6, cpu: 0, raw: raw, chain: []),
    ]
    let reading = Reading(anything: builder.build())
    #expect(reading.events.map(\.stack) == [["first", "second"], []])
  }

  @Test func threadsInheritNames() {
    var builder = PerfBuilder()
    builder.items = [
      .task(3, "parent", time: 1), .fork(7, from: 3, time: 2),
      PerfBuilder.sample(5, builder.traceDat.map(0x1000)),
    ]
    #expect(Reading(anything: builder.build()).events.map(\.task) == ["parent"])
  }

  @Test func directoryOfThreads() throws {
    var builder = PerfBuilder()
    let dat = builder.traceDat
    builder.items = [.task(7, "t", time: 0)]
    let head = builder.build()
    // The other files hold nothing but records.
    func records(_ items: [PerfBuilder.Item]) -> [UInt8] {
      var part = PerfBuilder()
      part.items = items
      var empty = PerfBuilder()
      empty.items = []
      let whole = part.build()
      let none = empty.build()
      let start = 104 + 8 + 144
      return Array(whole[start..<start + whole.count - none.count])
    }
    func samples(_ times: [UInt64]) -> [UInt8] {
      records(times.map { PerfBuilder.sample($0, dat.map($0 << 12)) })
    }
    let directory = Fixtures.temporaryDirectory()
    Fixtures.write(head, to: directory + "/data")
    Fixtures.write(samples([1, 4, 5]), to: directory + "/data.0")
    Fixtures.write(samples([2, 3, 6]), to: directory + "/data.1")
    let reading = try Reading(capture: directory)
    #expect(reading.events.map(\.event.time) == [1, 2, 3, 4, 5, 6])
    #expect(reading.events.allSatisfy { $0.task == "t" })
  }

  @Test("says what is missing")
  func problems() {
    var builder = PerfBuilder()
    builder.items = [PerfBuilder.sample(5, builder.traceDat.map(0x1000))]
    let whole = builder.build()
    var cut = BinaryWriter(bytes: whole)
    // A recording that was killed: no size, and no features behind the data.
    cut.set(0, 8, at: 48)
    let killed = Reading(anything: Array(cut.bytes[..<(whole.count / 2)]))
    #expect(killed.error?.problem.contains("tracepoints") == true || killed.error != nil)
    let short = Reading(anything: Array(whole[..<60]))
    #expect(short.error?.problem.contains("cut off at byte 60") == true)
  }
}
