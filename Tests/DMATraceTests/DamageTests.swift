// SPDX-License-Identifier: MIT
import DMADebugCore
import TestSupport
import Testing

@testable import DMATrace

/// Damaged captures give what is readable and say what is missing. That none of this crashes, hangs
/// or reads where it must not is what the loops are about.
@Suite struct DamageTests {
  private static let files = [
    "formats/synth-v6.dat", "formats/synth-v7-none.dat", "formats/synth-v7-zstd.dat",
    "formats/synth-v7-zstd-two-buffers.dat", "formats/synth-perf.data",
    "formats/synth-perf-pipe.data", "kernel/linux-7.3/perf-nvme/perf.data",
    "kernel/linux-6.12/clean-sg/trace.dat",
  ]

  private static func bytes(_ name: String) -> [UInt8] {
    Fixtures.bytes(Fixtures.root + "/fixtures/" + name) ?? []
  }

  /// Offsets where sections begin, and some at random.
  private static func offsets(_ bytes: [UInt8], _ random: inout Seeded) -> [Int] {
    // The large ones take their time in a debug build.
    let isLarge = bytes.count > 100_000
    var offsets = Array(0..<(isLarge ? 16 : 120))
    for tag in ["header_page", "header_event", "options  ", "flyrecord", "PERFILE2"] {
      let word = Array(tag.utf8)
      for start in bytes.indices.dropLast(word.count)
      where bytes[start] == word[0] && bytes[start..<start + word.count].elementsEqual(word) {
        offsets += [start, start + word.count]
      }
    }
    offsets += stride(from: 0, to: bytes.count, by: isLarge ? 65536 : 4096)
    for _ in 0..<(isLarge ? 12 : 200) {
      offsets.append(Int.random(in: 0..<bytes.count, using: &random))
    }
    return offsets
  }

  @Test("cut off anywhere", arguments: files)
  func truncation(_ name: String) {
    let whole = Self.bytes(name)
    #expect(!whole.isEmpty)
    let all = Reading(anything: whole)
    #expect(all.summary.damage == nil && all.error == nil)
    var random = Seeded(state: 1)
    for offset in Self.offsets(whole, &random) {
      let reading = Reading(anything: Array(whole[..<offset]))
      #expect(reading.events.count <= all.events.count)
      // A loss is never silent; only padding may be missing without one.
      let isSilent = reading.error == nil && reading.summary.damage == nil
      #expect(!isSilent || reading.events.count == all.events.count, "\(name) cut at \(offset)")
      if let error = reading.error, offset >= 16 {
        #expect(
          ["byte", "tracepoints", "no buffers"].contains { error.problem.contains($0) },
          "\(error.problem)"
        )
      }
    }
  }

  @Test("with wrong bytes anywhere", arguments: files)
  func flips(_ name: String) {
    let whole = Self.bytes(name)
    let all = Reading(anything: whole)
    var random = Seeded(state: 7)
    for round in 0..<(whole.count > 100_000 ? 20 : 150) {
      var bytes = whole
      // Mostly where the structure is.
      let reach = round % 3 == 0 ? bytes.count : min(bytes.count, 20_000)
      for _ in 0...(round % 7) {
        let place = Int.random(in: 10..<reach, using: &random)
        bytes[place] = UInt8.random(in: 0...255, using: &random)
      }
      let reading = Reading(anything: bytes)
      #expect(reading.events.count <= 4 * all.events.count + 1000)
    }
  }

  /// Where the options of a file by hand begin.
  private static func optionsStart(
    _ bytes: [UInt8],
    _ compression: TraceDatBuilder.Compression
  ) -> Int {
    // The word behind magic, version, byte order, sizes and the names of the packing.
    let place =
      10 + 2 + 1 + 1 + 4 + compression.rawValue.utf8.count + 1
      + (compression == .none ? 1 : 4)
    return (0..<8).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
  }

  @Test(
    "without the options at its end the rest of a file is found",
    arguments: TraceDatBuilder.Compression.allCases
  )
  func salvage(_ compression: TraceDatBuilder.Compression) {
    var builder = TraceDatBuilder()
    builder.compression = compression
    var cpus: [[TraceDatBuilder.Item]] = [[], []]
    for number in 0..<400 as Range<UInt64> {
      cpus[Int(number % 2)].append(.record(delta: 10, builder.map(number << 12)))
    }
    builder.buffers = [TraceDatBuilder.Buffer(cpus: cpus)]
    let whole = builder.build()
    let start = Self.optionsStart(whole, compression)
    let reading = Reading(anything: Array(whole[..<(start + 20)]))
    #expect(reading.error == nil)
    #expect(reading.summary.damage != nil)
    let all = Reading(anything: whole)
    #expect(reading.events.map(\.event.dmaAddress) == all.events.map(\.event.dmaAddress))
    #expect(all.events.count == 400)
  }

  @Test("records of events that the capture does not describe are counted")
  func unknownEvents() {
    var builder = TraceDatBuilder()
    var odd = builder.map(0x1000)
    odd[0] = 0xf0
    builder.buffers = [
      TraceDatBuilder.Buffer(cpus: [
        [.record(delta: 1, odd), .record(delta: 1, builder.map(0x2000))]
      ])
    ]
    let reading = Reading(anything: builder.build())
    #expect(reading.events.count == 1)
    #expect(reading.summary.malformedLines == 1)
    #expect(reading.summary.malformed.first?.line == 1)
  }

  @Test("absurd counts are refused with the place")
  func absurd() {
    var builder = TraceDatBuilder()
    builder.compression = .zstd
    builder.buffers = [
      TraceDatBuilder.Buffer(cpus: [[.record(delta: 1, builder.map(0x1000))]])
    ]
    let good = builder.build()
    // Each number of four bytes in turn says that it is huge.
    for place in stride(from: 20, to: good.count - 4, by: 3) {
      var bytes = good
      bytes.replaceSubrange(place..<place + 4, with: [0xff, 0xff, 0xff, 0x7f])
      let reading = Reading(anything: bytes)
      #expect(reading.events.count <= 1)
    }
  }

  @Test("a chunk that promises more than it holds")
  func bombs() {
    var builder = TraceDatBuilder()
    builder.compression = .zstd
    builder.buffers = [
      TraceDatBuilder.Buffer(cpus: [[.record(delta: 1, builder.map(0x1000))]])
    ]
    var bytes = builder.build()
    guard
      let magic = bytes.indices.last(where: { bytes[$0...].starts(with: [0x28, 0xb5, 0x2f, 0xfd]) })
    else {
      Issue.record("no chunk")
      return
    }
    bytes.replaceSubrange(magic - 4..<magic, with: [0, 0, 0, 0x40])
    let reading = Reading(anything: bytes)
    #expect(reading.events.isEmpty)
    #expect(reading.summary.damage?.contains("claims to expand to 1073741824 bytes") == true)
  }

  // MARK: Containers

  private static let text: [UInt8] = Array(
    """
              dd-309     [000] d..1.  2.928451: dma_map_page: 0000:00:06.0 dir=FROM_DEVICE \
    dma_addr=f000 size=4096 phys_addr=f000 attrs=
              dd-309     [000] d..1.  2.938451: dma_unmap_page: 0000:00:06.0 dir=FROM_DEVICE \
    dma_addr=f000 size=4096 attrs=

    """.utf8
  )

  @Test("packed texts, also in several parts", arguments: [true, false])
  func packed(_ isGzip: Bool) {
    func pack(_ bytes: [UInt8]) -> [UInt8] {
      isGzip ? Packing.zlib(bytes, gzip: true) : Packing.zstd(bytes, saysSize: true)
    }
    let middle = Self.text.count / 2
    let parts = pack(Array(Self.text[..<middle])) + pack(Array(Self.text[middle...]))
    for bytes in [pack(Self.text), parts] {
      let reading = Reading(anything: bytes)
      #expect(reading.events.map(\.kind) == [.mapPage, .unmapPage])
      #expect(reading.summary.damage == nil && reading.error == nil)
      // A few bytes at a time, as a slow pipe brings them.
      let slow = Reading(bytes: bytes, chunk: 1)
      #expect(slow.events == reading.events)
    }
    let cut = Reading(anything: Array(parts.dropLast(6)))
    #expect(cut.events.count <= 2)
    #expect((cut.summary.damage ?? cut.error?.problem)?.contains("cut off") == true)
    var broken = parts
    broken[parts.count - 12] ^= 0x55
    let wrong = Reading(anything: broken)
    #expect((wrong.summary.damage ?? wrong.error?.problem) != nil)
    let twice = Reading(anything: pack(pack(Self.text)))
    #expect(twice.error?.problem == "is compressed twice")
  }

  @Test("packed binary captures", arguments: ["formats/synth-v6.dat", "formats/synth-perf.data"])
  func packedBinary(_ name: String) {
    let plain = Self.bytes(name)
    let want = Reading(anything: plain)
    #expect(Reading(anything: Packing.zlib(plain, gzip: true)).events == want.events)
    #expect(Reading(anything: Packing.zstd(plain)).events == want.events)
  }

  @Test("what expands without end is refused")
  func bomb() {
    // 64 MiB of zeros in a frame, many frames.
    let frame = Packing.zstd([UInt8](repeating: 0x20, count: 32 << 20))
    var bytes = Packing.zstd(Self.text)
    for _ in 0..<40 { bytes += frame }
    let reading = Reading(anything: bytes)
    #expect(reading.events.count == 2)
    #expect(reading.summary.damage?.contains("more than 2000 times its size") == true)
  }

  @Test("what is to be spooled and expands without end is refused before it fills the disk")
  func spooledBomb() {
    let bytes = Self.bytes("formats/synth-v6.dat") + [UInt8](repeating: 0, count: 96 << 20)
    let packed = Packing.zlib(bytes, gzip: true)
    #expect(packed.count < 200_000)
    let error = Reading(anything: packed).error
    #expect(error?.problem == "expands to more than 500 times its size: refused")
  }

  @Test("a packed binary capture that is cut off says so, also when its trace is whole")
  func cutArchive() {
    // Random bytes behind the records: they need room in the archive.
    var random = Seeded(state: 3)
    let tail = (0..<100_000).map { _ in UInt8.random(in: 0...255, using: &random) }
    let packed = Packing.zlib(Self.bytes("formats/synth-v6.dat") + tail, gzip: true)
    let reading = Reading(anything: Array(packed.dropLast(8)))
    #expect(reading.events.count > 10)
    #expect(reading.summary.damage?.contains("compressed data is cut off") == true)
  }

  @Test("a page that begins at the end of time, in a file without options")
  func salvageAtTheEndOfTime() {
    var builder = TraceDatBuilder()
    builder.buffers = [
      TraceDatBuilder.Buffer(cpus: [[.record(delta: 0, builder.map(0x1000))]], start: .max)
    ]
    let whole = builder.build()
    let start = Self.optionsStart(whole, .none)
    let reading = Reading(anything: Array(whole[..<(start + 20)]))
    #expect(reading.events.count == 1)
    #expect(reading.summary.damage != nil)
  }
}
