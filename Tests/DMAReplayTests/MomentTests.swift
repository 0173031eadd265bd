// SPDX-License-Identifier: MIT
import DMAReplay
import DMATrace
import TestSupport
import Testing

@Suite struct MomentTests {
  private static let lines = [
    "tracing_mark_write: dma-api: snapshot one",
    "dma_map_page: a dir=TO_DEVICE dma_addr=1000 size=64 phys_addr=1000 attrs=",
    "tracing_mark_write: dma-api: snapshot one more",
    "dma_map_page: a dir=TO_DEVICE dma_addr=2000 size=64 phys_addr=2000 attrs=",
    "tracing_mark_write: the end is near",
    "dma_map_page: a dir=TO_DEVICE dma_addr=3000 size=64 phys_addr=3000 attrs=",
  ]

  private func live(at moment: Moment) throws -> (live: Int, isMet: Bool) {
    var replay = try Replay(
      reader: TextTraceReader(bytes: TraceText.kernel(Self.lines), name: "test"),
      options: ReplayOptions()
    )
    let isMet = try replay.run(to: moment) { _, _ in }
    return (replay.engine.liveCount, isMet)
  }

  @Test(arguments: [
    ("end", 3), ("event:0", 0), ("event:2", 1), ("event:6", 3), ("snapshot:one", 0),
    ("snapshot:one more", 1), ("marker:the end", 2), ("time:1.000004", 2), ("time:0", 0),
    ("time:1.0000045", 2), ("time:99", 3),
  ])
  func stopsThere(_ text: String, _ count: Int) throws {
    let result = try live(at: Moment(parsing: text))
    #expect(result.live == count)
    #expect(result.isMet)
  }

  @Test(arguments: ["event:7", "snapshot:two", "marker:nowhere"])
  func saysThatThereIsNoSuchMoment(_ text: String) throws {
    #expect(try !live(at: Moment(parsing: text)).isMet)
  }

  @Test(arguments: [
    "", "event", "event:", "event:-1", "event:x", "time:", "time:1.", "time:1.0000000001",
    "time:-1", "time:1e9", "time:99999999999999999999", "marker:", "snapshot:", "moon:1",
  ])
  func refusesWhatIsNoMoment(_ text: String) {
    #expect(throws: Moment.ParseError.self) { try Moment(parsing: text) }
  }
}
