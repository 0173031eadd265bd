// SPDX-License-Identifier: MIT

extension LintResult {
  /// Gives the findings their levels, what somebody lives with its mark, and all their fingerprints.
  ///
  /// - Parameter invocation: How lint was run, for the commands under findings.
  public mutating func configure(
    _ configuration: LintConfiguration,
    _ invocation: Invocation = Invocation()
  ) {
    findings = configuration.apply(findings, used: &usedSuppressions)
    var seen: [String: Int] = [:]
    for index in findings.indices {
      let fingerprint = Fingerprint.of(findings[index])
      seen[fingerprint, default: 0] += 1
      findings[index].fingerprint = fingerprint
      findings[index].occurrence = seen[fingerprint] ?? 1
      findings[index].invocation = invocation
    }
  }
}

extension LintConfiguration {
  /// What is to be said about suppressions and baseline themselves.
  ///
  /// - Parameters:
  ///   - used: Suppressions that have matched something, by position.
  ///   - stale: What the baseline allows and was not found.
  ///   - path: The capture that it is said of.
  public func notes(used: Set<Int>, stale: [String], path: String) -> [Finding] {
    var notes: [Finding] = []
    func add(_ rule: Rule, _ message: String) {
      guard let severity = level(rule).severity else { return }
      var finding = LintResult.note(rule, message, path: path)
      finding.severity = severity
      notes.append(finding)
    }
    for (index, suppression) in suppressions.enumerated() {
      let words = suppression.description
      if let text = TRC007.message(words, expires: suppression.expires, today: today) {
        add(TRC007.rule, text)
      } else if !used.contains(index) {
        add(TRC006.rule, TRC006.message(words))
      }
    }
    if let text = TRC008.message(stale) { add(TRC008.rule, text) }
    return notes
  }
}
