// SPDX-License-Identifier: MIT
import DMATrace

/// How sound a capture is: what checks of the evidence look at.
struct CaptureHealth {
  var kind: LintedKind
  var summary: TraceSummary
  /// Of a log: dma-debug has said something in it, if only that it is there.
  var sawDebug = true
}

/// What is wrong with a capture.
struct CaptureFault {
  var message: String
  var count: UInt64 = 1
  /// The line or record; 0 for the capture as a whole.
  var line: UInt64 = 0
}

extension FindingCollector {
  /// Adds what is to be said of the capture itself.
  public mutating func add(_ summary: TraceSummary) {
    add(CaptureHealth(kind: .trace, summary: summary))
  }

  /// - Parameter number: Which of several captures of one run.
  mutating func add(_ capture: CaptureHealth, number: Int = 0) {
    RuleSet.assess(capture) { rule, fault in
      add(rule, fault.message, count: fault.count, line: fault.line, capture: number)
    }
  }
}
