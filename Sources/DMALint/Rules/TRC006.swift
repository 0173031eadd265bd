extension Rule {
  /// A suppression that suppresses nothing.
  static let unusedSuppression = Rule(
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
}
