// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

extension LintResult {
  /// Lints a saved `dma-api/dump`: only what a state without a past can show.
  public static func linted(_ dump: MappingDump, name: String) -> LintResult {
    var collector = FindingCollector(path: name)
    RuleSet.examine(dump, &collector)
    collector.add(CaptureHealth(kind: .dump, summary: dump.summary))
    var result = LintResult(
      path: name,
      findings: collector.sorted.map { finding in
        var finding = finding
        finding.isReplayable = false
        return finding
      },
      eventCount: 0,
      summary: dump.summary,
      kernel: dump.generation?.version ?? "?",
      kernelOrigin: dump.layout.description,
      undecided: Undecided()
    )
    result.kind = .dump
    result.omitted = collector.omitted
    return result
  }
}
