// SPDX-License-Identifier: MIT

/// Everything that the monitor can be told to do: one table for keys, key bar, palette, help,
/// docs/KEYS.md and the man page.
package enum MonitorAction: String, CaseIterable {
  case help
  case quit
  case back
  case palette
  case mappings
  case errors
  case events
  case devices
  case files
  case buffers
  case map
  case stats
  case nextView = "next-view"
  case previousView = "previous-view"
  case up
  case down
  case left
  case right
  case pageUp = "page-up"
  case pageDown = "page-down"
  case first
  case last
  case open
  case related
  case detailUp = "detail-up"
  case detailDown = "detail-down"
  case filter
  case clearFilter = "clear-filter"
  case pin
  case search
  case nextMatch = "next-match"
  case previousMatch = "previous-match"
  case sort
  case sortLeft = "sort-left"
  case sortRight = "sort-right"
  case invertSort = "invert-sort"
  case errorsOnly = "errors-only"
  case tree
  case expand
  case collapse
  case toggleAll = "toggle-all"
  case mark
  case markRange = "mark-range"
  case unmarkAll = "unmark-all"
  case follow
  case pause
  case nextChange = "next-change"
  case previousChange = "previous-change"
  case nextEvent = "next-event"
  case previousEvent = "previous-event"
  case nextError = "next-error"
  case previousError = "previous-error"
  case nextMessage = "next-message"
  case previousMessage = "previous-message"
  case goTo = "goto"
  case repeatJump = "repeat-jump"
  case start
  case end
  case slower
  case faster
  case markA = "mark-a"
  case markB = "mark-b"
  case setMark = "set-mark"
  case goToMark = "goto-mark"
  case nextMarker = "next-marker"
  case previousMarker = "previous-marker"
  case difference
  case stripIn = "strip-in"
  case stripOut = "strip-out"
  case stripStart = "strip-start"
  case stripEnd = "strip-end"
  case write
  case export
  case copy
  case log
  case setup
  case save
  case theme
  case mouse
  case header
  case redraw

  /// One line for help and palette.
  package var summary: String {
    switch self {
    case .help: "keys and what they do"
    case .quit: "close what is open; at the top, quit"
    case .back: "close what is open"
    case .palette: "any action by its name, with what it needs behind it"
    case .mappings: "what is mapped now"
    case .errors: "what dma-debug says"
    case .events: "the raw stream around now"
    case .devices: "drivers and devices, and what they hold"
    case .files: "the files of dma-api/ and dma_buf/, and the kernel log"
    case .buffers: "buffers that devices share, and who holds them"
    case .map: "the DMA address space as a picture"
    case .stats: "sizes, lifetimes, rates and map sites"
    case .nextView: "the view behind this one"
    case .previousView: "the view before this one"
    case .up: "one row up"
    case .down: "one row down"
    case .left: "columns to the left; in a tree collapse; in the map the cell before"
    case .right: "columns to the right; in a tree expand; in the map the cell behind"
    case .pageUp: "one page up"
    case .pageDown: "one page down"
    case .first: "the first row"
    case .last: "the last row"
    case .open: "everything about the row; of a group of a tree, open or close it"
    case .related: "go to where the row comes from: its map, its error, its event, its device"
    case .detailUp: "scroll the pane below up"
    case .detailDown: "scroll the pane below down"
    case .filter:
      "matching rows only: words, a|b, !word, dir=from, size>4k, age>1s, task:irq, ~regex, err"
    case .clearFilter: "show all rows"
    case .pin: "keep the filter for all views, or let go of it"
    case .search: "move to the next row with these words"
    case .nextMatch: "the next row that matches"
    case .previousMatch: "the row before that matches"
    case .sort: "pick the column to sort by, hidden ones too"
    case .sortLeft: "sort by the column before"
    case .sortRight: "sort by the column behind"
    case .invertSort: "sort the other way round"
    case .errorsOnly: "rows with something wrong only"
    case .tree: "group rows, or list them plainly"
    case .expand: "open the group"
    case .collapse: "close the group"
    case .toggleAll: "open or close all groups"
    case .mark: "mark the row, and go on to the next: export and copy take marked rows"
    case .markRange: "mark all rows from the last marked one to this one"
    case .unmarkAll: "no row is marked"
    case .follow: "keep the cursor on this row wherever it goes"
    case .pause: "stop or go on: time passes in a trace as it did"
    case .nextChange: "on to the next map, unmap or error"
    case .previousChange: "back before the last map, unmap or error"
    case .nextEvent: "on by one event"
    case .previousEvent: "back by one event"
    case .nextError: "on to the next error"
    case .previousError: "back to the error before"
    case .nextMessage: "on to the next message, notes and warnings too"
    case .previousMessage: "back to the message before"
    case .goTo:
      "a moment: +10ms, -2s, 12.5 (seconds), 0:12.5, 50%, #1234, start, end, mark a, a marker's text"
    case .repeatJump: "the last +time or -time once more"
    case .start: "the beginning"
    case .end: "the end, or what is happening now"
    case .slower: "play at half the speed"
    case .faster: "play at twice the speed, beyond 64× as fast as it goes"
    case .markA: "set marker A here"
    case .markB: "set marker B here"
    case .setMark: "name this moment: set-mark a"
    case .goToMark: "go to the moment that the letter typed next names"
    case .nextMarker: "on to the next mark or trace marker"
    case .previousMarker: "back to the mark or trace marker before"
    case .difference: "what came and went from A to B, by device and map site: the leak finder"
    case .stripIn: "the timeline strip shows half as much time around now"
    case .stripOut: "the timeline strip shows twice as much time"
    case .stripStart: "go to where the timeline strip begins"
    case .stripEnd: "go to where the timeline strip ends"
    case .write: "write a value to the file, as echo would; seeking drops it"
    case .export: "save the rows as shown: NAME.txt, NAME.csv or NAME.json"
    case .copy: "copy the marked rows, or this one, to the clipboard of the terminal"
    case .log: "what the monitor has said"
    case .setup: "settings: look, keys, header, mouse"
    case .save: "keep the settings for the next time"
    case .theme: "the next theme, or the one named behind it"
    case .mouse: "take the mouse, or leave it to the terminal for selecting text"
    case .header: "meters: all, the first line, none"
    case .redraw: "draw everything anew"
    }
  }

  /// The keys that do it when nothing else was asked for.
  var standardKeys: [String] {
    switch self {
    case .help: ["?", "h", "F1"]
    case .quit: ["q", "F10"]
    case .back: ["Esc", "Backspace"]
    case .palette: [":"]
    case .mappings: ["1"]
    case .errors: ["2"]
    case .events: ["3"]
    case .devices: ["4"]
    case .files: ["5"]
    case .buffers: ["6"]
    case .map: ["7"]
    case .stats: ["8"]
    case .nextView: ["Tab"]
    case .previousView: ["S-Tab"]
    case .up: ["Up", "k"]
    case .down: ["Down", "j"]
    case .left: ["Left"]
    case .right: ["Right"]
    case .pageUp: ["PgUp"]
    case .pageDown: ["PgDn"]
    case .first: ["Home", "g"]
    case .last: ["End", "G"]
    case .open: ["Enter"]
    case .related: ["z"]
    case .detailUp: ["S-Up", "K"]
    case .detailDown: ["S-Down", "J"]
    case .filter: ["\\", "F4"]
    case .clearFilter: ["Delete"]
    case .pin: ["P"]
    case .search: ["/", "F3"]
    case .nextMatch: ["n"]
    case .previousMatch: ["N"]
    case .sort: ["F6"]
    case .sortLeft: ["<"]
    case .sortRight: [">"]
    case .invertSort: ["I"]
    case .errorsOnly: ["x"]
    case .tree: ["F5"]
    case .expand: ["+"]
    case .collapse: ["-"]
    case .toggleAll: ["*"]
    case .mark: ["m"]
    case .markRange: ["V"]
    case .unmarkAll: ["U"]
    case .follow: ["F"]
    case .pause: ["Space", "Z"]
    case .nextChange: ["t"]
    case .previousChange: ["T"]
    case .nextEvent: ["."]
    case .previousEvent: [","]
    case .nextError: ["e"]
    case .previousError: ["E"]
    case .nextMessage: ["w"]
    case .previousMessage: ["W"]
    case .goTo: ["b"]
    case .repeatJump: [";"]
    case .start: ["r"]
    case .end: ["R"]
    case .slower: ["{"]
    case .faster: ["}"]
    case .markA: ["A"]
    case .markB: ["B"]
    case .setMark: ["\""]
    case .goToMark: ["'"]
    case .nextMarker: ["]"]
    case .previousMarker: ["["]
    case .difference: ["D"]
    case .stripIn: [")"]
    case .stripOut: ["("]
    case .stripStart: ["0"]
    case .stripEnd: ["$"]
    case .write: ["o"]
    case .export: ["Ctrl-s"]
    case .copy: ["y"]
    case .log: ["L"]
    case .setup: ["F2", "C"]
    case .save: ["F12"]
    case .theme: []
    case .mouse: ["M"]
    case .header: ["#"]
    case .redraw: ["Ctrl-l"]
    }
  }

  /// Other names in the palette: those of other tools.
  var aliases: [String] {
    switch self {
    case .quit: ["q", "exit"]
    case .help: ["h"]
    case .goTo: ["go-to", "jump", "branch"]
    case .filter: ["f"]
    case .search: ["find"]
    case .difference: ["diff"]
    case .setMark: ["mark-moment"]
    case .write: ["echo"]
    case .export: ["w", "save-as"]
    case .errorsOnly: ["faults"]
    case .pause: ["play"]
    default: []
    }
  }

  /// Part of the help that the action belongs to.
  package enum Group: String, CaseIterable {
    case views = "Views"
    case moving = "Moving and opening"
    case rows = "Rows: filter, search, sort, group, mark"
    case time = "Time"
    case rest = "Everything else"
  }

  package var group: Group {
    switch self {
    case .mappings, .errors, .events, .devices, .files, .buffers, .map, .stats, .nextView,
      .previousView:
      .views
    case .up, .down, .left, .right, .pageUp, .pageDown, .first, .last, .open, .related, .detailUp,
      .detailDown, .back:
      .moving
    case .filter, .clearFilter, .pin, .search, .nextMatch, .previousMatch, .sort, .sortLeft,
      .sortRight, .invertSort, .errorsOnly, .tree, .expand, .collapse, .toggleAll, .mark,
      .markRange, .unmarkAll, .follow:
      .rows
    case .pause, .nextChange, .previousChange, .nextEvent, .previousEvent, .nextError,
      .previousError, .nextMessage, .previousMessage, .goTo, .repeatJump, .start, .end, .slower,
      .faster, .markA, .markB, .setMark, .goToMark, .nextMarker, .previousMarker, .difference,
      .stripIn, .stripOut, .stripStart, .stripEnd:
      .time
    case .help, .quit, .palette, .write, .export, .copy, .log, .setup, .save, .theme, .mouse,
      .header, .redraw:
      .rest
    }
  }

  /// The action of a name or an alias.
  init?(named name: String) {
    guard
      let action = Self(rawValue: name) ?? Self.allCases.first(where: { $0.aliases.contains(name) })
    else { return nil }
    self = action
  }
}
