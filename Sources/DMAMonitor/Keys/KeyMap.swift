// SPDX-License-Identifier: MIT
import TerminalKit

/// Which key does what: a preset, changed by the user's settings.
package struct KeyMap: Equatable {
  /// The keys of a tool that the user's fingers know.
  package enum Preset: String, CaseIterable {
    case standard = "default"
    case htop
    case vim
    case below

    /// What differs from the standard. A key that is given here is taken from what else had it.
    var changes: [(MonitorAction, [String])] {
      switch self {
      case .standard: []
      case .htop:
        [
          (.mark, ["Space"]), (.pause, ["Z"]), (.tree, ["F5", "t"]), (.sort, ["F6", ">"]),
          (.sortLeft, []), (.sortRight, []), (.nextChange, ["s"]), (.previousChange, ["S"]),
        ]
      case .vim:
        [
          (.left, ["h", "Left"]), (.right, ["l", "Right"]), (.help, ["?", "F1"]),
          (.pageUp, ["PgUp", "Ctrl-b", "Ctrl-u"]), (.pageDown, ["PgDn", "Ctrl-f", "Ctrl-d"]),
          (.redraw, ["Ctrl-l"]),
        ]
      case .below:
        [
          (.up, ["Up"]), (.down, ["Down"]), (.pageUp, ["PgUp", "Ctrl-b"]),
          (.pageDown, ["PgDn", "Ctrl-f"]), (.goTo, ["j", "b"]), (.repeatJump, ["J", ";"]),
          (.sortLeft, [","]), (.sortRight, ["."]), (.invertSort, ["S", "I"]),
          (.filter, ["/", "\\", "F4"]), (.search, ["F3"]), (.clearFilter, ["Ctrl-l", "Delete"]),
          (.redraw, ["Ctrl-r"]), (.nextEvent, [">"]), (.previousEvent, ["<"]),
          (.collapse, ["=", "-"]), (.tree, ["f", "F5"]), (.detailUp, ["S-Up"]),
          (.detailDown, ["S-Down"]),
        ]
      }
    }
  }

  private var actions: [Key: MonitorAction] = [:]
  private var keys: [MonitorAction: [Key]] = [:]

  /// - Parameter changes: what the user asked for on top of the preset.
  package init(_ preset: Preset = .standard, changes: [(action: MonitorAction, keys: [Key])] = []) {
    for action in MonitorAction.allCases {
      keys[action] = []
      for name in action.standardKeys { if let key = KeyName.key(name) { add(key, action) } }
    }
    for (action, names) in preset.changes { set(action, names.compactMap { KeyName.key($0) }) }
    for change in changes { set(change.action, change.keys) }
  }

  private mutating func add(_ key: Key, _ action: MonitorAction) {
    if let other = actions[key] { keys[other]?.removeAll { $0 == key } }
    actions[key] = action
    keys[action, default: []].append(key)
  }

  private mutating func set(_ action: MonitorAction, _ new: [Key]) {
    for key in keys[action] ?? [] { actions[key] = nil }
    keys[action] = []
    for key in new { add(key, action) }
  }

  /// What a key does.
  func action(_ key: Key) -> MonitorAction? { actions[key] }

  /// The keys that do something, the first one first.
  func keys(_ action: MonitorAction) -> [Key] { keys[action] ?? [] }

  /// The keys as people write them.
  package func names(_ action: MonitorAction) -> [String] { keys(action).map(KeyName.name) }

  /// The shortest way to write how to do something, for the key bar: a function key if there is one.
  func short(_ action: MonitorAction) -> String? {
    let all = keys(action)
    let function = all.first { if case .function = $0 { true } else { false } }
    return (function ?? all.first).map(KeyName.name)
  }

  // MARK: Documents

  /// docs/KEYS.md
  package static var markdown: String {
    let map = KeyMap()
    var text = """
      # Keys of the monitor

      Every action has a name, by which the palette (`:`) finds it and `[keys]` of the configuration
      binds it. Upper case goes the other way. Made by `dmatop replay --keys-table`; a test holds this
      file against it.

      """
    for group in MonitorAction.Group.allCases {
      text += "\n## \(group.rawValue)\n\n| key | action | what it does |\n|---|---|---|\n"
      for action in MonitorAction.allCases where action.group == group {
        let keys = map.names(action).map(code).joined(separator: " ")
        text += "| \(keys) | \(action.rawValue) | \(cell(action.summary)) |\n"
      }
    }
    text +=
      "\n`Q` and `Ctrl-c` quit at once with status 0, `Ctrl-z` stops the program until `fg`.\n"
    text += "\n## Presets\n\n`preset = \"NAME\"` in `[keys]`, or the setup screen. What differs:\n"
    for preset in Preset.allCases where preset != .standard {
      let other = KeyMap(preset)
      text += "\n### \(preset.rawValue)\n\n| key | action |\n|---|---|\n"
      for action in MonitorAction.allCases where other.keys(action) != map.keys(action) {
        let keys = other.names(action).map(code).joined(separator: " ")
        text += "| \(keys.isEmpty ? "none" : keys) | \(action.rawValue) |\n"
      }
    }
    return text
  }

  /// A bar would end the cell of a table.
  private static func cell(_ text: String) -> String {
    text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
  }

  /// A backslash between backquotes stands for itself, but not before the closing one.
  private static func code(_ key: String) -> String {
    key == "\\" ? "`` \\ ``" : "`\(cell(key))`"
  }
}

/// Keys as people write them: `F5`, `Ctrl-s`, `S-Tab`, `Space`, `x`.
enum KeyName {
  private static let named: [(String, Key)] = [
    ("Space", .character(" ")), ("Up", .up), ("Down", .down), ("Left", .left), ("Right", .right),
    ("PgUp", .pageUp), ("PgDn", .pageDown), ("Home", .home), ("End", .end), ("Enter", .enter),
    ("Esc", .escape), ("Backspace", .backspace), ("Tab", .tab), ("S-Tab", .backTab),
    ("Delete", .delete), ("Insert", .insert), ("S-Up", .shiftArrow(.up)),
    ("S-Down", .shiftArrow(.down)), ("S-Left", .shiftArrow(.left)),
    ("S-Right", .shiftArrow(.right)), ("Ctrl-Up", .controlArrow(.up)),
    ("Ctrl-Down", .controlArrow(.down)), ("Ctrl-Left", .controlArrow(.left)),
    ("Ctrl-Right", .controlArrow(.right)),
  ]

  /// The key of a name; `nil` when it is none, or one that always quits.
  static func key(_ name: String) -> Key? {
    if let entry = named.first(where: { $0.0.lowercased() == name.lowercased() }), name.count > 1 {
      return entry.1
    }
    if name.count == 1, let character = name.first {
      return character == "Q" || character == " " ? nil : .character(character)
    }
    if name.hasPrefix("F") || name.hasPrefix("f"), let number = Int(name.dropFirst()),
      (1...24).contains(number)
    {
      return .function(number)
    }
    let lower = name.lowercased()
    if let letter = lower.dropFirst(5).first, lower.hasPrefix("ctrl-"), lower.count == 6,
      letter.isASCII, letter.isLetter, !"cmizj".contains(letter)
    {
      return .control(letter)
    }
    if lower.hasPrefix("alt-"), name.count == 5, let letter = name.last { return .alt(letter) }
    return nil
  }

  static func name(_ key: Key) -> String {
    if let entry = named.first(where: { $0.1 == key }) { return entry.0 }
    switch key {
    case .character(let character): return String(character)
    case .control(let character): return "Ctrl-\(character)"
    case .alt(let character): return "Alt-\(character)"
    case .function(let number): return "F\(number)"
    default: return "?"
    }
  }
}
