// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMASimulator
import DMATrace
import TestSupport
import Testing

/// Every binary capture, cut off anywhere: whatever is left is read and walked through without a trap,
/// and that something is missing is always said.
@Suite struct CutCaptureTests {
  private static let directory = Fixtures.root + "/fixtures/formats"
  private static let captures = Fixtures.list(directory).filter {
    $0.hasSuffix(".dat") || $0.hasSuffix(".data")
  }

  @Test func thereAreCaptures() {
    #expect(Self.captures.count >= 8)
  }

  /// Reads it as the monitor does, walks through it, and reads again what follows each batch.
  private func walk(_ bytes: [UInt8]) throws -> Timeline {
    let reader = try Capture.openTrace(bytes, name: "cut")
    let timeline = try Timeline(reader, options: ReplayOptions(), budget: 1 << 20, spacing: 4)
    while !timeline.isComplete { try timeline.read(limit: 7) }
    for event in [0, timeline.eventCount / 2, timeline.eventCount] {
      try timeline.seek(event: event)
    }
    try timeline.step(-1)
    guard var rewindable = reader as? any RewindableReader, rewindable.isRewindable else {
      return timeline
    }
    var batch = EventBatch()
    repeat {
      #expect(rewindable.progress.read <= rewindable.progress.total ?? .max)
      var again = try rewindable.resumed(at: rewindable.mark())
      var events: UInt64 = 0
      while try again.read(into: &batch) { events += UInt64(batch.events.count) }
      #expect(events <= timeline.eventCount)
    } while try rewindable.read(into: &batch)
    return timeline
  }

  @Test(arguments: captures)
  func cuts(_ name: String) throws {
    let whole = Fixtures.bytes(Self.directory + "/" + name) ?? []
    let all = try walk(whole)
    #expect(all.eventCount > 0 && all.summary.damage(maximumMalformed: 1) == nil)
    var random = SeededRandom(seed: UInt64(whole.count))
    // Most of the bytes describe the events; the records come last in the files of version 6.
    let places = (0..<200).map { round in
      let first = round % 2 == 0 ? 0 : UInt64(whole.count / 2)
      return Int(first + random.next() % (UInt64(whole.count) - first))
    }
    for place in places {
      let bytes = Array(whole[..<place])
      do {
        let cut = try walk(bytes)
        #expect(cut.eventCount <= all.eventCount)
        // Nothing but padding may be missing in silence.
        let isSaid = cut.summary.damage(maximumMalformed: 1) != nil
        #expect(isSaid || cut.eventCount == all.eventCount, "\(name) cut at \(place)")
      } catch let error as TraceError {
        #expect(!error.problem.isEmpty)
      }
    }
  }
}
