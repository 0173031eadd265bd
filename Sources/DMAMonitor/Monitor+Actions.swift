// SPDX-License-Identifier: MIT
import DMAReplay
import TerminalKit

/// What a key, a click or the palette makes happen.
extension Monitor {
  /// - Parameter argument: what was typed behind the action's name.
  /// - Returns: Whether to go on.
  mutating func perform(
    _ action: MonitorAction,
    _ argument: String,
    _ screen: some Screen,
    _ page: Int
  ) -> Bool {
    state.silence()
    switch action {
    case .quit:
      return closeSomething()
    case .back: _ = closeSomething()
    case .palette: open(.palette, argument)
    case .help: openOverlay(.help)
    case .log: openOverlay(.log)
    case .setup: openOverlay(.setup)
    case .sort:
      if argument.isEmpty {
        openOverlay(.sort)
        state.overlaySelection =
          sortColumns().firstIndex { $0.name == state.place.sort?.column } ?? 0
      } else {
        sortNamed(argument)
      }
    case .save: save()
    case .theme: changeTheme(argument)
    case .open: openRow()
    case .filter: argument.isEmpty ? open(.filter, state.place.filterText) : filter(argument)
    case .clearFilter: state.setFilter("")
    case .pin: state.togglePin()
    case .search: argument.isEmpty ? open(.search, "") : searchFor(argument)
    case .nextMatch: search(forwards: true)
    case .previousMatch: search(forwards: false)
    case .sortLeft: changeSort(by: -1)
    case .sortRight: changeSort(by: 1)
    case .invertSort: invertSort()
    case .errorsOnly: state.place.errorsOnly.toggle()
    case .tree, .expand, .collapse, .toggleAll: changeTree(action)
    case .mark: markRow()
    case .markRange: markRange()
    case .unmarkAll: state.place.marked = []
    case .follow: follow()
    case .goTo: argument.isEmpty ? open(.goTo, "") : goTo(argument)
    case .write: argument.isEmpty ? startWriting() : write(argument)
    case .export: argument.isEmpty ? open(.export, "") : export(argument)
    case .copy: copy(screen)
    case .setMark: argument.isEmpty ? open(.mark, "") : setMark(argument)
    case .goToMark:
      if let letter = argument.first {
        state.goTo("mark \(letter)")
      } else {
        state.awaitsMark = true
        let letters = state.marks.keys.sorted().map { String($0) }.joined(separator: " ")
        state.say(
          letters.isEmpty ? "no marks yet: \" and a letter sets one" : "go to mark: \(letters)",
          keeps: false
        )
      }
    case .mouse:
      state.settings.mouse.toggle()
      state.say(
        state.settings.mouse ? "the mouse is ours" : "the mouse is the terminal's",
        keeps: false
      )
    case .header:
      state.settings.change(.header, by: 1)
    case .redraw: state.invalidate()
    case .stripIn: state.stripZoom = min(state.stripZoom + 1, 8)
    case .stripOut: state.stripZoom = max(state.stripZoom - 1, 0)
    default: look(action, page)
    }
    return true
  }

  /// Actions that only look at something else.
  private mutating func look(_ action: MonitorAction, _ page: Int) {
    switch action {
    case .mappings: show(.mappings)
    case .errors: show(.errors)
    case .events: show(.events)
    case .devices: show(.devices)
    case .files: show(.files)
    case .buffers: show(.buffers)
    case .map: show(.map)
    case .stats: show(.stats)
    case .nextView, .previousView:
      let all = MonitorState.View.allCases
      let index = all.firstIndex(of: state.view) ?? 0
      show(all[(index + (action == .nextView ? 1 : all.count - 1)) % all.count])
    case .up: moveSelection(by: -1)
    case .down: moveSelection(by: 1)
    case .pageUp: moveSelection(by: -page)
    case .pageDown: moveSelection(by: page)
    case .first: state.moveSelection(to: 0)
    case .last: state.moveSelection(to: Int.max / 2)
    case .left: sideways(-1)
    case .right: sideways(1)
    case .detailUp: state.detailScroll = max(0, state.detailScroll - 1)
    case .detailDown: state.detailScroll += 1
    default: travel(action)
    }
  }

  /// - Returns: Whether there was nothing to close, and so whether to go on.
  private mutating func closeSomething() -> Bool {
    if state.showsDetail {
      state.showsDetail = false
    } else if state.difference != nil {
      state.difference = nil
    } else if state.view == .map, !state.mapZoom.isEmpty {
      state.mapZoom.removeLast()
      state.mapCell = nil
      state.invalidate()
    } else {
      return false
    }
    return true
  }

  private mutating func openOverlay(_ overlay: MonitorState.Overlay) {
    state.overlay = overlay
    state.overlayScroll = 0
    state.overlaySelection = 0
  }

  mutating func show(_ view: MonitorState.View) {
    state.view = view
    state.showsDetail = false
    state.detailScroll = 0
    state.difference = nil
    if view == .events { state.place.selection = .max / 2 }
  }

  mutating func save() {
    if let problem = effects.saveSettings(state.settings) {
      state.say("not saved: \(problem)")
    } else {
      state.say("settings saved")
    }
  }

  private mutating func changeTheme(_ name: String) {
    if name.isEmpty {
      state.settings.change(.theme, by: 1)
    } else if !state.settings.set(.theme, name) {
      state.say("themes: " + Theme.all.map(\.name).joined(separator: ", "), keeps: false)
      return
    }
    state.say("theme \(state.settings.theme.name)", keeps: false)
  }
}
