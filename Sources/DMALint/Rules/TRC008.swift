// SPDX-License-Identifier: MIT

enum TRC008: RuleDefinition {
  static let rule = Rule(
    "TRC008",
    "stale-baseline",
    .note,
    .proved,
    "entries of the baseline that were not found",
    kernelWords: nil,
    why: "What the baseline allows is gone. With its entry left in place the mistake could "
      + "come back unseen.",
    fix: "Run dmatop lint --prune-baseline.",
    keys: []
  )

  /// - Parameter stale: What the baseline allows and was not found.
  static func message(_ stale: [String]) -> String? {
    stale.first.map { "the baseline allows \(stale.count) mistakes that are gone: \($0)" }
  }
}
