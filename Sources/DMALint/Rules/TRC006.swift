// SPDX-License-Identifier: MIT

enum TRC006: RuleDefinition {
  static let rule = Rule(
    "TRC006",
    "unused-suppression",
    .note,
    .proved,
    "a suppression that suppresses nothing",
    kernelWords: nil,
    why: "What it was for is gone, or it never matched. Left in place it will hide the "
      + "next mistake.",
    fix: "Remove it from dmatop.toml.",
    keys: []
  )

  /// - Parameter suppression: One that has matched nothing.
  static func message(_ suppression: String) -> String {
    "suppression matches nothing: \(suppression)"
  }
}
