// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

extension LintResult {
  /// Lints a kernel log: each mistake that the kernel names is a finding, however often it does.
  ///
  /// - Parameters:
  ///   - reader: a log of which nothing was read yet.
  ///   - name: the capture, as findings shall name it.
  ///   - visit: called with each record, to show how far it is.
  /// - Throws: ``TraceError`` when the log cannot be read.
  public static func linted(
    _ reader: inout LogReader,
    name: String,
    _ visit: (LogRecord, LogReader) -> Void = { _, _ in }
  ) throws(TraceError) -> LintResult {
    var collector = FindingCollector(path: name)
    var sawDebug = false
    while let record = try reader.next() {
      if record.isOfDebug { sawDebug = true }
      collector.add(record)
      visit(record, reader)
    }
    return result(of: collector, reader.summary, sawDebug: sawDebug, name: name)
  }

  /// The result of a log whose records a collector has taken in.
  static func result(
    of collector: FindingCollector,
    _ summary: TraceSummary,
    sawDebug: Bool,
    name: String
  ) -> LintResult {
    var collector = collector
    collector.add(CaptureHealth(kind: .log, summary: summary, sawDebug: sawDebug))
    var result = LintResult(
      path: name,
      findings: collector.sorted.map { finding in
        var finding = finding
        finding.isReplayable = false
        return finding
      },
      eventCount: summary.events,
      summary: summary,
      kernel: summary.kernelRelease ?? "?",
      kernelOrigin: summary.kernelRelease == nil ? "the log does not say" : "as the log says",
      undecided: Undecided()
    )
    result.kind = .log
    result.omitted = collector.omitted
    return result
  }
}

extension LogRecord {
  /// Whether dma-debug said it.
  var isOfDebug: Bool { kind != .iommuFault && kind != .swiotlbFull }
}
