extension Rule {
  /// Entries of the baseline that were not found.
  static let staleBaseline = Rule(
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
}
