// SPDX-License-Identifier: MIT
import DMADebugCore
import TestSupport
import Testing

@testable import DMATrace

@Suite struct TraceDatTests {
  // MARK: Real files

  private static let real: [(dat: String, text: String)] = {
    let kernel = Fixtures.root + "/fixtures/kernel"
    var pairs: [(String, String)] = []
    for release in Fixtures.list(kernel) where release.hasPrefix("linux-") {
      for name in Fixtures.list("\(kernel)/\(release)") {
        let directory = "\(kernel)/\(release)/\(name)"
        if Fixtures.list(directory).contains("trace.dat") {
          pairs.append(("\(directory)/trace.dat", "\(directory)/trace.txt"))
        }
      }
    }
    return pairs
  }()

  /// What a text and a binary trace of one run say alike: the kernel's text rounds times to
  /// microseconds, and an ordinary system hashes pointers in it.
  private static func common(
    _ reading: Reading,
    hashed: Bool = false,
    rounds: Bool = false
  ) -> [String] {
    reading.events.map { seen in
      var seen = seen
      seen.event.time = (seen.event.time + (rounds ? 500 : 0)) / 1000
      seen.event.line = 0
      seen.event.flags.remove(.hashedPointer)
      if hashed, [.alloc, .free, .allocPages, .freePages].contains(seen.kind) {
        seen.event.address = 0
      }
      return seen.all
    }
  }

  @Test func thereAreRealFiles() {
    #expect(Self.real.count >= 7)
  }

  @Test("says the same as the kernel's text", arguments: real)
  func sameAsText(_ pair: (dat: String, text: String)) throws {
    let binary = try Reading(capture: pair.dat)
    let text = try Reading(path: pair.text)
    #expect(binary.error == nil)
    #expect(binary.summary.damage == nil)
    let isHashed = pair.dat.contains("hashed")
    // Events of one microsecond on two CPUs: the text has them by CPU, the file by nanosecond.
    let have = Self.common(binary, hashed: isHashed, rounds: true)
    let want = Self.common(text, hashed: isHashed)
    #expect(have.count == want.count)
    #expect(have.sorted() == want.sorted())
    #expect(Set(have).symmetricDifference(want).sorted().prefix(6) == [])
  }

  @Test("agrees with trace-cmd report -R", arguments: ["linux-6.12", "linux-7.3"])
  func sameAsReport(_ release: String) throws {
    let directory = Fixtures.root + "/fixtures/kernel/\(release)/tracecmd-nvme"
    let report = try Reading(path: directory + "/rec.raw.txt")
    #expect(!report.events.isEmpty)
    let binary = try Reading(capture: directory + "/rec.dat")
    // trace-cmd rounds to microseconds.
    func meanings(_ reading: Reading) -> [String] {
      reading.events.map { "\($0.meaning) \($0.event.cpu) \($0.event.pid) \($0.task)" }
    }
    #expect(meanings(binary) == meanings(report))
    for (left, right) in zip(binary.events, report.events) {
      #expect((left.event.time + 500) / 1000 == right.event.time / 1000)
    }
    let sixth = try Reading(capture: directory + "/rec6.dat")
    #expect(sixth.summary.dialect == "trace.dat version 6")
    #expect(sixth.summary.damage == nil)
    #expect(!sixth.events.isEmpty)
    #expect(sixth.events.allSatisfy { $0.device.contains(":") })
    #expect(sixth.summary.kernelRelease?.hasPrefix(release.dropFirst(6)) == true)
  }

  @Test(
    "small files by hand",
    arguments: [
      "synth-v6", "synth-v7-none", "synth-v7-zstd", "synth-v6-two-buffers",
      "synth-v7-zstd-two-buffers", "synth-v6-6.12.0-sg",
    ]
  )
  func synthetic(_ name: String) throws {
    let path = Fixtures.root + "/fixtures/formats/" + name
    let binary = try Reading(capture: path + ".dat")
    let report = try Reading(path: path + ".report-t.txt")
    func all(_ reading: Reading) -> [String] {
      // A text does not say when something was lost, and trace-cmd not always that it was.
      reading.events.filter { $0.kind != .lost }.map {
        "\($0.meaning) \($0.event.cpu) \($0.event.time) \($0.task)"
      }
    }
    #expect(all(binary) == all(report))
    #expect(Set(all(binary)).symmetricDifference(all(report)).sorted().prefix(6) == [])
    #expect(!binary.events.isEmpty)
  }

  // MARK: Files by hand

  /// Versions, byte orders, word sizes, packings.
  private static let shapes: [TraceDatBuilder] = {
    var all: [TraceDatBuilder] = []
    for version in [6, 7] {
      for isBigEndian in [false, true] {
        for longSize in [4, 8] {
          for pageSize in [4096, 16384] {
            for compression in TraceDatBuilder.Compression.allCases
            where version == 7 || compression == .none {
              var builder = TraceDatBuilder()
              builder.version = version
              builder.isBigEndian = isBigEndian
              builder.longSize = longSize
              builder.pageSize = pageSize
              builder.compression = compression
              all.append(builder)
            }
          }
        }
      }
    }
    return all
  }()

  @Test("every shape gives the same events", arguments: shapes.indices)
  func shape(_ index: Int) {
    var builder = Self.shapes[index]
    builder.longRecords = index % 3 == 0
    var first: [TraceDatBuilder.Item] = []
    var second: [TraceDatBuilder.Item] = []
    var want: [(time: UInt64, cpu: UInt32, address: UInt64)] = []
    for number in 0..<300 as Range<UInt64> {
      let address = 0x1000 * (number + 1)
      let item = TraceDatBuilder.Item.record(delta: 10, builder.map(address))
      if number % 3 == 0 { second.append(item) } else { first.append(item) }
    }
    builder.buffers = [TraceDatBuilder.Buffer(cpus: [first, second])]
    for (cpu, items) in [first, second].enumerated() {
      for number in items.indices {
        let source = cpu == 1 ? number * 3 : number / 2 * 3 + number % 2 + 1
        want.append((1_000_000_010 + 10 * UInt64(number), UInt32(cpu), 0x1000 * UInt64(source + 1)))
      }
    }
    want.sort { ($0.time, $0.cpu) < ($1.time, $1.cpu) }
    let reading = Reading(anything: builder.build())
    #expect(reading.error == nil)
    #expect(reading.summary.damage == nil)
    #expect(reading.events.map(\.event.time) == want.map(\.time))
    #expect(reading.events.map(\.event.cpu) == want.map(\.cpu))
    #expect(reading.events.map(\.event.dmaAddress) == want.map(\.address))
    #expect(reading.events.allSatisfy { $0.device == "0000:00:03.0" && $0.task == "a task" })
    #expect(reading.events.allSatisfy { $0.event.attributes.rawValue == 0x20 })
    #expect(
      reading.events.allSatisfy { $0.event.direction == .fromDevice && $0.event.size == 4096 }
    )
    #expect(reading.events.map(\.event.line) == Array(1...300))
  }

  @Test("lists, markers and stacks in both byte orders", arguments: [false, true])
  func contents(_ isBigEndian: Bool) {
    var builder = TraceDatBuilder()
    builder.isBigEndian = isBigEndian
    builder.symbols = """
      ffffffff81000000 T first
      ffffffff81000100 t second
      ffffffff81000400 T beyond
      ffffffffa0000000 t third	[driver]
      ffffffffa0000200 t last	[driver]

      """
    builder.buffers = [
      TraceDatBuilder.Buffer(cpus: [
        [
          .record(delta: 5, builder.list(0xe000)),
          .record(delta: 1, builder.stack([0xffff_ffff_8100_0110, 0xffff_ffff_a000_0010, 0x42])),
          .record(delta: 5, builder.marker("dma-api: snapshot one")),
        ]
      ])
    ]
    let reading = Reading(anything: builder.build())
    #expect(reading.events.count == 2)
    let list = reading.events[0]
    #expect(list.addresses == [0xe000])
    #expect(list.lengths == [8192])
    #expect(list.physical == [0x7000, 0x9000])
    #expect(list.event.requestedEntries == 2)
    #expect(list.event.mappedEntries == 1)
    #expect(list.stack == ["second", "third", "0x42"])
    #expect(reading.events[1].text == "dma-api: snapshot one")
    #expect(reading.summary.sawStacks)
  }

  @Test("time extends, absolute stamps, discarded records, empty ends of pages")
  func times() {
    for isBigEndian in [false, true] {
      var builder = TraceDatBuilder()
      builder.isBigEndian = isBigEndian
      let high: UInt64 = 0x1800_0000_0000_0000
      builder.buffers = [
        TraceDatBuilder.Buffer(
          cpus: [
            [
              .record(delta: 7, builder.map(0x1000)), .extend(5_000_000_000),
              .record(delta: 1, builder.map(0x2000)), .discarded(delta: 3, length: 20),
              .record(delta: 1, builder.map(0x3000)), .pageEnd,
              .record(delta: 9, builder.map(0x4000)), .absolute(high + 9_000_000_000),
              .record(delta: 2, builder.map(0x5000)),
            ]
          ],
          start: high
        )
      ]
      let reading = Reading(anything: builder.build())
      #expect(
        reading.events.map { $0.event.time - high } == [
          7, 5_000_000_008, 5_000_000_012, 5_000_000_021, 9_000_000_002,
        ]
      )
    }
  }

  @Test("losses are said where they happened", arguments: [4, 8])
  func losses(_ longSize: Int) {
    var builder = TraceDatBuilder()
    builder.longSize = longSize
    builder.buffers = [
      TraceDatBuilder.Buffer(cpus: [
        [
          .record(delta: 1, builder.map(0x1000)),
          // The page begins with a stamp, which hides the loss from other tools.
          .lost(12), .extend(1 << 30), .record(delta: 1, builder.map(0x2000)),
          .lost(nil), .record(delta: 1, builder.map(0x3000)),
        ]
      ])
    ]
    let reading = Reading(anything: builder.build())
    #expect(reading.events.map(\.kind) == [.mapPhys, .lost, .mapPhys, .lost, .mapPhys])
    #expect(reading.events.map(\.event.size) == [4096, 12, 4096, 0, 4096])
    #expect(reading.summary.lostEvents == 13)
  }

  @Test("buffers of instances are merged by time", arguments: [6, 7])
  func instances(_ version: Int) {
    var builder = TraceDatBuilder()
    builder.version = version
    builder.compression = version == 7 ? .zstd : .none
    builder.buffers = [
      TraceDatBuilder.Buffer(cpus: [[.record(delta: 1, builder.map(0x1000))], []]),
      TraceDatBuilder.Buffer(
        name: "one",
        cpus: [
          [], [.record(delta: 0, builder.map(0x2000)), .record(delta: 5, builder.map(0x3000))],
        ]
      ),
    ]
    let reading = Reading(anything: builder.build())
    #expect(reading.summary.damage == nil)
    #expect(reading.events.map(\.event.dmaAddress) == [0x2000, 0x1000, 0x3000])
    #expect(reading.events.map(\.event.cpu) == [1, 0, 1])
  }

  @Test("options about time", arguments: [6, 7])
  func clocks(_ version: Int) {
    func read(_ options: [(UInt16, [UInt8])]) -> Reading {
      var builder = TraceDatBuilder()
      builder.version = version
      builder.options = options
      builder.buffers = [
        TraceDatBuilder.Buffer(cpus: [[.record(delta: 1000, builder.map(0x1000))]])
      ]
      return Reading(anything: builder.build())
    }
    func times(_ options: [(UInt16, [UInt8])]) -> [UInt64] {
      read(options).events.map(\.event.time)
    }
    func words(_ values: [(UInt64, Int)]) -> [UInt8] {
      var writer = BinaryWriter()
      for (value, size) in values { writer.put(value, size) }
      return writer.bytes
    }
    #expect(times([]) == [1_000_001_000])
    // DATE in microseconds, OFFSET in nanoseconds.
    #expect(times([(1, Array("0x10\0".utf8))]) == [1_000_017_000])
    #expect(times([(7, Array("-1000".utf8))]) == [1_000_000_000])
    // TSC2NSEC: times three, divided by two.
    #expect(times([(14, words([(3, 4), (1, 4), (77, 8)]))]) == [1_500_001_500])
    // TIME_SHIFT of a guest, with a scaling of 3/4 and an offset.
    let shift = words([
      (1, 8), (0, 4), (1, 4), (1, 4), (0, 8), (UInt64(bitPattern: -500), 8), (3, 8), (2, 8),
    ])
    #expect(times([(12, shift)]) == [750_000_750 - 500])
    // A clock that counts.
    let counting = read([(4, Array("local [counter] global".utf8))])
    #expect(version == 7 || counting.summary.clock == .ticks)
    let release = read([(5, Array("Linux host 6.12.48-1 x86_64\0".utf8))])
    #expect(release.summary.kernelRelease == "6.12.48-1")
    let losses = read([(2, Array("CPU: 0\nentries: 1\noverrun: 12\ndropped events: 3\n".utf8))])
    #expect(losses.summary.overwrittenEvents == 15)
  }

  @Test("more CPUs than the header says", arguments: [false, true])
  func cpuCount(_ isBigEndian: Bool) {
    var builder = TraceDatBuilder()
    builder.version = 6
    builder.isBigEndian = isBigEndian
    var count = BinaryWriter(isBigEndian: isBigEndian)
    count.put(3, 4)
    builder.options = [(8, count.bytes)]
    builder.buffers = [
      TraceDatBuilder.Buffer(cpus: [
        [.record(delta: 1, builder.map(0x1000))], [], [.record(delta: 2, builder.map(0x2000))],
      ])
    ]
    #expect(Reading(anything: builder.build()).events.map(\.event.cpu) == [0, 2])
  }

  @Test("text of a latency tracer", arguments: TraceDatBuilder.Compression.allCases)
  func latency(_ compression: TraceDatBuilder.Compression) {
    for version in [6, 7] where version == 7 || compression == .none {
      var builder = TraceDatBuilder()
      builder.version = version
      builder.compression = compression
      builder.latency = """
        # tracer: nop
        #
                 dd-309     [000] d..1.  2.928451: dma_map_page: 0000:00:06.0 dir=FROM_DEVICE \
        dma_addr=f000 size=4096 phys_addr=f000 attrs=

        """
      let reading = Reading(anything: builder.build())
      #expect(reading.events.map(\.event.dmaAddress) == [0xf000])
    }
  }

  @Test("goes on from every mark", arguments: TraceDatBuilder.Compression.allCases)
  func marks(_ compression: TraceDatBuilder.Compression) throws {
    var builder = TraceDatBuilder()
    builder.compression = compression
    try goOnFromEveryMark(&builder, 9000)
  }

  @Test("also when a page lies in many small chunks")
  func marksInSmallChunks() throws {
    var builder = TraceDatBuilder()
    builder.compression = .zstd
    builder.chunkSize = 1000
    try goOnFromEveryMark(&builder, 4000)
  }

  private func goOnFromEveryMark(_ builder: inout TraceDatBuilder, _ count: UInt64) throws {
    var cpus: [[TraceDatBuilder.Item]] = [[], [], []]
    for number in 0..<count {
      let cpu = Int(number * 7 % 3)
      cpus[cpu].append(.record(delta: 3 + number % 5, builder.map(0x1000 * number)))
      if number % 100 == 50 { cpus[cpu].append(.lost(number)) }
    }
    builder.buffers = [TraceDatBuilder.Buffer(cpus: cpus)]
    let bytes = builder.build()
    let all = Reading(anything: bytes).events.map(\.all)
    #expect(all.count > count)
    guard var reader = try Capture.openTrace(bytes, name: "test") as? TraceDatReader else {
      Issue.record("not a trace.dat")
      return
    }
    var batch = EventBatch()
    var passed = 0
    while true {
      let mark = reader.mark()
      var again = try reader.resumed(at: mark)
      var rest: [String] = []
      var other = EventBatch()
      while try again.read(into: &other) {
        for event in other.events { rest.append(Reading.seen(event, other, again).all) }
      }
      #expect(rest == Array(all[passed...]))
      guard try reader.read(into: &batch) else { break }
      passed += batch.events.count
    }
  }
}
