// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMASimulator
import DMATrace
import TestSupport
import Testing

/// Time travel: the state after any walk is that of a fresh replay to the same event.
@Suite struct TimelineTests {
  /// Everything that can be seen of a state.
  private func picture(_ engine: DMADebug, _ names: TraceNames) -> [String] {
    VirtualFile.allCases.map {
      String(decoding: engine.read($0, names: names), as: UTF8.self)
    } + ["\(engine.undecided)", "\(engine.eventCount)"]
  }

  private func fresh(_ bytes: [UInt8], to event: UInt64) throws -> [String] {
    var replay = try Replay(
      reader: TextTraceReader(bytes: bytes, name: "trace"),
      options: ReplayOptions()
    )
    _ = try replay.run(to: .event(event)) { _, _ in }
    return picture(replay.engine, replay.names)
  }

  private func readAll(_ timeline: Timeline) throws {
    while !timeline.isComplete { try timeline.read(limit: 1000) }
  }

  private static let recording: [UInt8] = {
    guard var scenario = try? ScenarioLibrary.scenario("faulty-desktop") else { return [] }
    scenario.machine.hasStacks = true
    return SimulatedRun(scenario, eventLimit: 30_000).recording
  }()

  /// - Parameter budget: small, so that checkpoints are few and thinned out.
  private func walk(_ timeline: Timeline, _ bytes: [UInt8], seed: UInt64, steps: Int) throws {
    var random = SeededRandom(seed: seed)
    func below(_ bound: UInt64) -> UInt64 { random.next() % max(bound, 1) }
    for _ in 0..<steps {
      switch below(8) {
      case 0, 1: try timeline.seek(event: below(timeline.eventCount + 1))
      case 2: try timeline.step(Int(below(200)) - 100)
      case 3: try timeline.stepToNextChange()
      case 4: try timeline.stepToPreviousChange()
      case 5: try timeline.seekEntry(forwards: below(2) == 0, errorsOnly: below(2) == 0)
      case 6:
        let span = timeline.lastTime - timeline.firstTime
        try timeline.seek(time: timeline.firstTime + below(span + 1))
      default:
        try timeline.step(below(2) == 0 ? 1 : -1)
      }
      guard timeline.event < timeline.eventCount else { continue }
      let have = picture(timeline.engine, timeline.names)
      let want = try fresh(bytes, to: timeline.event)
      #expect(have == want, "event \(timeline.event)")
    }
  }

  @Test(arguments: 1...4)
  func anyWalkEndsWhereAFreshReplayDoes(_ seed: Int) throws {
    let timeline = try Timeline(
      TextTraceReader(bytes: Self.recording, name: "trace"),
      options: ReplayOptions(),
      budget: seed % 2 == 0 ? 1 << 20 : Timeline.standardBudget,
      spacing: 1 << 10
    )
    try readAll(timeline)
    #expect(timeline.eventCount > 25_000)
    #expect(timeline.checkpointUse.count > 2)
    try walk(timeline, Self.recording, seed: UInt64(seed), steps: 12)
  }

  @Test func theEndIsThatOfAReplay() throws {
    for kernel in ["linux-6.12", "linux-7.3"] {
      for name in Fixtures.list(Fixtures.root + "/fixtures/kernel/" + kernel) {
        let path = Fixtures.root + "/fixtures/kernel/\(kernel)/\(name)/trace.txt"
        guard let bytes = Fixtures.bytes(path) else { continue }
        var replay = try Replay(reader: TextTraceReader(path: path), options: ReplayOptions())
        _ = try replay.run(to: .end) { _, _ in }
        let timeline = try Timeline(TextTraceReader(path: path), options: ReplayOptions())
        try readAll(timeline)
        #expect(picture(timeline.engine, timeline.names) == picture(replay.engine, replay.names))
        // And back and forth.
        try timeline.seek(event: timeline.eventCount / 2)
        let middle = picture(timeline.engine, timeline.names)
        #expect(try fresh(bytes, to: timeline.event) == middle, "\(kernel)/\(name)")
        try timeline.seek(event: timeline.eventCount)
        #expect(picture(timeline.engine, timeline.names) == picture(replay.engine, replay.names))
      }
    }
  }

  @Test func aSimulationGoesBackToo() throws {
    var scenario = try #require(try ScenarioLibrary.scenario("faulty-desktop"))
    scenario.machine.hasStacks = true
    let reader = SimulationReader(Simulation(scenario, eventLimit: 30_000))
    let timeline = try Timeline(reader, options: ReplayOptions())
    try readAll(timeline)
    var random = SeededRandom(seed: 4)
    for _ in 0..<6 {
      try timeline.seek(event: random.next() % timeline.eventCount)
      let have = picture(timeline.engine, timeline.names)
      #expect(try fresh(Self.recording, to: timeline.event) == have)
    }
  }

  @Test func aLongSourceLosesItsBeginning() throws {
    let scenario = try #require(try ScenarioLibrary.scenario("nic"))
    let source = SimulationReader(Simulation(scenario, eventLimit: 16_000))
    let spool = try BatchSpool(pieceSize: 256 << 10, maximumPieces: 3)
    let timeline = try Timeline(
      SpooledReader(source, spool: spool),
      options: ReplayOptions(),
      spacing: 1 << 10
    )
    try readAll(timeline)
    #expect(timeline.firstEvent > 5000)
    try timeline.seek(event: 10)
    #expect(timeline.event == timeline.firstEvent)
    try timeline.seek(event: timeline.firstEvent + 500)
    #expect(timeline.event == timeline.firstEvent + 500)
    let bytes = SimulatedRun(scenario, eventLimit: 16_000).recording
    #expect(picture(timeline.engine, timeline.names) == (try fresh(bytes, to: timeline.event)))
  }

  /// However long it goes on, what is kept to go back stays within its budget, and the state can be
  /// gone to everywhere.
  @Test func historyStaysWithinItsBudget() throws {
    var scenario = try #require(try ScenarioLibrary.scenario("faulty-desktop"))
    scenario.machine.hasStacks = true
    let budget = 2 << 20
    for isSpooled in [true, false] {
      let simulation = SimulationReader(Simulation(scenario, eventLimit: 30_000))
      let timeline = try Timeline(
        isSpooled ? simulation : TextTraceReader(bytes: Self.recording, name: "trace"),
        options: ReplayOptions(),
        budget: budget,
        spacing: 1 << 8
      )
      var most = 0
      while !timeline.isComplete {
        try timeline.read(limit: 1000)
        most = max(most, timeline.checkpointUse.bytes)
      }
      #expect(most <= budget, "spooled \(isSpooled)")
      #expect(timeline.checkpointUse.count > 4)
      #expect(timeline.firstEvent == 0)
      try walk(timeline, Self.recording, seed: 9, steps: 6)
    }
  }

  /// A mark of a text says where to go on and nothing that a reader finds again.
  @Test func marksAreSmall() throws {
    var reader = TextTraceReader(bytes: Self.recording, name: "trace")
    var batch = EventBatch()
    for _ in 0..<10 { _ = try reader.read(into: &batch) }
    #expect(reader.mark().storageBytes < 32 << 10)
    let timeline = try Timeline(
      TextTraceReader(bytes: Self.recording, name: "trace"),
      options: ReplayOptions(),
      spacing: 1 << 10
    )
    try readAll(timeline)
    // Those that were given up, and the marks, are counted.
    let use = timeline.checkpointUse
    #expect(use.bytes > use.count * MemoryLayout<DMADebug>.stride)
  }

  /// The last place that a source can be gone back to is not given up before there is another.
  @Test func aSmallBudgetLeavesSomethingToGoBackTo() throws {
    let scenario = try #require(try ScenarioLibrary.scenario("nic"))
    let source = SimulationReader(Simulation(scenario, eventLimit: 16_000))
    let timeline = try Timeline(
      SpooledReader(source, spool: try BatchSpool(pieceSize: 128 << 10, maximumPieces: 4)),
      options: ReplayOptions(),
      budget: 1,
      spacing: 1 << 20
    )
    try readAll(timeline)
    #expect(timeline.checkpointUse.count <= 2)
    try timeline.seek(event: 0)
    #expect(timeline.event == timeline.firstEvent)
    #expect(timeline.firstEvent > 0 && timeline.firstEvent < timeline.eventCount)
    try timeline.step(1)
    let bytes = SimulatedRun(scenario, eventLimit: 16_000).recording
    #expect(picture(timeline.engine, timeline.names) == (try fresh(bytes, to: timeline.event)))
  }

  @Test func changesAndErrorsAreFound() throws {
    let bytes = TraceText.kernel([
      TraceText.probe,
      "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=64 phys_addr=1000 attrs=",
      "dma_sync_single_for_device: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=64",
      "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=32 attrs=",
      "tracing_mark_write: here",
    ])
    let timeline = try Timeline(
      TextTraceReader(bytes: bytes, name: "trace"),
      options: ReplayOptions()
    )
    try readAll(timeline)
    #expect(timeline.isFollowing)
    try timeline.seek(event: 0)
    #expect(!timeline.isFollowing)
    var seen: [UInt64] = []
    while try timeline.stepToNextChange() { seen.append(timeline.event) }
    #expect(seen == [2, 4])
    #expect(timeline.event == 5)
    seen = []
    while try timeline.stepToPreviousChange() { seen.append(timeline.event) }
    #expect(seen == [3, 1])
    #expect(timeline.event == 0)
    #expect(try timeline.seekEntry(forwards: true, errorsOnly: true) == 0)
    #expect(timeline.event == 4)
    #expect(try timeline.seekEntry(forwards: true, errorsOnly: true) == nil)
    #expect(timeline.markers.map(\.text) == ["here"])
    #expect(timeline.markers.map(\.event) == [5])
    try timeline.seek(time: 1_000_000_000)
    #expect(timeline.event == 0)
    try timeline.seek(time: 1_000_003_000)
    #expect(timeline.event == 3)
    #expect(try timeline.write(.numErrors, Array("7".utf8)) == nil)
    #expect(timeline.engine.numErrors == 7)
    try timeline.seek(event: 3)
    try timeline.seek(event: 2)
    #expect(timeline.engine.numErrors == 1)
    timeline.follow()
    #expect(timeline.event == 5)
  }

  @Test func differencesAreGrouped() throws {
    func map(_ address: String, _ device: String = "0000:00:03.0") -> String {
      "dma_map_phys: \(device) dir=TO_DEVICE dma_addr=\(address) size=64 phys_addr=\(address) attrs="
    }
    let unmap = "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=64 attrs="
    let bytes = TraceText.kernel([
      map("1000"), map("2000"), unmap, map("3000"), map("4000", "0000:00:04.0"),
      map("5000", "0000:00:04.0"),
    ])
    let timeline = try Timeline(TextTraceReader(bytes: bytes, name: "t"), options: ReplayOptions())
    try readAll(timeline)
    try timeline.seek(event: 2)
    let first = timeline.engine.liveMappings()
    try timeline.seek(event: 6)
    let difference = MappingDifference(
      from: first,
      to: timeline.engine.liveMappings(),
      names: timeline.names
    )
    #expect(difference.stayed == 1)
    #expect(difference.groups.map(\.growth) == [2, 0])
    #expect(difference.groups.map(\.new) == [2, 1])
    #expect(difference.groups.map(\.gone) == [0, 1])
    #expect(difference.groups[0].newBytes == 128)
  }

  @Test func densityKeepsItsSums() {
    var density = EventDensity()
    var random = SeededRandom(seed: 2)
    var time: UInt64 = 5_000_000
    for index in 0..<10_000 {
      time += random.next() % 100_000
      density.add(time)
      if index % 100 == 0 { density.addError(time) }
    }
    #expect(density.events.reduce(0, +) == 10_000)
    #expect(density.errors.reduce(0, +) == 100)
    #expect(density.start + density.width * UInt64(EventDensity.pieces) > time)
    density.add(.max)
    density.add(0)
    #expect(density.events.reduce(0, +) == 10_002)
  }
}
