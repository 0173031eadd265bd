import DMADebugCore
import DMATrace

extension LintResult {
  /// The findings as people read them.
  public func appendText(to text: inout TextBuffer) {
    for finding in findings { append(finding, to: &text) }
  }

  private func append(_ finding: Finding, to text: inout TextBuffer) {
    text.append(escaped: finding.path.utf8)
    if finding.line > 0 {
      text.append(":")
      text.append(decimal: finding.line)
    }
    text.append(": ")
    text.append(string: finding.rule.severity.rawValue)
    text.append(": ")
    if let device = finding.device {
      text.append(escaped: (finding.driver ?? "?").utf8)
      text.append(" ")
      text.append(escaped: device.utf8)
      text.append(": ")
    }
    let words = finding.message.split(separator: "\n")
    text.append(escaped: (words.first ?? "").utf8)
    if finding.count > 1, finding.device != nil {
      text.append(" (said ")
      text.append(decimal: finding.count)
      text.append(" times)")
    }
    text.append(" [")
    text.append(string: finding.rule.id)
    text.append(" ")
    text.append(string: finding.rule.name)
    text.append("]\n")
    for line in words.dropFirst() {
      text.append("    ")
      text.append(escaped: line.utf8)
      text.append("\n")
    }
    guard finding.device != nil else { return }
    text.append("    at ")
    appendContext(
      finding.time,
      finding.task,
      finding.pid,
      finding.cpu,
      finding.site,
      finding.stack,
      &text
    )
    guard let origin = finding.origin else { return }
    text.append("    mapped in line ")
    text.append(decimal: origin.line)
    text.append(" at ")
    appendContext(
      origin.time,
      origin.task,
      origin.pid,
      origin.cpu,
      origin.site,
      origin.stack,
      &text
    )
  }

  private func appendContext(
    _ time: UInt64,
    _ task: String?,
    _ pid: Int32,
    _ cpu: UInt32,
    _ site: String?,
    _ stack: [String],
    _ text: inout TextBuffer
  ) {
    if summary.clock == .nanoseconds {
      text.append(seconds: time)
    } else {
      text.append(decimal: time)
    }
    text.append(" by ")
    text.append(escaped: (task ?? "?").utf8)
    text.append("-")
    text.append(string: pid < 0 ? "?" : String(pid))
    text.append(" on CPU ")
    text.append(decimal: UInt64(cpu))
    if let site {
      text.append(" in ")
      text.append(escaped: site.utf8)
    }
    text.append("\n")
    for frame in stack.prefix(8) {
      text.append("        ")
      text.append(escaped: frame.utf8)
      text.append("\n")
    }
  }
}
