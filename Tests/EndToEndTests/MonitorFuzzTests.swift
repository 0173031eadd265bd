// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMASimulator
import DMATrace
import Glibc
import TerminalKit
import TestSupport
import Testing

@testable import DMAExport
@testable import DMAMonitor
@testable import dmatop

/// A screen before which somebody presses keys, clicks and pulls at the window at random, the same
/// way for the same seed.
private final class RandomScreen: Screen {
  private var random: SeededGenerator
  private(set) var size = Size(width: 80, height: 24)
  let glyphs: Glyphs
  let colorDepth = ColorDepth.twoHundredFiftySix
  var reportsMouse = false
  private let deadline: ContinuousClock.Instant
  private let maximum: Int
  private(set) var frames = 0
  private(set) var steps = 0
  /// Letters that are still to be typed.
  private var pending: [Key] = []

  init(seed: UInt64, glyphs: Glyphs, duration: Duration, steps: Int) {
    random = SeededGenerator(seed: seed)
    self.glyphs = glyphs
    deadline = ContinuousClock.now + duration
    maximum = steps
  }

  func draw(_ frame: CellBuffer, cursor: Position?) {
    frames += 1
    precondition(frame.size == size, "a frame of another size than the screen")
    if let fault = FrameCheck.fault(frame, isASCII: glyphs.isASCII) { preconditionFailure(fault) }
  }

  func wait(timeoutMilliseconds: Int?, descriptor: Int32?) -> Wakeup {
    steps += 1
    if steps > maximum || ContinuousClock.now > deadline { return .key(.quitRequest) }
    if !pending.isEmpty { return .key(pending.removeFirst()) }
    switch random.next() % 100 {
    case 0..<6: return .timeout
    case 6..<8: return .key(.paste(pasted()))
    case 8..<13:
      let sizes = [
        (1, 1), (20, 5), (40, 10), (80, 24), (200, 60), (300, 100), (10, 3), (3, 40), (300, 1),
        (1, 100), (2, 2),
      ]
      let (width, height) = sizes[Int(random.next() % UInt64(sizes.count))]
      size = Size(width: width, height: height)
      return .key(.resize)
    case 13..<25: return .key(mouse())
    case 25..<38:
      pending = words()
      return .timeout
    case 38..<41:
      pending = emptyList()
      return .timeout
    case 41..<70:
      let actions = MonitorAction.allCases
      let action = actions[Int(random.next() % UInt64(actions.count))]
      // Quitting would end it; everything else may be.
      let keys = KeyMap().keys(action)
      guard action != .quit, let key = keys.first else { return .timeout }
      return .key(key)
    default: return .key(anyKey())
    }
  }

  /// Some of the keys that are still to come are at hand at once.
  func keyAtHand() -> Key? {
    guard !pending.isEmpty, random.next() % 3 > 0 else { return nil }
    steps += 1
    return pending.removeFirst()
  }

  private func pasted() -> String {
    let texts = [
      "", "nvme", "a\nb\r\nc\td", "\u{1b}[2J\u{7}q\u{3}", "\u{202e}\u{200b}", "e\u{301}\u{301}日本",
      String(repeating: "nvme ", count: 2000), String(repeating: "\n", count: 5000),
      String(repeating: "(", count: 5000), "~" + String(repeating: "(", count: 900),
    ]
    return texts[Int(random.next() % UInt64(texts.count))]
  }

  private func mouse() -> Key {
    let position = Position(
      x: Int(random.next() % UInt64(size.width + 2)),
      y: Int(random.next() % UInt64(size.height + 2))
    )
    switch random.next() % 6 {
    case 0: return .mouse(MouseEvent(.wheelUp, at: position))
    case 1: return .mouse(MouseEvent(.wheelDown, at: position))
    case 2: return .mouse(MouseEvent(.release(1), at: position))
    case 3: return .mouse(MouseEvent(.press(Int(random.next() % 3) + 1), at: position))
    default: return .mouse(MouseEvent(.press(1), at: position))
    }
  }

  /// Every action, in any order, on a list without rows: of a view behind a filter that nothing
  /// matches, or of a difference between a moment and itself.
  private func emptyList() -> [Key] {
    var keys: [Key] = [.escape, .escape]
    if random.next() % 3 == 0 {
      keys += [.character("A"), .character("B"), .character("D"), .enter, .character("z")]
    } else {
      keys.append(.character(Character(String(random.next() % 8 + 1))))
      keys += ":filter no-row-has-this".map { .character($0) } + [.enter]
    }
    let map = KeyMap()
    let leavesAlone: Set<MonitorAction> = [
      .quit, .mappings, .errors, .events, .devices, .files, .buffers, .map, .stats, .nextView,
      .previousView, .clearFilter, .filter,
    ]
    for action in MonitorAction.allCases.shuffled(using: &random)
    where !leavesAlone.contains(action) {
      if let key = map.keys(action).first { keys.append(key) }
      // Out of what it may have opened: a prompt, a box.
      keys.append(random.next() % 2 == 0 ? .enter : .escape)
      if random.next() % 4 == 0 { keys.append(mouse()) }
    }
    return keys
  }

  private func anyKey() -> Key {
    let keys: [Key] = [
      .up, .down, .left, .right, .home, .end, .pageUp, .pageDown, .enter, .escape, .backspace, .tab,
      .backTab, .delete, .insert, .unknown, .control("u"), .control("w"), .control("k"),
      .shiftArrow(.up), .shiftArrow(.down), .alt("x"), .character("é"), .character("日"),
      .character("\u{301}"), .function(Int(random.next() % 12) + 1),
    ]
    if random.next() % 2 == 0 { return keys[Int(random.next() % UInt64(keys.count))] }
    let scalar = Unicode.Scalar(UInt8(0x20 + random.next() % 0x5f))
    // q and Q would quit.
    return scalar == "q" || scalar == "Q" ? .down : .character(Character(scalar))
  }

  /// A line for a prompt, sensible or not.
  private func words() -> [Key] {
    let lines = [
      "b+1ms", "b-5ms", "b50%", "b#1000", "bend", "bstart", "b99999999999", "\\nvme", "\\size>4k",
      "\\~[", "\\!err", "\\a|b", "/00", "/x", ":sort -size", ":goto 10%", ":theme mono",
      ":set-mark a", ":goto-mark a", ":write nvme", ":nonsense", "\"x", ":errors-only", ":tree",
      "5o0", "5ononsense", ":filter dir=to", ":pin", "\\device:0000 age>1ms", "ABD", "rARBD",
      "b#18446744073709551615", "b18446744073.709551615", "b+999999999s", "b-999999999s", "b1e300",
      "\\size>99999999999999999999", "\\!!!!x", "\\~((((", ":export", ":sort", "VVmmU",
    ]
    let line = lines[Int(random.next() % UInt64(lines.count))]
    return line.map { .character($0) } + [.enter]
  }

  func copy(_ text: String) -> Bool { random.next() % 2 == 0 }
  func bell() {}
}

/// Random keys, clicks and sizes over random sources: nothing may crash, hang or draw outside.
///
/// `DMATOP_FUZZ_UI` seconds (a few without), from `DMATOP_FUZZ_SEED` on (1 without).
@Suite struct MonitorFuzzTests {
  private func say(_ text: String) {
    StandardError.write(text)
  }

  private static func number(_ name: String) -> UInt64? {
    getenv(name).flatMap { UInt64(String(cString: $0)) }
  }

  private static let hostile: [UInt8] = {
    var lines: [String] = []
    for (index, name) in ["\u{1b}[2J", "日本語", "e\u{301}\u{202e}", "n"].enumerated() {
      lines.append("driver_probe: (really_probe+0x0/0x2a0) device=\"\(name)\" driver=\"\(name)\"")
      for number in 0..<20 {
        let address = String(index * 64 + number + 1) + "000"
        lines.append(
          "dma_map_phys: \(name) dir=TO_DEVICE dma_addr=\(address) size=64 phys_addr=\(address) attrs="
        )
      }
      lines.append("dma_unmap_phys: \(name) dir=TO_DEVICE dma_addr=5 size=64 attrs=")
      lines.append("tracing_mark_write: \(name)")
    }
    return TraceText.kernel(lines)
  }()

  /// - Returns: `nil` when too little is left of a trace that was cut.
  private static func timeline(_ seed: UInt64) throws -> (path: String, timeline: Timeline)? {
    let traces = MonitorTraces.all
    switch seed % 4 {
    case 0:
      let path = Fixtures.temporary("hostile.txt", hostile)
      return (path, try Timeline(ReplayArguments.reader(path), options: ReplayOptions()))
    case 1:
      guard var scenario = try ScenarioLibrary.scenario("desktop") else { fallthrough }
      scenario.machine.seed = seed
      scenario.machine.hasStacks = true
      scenario.faults += FaultPlan.parse("all@1%") ?? []
      let simulation = Simulation(scenario, eventLimit: 20_000)
      let reader = SimulationReader(simulation, speed: seed % 8 == 1 ? 5 : nil)
      return ("sim:desktop", try Timeline(reader, options: ReplayOptions()))
    case 2:
      let trace = traces[Int(seed / 4 % UInt64(traces.count))]
      do {
        return (trace.name, try trace.timeline())
      } catch is TraceError {
        return nil
      }
    default:
      let captures = KernelCase.all
      let path = captures[Int(seed / 4 % UInt64(captures.count))].trace
      return (path, try Timeline(ReplayArguments.reader(path), options: ReplayOptions()))
    }
  }

  @Test func anythingGoes() throws {
    let seconds = Self.number("DMATOP_FUZZ_UI")
    let end = ContinuousClock.now + .seconds(Int64(seconds ?? 4))
    var seed = Self.number("DMATOP_FUZZ_SEED") ?? 1
    var steps = 0
    while ContinuousClock.now < end {
      // Who sees a crash reads here with which seed it comes again.
      if seconds != nil { say("seed \(seed)") }
      guard let (path, timeline) = try Self.timeline(seed) else {
        seed += 1
        continue
      }
      var state = MonitorState(path: path, moment: .end, timeline: timeline)
      state.settings.framesPerSecond = 60
      state.settings.preset = KeyMap.Preset.allCases[Int(seed / 3 % 4)]
      let glyphs = seed % 2 == 0 ? Glyphs.unicode : .ascii
      let screen = RandomScreen(
        seed: seed,
        glyphs: glyphs,
        duration: .seconds(20),
        steps: 400
      )
      var monitor = Monitor(state, glyphs: glyphs, effects: Monitor.Effects())
      monitor.run(on: screen)
      #expect(screen.frames > 0)
      try Self.check(monitor.state.timeline)
      steps += screen.steps
      seed += 1
    }
    #expect(steps > 100)
    if seconds != nil { say("\(steps) keys, the last seed was \(seed - 1)") }
  }

  /// The state that was walked to is that of a fresh way to the same event.
  private static func check(_ timeline: Timeline) throws {
    guard timeline.isComplete, !timeline.isFollowing else { return }
    let event = timeline.event
    let walked = timeline.engine.read(.dump, names: timeline.names)
    // Away, and back from a checkpoint.
    try timeline.seek(event: 0)
    try timeline.seek(event: event)
    #expect(timeline.engine.read(.dump, names: timeline.names) == walked)
  }
}
