extension Rule {
  /// A suppression that has expired.
  static let expiredSuppression = Rule(
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
}
