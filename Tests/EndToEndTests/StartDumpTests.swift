// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMATrace
import TestSupport
import Testing

/// A trace that is cut at a snapshot, with the kernel's dump of that snapshot as its beginning, leads
/// to the kernel's dump of the next one.
@Suite struct StartDumpTests {
  private static let comparable = KernelCase.all.filter { capture in
    !["plain-", "real-nvme-plain-late", "perf-", "tracecmd-"].contains {
      capture.name.hasPrefix($0)
    } && capture.snapshots.count > 1
  }

  /// The lines behind the marker of each snapshot, by its name, in the order of the trace.
  private static func parts(_ capture: KernelCase) -> [(name: String, lines: [String])] {
    var parts: [(name: String, lines: [String])] = []
    for line in Fixtures.lines(capture.trace) {
      if let place = line.firstRange(of: "dma-api: snapshot ") {
        for index in parts.indices { parts[index].lines.append(line) }
        parts.append((String(line[place.upperBound...].prefix { $0 != " " }), []))
      } else {
        for index in parts.indices { parts[index].lines.append(line) }
      }
    }
    return parts
  }

  private static func options(_ capture: KernelCase, start: String) throws -> ReplayOptions {
    var options = ReplayOptions()
    options.generation = KernelGeneration(version: capture.kernel)
    options.entries = capture.entries
    options.devices = try DeviceTable(path: capture.devices)
    options.startDump = try MappingDump(path: capture.path(start, "dump"))
    return options
  }

  private static func dump(_ replay: Replay) -> [String] {
    String(decoding: replay.engine.read(.dump, names: replay.names), as: UTF8.self)
      .split(separator: "\n").map(String.init)
  }

  /// A trace that begins in the middle of a capture, and the dump of what was mapped then.
  static func half() throws -> (trace: String, dump: String, entries: Int) {
    let capture = try #require(comparable.first { $0.name == "fuzz-01" })
    let part = try #require(parts(capture).first { $0.name == "p004" })
    let text = part.lines.joined(separator: "\n") + "\n"
    return (
      Fixtures.temporary("half.txt", Array(text.utf8)), capture.path("p004", "dump"),
      capture.file("p004", "dump").count
    )
  }

  @Test func thereAreCaptures() {
    #expect(Self.comparable.count >= 50)
  }

  @Test(arguments: comparable)
  func theSecondHalfLeadsToTheNextDump(_ capture: KernelCase) throws {
    // Lists that the tracer cut off have entries that no trace shows.
    if capture.name.hasPrefix("clean-sg") { return }
    // Random programs map the same pages in several lists, and unmap lists that were unmapped before
    // the snapshot: which segments make a list a dump does not show.
    let isRandom = capture.name.contains("fuzz")
    var exact = 0
    let parts = Self.parts(capture)
    for (part, next) in zip(parts, parts.dropFirst()) {
      var replay = try Replay(
        reader: TextTraceReader(
          bytes: Array((part.lines.joined(separator: "\n") + "\n").utf8),
          name: "half"
        ),
        options: Self.options(capture, start: part.name)
      )
      #expect(Self.dump(replay) == capture.file(part.name, "dump"))
      let isMet = try replay.run(to: .snapshot(next.name)) { _, _ in }
      #expect(isMet)
      let want = capture.file(next.name, "dump")
      let have = Self.dump(replay)
      let isEqual = have.count == want.count && zip(want, have).allSatisfy { Self.agrees($0, $1) }
      if isEqual {
        exact += 1
        let free = String(
          decoding: replay.engine.read(.numFreeEntries, names: replay.names),
          as: UTF8.self
        )
        #expect(
          free.split(separator: "\n").map(String.init)
            == capture.file(next.name, "num_free_entries")
        )
      }
      #expect(replay.engine.undecided.unknownFrees == 0)
      if isRandom { continue }
      #expect(isEqual, "\(part.name) to \(next.name): \(Self.difference(want, have))")
      #expect(replay.engine.undecided.unknownLists == 0)
    }
    #expect(exact * 10 >= (parts.count - 1) * 6)
  }

  /// The monitor's way through time begins with the dump too, wherever it goes.
  @Test func timeTravelBeginsWithTheDump() throws {
    let capture = try #require(Self.comparable.first { $0.name == "fuzz-01" })
    let part = try #require(Self.parts(capture).first { $0.name == "p004" })
    let bytes = Array((part.lines.joined(separator: "\n") + "\n").utf8)
    let options = try Self.options(capture, start: part.name)
    let timeline = try Timeline(
      TextTraceReader(bytes: bytes, name: "half"),
      options: options,
      budget: 1 << 20,
      spacing: 16
    )
    for event: UInt64 in [0, 40, 7, 120, 0, 300, 299, 40] {
      var replay = try Replay(
        reader: TextTraceReader(bytes: bytes, name: "half"),
        options: options
      )
      _ = try replay.run(to: .event(event)) { _, _ in }
      while try timeline.read(limit: 1000) > 0 {}
      try timeline.seek(event: event)
      #expect(
        timeline.engine.read(.dump, names: timeline.names)
          == replay.engine.read(.dump, names: replay.names)
      )
      #expect(timeline.engine.poolCounters.free == replay.engine.poolCounters.free)
    }
  }

  /// Totals begin with what was mapped, and count neither its map nor its lifetime.
  @Test func statisticsBeginWithTheDump() throws {
    let capture = try #require(Self.comparable.first { $0.name == "fuzz-01" })
    let part = try #require(Self.parts(capture).first { $0.name == "p004" })
    var replay = try Replay(
      reader: TextTraceReader(
        bytes: Array((part.lines.joined(separator: "\n") + "\n").utf8),
        name: "half"
      ),
      options: Self.options(capture, start: part.name)
    )
    replay.collect([.reports, .changes])
    let adopted = UInt64(replay.engine.liveCount)
    var statistics = Statistics()
    statistics.observe(replay.output)
    _ = try replay.run(to: .end) { replay, event in statistics.observe(event, replay.output) }
    statistics.observe(replay.output)
    let total = statistics.total
    #expect(adopted > 0)
    #expect(total.live == UInt64(replay.engine.liveCount))
    #expect(total.live == adopted + total.maps - total.unmaps)
    #expect(total.lifetimes.count < total.unmaps)
  }

  /// A physical address that the trace does not give is `?`, for coherent memory only.
  private static func agrees(_ want: String, _ have: String) -> Bool {
    if want == have { return true }
    guard have.contains("P=?"), have.contains("coherent ") else { return false }
    for (word, mine) in zip(want.split(separator: " "), have.split(separator: " ")) {
      if word == mine || mine == "P=?" || mine == "cln=?" { continue }
      return false
    }
    return true
  }

  private static func difference(_ want: [String], _ have: [String]) -> String {
    let missing = want.filter { !have.contains($0) }.prefix(3)
    let surplus = have.filter { !want.contains($0) }.prefix(3)
    return "want \(want.count) have \(have.count); missing \(missing); too many \(surplus)"
  }
}
