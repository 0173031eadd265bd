// SPDX-License-Identifier: MIT
import DMAReplay
import DMATrace
import TerminalKit

/// Keys, clicks, and what lies over the view.
extension Monitor {
  /// Takes a key and those that are at hand with it: a picture, and a search through all rows, for each
  /// letter of a flood of them would take minutes.
  ///
  /// - Returns: Whether to go on.
  mutating func takeKeys(_ first: Key, _ screen: some Screen) -> Bool {
    let start = ContinuousClock.now
    var next: Key? = first
    var isFirst = true
    while let key = next {
      // A click means what can be seen there now.
      if case .mouse = key, !isFirst { draw(on: screen) }
      isFirst = false
      guard handle(key, screen, pageSize: max(1, screen.size.height - 8)) else { return false }
      let longest = state.prompt == nil ? framePeriod : Self.longestFlood
      guard ContinuousClock.now - start < longest else { break }
      next = screen.keyAtHand()
    }
    showLine()
    return true
  }

  /// - Returns: Whether to go on.
  private mutating func handle(_ key: Key, _ screen: some Screen, pageSize page: Int) -> Bool {
    if key == .quitRequest || key == .control("c") { return false }
    if key == .resize || key == .unknown { return true }
    if case .paste(let text) = key, state.prompt == nil {
      // What is pasted is never a command.
      if !text.isEmpty { state.say("open a prompt first: pasted text is no command", keeps: false) }
      return true
    }
    if state.prompt != nil { return type(key, screen, page) }
    if state.awaitsMark {
      state.awaitsMark = false
      state.silence()
      if case .character(let letter) = key { state.goTo("mark \(letter)") }
      return true
    }
    if case .mouse(let event) = key { return mouse(event, screen, page) }
    if state.overlay != nil { return overlay(key, screen, page) }
    if key == .character("Q") { return false }
    guard let action = state.keyMap.action(key) else { return true }
    return perform(action, "", screen, page)
  }

  /// - Returns: Whether to go on.
  private mutating func mouse(
    _ event: MouseEvent,
    _ screen: some Screen,
    _ page: Int
  ) -> Bool {
    switch event.kind {
    case .wheelUp: scroll(by: -3)
    case .wheelDown: scroll(by: 3)
    case .press(1): return click(event.position, screen, page)
    default: break
    }
    return true
  }

  private mutating func scroll(by rows: Int) {
    if state.overlay == .help || state.overlay == .log {
      state.overlayScroll = max(0, state.overlayScroll + rows)
    } else if state.overlay != nil {
      state.overlaySelection = max(0, min(state.overlaySelection + rows.signum(), 1000))
    } else {
      moveSelection(by: rows)
    }
  }

  private mutating func click(
    _ position: Position,
    _ screen: some Screen,
    _ page: Int
  ) -> Bool {
    if state.overlay != nil {
      state.overlay = nil
      return true
    }
    guard let target = state.target(x: position.x, y: position.y) else { return true }
    switch target.kind {
    case .view(let view): show(view)
    case .strip:
      state.isPlaying = false
      let (start, span) = state.stripRange
      let share = Double(position.x - target.x) / Double(max(1, target.width - 1))
      state.attempt { timeline throws(TraceError) in
        try timeline.seek(time: start &+ span.share(share))
      }
    case .rows(let first):
      let row = first + position.y - target.y
      // A second click on a row opens it.
      if row == state.place.selection { return perform(.open, "", screen, page) }
      state.moveSelection(to: row)
    case .heading(let column): sort(by: column)
    case .action(let action): return perform(action, "", screen, page)
    }
    return true
  }

  /// - Returns: Whether to go on.
  private mutating func overlay(
    _ key: Key,
    _ screen: some Screen,
    _ page: Int
  ) -> Bool {
    let action = state.keyMap.action(key)
    let step: Int? =
      switch action {
      case .up: -1
      case .down: 1
      case .pageUp: -page
      case .pageDown: page
      case .first: -1_000_000
      case .last: 1_000_000
      default: nil
      }
    switch state.overlay {
    case .help, .log:
      if let step {
        state.overlayScroll = max(0, state.overlayScroll + step)
      } else {
        state.overlay = nil
      }
    case .sort:
      if let step {
        let last = sortColumns().count - 1
        state.overlaySelection = max(0, min(state.overlaySelection + step, last))
      } else {
        if action == .open { sortByPicked() }
        state.overlay = nil
      }
    case .setup:
      let items = MonitorSettings.Item.allCases
      state.overlaySelection = max(0, min(state.overlaySelection, items.count - 1))
      if let step {
        state.overlaySelection = max(0, min(state.overlaySelection + step, items.count - 1))
      } else if action == .left || action == .right || action == .open || action == .pause {
        state.settings.change(
          items[state.overlaySelection],
          by: action == .left ? -1 : 1
        )
      } else if action == .save {
        save()
      } else {
        state.overlay = nil
      }
    case nil: break
    }
    return true
  }
}
