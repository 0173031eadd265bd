// SPDX-License-Identifier: MIT
import DMADebugCore
import TestSupport
import Testing

@testable import DMATrace

/// Saved dumps of every generation.
@Suite struct DumpTests {
  private static func dump(_ text: String) throws -> MappingDump {
    try MappingDump(bytes: Array(text.utf8), name: "dump")
  }

  private struct Expectation {
    var layout: MappingDump.Layout
    var driver: String
    var device: String
  }

  @Test func everyGeneration() throws {
    let tail = "DMA_TO_DEVICE dma map error not checked"
    let lines: [(line: String, layout: MappingDump.Layout, names: [String])] = [
      ("single idx 2048 P=1000800 D=1000800 L=100 DMA_TO_DEVICE", .log, ["?", "?"]),
      (
        "[    1.234567] my driver 0000:00:03.0: single idx 2048 P=1000800 N=1000 D=1000800 L=100 "
          + tail,
        .log, ["my driver", "0000:00:03.0"]
      ),
      (
        "0000:00:03.0 my driver single idx 2048 P=1000800 N=1000 D=1000800 L=100 " + tail,
        .deviceFirst, ["my driver", "0000:00:03.0"]
      ),
      (
        "my driver 0000:00:03.0 single idx 2048 P=1000800 N=1000 D=1000800 L=100 "
          + "cln=0x0000000000040020 " + tail,
        .pageFrame, ["my driver", "0000:00:03.0"]
      ),
      (
        "my driver 0000:00:03.0 single idx 2048 P=0x0000000001000800 D=1000800 L=100 "
          + "cln=0x0000000000040020 " + tail,
        .physical, ["my driver", "0000:00:03.0"]
      ),
      (
        "my driver 0000:00:03.0 phy idx 2048 P=0x0000000001000800 D=1000800 L=100 "
          + "cln=0x0000000000040020 \(tail) attrs=0x20",
        .attributes, ["my driver", "0000:00:03.0"]
      ),
    ]
    for (line, layout, names) in lines {
      let dump = try Self.dump(line + "\n")
      #expect(dump.layout == layout, "\(line)")
      let entry = try #require(dump.entries.first)
      #expect(dump.names.drivers.string(entry.driver.rawValue) == names[0], "\(line)")
      #expect(dump.names.devices.string(entry.device.rawValue) == names[1], "\(line)")
      #expect(entry.dmaAddress == 0x100_0800 && entry.size == 0x100)
      #expect(entry.physicalAddress == 0x100_0800)
      #expect(entry.direction == .toDevice)
      #expect(entry.mapError == (layout == .log && names[0] == "?" ? .notApplicable : .notChecked))
      #expect(entry.attributes == (layout == .attributes ? .skipCPUSync : nil))
      #expect(entry.line == 1 && dump.malformedLines == 0)
    }
  }

  /// Names that look like the rest of a line.
  @Test func hostileNames() throws {
    let tail =
      "idx 0 P=0x0000000000001000 D=1000 L=8 cln=0x0000000000000040 DMA_NONE dma map error checked"
    for driver in ["single idx 1 P=2", "a idx b", "idx", "coherent", "x: y", "[    1.0] k"] {
      let dump = try Self.dump("\(driver) dev \(driver == "idx" ? "single" : "coherent") \(tail)\n")
      let entry = try #require(dump.entries.first)
      #expect(dump.names.devices.string(entry.device.rawValue) == "dev")
      #expect(dump.names.drivers.string(entry.driver.rawValue) == driver)
      #expect(entry.direction == Direction.none)
    }
  }

  @Test func typesOfOldKernels() throws {
    func types(_ words: [String]) throws -> [MappingType] {
      let lines = words.map { word in
        "0000:00:03.0 alpha \(word) idx 0 P=1000 N=1 D=1000 L=8 DMA_BIDIRECTIONAL dma map error "
          + (word.hasSuffix("!") ? "not checked" : "check not applicable")
      }
      return try Self.dump(lines.map { $0.split(separator: "!").joined() + "\n" }.joined())
        .entries.map(\.type)
    }
    #expect(
      try types(["single", "scather-gather", "coherent"]) == [.single, .scatterGather, .coherent]
    )
    // 5.1 … 5.6 print the name of the type before.
    #expect(
      try types(["single", "page", "scather-gather", "coherent"]) == [
        .single, .scatterGather, .coherent, .resource,
      ]
    )
    let checked = try Self.dump(
      "0000:00:03.0 alpha coherent idx 0 P=1000 N=1 D=1000 L=8 DMA_TO_DEVICE dma map error checked\n"
    )
    #expect(checked.hadShiftedTypes && checked.entries.map(\.type) == [.resource])
  }

  @Test func realDumps() throws {
    let old = try MappingDump(
      path: Fixtures.root + "/fixtures/dumps/linux-6.1-bug-map-error-unchecked-mid"
    )
    #expect(old.layout == .deviceFirst && old.entries.count == 10 && !old.hadShiftedTypes)
    #expect(old.names.drivers.string(old.entries[0].driver.rawValue) == "dmax_edu")
    #expect(old.entries[0].type == .resource && old.entries[0].mapError == .notChecked)
    var count = 0
    for capture in KernelCase.all {
      for snapshot in capture.snapshots {
        let dump = try MappingDump(bytes: capture.bytes(snapshot, "dump"), name: "dump")
        #expect(dump.entries.count == capture.file(snapshot, "dump").count)
        #expect(dump.malformedLines == 0 && !dump.cutOff)
        if !dump.entries.isEmpty {
          #expect(dump.layout == (capture.kernel == "6.12" ? .physical : .attributes))
          count += 1
        }
      }
    }
    #expect(count > 300)
  }

  @Test func whatCannotBeRead() throws {
    let good =
      "a b single idx 0 P=0x0000000000001000 D=1000 L=8 cln=0x0000000000000040 DMA_NONE dma map error checked\n"
    #expect(try Self.dump("").entries.isEmpty)
    #expect(try Self.dump("\n\n").entries.isEmpty)
    let mixed = try Self.dump(good + "nonsense\n" + "a b single idx 0 P=zz\n" + good)
    #expect(mixed.entries.count == 2)
    #expect(mixed.malformedLines == 2)
    #expect(mixed.malformed.map(\.line) == [2, 3])
    #expect(mixed.malformed.map(\.reason) == ["no entry of a dump", "P= is no address"])
    let cut = try Self.dump(good + good.dropLast(20))
    #expect(cut.entries.count == 1 && cut.cutOff && cut.malformedLines == 0)
    #expect(throws: TraceError.self) { try Self.dump("hello\n") }
    let error = #expect(throws: TraceError.self) { try Self.dump("a\u{1b}[2J\nb\n") }
    #expect(error?.description.contains("line 1") == true)
    #expect(error?.description.utf8.contains(0x1b) == false)
  }

  @Test func namesOfAnotherTable() throws {
    let dump = try Self.dump(
      "alpha 0000:00:03.0 phy idx 0 P=0x0000000000001000 D=1000 L=8 cln=0x0000000000000040 DMA_NONE "
        + "dma map error checked attrs=0x0\n"
    )
    var names = TraceNames()
    _ = names.devices.intern("other")
    let device = names.devices.intern("0000:00:03.0")
    let entries = dump.entries(interning: &names)
    #expect(entries.map(\.device.rawValue) == [device])
    #expect(names.drivers.string(entries[0].driver.rawValue) == "alpha")
    #expect(dump.generation == .linux73)
  }

  @Test func truncationsAndFlips() throws {
    var generator = SeededGenerator(seed: 11)
    let paths =
      KernelCase.all.filter { $0.name == "fuzz-01" }.map { $0.path("end", "dump") }
      + [Fixtures.root + "/fixtures/dumps/linux-6.1-bug-map-error-unchecked-mid"]
    for path in paths {
      let bytes = try #require(Fixtures.bytes(path))
      let whole = try MappingDump(bytes: bytes, name: "d").entries.count
      for _ in 0..<200 {
        let cut = Int.random(in: 0...bytes.count, using: &generator)
        let dump = try? MappingDump(bytes: Array(bytes[..<cut]), name: "d")
        #expect(dump?.entries.count ?? 0 <= whole)
      }
      for _ in 0..<200 {
        var broken = bytes
        for _ in 0..<20 {
          broken[Int.random(in: 0..<broken.count, using: &generator)] =
            UInt8.random(in: 0...255, using: &generator)
        }
        if let dump = try? MappingDump(bytes: broken, name: "d") {
          var engine = DMADebug(Configuration(generation: .linux73))
          var names = TraceNames()
          engine.adopt(dump.entries(interning: &names))
          #expect(engine.liveCount == dump.entries.count)
        }
      }
    }
  }
}
