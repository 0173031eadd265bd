import DMATimeline
import TerminalKit
import TestSupport
import Testing

@testable import dmatop

/// The monitor on a virtual screen: what keys do.
@Suite struct MonitorKeysTests {
  private static let capture =
    Fixtures.root + "/fixtures/kernel/linux-7.3/real-nvme-stack/trace.txt"

  /// Runs the monitor over a capture that has been read, and gives the last picture before it quits.
  static func run(
    _ steps: [VirtualScreen.Step],
    path: String = capture,
    at moment: Moment = .end,
    width: Int = 120,
    height: Int = 40,
    settings: MonitorSettings = MonitorSettings(),
    effects: Monitor.Effects = Monitor.Effects()
  ) throws -> (screen: VirtualScreen, monitor: Monitor) {
    let timeline = try Timeline(
      ReplayArguments.reader(path),
      options: ReplayOptions()
    )
    var state = MonitorState(path: path, moment: moment, timeline: timeline)
    state.settings = settings
    while !state.isDone { state.advance(limit: .max) }
    let screen = VirtualScreen(width: width, height: height, steps: steps)
    var monitor = Monitor(state, glyphs: .unicode, effects: effects)
    monitor.run(on: screen)
    return (screen, monitor)
  }

  @Test func stepsAndComesBack() throws {
    let (screen, monitor) = try Self.run(
      [.type("b#100"), .key(.enter), .type("tt.T,"), .timeout],
      at: .event(300)
    )
    #expect(monitor.state.timeline.event > 90)
    #expect(screen.snapshot().contains("event \(monitor.state.timeline.event)/323"))
  }
}
