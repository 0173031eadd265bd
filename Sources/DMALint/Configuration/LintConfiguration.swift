// SPDX-License-Identifier: MIT
import TOMLKit

/// What a project wants of the linter: `dmatop.toml`, changed by the command line.
public struct LintConfiguration: Sendable {
  /// What is wrong with a configuration; the description names file and key.
  public struct Problem: Error, CustomStringConvertible {
    public let description: String

    /// - Parameter description: may quote the file; its line ends would make lines of their own.
    init(description: String) {
      self.description = description.map { $0.isNewline ? "\\n" : String($0) }.joined()
    }
  }

  /// A severity, or not at all.
  public enum Level: String, Sendable, CaseIterable {
    case error
    case warning
    case note
    case off

    var severity: Severity? { Severity(rawValue: rawValue) }
  }

  /// A mistake that somebody lives with.
  public struct Suppression: Sendable {
    public var rule: String
    var driver: Glob?
    var device: Glob?
    var function: Glob?
    public var reason: String
    /// `2026-12-31`: the last day.
    public var expires: String?
    /// In words, for messages.
    public var description: String

    func matches(_ finding: Finding) -> Bool {
      guard finding.rule.matches(rule) else { return false }
      if let driver, !driver.matches(finding.driver ?? "") { return false }
      if let device, !device.matches(finding.device ?? "") { return false }
      if let function {
        let sites = [finding.site, finding.origin?.site].compactMap { $0 }
        guard
          sites.contains(where: { function.matches(String($0.prefix { $0 != "+" && $0 != " " })) })
        else { return false }
      }
      return true
    }
  }

  /// Other levels for some drivers or devices.
  struct Override: Sendable {
    var driver: Glob?
    var device: Glob?
    var levels: [(selector: String, level: Level)]

    func matches(_ finding: Finding) -> Bool {
      if let driver, !driver.matches(finding.driver ?? "") { return false }
      if let device, !device.matches(finding.device ?? "") { return false }
      return true
    }
  }

  public var select: [String] = ["ALL"]
  public var ignore: [String] = []
  /// Later ones win.
  public var levels: [(selector: String, level: Level)] = []
  var overrides: [Override] = []
  public var suppressions: [Suppression] = []
  public var leakMinimum = 32
  /// `2026-11-21`; suppressions that end before are no longer heeded. Without a date all are.
  public var today = ""
  public var failOn: String?
  public var baseline: String?
  /// Where each setting comes from.
  public var origins: [String: String] = [:]

  public init() {}

  /// Settings under which every finding is there that these would have found, hidden or not.
  public var showingAll: LintConfiguration {
    var all = LintConfiguration()
    all.leakMinimum = leakMinimum
    return all
  }

  /// Takes a file over what is there.
  ///
  /// - Parameter name: the file, as messages name it.
  /// - Throws: ``Problem`` for what is no TOML, and for keys and values that mean nothing.
  public mutating func read(_ text: String, name: String) throws(Problem) {
    if let (line, words) = TOMLBrackets.problem(text) {
      throw Problem(description: "\(name):\(line): \(words)")
    }
    let table: TOMLTable
    do {
      table = try TOMLTable(string: text)
    } catch let error as TOMLParseError {
      throw Problem(description: "\(name):\(error.source.begin.line): \(error.description)")
    } catch {
      throw Problem(description: "\(name): no TOML")
    }
    for key in table.keys.sorted() {
      guard let value = table[key] else { continue }
      let place = "\(name): \(key)"
      switch key {
      case "select": select = try Self.selectors(value, place)
      case "extend-select": select += try Self.selectors(value, place)
      case "ignore": ignore = try Self.selectors(value, place)
      case "severity": levels += try Self.levels(value, place)
      case "leak-minimum":
        guard let number = value.int, (2...1_000_000).contains(number) else {
          throw Problem(description: "\(place) wants a number from 2 to 1000000")
        }
        leakMinimum = number
      case "fail-on":
        guard let word = value.string, ["error", "warning", "note", "never"].contains(word) else {
          throw Problem(description: "\(place) is error, warning, note or never")
        }
        failOn = word
      case "baseline":
        guard let word = value.string else { throw Problem(description: "\(place) wants a file") }
        baseline = word
      case "suppress":
        var number = 0
        for entry in Self.elements(value) {
          number += 1
          suppressions.append(try Self.suppression(entry, "\(name): suppress \(number)"))
        }
      case "override":
        var number = 0
        for entry in Self.elements(value) {
          number += 1
          overrides.append(try Self.override(entry, "\(name): override \(number)"))
        }
      default:
        throw Problem(
          description: "\(place) is no setting; there are select, extend-select, ignore, severity,"
            + " leak-minimum, fail-on, baseline, suppress, override"
        )
      }
      origins[key] = name
    }
  }

  private static func elements(_ value: any TOMLValueConvertible) -> [any TOMLValueConvertible] {
    guard let array = value.array else { return [] }
    return array.indices.map { array[$0] }
  }

  /// Whether a selector means any rule.
  public static func isSelector(_ text: String) -> Bool {
    Rule.all.contains { $0.matches(text) }
  }

  private static func selectors(
    _ value: any TOMLValueConvertible,
    _ place: String
  ) throws(Problem) -> [String] {
    guard value.array != nil else {
      throw Problem(description: "\(place) wants a list of rules")
    }
    var result: [String] = []
    for entry in elements(value) {
      guard let text = entry.string, isSelector(text) else {
        throw Problem(description: "\(place): '\(entry.string ?? "?")' is no rule")
      }
      result.append(text)
    }
    return result
  }

  private static func levels(
    _ value: any TOMLValueConvertible,
    _ place: String
  ) throws(Problem) -> [(selector: String, level: Level)] {
    guard let table = value.table else {
      throw Problem(description: "\(place) wants a table of rules and levels")
    }
    var result: [(selector: String, level: Level)] = []
    for key in table.keys.sorted() {
      guard isSelector(key) else { throw Problem(description: "\(place): '\(key)' is no rule") }
      guard let level = (table[key]?.string).flatMap({ Level(rawValue: $0) }) else {
        throw Problem(description: "\(place).\(key) is error, warning, note or off")
      }
      result.append((key, level))
    }
    return result
  }

  private static func suppression(
    _ value: any TOMLValueConvertible,
    _ place: String
  ) throws(Problem) -> Suppression {
    guard let table = value.table else { throw Problem(description: "\(place) is no table") }
    for key in table.keys
    where !["rule", "driver", "device", "function", "reason", "expires"].contains(key) {
      throw Problem(description: "\(place): there is no key '\(key)'")
    }
    guard let rule = table["rule"]?.string, isSelector(rule) else {
      throw Problem(description: "\(place): rule is missing, or no rule")
    }
    guard let reason = table["reason"]?.string, !reason.isEmpty else {
      throw Problem(description: "\(place): a reason is required")
    }
    let expires = table["expires"]?.string
    if let expires, !isDate(expires) {
      throw Problem(description: "\(place): expires wants a date like \"2027-06-30\"")
    }
    func glob(_ key: String) -> Glob? { (table[key]?.string).map { Glob($0) } }
    let parts = ["driver", "device", "function"].compactMap { key in
      (table[key]?.string).map { "\(key) \($0)" }
    }
    return Suppression(
      rule: rule,
      driver: glob("driver"),
      device: glob("device"),
      function: glob("function"),
      reason: reason,
      expires: expires,
      description: ([rule] + parts).joined(separator: ", ") + ": " + reason
    )
  }

  private static func override(
    _ value: any TOMLValueConvertible,
    _ place: String
  ) throws(Problem) -> Override {
    guard let table = value.table else { throw Problem(description: "\(place) is no table") }
    for key in table.keys where !["driver", "device", "severity", "ignore"].contains(key) {
      throw Problem(description: "\(place): there is no key '\(key)'")
    }
    var levels: [(selector: String, level: Level)] = []
    if let ignored = table["ignore"] {
      levels += try selectors(ignored, "\(place): ignore").map { ($0, .off) }
    }
    if let severities = table["severity"] {
      levels += try Self.levels(severities, "\(place): severity")
    }
    return Override(
      driver: (table["driver"]?.string).map { Glob($0) },
      device: (table["device"]?.string).map { Glob($0) },
      levels: levels
    )
  }

  private static func isDate(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    return parts.map(\.count) == [4, 2, 2]
      && parts.allSatisfy { $0.allSatisfy { $0.isASCII && $0.isNumber } }
  }

  // MARK: Applying

  /// The level of a rule without regard to drivers.
  public func level(_ rule: Rule) -> Level {
    guard select.contains(where: { rule.matches($0) }),
      !ignore.contains(where: { rule.matches($0) })
    else { return .off }
    var level = Level(rawValue: rule.severity.rawValue) ?? .error
    for entry in levels where rule.matches(entry.selector) { level = entry.level }
    return level
  }

  private func level(_ finding: Finding) -> Level {
    var level = level(finding.rule)
    guard level != .off else { return .off }
    for override in overrides where override.matches(finding) {
      for entry in override.levels where finding.rule.matches(entry.selector) {
        level = entry.level
      }
    }
    return level
  }

  /// Findings with their levels: those that are off go, those that somebody lives with are marked.
  ///
  /// - Parameters:
  ///   - used: suppressions that have matched something, by position; grows.
  func apply(_ findings: [Finding], used: inout Set<Int>) -> [Finding] {
    findings.compactMap { original in
      let level = level(original)
      guard let severity = level.severity else { return nil }
      var finding = original
      finding.severity = severity
      for (index, suppression) in suppressions.enumerated() where suppression.matches(finding) {
        used.insert(index)
        if let expires = suppression.expires, expires < today { continue }
        finding.suppression = suppression.reason
      }
      return finding
    }
  }
}
