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
    for y in 0..<frame.height {
      var width = 0
      for cell in frame.row(y) {
        width += Int(cell.width)
        for scalar in cell.text.unicodeScalars {
          precondition(
            scalar.value >= 0x20 && !(0x7f..<0xa0).contains(scalar.value),
            "a control character on the screen"
          )
          precondition(!glyphs.isASCII || scalar.value < 0x80, "more than ASCII on the screen")
        }
      }
      precondition(width == frame.width, "a row is not as wide as the screen")
    }
  }

  func wait(timeoutMilliseconds: Int?, descriptor: Int32?) -> Wakeup {
    steps += 1
    if steps > maximum || ContinuousClock.now > deadline { return .key(.quitRequest) }
    if !pending.isEmpty { return .key(pending.removeFirst()) }
    switch random.next() % 100 {
    case 0..<8: return .timeout
    case 8..<13:
      let sizes = [(1, 1), (20, 5), (40, 10), (80, 24), (200, 60), (300, 100), (10, 3), (3, 40)]
      let (width, height) = sizes[Int(random.next() % 8)]
      size = Size(width: width, height: height)
      return .key(.resize)
    case 13..<25: return .key(mouse())
    case 25..<40:
      pending = words()
      return .timeout
    case 40..<70:
      let actions = MonitorAction.allCases
      let action = actions[Int(random.next() % UInt64(actions.count))]
      // Quitting would end it; everything else may be.
      let keys = KeyMap().keys(action)
      guard action != .quit, let key = keys.first else { return .timeout }
      return .key(key)
    default: return .key(anyKey())
    }
  }

  private func mouse() -> Key {
    let position = Position(
      x: Int(random.next() % UInt64(size.width + 2)),
      y: Int(random.next() % UInt64(size.height + 2))
    )
    switch random.next() % 4 {
    case 0: return .mouse(MouseEvent(.wheelUp, at: position))
    case 1: return .mouse(MouseEvent(.wheelDown, at: position))
    default: return .mouse(MouseEvent(.press(1), at: position))
    }
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
      "5o0", "5ononsense", ":filter dir=to", ":pin", "\\device:0000 age>1ms",
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

  private static func timeline(_ seed: UInt64) throws -> (path: String, timeline: Timeline) {
    let captures = KernelCase.all
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
    default:
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
      let (path, timeline) = try Self.timeline(seed)
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
