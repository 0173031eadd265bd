import TerminalKit

/// Everything that the monitor can be told to do: one table for keys, key bar, palette and help.
enum MonitorAction: String, CaseIterable {
  case help
  case quit
  case back
  case palette
  case mappings
  case errors
  case events
  case devices
  case files
  case map
  case stats
  case nextView = "next-view"
  case previousView = "previous-view"
  case up
  case down
  case pageUp = "page-up"
  case pageDown = "page-down"
  case first
  case last
  case open
  case related
  case filter
  case clearFilter = "clear-filter"
  case search
  case nextMatch = "next-match"
  case previousMatch = "previous-match"
  case sortLeft = "sort-left"
  case sortRight = "sort-right"
  case invertSort = "invert-sort"
  case errorsOnly = "errors-only"
  case pause
  case nextChange = "next-change"
  case previousChange = "previous-change"
  case nextEvent = "next-event"
  case previousEvent = "previous-event"
  case nextError = "next-error"
  case previousError = "previous-error"
  case nextMessage = "next-message"
  case previousMessage = "previous-message"
  case goTo = "go-to"
  case start
  case end
  case slower
  case faster
  case markA = "mark-a"
  case markB = "mark-b"
  case difference
  case mouse
  case nextMarker = "next-marker"
  case previousMarker = "previous-marker"
  case write
  case header
  case redraw

  /// One line for help and palette.
  var summary: String {
    switch self {
    case .help: "keys and what they do"
    case .quit: "close what is open; at the top, quit"
    case .back: "close what is open"
    case .palette: "any action by its name"
    case .mappings: "what is mapped now"
    case .errors: "what dma-debug says"
    case .events: "the raw stream around now"
    case .devices: "drivers and devices, and what they hold"
    case .files: "the files of dma-api/, and the kernel log"
    case .map: "the DMA address space as a picture"
    case .stats: "sizes, ages and map sites"
    case .nextView: "the view behind this one"
    case .previousView: "the view before this one"
    case .up: "one row up"
    case .down: "one row down"
    case .pageUp: "one page up"
    case .pageDown: "one page down"
    case .first: "the first row"
    case .last: "the last row"
    case .open: "everything about the row"
    case .related: "go in time to where the row came from"
    case .filter: "show matching rows only: words, !word, a|b, size>4k, dir=from, age>1s, ~regex"
    case .clearFilter: "show all rows"
    case .search: "move to the next row with these words"
    case .nextMatch: "the next row that matches"
    case .previousMatch: "the row before that matches"
    case .sortLeft: "sort by the column before"
    case .sortRight: "sort by the column behind"
    case .invertSort: "sort the other way round"
    case .errorsOnly: "rows with something wrong only"
    case .pause: "stop or go on: time passes in a trace as it did"
    case .nextChange: "on to the next map, unmap or error"
    case .previousChange: "back before the last map, unmap or error"
    case .nextEvent: "on by one event"
    case .previousEvent: "back by one event"
    case .nextError: "on to the next error"
    case .previousError: "back to the error before"
    case .nextMessage: "on to the next line of the log"
    case .previousMessage: "back to the line of the log before"
    case .goTo: "a moment: +10ms, -2s, 12.5 (seconds), 50%, #1234, end, a marker's text"
    case .start: "the beginning"
    case .end: "the end, or what is happening now"
    case .slower: "play at half the speed"
    case .faster: "play at twice the speed"
    case .markA: "set marker A here"
    case .markB: "set marker B here"
    case .difference: "what came and went from A to B, by device and map site: the leak finder"
    case .mouse: "take the mouse, or leave it to the terminal for selecting text"
    case .nextMarker: "on to the next trace marker"
    case .previousMarker: "back to the trace marker before"
    case .write: "write a value to the file, as echo would; seeking drops it"
    case .header: "hide or show the meters"
    case .redraw: "draw everything anew"
    }
  }

  /// The keys that do it.
  var keys: [Key] {
    switch self {
    case .help: [.character("?"), .function(1)]
    case .quit: [.character("q"), .function(10)]
    case .back: [.escape, .backspace]
    case .palette: [.character(":")]
    case .mappings: [.character("1")]
    case .errors: [.character("2")]
    case .events: [.character("3")]
    case .devices: [.character("4")]
    case .files: [.character("5")]
    case .map: [.character("7")]
    case .stats: [.character("8")]
    case .nextView: [.tab]
    case .previousView: [.backTab]
    case .up: [.up, .character("k")]
    case .down: [.down, .character("j")]
    case .pageUp: [.pageUp]
    case .pageDown: [.pageDown]
    case .first: [.home, .character("g")]
    case .last: [.end, .character("G")]
    case .open: [.enter]
    case .related: [.character("z")]
    case .filter: [.character("\\"), .function(4)]
    case .clearFilter: [.control("l")]
    case .search: [.character("/"), .function(3)]
    case .nextMatch: [.character("n")]
    case .previousMatch: [.character("N")]
    case .sortLeft: [.character("<")]
    case .sortRight: [.character(">")]
    case .invertSort: [.character("I")]
    case .errorsOnly: [.character("x")]
    case .pause: [.character(" "), .character("Z")]
    case .nextChange: [.character("t")]
    case .previousChange: [.character("T")]
    case .nextEvent: [.character(".")]
    case .previousEvent: [.character(",")]
    case .nextError: [.character("e")]
    case .previousError: [.character("E")]
    case .nextMessage: [.character("w")]
    case .previousMessage: [.character("W")]
    case .goTo: [.character("b")]
    case .start: [.character("r")]
    case .end: [.character("R")]
    case .slower: [.character("{")]
    case .faster: [.character("}")]
    case .markA: [.character("A")]
    case .markB: [.character("B")]
    case .difference: [.character("D")]
    case .mouse: [.character("M")]
    case .nextMarker: [.character("]")]
    case .previousMarker: [.character("[")]
    case .write: [.character("o")]
    case .header: [.character("#")]
    case .redraw: [.control("r")]
    }
  }

  /// What a key does.
  static func action(_ key: Key) -> MonitorAction? { table[key] }

  private static let table: [Key: MonitorAction] = {
    var table: [Key: MonitorAction] = [:]
    for action in allCases {
      for key in action.keys {
        assert(table[key] == nil, "a key does two things")
        table[key] = action
      }
    }
    return table
  }()

  /// docs/KEYS.md
  static var markdown: String {
    var text = """
      # Keys of the monitor

      Every action has a name, by which the palette (`:`) finds it. Upper case goes the other way. Made by
      `dmatop replay --keys-table`; a test holds this file against it.

      | key | action | what it does |
      |---|---|---|

      """
    for action in allCases {
      let keys = action.keys.map { "`\(name($0))`" }.joined(separator: " ")
        .replacingBackslash()
      text += "| \(keys) | \(action.rawValue) | \(action.summary.replacingBar()) |\n"
    }
    text += "| `Q` `Ctrl-c` | | quit at once |\n"
    return text
  }

  /// The keys as people write them.
  var keyName: String { keys.map(Self.name).joined(separator: " ") }

  static func name(_ key: Key) -> String {
    switch key {
    case .character(" "): "Space"
    case .character(let character): String(character)
    case .control(let character): "Ctrl-\(character)"
    case .function(let number): "F\(number)"
    case .up: "Up"
    case .down: "Down"
    case .pageUp: "PgUp"
    case .pageDown: "PgDn"
    case .home: "Home"
    case .end: "End"
    case .enter: "Enter"
    case .escape: "Esc"
    case .backspace: "Backspace"
    case .tab: "Tab"
    case .backTab: "S-Tab"
    default: "?"
    }
  }
}

extension String {
  /// A bar would end the cell of a table.
  fileprivate func replacingBar() -> String {
    split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
  }

  /// A backslash between backquotes stands for itself, but not before the closing one.
  fileprivate func replacingBackslash() -> String {
    split(separator: "`\\`", omittingEmptySubsequences: false).joined(separator: "`` \\ ``")
  }
}
