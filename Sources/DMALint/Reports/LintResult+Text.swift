import DMADebugCore
import DMATrace

extension LintResult {
  /// The findings as people read them.
  ///
  /// - Parameter isColored: for a terminal: severities have colours, excerpts are faint.
  public func appendText(to text: inout TextBuffer, isColored: Bool = false) {
    for finding in findings { append(finding, to: &text, isColored) }
  }

  private func color(_ severity: Severity) -> String {
    switch severity {
    case .error: "\u{1b}[1;31m"
    case .warning: "\u{1b}[1;33m"
    case .note: "\u{1b}[1;36m"
    }
  }

  private static let plain = "\u{1b}[0m"
  private static let faint = "\u{1b}[2m"

  private func append(_ finding: Finding, to text: inout TextBuffer, _ isColored: Bool) {
    guard finding.isOpen else { return }
    text.append(escaped: finding.path.utf8)
    if finding.line > 0 {
      text.append(":")
      text.append(decimal: finding.line)
    }
    text.append(": ")
    if isColored { text.append(string: color(finding.severity)) }
    text.append(string: finding.severity.rawValue)
    if isColored { text.append(string: Self.plain) }
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
    excerpt(finding.line, to: &text, isColored)
    let isTimed = kind != .log || finding.time > 0
    if kind != .dump, isTimed || finding.task != nil {
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
    }
    defer {
      text.append("    hint: ")
      text.append(string: finding.rule.fix)
      text.append("\n    see: ")
      text.append(string: finding.command)
      text.append("\n")
    }
    guard let origin = finding.origin else { return }
    if kind == .dump {
      // An entry of a dump says no more than its own line.
      if origin.line != finding.line { excerpt(origin.line, to: &text, isColored) }
      return
    }
    guard origin.line > 0 else {
      text.append(origin.isAdopted ? "    mapped before the trace began" : "    mapped")
      if let site = origin.site {
        text.append(" in ")
        text.append(escaped: site.utf8)
      }
      text.append("\n")
      appendStack(origin.stack, &text)
      return
    }
    if let path = origin.path {
      text.append("    mapped in ")
      text.append(escaped: path.utf8)
      text.append(":")
    } else {
      excerpt(origin.line, to: &text, isColored)
      text.append(summary.isBinary ? "    mapped in record " : "    mapped in line ")
    }
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

  /// The line of the capture.
  private func excerpt(_ line: UInt64, to text: inout TextBuffer, _ isColored: Bool) {
    guard let source = excerpts[line] else { return }
    text.append("    ")
    if isColored { text.append(string: Self.faint) }
    text.append(decimal: line)
    text.append(" | ")
    text.append(string: source)
    if isColored { text.append(string: Self.plain) }
    text.append("\n")
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
