// SPDX-License-Identifier: MIT
import DMAReplay
import DMATrace
import TerminalKit
import TestSupport
import Testing

@testable import DMAMonitor
@testable import dmatop

/// Every view of the monitor over traces that have little to show, at every size.
@Suite struct MonitorViewTests {
  private static let sizes = [(1, 1), (20, 5), (40, 10), (80, 24), (300, 100)]

  @Test(arguments: MonitorTraces.all)
  func everyViewAtEverySize(_ trace: MonitorTrace) throws {
    let timeline: Timeline
    do {
      timeline = try trace.timeline()
    } catch let error as TraceError {
      // Too little is left of it to be a trace: that is said, and no monitor opens.
      #expect(!error.description.isEmpty)
      return
    }

    var state = MonitorState(path: trace.name, moment: .end, timeline: timeline)
    while !state.isDone { state.advance(limit: .max) }
    for (width, height) in Self.sizes {
      for glyphs in [Glyphs.unicode, .ascii] {
        for view in MonitorState.View.allCases {
          state.view = view
          for detail in [false, true] {
            state.showsDetail = detail
            let frame = MonitorView(glyphs: glyphs).frame(&state, width: width, height: height)
            #expect(FrameCheck.fault(frame, isASCII: glyphs.isASCII) == nil)
          }
        }
        for overlay in [MonitorState.Overlay.help, .sort, .setup, .log] {
          state.overlay = overlay
          let frame = MonitorView(glyphs: glyphs).frame(&state, width: width, height: height)
          #expect(FrameCheck.fault(frame, isASCII: glyphs.isASCII) == nil)
        }
        state.overlay = nil
      }
    }
  }

  /// Keys that ask something of the row at the cursor, where there is none.
  private static let rowKeys: [Key] = [
    .enter, .character("z"), .character("m"), .character("V"), .character("U"), .left, .right, .up,
    .down, .home, .end, .pageUp, .pageDown, .character("+"), .character("-"), .character("*"),
    .character("n"), .character("N"), .shiftArrow(.down), .shiftArrow(.up), .function(6), .enter,
  ]

  /// A line for a prompt, typed so fast that there is one picture of it.
  private static func typed(_ text: String) -> VirtualScreen.Step {
    .flood(text.map { .character($0) } + [.enter])
  }

  /// All actions by their names, but those that end the monitor.
  private static let commands = MonitorAction.allCases.filter { $0 != .quit }.map {
    [typed(":" + $0.rawValue), .key(.escape)]
  }

  @Test(arguments: MonitorState.View.allCases)
  func keysOnAnEmptyListOfAView(_ view: MonitorState.View) throws {
    let steps: [VirtualScreen.Step] =
      [.type("\(view.rawValue)\\no-row-has-this"), .key(.enter)]
      + Self.rowKeys.map { .key($0) }
    let outcome = try MonitorKeysTests.run(steps)
    #expect(outcome.screen.frames.count > steps.count / 2)
    let all = Self.commands.flatMap {
      [Self.typed("\(view.rawValue):filter no-row-has-this")] + $0
    }
    _ = try MonitorKeysTests.run(all)
  }

  @Test func keysOnAnEmptyDifference() throws {
    _ = try MonitorKeysTests.run([.type("ABD"), .key(.enter)])
    for key in Self.rowKeys {
      let outcome = try MonitorKeysTests.run([.type("ABD"), .key(key)])
      #expect(outcome.picture.contains("dmatop"))
    }
    let all = Self.commands.flatMap { [.key(.escape), .type("ABD")] + $0 }
    _ = try MonitorKeysTests.run([.type("ABD")] + Self.rowKeys.map { .key($0) } + all)
  }

  @Test(arguments: MonitorTraces.all)
  func keysOnTracesWithLittleToShow(_ trace: MonitorTrace) throws {
    guard let (path, options) = try? trace.make(),
      let timeline = try? Timeline(ReplayArguments.reader(path), options: options)
    else { return }
    let state = MonitorState(path: path, moment: .end, timeline: timeline)
    var steps: [VirtualScreen.Step] = []
    for view in MonitorState.View.allCases {
      steps.append(.type(String(view.rawValue)))
      steps += Self.rowKeys.map { .key($0) } + [.key(.escape), .key(.escape)]
    }
    steps += Self.commands.flatMap { $0 }
    let screen = VirtualScreen(width: 120, height: 30, steps: steps)
    var monitor = Monitor(state, glyphs: .unicode, effects: Monitor.Effects())
    monitor.run(on: screen)
    #expect(screen.frames.allSatisfy { FrameCheck.fault($0, isASCII: false) == nil })
  }
}
