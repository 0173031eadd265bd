// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAExport
import DMAReplay
import DMATrace
import TerminalKit

/// The loop of the monitor: read a little, draw, take a key.
package struct Monitor {
  private static let eventsPerRound = 20_000
  /// How long keys that are at hand are taken before the next picture while a line is typed.
  static let longestFlood = Duration.milliseconds(500)

  var state: MonitorState
  let glyphs: Glyphs
  let effects: Effects
  /// The line that is typed has changed since the view was searched or filtered for it.
  var isLineNew = false

  /// What the monitor does outside of its window.
  struct Effects {
    /// Keeps the settings for the next time; gives what went wrong.
    var saveSettings: (MonitorSettings) -> String? = { _ in nil }
    /// Saves rows under a name; gives how many they were.
    var export: (any RowList, [Int], String, MonitorState.View) throws(CommandError) -> Int = {
      (_, rows, _, _) throws(CommandError) in rows.count
    }
  }

  init(_ state: MonitorState, glyphs: Glyphs, effects: Effects) {
    self.state = state
    self.glyphs = glyphs
    self.effects = effects
  }

  /// Time between pictures while something goes on by itself.
  var framePeriod: Duration {
    .milliseconds(max(1000 / max(state.settings.framesPerSecond, 1), 1))
  }

  private var framePeriodMilliseconds: Int { 1000 / max(state.settings.framesPerSecond, 1) }

  /// Runs until somebody quits.
  mutating func run(on screen: some Screen) {
    let clock = ContinuousClock()
    var lastDraw: ContinuousClock.Instant?
    var isRunning = true
    while isRunning {
      let wantsMouse = state.settings.mouse
      if screen.reportsMouse != wantsMouse { screen.reportsMouse = wantsMouse }
      let isReading = !state.isDone
      // While reading, time goes into reading; whoever presses a key sees the answer at once.
      let isDue = lastDraw.map { clock.now - $0 >= framePeriod } ?? true
      if isDue || !isReading && !state.isPlaying {
        if state.isMoving, !state.isPlaying { state.noteFreshness(clock.now) }
        draw(on: screen)
        lastDraw = clock.now
      }
      // A pipe that has nothing yet must not keep keys waiting.
      let input = isReading ? state.timeline.waitingDescriptor : nil
      var timeout: Int?
      if isReading { timeout = pause(input) }
      if state.isPlaying { timeout = playPause(lastDraw, clock) }
      if case .key(let key) = screen.wait(timeoutMilliseconds: timeout, descriptor: input) {
        isRunning = takeKeys(key, screen)
        lastDraw = nil
      }
      if isReading, isRunning { advance(input) }
      if isRunning { state.play(for: framePeriod) }
    }
  }

  mutating func draw(on screen: some Screen) {
    let view = MonitorView(glyphs: glyphs, theme: state.settings.theme)
    let size = screen.size
    screen.draw(view.frame(&state, width: size.width, height: size.height))
  }

  /// Milliseconds to wait while reading: none when there is something to read.
  private func pause(_ input: Int32?) -> Int {
    if let pace = state.timeline.pace {
      // What comes between two pictures need not be fetched before the second one.
      return state.timeline.isFollowing ? max(pace, framePeriodMilliseconds) : max(pace, 100)
    }
    return input == nil ? 0 : framePeriodMilliseconds
  }

  /// Milliseconds until the next picture; at the highest speed none, because playing itself takes
  /// as long.
  private func playPause(_ lastDraw: ContinuousClock.Instant?, _ clock: ContinuousClock) -> Int {
    if state.speed == MonitorState.fastest { return 0 }
    guard let lastDraw else { return framePeriodMilliseconds }
    let left = framePeriod - (clock.now - lastDraw)
    return max(0, Int(left / .milliseconds(1)))
  }

  private mutating func advance(_ input: Int32?) {
    if let input, !Self.hasInput(input) { return }
    state.advance(limit: Self.eventsPerRound)
  }
}
