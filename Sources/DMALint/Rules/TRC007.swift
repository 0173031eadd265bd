// SPDX-License-Identifier: MIT

enum TRC007: RuleDefinition {
  static let rule = Rule(
    "TRC007",
    "expired-suppression",
    .warning,
    .proved,
    "a suppression that has expired",
    kernelWords: nil,
    why: "The date until which somebody wanted to live with the mistake is over; its "
      + "findings count again.",
    fix: "Mend the driver, or set a new date.",
    keys: []
  )

  /// What is to be said of a suppression that holds up to a date, `2027-06-30`; `nil` while it does.
  static func message(_ suppression: String, expires: String?, today: String) -> String? {
    guard let expires, expires < today else { return nil }
    return "suppression has expired on \(expires): \(suppression)"
  }
}
