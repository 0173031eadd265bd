// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

extension LintResult {
  /// The findings as people read them: severities have colours, excerpts are faint.
  public func appendText(to report: inout StyledText) {
    for finding in findings { append(finding, to: &report) }
  }

  private func style(_ severity: Severity) -> StyledText.Style {
    switch severity {
    case .error: .error
    case .warning: .warning
    case .note: .note
    }
  }

  private func append(_ finding: Finding, to report: inout StyledText) {
    guard finding.isOpen else { return }
    report.text.append(escaped: finding.path.utf8)
    if finding.line > 0 {
      report.text.append(":")
      report.text.append(decimal: finding.line)
    }
    report.text.append(": ")
    report.set(style(finding.severity))
    report.text.append(string: finding.severity.rawValue)
    report.set(.plain)
    report.text.append(": ")
    if let device = finding.device {
      report.text.append(escaped: (finding.driver ?? "?").utf8)
      report.text.append(" ")
      report.text.append(escaped: device.utf8)
      report.text.append(": ")
    }
    let words = finding.message.split(separator: "\n")
    report.text.append(escaped: (words.first ?? "").utf8)
    if finding.count > 1, finding.device != nil {
      report.text.append(" (said ")
      report.text.append(decimal: finding.count)
      report.text.append(" times)")
    }
    report.text.append(" [")
    report.text.append(string: finding.rule.id)
    report.text.append(" ")
    report.text.append(string: finding.rule.name)
    report.text.append("]\n")
    for line in words.dropFirst() {
      report.text.append("    ")
      report.text.append(escaped: line.utf8)
      report.text.append("\n")
    }
    guard finding.device != nil else { return }
    excerpt(finding.line, to: &report)
    let isTimed = kind != .log || finding.time > 0
    if kind != .dump, isTimed || finding.task != nil {
      report.text.append("    at ")
      appendContext(
        finding.time,
        finding.task,
        finding.pid,
        finding.cpu,
        finding.site,
        finding.stack,
        &report.text
      )
    }
    defer {
      report.text.append("    hint: ")
      report.text.append(string: finding.rule.fix)
      report.text.append("\n    see: ")
      report.text.append(string: finding.command)
      report.text.append("\n")
    }
    guard let origin = finding.origin else { return }
    if kind == .dump {
      // An entry of a dump says no more than its own line.
      if origin.line != finding.line { excerpt(origin.line, to: &report) }
      return
    }
    guard origin.line > 0 else {
      report.text.append(origin.isAdopted ? "    mapped before the trace began" : "    mapped")
      if let site = origin.site {
        report.text.append(" in ")
        report.text.append(escaped: site.utf8)
      }
      report.text.append("\n")
      appendStack(origin.stack, &report.text)
      return
    }
    if let path = origin.path {
      report.text.append("    mapped in ")
      report.text.append(escaped: path.utf8)
      report.text.append(":")
    } else {
      excerpt(origin.line, to: &report)
      report.text.append(summary.isBinary ? "    mapped in record " : "    mapped in line ")
    }
    report.text.append(decimal: origin.line)
    report.text.append(" at ")
    appendContext(
      origin.time,
      origin.task,
      origin.pid,
      origin.cpu,
      origin.site,
      origin.stack,
      &report.text
    )
  }

  /// The line of the capture.
  private func excerpt(_ line: UInt64, to report: inout StyledText) {
    guard let source = excerpts[line] else { return }
    report.text.append("    ")
    report.set(.faint)
    report.text.append(decimal: line)
    report.text.append(" | ")
    report.text.append(string: source)
    report.set(.plain)
    report.text.append("\n")
  }

  private func appendContext(
    _ time: UInt64,
    _ task: String?,
    _ pid: Int32,
    _ cpu: UInt32?,
    _ site: String?,
    _ stack: [String],
    _ text: inout TextBuffer
  ) {
    if summary.clock == .nanoseconds {
      text.append(seconds: time)
    } else {
      text.append(decimal: time)
    }
    // A log without the block around a message does not say who it was.
    if kind != .log || task != nil {
      text.append(" by ")
      text.append(escaped: (task ?? "?").utf8)
      text.append("-")
      text.append(string: pid < 0 ? "?" : String(pid))
      text.append(" on CPU ")
      text.append(string: cpu.map { String($0) } ?? "?")
    }
    if let site {
      text.append(" in ")
      text.append(escaped: site.utf8)
    }
    text.append("\n")
    appendStack(stack, &text)
  }

  private func appendStack(_ stack: [String], _ text: inout TextBuffer) {
    for frame in stack.prefix(8) {
      text.append("        ")
      text.append(escaped: frame.utf8)
      text.append("\n")
    }
  }
}
