// SPDX-License-Identifier: MIT
import DMAReplay
import TerminalKit

/// What a user may decide about the monitor.
package struct MonitorSettings: Equatable {
  /// How much of the header is shown.
  enum Header: String, CaseIterable {
    case full
    case short
    case none
  }

  var theme = Theme.standard
  var preset = KeyMap.Preset.standard
  var mouse = true
  /// The line of keys at the bottom.
  var showsKeys = true
  var header = Header.full
  /// Mappings that came since the last step are shown in another colour.
  var highlightsNew = true
  /// A trace opens where it was left.
  package var remembersSessions = true
  /// Mappings begin grouped.
  package var beginsAsTree = false
  /// Pictures in a second at most.
  var framesPerSecond = 30
  /// Megabytes for all that is kept to go back in time. `--history` is the same setting.
  package var checkpointMegabytes = Timeline.standardBudget >> 20
  package var historyBytes: Int { checkpointMegabytes << 20 }
  package static let checkpointRange = 16...65536
  /// Columns of the mappings view.
  var columns = MappingList.standardFields.map(\.rawValue)
  /// Keys that the user's file gives to actions.
  var keyChanges: [KeyChange] = []

  struct KeyChange: Equatable {
    var action: MonitorAction
    var keys: [Key]
  }

  /// The columns of the mappings view as fields.
  var mappingFields: [MappingField] { columns.compactMap { MappingField(rawValue: $0) } }

  /// Those, and then the fields that are not shown.
  var allMappingFields: [MappingField] {
    let shown = mappingFields
    return shown + MappingField.allCases.filter { !shown.contains($0) }
  }

  var keyMap: KeyMap { KeyMap(preset, changes: keyChanges.map { ($0.action, $0.keys) }) }

  /// One setting that the setup screen changes.
  package enum Item: String, CaseIterable {
    case theme
    case preset = "keys.preset"
    case header
    case keyBar = "key_bar"
    case mouse
    case highlight
    case tree
    case session
    case framesPerSecond = "frames_per_second"

    var summary: String {
      switch self {
      case .theme: "colours"
      case .preset: "keys of which tool"
      case .header: "meters above the view"
      case .keyBar: "keys in the last line"
      case .mouse: "take the mouse (off leaves text selection to the terminal)"
      case .highlight: "show mappings that came since the last step in another colour"
      case .tree: "begin with mappings grouped by driver, device and type"
      case .session: "open a trace where it was left"
      case .framesPerSecond: "pictures in a second at most"
      }
    }

    /// The values it can have, as the files write them.
    var choices: [String] {
      switch self {
      case .theme: Theme.all.map(\.name)
      case .preset: KeyMap.Preset.allCases.map(\.rawValue)
      case .header: Header.allCases.map(\.rawValue)
      case .keyBar, .mouse, .highlight, .tree, .session: ["true", "false"]
      case .framesPerSecond: ["5", "10", "20", "30"]
      }
    }
  }

  /// The value of a setting, as the files write it.
  func value(_ item: Item) -> String {
    switch item {
    case .theme: theme.name
    case .preset: preset.rawValue
    case .header: header.rawValue
    case .keyBar: String(showsKeys)
    case .mouse: String(mouse)
    case .highlight: String(highlightsNew)
    case .tree: String(beginsAsTree)
    case .session: String(remembersSessions)
    case .framesPerSecond: String(framesPerSecond)
    }
  }

  /// Changes a setting.
  ///
  /// - Returns: Whether it can have that value.
  mutating func set(_ item: Item, _ value: String) -> Bool {
    guard item == .framesPerSecond || item.choices.contains(value) else { return false }
    switch item {
    case .theme: theme = Theme(named: value) ?? theme
    case .preset: preset = KeyMap.Preset(rawValue: value) ?? preset
    case .header: header = Header(rawValue: value) ?? header
    case .keyBar: showsKeys = value == "true"
    case .mouse: mouse = value == "true"
    case .highlight: highlightsNew = value == "true"
    case .tree: beginsAsTree = value == "true"
    case .session: remembersSessions = value == "true"
    case .framesPerSecond:
      guard let number = Int(value), (1...60).contains(number) else { return false }
      framesPerSecond = number
    }
    return true
  }

  /// The next value of a setting, or the one before.
  mutating func change(_ item: Item, by step: Int) {
    let choices = item.choices
    let place = choices.firstIndex(of: value(item)) ?? 0
    _ = set(item, choices[(place + step + choices.count) % choices.count])
  }

  /// What the setup screen saves: a file that only it writes.
  var toml: String {
    var text = "# Written by the setup screen of dmatop. Your own settings belong in config.toml.\n"
    for item in Item.allCases where item != .preset {
      let value = value(item)
      let isWord = !["true", "false"].contains(value) && Int(value) == nil
      text += "\(item.rawValue) = \(isWord ? "\"\(value)\"" : value)\n"
    }
    text += "\n[keys]\npreset = \"\(preset.rawValue)\"\n"
    return text
  }
}
