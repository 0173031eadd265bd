// SPDX-License-Identifier: MIT
import DMAExport
import DMALint
import DMAReplay
import DMATrace
import TOMLKit
import TerminalKit

/// Reads the files of settings: the user's own, and the one of the setup screen.
package struct SettingsReader {
  package private(set) var settings = MonitorSettings()
  /// What is unknown or of no use in the files, each with its file, line and name.
  package private(set) var warnings: [String] = []
  /// Where each setting comes from, for `--print-config`.
  private(set) var origins: [String: String] = [:]

  package init() {}

  /// Takes the settings of a file over those that are there.
  ///
  /// - Parameter name: the file as messages call it.
  /// - Throws: ``CommandError`` for what is no TOML, for values that a setting cannot have, and for
  ///   keys that do two things.
  package mutating func read(_ text: String, name: String) throws {
    if let (line, words) = TOMLBrackets.problem(text) {
      throw CommandError("\(name):\(line): \(words); mend it, or use --no-config")
    }
    let table: TOMLTable
    do {
      table = try TOMLTable(string: text)
    } catch let error as TOMLParseError {
      throw CommandError(
        "\(name):\(error.source.begin.line): \(error.description); mend it, or use --no-config"
      )
    }
    let file = SettingsFile(
      name: name,
      lines: text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    )
    for key in table.keys.sorted() {
      guard let value = table[key] else { continue }
      switch key {
      case "keys":
        guard let keys = value.table else { throw file.error(key, nil, "is a table: [keys]") }
        try readKeys(keys, file)
      case "columns":
        guard let columns = value.table else { throw file.error(key, nil, "is a table: [columns]") }
        try readColumns(columns, file)
      case "checkpoint_megabytes":
        guard let number = value.int, MonitorSettings.checkpointRange.contains(number) else {
          throw file.error(key, nil, "wants a number from 16 to 65536")
        }
        settings.checkpointMegabytes = number
        origins[key] = name
      default: try read(key, value.tomlValue, in: nil, file)
      }
    }
  }

  /// Takes the user's own file, and then what the setup screen saved.
  package mutating func readUsers() throws {
    for path in [SettingsFiles.own, SettingsFiles.setup] {
      guard let path, let text = try SettingsFiles.text(path) else { continue }
      try read(text, name: displayName(path))
    }
  }

  /// Takes what the command line says.
  ///
  /// - Returns: Whether the setting can have that value.
  package mutating func set(_ item: MonitorSettings.Item, _ value: String) -> Bool {
    origins[item.rawValue] = "command line"
    return settings.set(item, value)
  }

  /// Takes the megabytes of `--history`.
  package mutating func set(checkpointMegabytes number: Int) {
    settings.checkpointMegabytes = number
    origins["checkpoint_megabytes"] = "command line"
  }

  private mutating func read(
    _ key: String,
    _ value: TOMLValue,
    in table: String?,
    _ file: SettingsFile
  ) throws {
    let full = table.map { "\($0).\(key)" } ?? key
    guard let item = MonitorSettings.Item(rawValue: full) else {
      let known = MonitorSettings.Item.allCases.map(\.rawValue)
      warnings.append(
        file.place(key, in: table) + "there is no setting '\(String(escaping: full.utf8))';"
          + " there are \(known.joined(separator: ", ")), columns.mappings, keys.ACTION"
      )
      return
    }
    let text = value.string ?? value.bool.map { String($0) } ?? value.int.map { String($0) }
    guard let text, settings.set(item, text) else {
      throw file.error(key, table, "is one of \(item.choices.joined(separator: ", "))")
    }
    origins[full] = file.name
  }

  private mutating func readKeys(_ table: TOMLTable, _ file: SettingsFile) throws {
    var changes: [MonitorSettings.KeyChange] = []
    var owners: [Key: String] = [:]
    for name in table.keys.sorted() {
      guard let value = table[name] else { continue }
      if name == "preset" {
        try read(name, value.tomlValue, in: "keys", file)
        continue
      }
      guard let action = MonitorAction(rawValue: name) else {
        warnings.append(
          file.place(name, in: "keys") + "there is no action '\(String(escaping: name.utf8))';"
            + " docs/KEYS.md and F1 list them"
        )
        continue
      }
      var words: [String] = []
      if let word = value.string {
        words = [word]
      } else if let array = value.array {
        words = array.map { $0.string ?? "" }
      } else {
        throw file.error(name, "keys", "wants a key or a list of keys")
      }
      var keys: [Key] = []
      for word in words {
        guard let key = KeyName.key(word) else {
          throw file.error(
            name,
            "keys",
            "'\(String(escaping: word.utf8))' is no key that can be bound"
          )
        }
        if let other = owners[key] {
          throw CommandError(
            "\(file.name): keys.\(other) (line \(file.line(other, in: "keys"))) and keys.\(name)"
              + " (line \(file.line(name, in: "keys"))) both want \(KeyName.name(key))"
          )
        }
        owners[key] = name
        keys.append(key)
      }
      changes.append(MonitorSettings.KeyChange(action: action, keys: keys))
      origins["keys.\(name)"] = file.name
    }
    settings.keyChanges.removeAll { old in changes.contains { $0.action == old.action } }
    settings.keyChanges += changes
  }

  private mutating func readColumns(_ table: TOMLTable, _ file: SettingsFile) throws {
    for name in table.keys.sorted() {
      guard name == "mappings" else {
        warnings.append(
          file.place(name, in: "columns")
            + "there is no setting 'columns.\(String(escaping: name.utf8))';"
            + " there is columns.mappings"
        )
        continue
      }
      let words = table[name]?.array?.map { $0.string ?? "" } ?? []
      let fields = words.compactMap { MappingField(name: $0) }
      guard !words.isEmpty, fields.count == words.count else {
        let all = MappingField.allCases.map(\.rawValue).joined(separator: ", ")
        throw file.error(name, "columns", "wants a list of \(all)")
      }
      settings.columns = fields.map(\.rawValue)
      origins["columns.mappings"] = file.name
    }
  }

  /// All settings with where they come from, as a file could have them.
  package var description: String {
    func line(_ name: String, _ value: String) -> String {
      "\(name) = \(value)  # \(origins[name] ?? "standard")\n"
    }
    func quoted(_ text: String) -> String { "\"\(text)\"" }
    var text = ""
    for item in MonitorSettings.Item.allCases where item != .preset {
      let value = settings.value(item)
      let isBare = ["true", "false"].contains(value) || Int(value) != nil
      text += line(item.rawValue, isBare ? value : quoted(value))
    }
    text += line("checkpoint_megabytes", String(settings.checkpointMegabytes))
    text += "\n[columns]\n"
    let columns = settings.columns.map(quoted).joined(separator: ", ")
    text += "mappings = [\(columns)]  # \(origins["columns.mappings"] ?? "standard")\n"
    text += "\n[keys]\n"
    text +=
      "preset = \(quoted(settings.preset.rawValue))  # \(origins["keys.preset"] ?? "standard")\n"
    let map = settings.keyMap
    for action in MonitorAction.allCases {
      let keys = map.names(action).map { $0 == "\\" || $0 == "\"" ? "'\($0)'" : quoted($0) }
      text += "\(action.rawValue) = [\(keys.joined(separator: ", "))]"
      text += origins["keys.\(action.rawValue)"].map { "  # \($0)\n" } ?? "\n"
    }
    return text
  }
}

/// A file of settings, to name places in it.
private struct SettingsFile {
  let name: String
  let lines: [String]

  /// The line of a setting, 0 when it is not found.
  func line(_ key: String, in table: String?) -> Int {
    var current: String?
    for (index, line) in lines.enumerated() {
      let text = line.trimmingBlanks()
      if text.hasPrefix("[") {
        current = String(text.dropFirst().prefix { $0 != "]" })
      } else if current == table, text.hasPrefix(key) || text.hasPrefix("\"\(key)\"") {
        return index + 1
      }
    }
    return 0
  }

  func place(_ key: String, in table: String?) -> String { "\(name):\(line(key, in: table)): " }

  func error(_ key: String, _ table: String?, _ words: String) -> CommandError {
    let full = table.map { "\($0).\(key)" } ?? key
    return CommandError(place(key, in: table) + "\(full) \(words)")
  }
}
