// SPDX-License-Identifier: MIT
import Glibc
import TestSupport
import Testing

/// A trace of Perfetto as its official field numbers tell, against what the trace holds.
@Suite struct PerfettoTests {
  private struct Slice {
    var name: String
    var track: UInt64
    var begin: UInt64
    var end: UInt64?
    var arguments: [String: String]
    var flows: [UInt64]
  }

  /// What stands in a file.
  private struct Contents {
    var processes: [UInt64: String] = [:]
    var tracks: [UInt64: (name: String, parent: UInt64)] = [:]
    var units: [UInt64: UInt64] = [:]
    var slices: [Slice] = []
    var counters: [UInt64: [UInt64]] = [:]
    var instants: [(track: UInt64, name: String, arguments: [String: String], flows: [UInt64])] = []
    var problems: [String] = []

    init(_ bytes: [UInt8]) throws {
      let trace = try #require(ProtobufFields(bytes))
      var names: [UInt64: String] = [:]
      var annotations: [UInt64: String] = [:]
      var strings: [UInt64: String] = [:]
      var open: [UInt64: Int] = [:]
      var time: UInt64 = 0
      for packet in trace.messages(1) {
        if packet.varint(10) != 1 { problems.append("a packet of another sequence") }
        for data in packet.messages(12) {
          for field: UInt64 in [2, 3, 29] {
            for entry in data.messages(field) {
              let number = try #require(entry.varint(1))
              let text = try #require(entry.string(2))
              switch field {
              case 2: names[number] = text
              case 3: annotations[number] = text
              default: strings[number] = text
              }
            }
          }
        }
        for descriptor in packet.messages(60) {
          let uuid = try #require(descriptor.varint(1))
          if tracks[uuid] != nil { problems.append("track \(uuid) twice") }
          let process = descriptor.messages(3).first
          if let process { processes[uuid] = process.string(6) }
          let name = process == nil ? descriptor.string(2) ?? "" : "process"
          tracks[uuid] = (name, descriptor.varint(5) ?? 0)
          if let counter = descriptor.messages(8).first { units[uuid] = counter.varint(3) }
        }
        for event in packet.messages(11) {
          let now = try #require(packet.varint(8))
          if now < time { problems.append("time goes back") }
          time = now
          if packet.varint(13) != 2 { problems.append("interned names without their state") }
          let track = try #require(event.varint(11))
          if tracks[track] == nil { problems.append("track \(track) without descriptor") }
          var arguments: [String: String] = [:]
          for annotation in event.messages(4) {
            let name = try #require(annotation.varint(1).flatMap { annotations[$0] })
            if let number = annotation.varint(3) { arguments[name] = String(number) }
            if let pointer = annotation.varint(7) {
              arguments[name] = "0x" + String(pointer, radix: 16)
            }
            if let text = annotation.varint(17) {
              arguments[name] = strings[text] ?? "unknown string"
            }
          }
          let name = event.string(23) ?? event.varint(10).flatMap { names[$0] }
          switch event.varint(9) {
          case 1:
            if open[track] != nil { problems.append("slices overlap on track \(track)") }
            open[track] = slices.count
            slices.append(
              Slice(
                name: try #require(name),
                track: track,
                begin: now,
                end: nil,
                arguments: arguments,
                flows: event.fixed64s(47)
              )
            )
          case 2:
            let begun = open.removeValue(forKey: track)
            let index = try #require(begun)
            slices[index].end = now
            slices[index].arguments.merge(arguments) { $1 }
          case 3:
            instants.append((track, try #require(name), arguments, event.fixed64s(48)))
          case 4:
            counters[track, default: []].append(try #require(event.varint(30)))
          default:
            problems.append("an event of no type")
          }
        }
      }
    }
  }

  private static func convert(_ trace: String, _ options: [String] = []) throws -> Contents {
    let path = Fixtures.temporaryDirectory() + "/t.pftrace"
    let result = try Program.run(["convert", trace, "-o", path] + options)
    #expect(result.status == 0, "\(result.errors)")
    return try Contents(Fixtures.bytes(path) ?? [])
  }

  /// The rows of a database of the same trace: another way to the same facts.
  private static func rows(_ trace: String, _ query: String) throws -> [[String]] {
    try SQLTests.rows(SQLTests.database(trace), query)
  }

  @Test(
    arguments: [
      "fixtures/kernel/linux-6.12/real-nvme-stack/trace.txt",
      "fixtures/kernel/linux-7.3/bug-sg-count/trace.txt",
      "sim:nic,duration=5ms,fault=all@once",
    ]
  )
  func everyMappingIsASlice(_ trace: String) throws {
    let contents = try Self.convert(trace)
    #expect(contents.problems == [])
    let found = contents.slices.map { slice in
      [
        slice.arguments["event"] ?? "", slice.arguments["unmap_event"] ?? "", slice.name,
        slice.arguments["dma_addr"] ?? "", slice.arguments["size"] ?? "",
        slice.arguments["dir"] ?? "", String(slice.begin), slice.end.map { String($0) } ?? "",
        slice.arguments["map_site"] ?? "", slice.arguments["unmap_site"] ?? "",
        slice.arguments["map_error"] ?? "",
      ]
    }
    let expected = try Self.rows(
      trace,
      """
      SELECT map_event, ifnull(unmap_event, ''), type, dma_addr, size, dir, map_time_ns,
        ifnull(unmap_time_ns, ''),
        CASE WHEN state = 'freed'
            OR (SELECT map_stack FROM mappings m WHERE m.id = l.id) IS NOT NULL
          THEN ifnull(map_site, '') ELSE '' END,
        ifnull(unmap_site, ''), CASE state WHEN 'freed' THEN map_error ELSE '' END
      FROM mapping_list l ORDER BY id
      """
    )
    #expect(found == expected)
    #expect(!found.isEmpty)
  }

  @Test func tracksAreGroupedByDeviceAndUsedAgain() throws {
    let trace = "sim:nic,duration=5ms"
    let contents = try Self.convert(trace)
    let devices = try Self.rows(trace, "SELECT name, driver, peak_live FROM devices WHERE maps > 0")
    for device in devices {
      let process = try #require(
        contents.processes.first { $0.value == "\(device[0]) (\(device[1]))" }?.key
      )
      let lanes = contents.tracks.values.filter { $0.name == "mappings" && $0.parent == process }
      // Never more tracks than mappings at once.
      #expect(String(lanes.count) == device[2])
    }
    #expect(contents.slices.count > contents.tracks.count)
  }

  @Test func countersEndWithWhatIsLive() throws {
    let trace = "sim:nic,duration=5ms,fault=forgotten-unmap@once"
    let contents = try Self.convert(trace)
    func last(_ name: String, _ parent: UInt64) throws -> UInt64 {
      let track = try #require(
        contents.tracks.first { $0.value.name == name && $0.value.parent == parent }?.key
      )
      #expect(contents.units[track] == (name.hasSuffix("bytes") ? 3 : 2))
      return try #require(contents.counters[track]?.last)
    }
    let totals = try Self.rows(trace, "SELECT sum(live), sum(live_bytes) FROM devices")
    #expect(
      try [last("live DMA mappings", 0), last("live DMA bytes", 0)].map(String.init) == totals[0]
    )
    for device in try Self.rows(
      trace,
      "SELECT name, driver, live, live_bytes FROM devices WHERE maps > 0"
    ) {
      let process = try #require(
        contents.processes.first { $0.value == "\(device[0]) (\(device[1]))" }?.key
      )
      #expect(try String(last("live mappings", process)) == device[2])
      #expect(try String(last("live bytes", process)) == device[3])
    }
  }

  @Test func flowsLeadFromMapsToUnmapsAndErrorsHaveTheirWords() throws {
    let trace = "fixtures/kernel/linux-6.12/bug-unmap-size/trace.txt"
    let contents = try Self.convert(trace)
    let begun = contents.slices.filter { $0.end != nil }.flatMap(\.flows)
    let unmaps = contents.instants.filter { contents.tracks[$0.track]?.name == "unmaps" }
    #expect(Set(begun) == Set(unmaps.flatMap(\.flows)))
    #expect(!begun.isEmpty)
    let errors = contents.instants.filter { contents.tracks[$0.track]?.name == "errors" }
    let log = try Program.run(["log", "--all-errors", trace])
    #expect(!errors.isEmpty)
    for error in errors {
      #expect(log.output.contains(error.name))
      #expect(error.arguments["rule"] != nil)
    }
    #expect(contents.instants.contains { $0.name.hasPrefix("dma-api: snapshot") })
  }

  @Test func whatAStartDumpHoldsBeginsWithTheTrace() throws {
    let half = try StartDumpTests.half()
    let contents = try Self.convert(half.trace, ["--start-dump", half.dump])
    #expect(contents.problems == [])
    let begun = try #require(contents.slices.map(\.begin).min())
    let adopted = contents.slices.filter { $0.arguments["event"] == nil }
    #expect(adopted.count == half.entries)
    #expect(adopted.allSatisfy { $0.begin == begun && $0.arguments["cpu"] == nil })
    #expect(adopted.contains { $0.end != nil })
    let first = try Program.shell(
      "dmatop dump --events \(half.trace) --format csv --fields time_ns | sed -n 2p"
    )
    #expect(first.output.filter(\.isNumber) == String(begun))
  }

  @Test func aDumpIsItsSlices() throws {
    let (_, path, entries) = try StartDumpTests.half()
    let contents = try Self.convert(path)
    #expect(contents.problems == [])
    #expect(contents.slices.count == entries)
    #expect(contents.slices.allSatisfy { $0.end == nil && $0.begin == 0 })
    let live = contents.tracks.first { $0.value.name == "live DMA mappings" }?.key
    #expect(live.flatMap { contents.counters[$0]?.last } == UInt64(contents.slices.count))
  }

  @Test func theSameTraceGivesTheSameBytes() throws {
    let trace = "sim:usb,duration=5ms,fault=all@once"
    let outputs = try (0..<2).map { _ in
      try Program.shell("dmatop convert \(trace) --to perfetto -o - | sha256sum").output
    }
    #expect(outputs[0] == outputs[1])
  }
}
