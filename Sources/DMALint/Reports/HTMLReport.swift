// SPDX-License-Identifier: MIT
import DMADebugCore

/// One page with everything, for people without a terminal: no network, no script needed.
enum HTMLReport {
  private static let style = """
    :root{color-scheme:light dark;--line:#8884;--soft:#8882}
    body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
    h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
    table{border-collapse:collapse;width:100%}
    th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
    td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
    code,pre{font:13px/1.45 ui-monospace,monospace}pre{background:var(--soft);padding:.6rem;overflow:auto}
    .error{color:#c62828}.warning{color:#b26a00}.note{color:#1565c0}
    @media(prefers-color-scheme:dark){.error{color:#ff8a80}.warning{color:#ffcc80}.note{color:#90caf9}}
    details{border-bottom:1px solid var(--line);padding:.4rem 0}summary{cursor:pointer}
    svg{width:100%;height:auto}svg .a{fill:#4a90d9}svg .b{fill:none;stroke:#4a90d9;stroke-width:1.5}
    svg text{font-size:10px;fill:currentColor}
    """

  static func render(_ results: [LintResult], _ context: ReportContext) -> String {
    var page = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    page += "<meta name=\"viewport\" content=\"width=device-width\"><title>dmatop lint</title>"
    page += "<link rel=\"icon\" href=\"data:,\"><style>\(style)</style></head><body>\n"
    page += "<h1>dmatop lint</h1>\n<p>\(XML.escaped(context.summary))</p>\n"
    for failure in context.failures {
      page += "<p class=\"error\">\(XML.escaped(failure.path)) could not be read:"
      page += " \(XML.escaped(failure.reason))</p>\n"
    }
    drivers(results, &page)
    for result in results {
      page += "<h2>\(XML.escaped(context.location(result.path)))</h2>\n"
      page += "<p>\(result.eventCount) events, kernel \(XML.escaped(result.kernel))"
      page += " (\(XML.escaped(result.kernelOrigin)))</p>\n"
      charts(result, &page)
      for finding in result.findings.prefix(2000) { append(finding, &page) }
      if result.findings.count > 2000 {
        page += "<p>\(result.findings.count - 2000) findings more are left out.</p>\n"
      }
    }
    return page + "</body></html>\n"
  }

  private static func drivers(_ results: [LintResult], _ page: inout String) {
    struct Counts {
      var error = 0
      var warning = 0
      var note = 0
    }
    var table: [String: Counts] = [:]
    for finding in results.flatMap(\.findings) where finding.isOpen {
      let key = "\(finding.driver ?? "the trace") \(finding.device ?? "")"
      switch finding.severity {
      case .error: table[key, default: Counts()].error += 1
      case .warning: table[key, default: Counts()].warning += 1
      case .note: table[key, default: Counts()].note += 1
      }
    }
    guard !table.isEmpty else { return }
    page += "<table><thead><tr><th>driver and device</th><th class=\"n\">errors</th>"
    page += "<th class=\"n\">warnings</th><th class=\"n\">notes</th></tr></thead><tbody>\n"
    let rows = table.sorted {
      ($1.value.error, $1.value.warning, $0.key) < ($0.value.error, $0.value.warning, $1.key)
    }
    for (name, counts) in rows {
      page += "<tr><td>\(XML.escaped(name))</td><td class=\"n\">\(counts.error)</td>"
      page += "<td class=\"n\">\(counts.warning)</td><td class=\"n\">\(counts.note)</td></tr>\n"
    }
    page += "</tbody></table>\n"
  }

  // MARK: Charts

  private static func charts(_ result: LintResult, _ page: inout String) {
    guard let course = result.course, course.bytes.count > 1 else { return }
    page += "<table><tr><td>"
    line("live bytes over time, at most \(course.bytes.max() ?? 0)", course.bytes, &page)
    page += "</td><td>"
    line("live mappings over time, at most \(course.live.max() ?? 0)", course.live, &page)
    page += "</td><td>"
    bars("lifetimes, powers of two of nanoseconds", course.lifetimes, &page)
    page += "</td></tr></table>\n"
  }

  private static func line(_ title: String, _ values: [UInt64], _ page: inout String) {
    let most = Double(max(values.max() ?? 1, 1))
    let points = values.enumerated().map { index, value in
      let x = Double(index) * 300 / Double(max(values.count - 1, 1))
      return "\(Int(x)),\(100 - Int(Double(value) * 95 / most))"
    }
    page += "<svg viewBox=\"0 0 300 120\" role=\"img\" aria-label=\"\(XML.escaped(title))\">"
    page += "<polyline class=\"b\" points=\"\(points.joined(separator: " "))\"/>"
    page += "<text x=\"0\" y=\"115\">\(XML.escaped(title))</text></svg>"
  }

  private static func bars(_ title: String, _ values: [UInt64], _ page: inout String) {
    let used = values.indices.filter { values[$0] > 0 }
    guard let first = used.first, let last = used.last else { return }
    let most = Double(max(values.max() ?? 1, 1))
    let width = 300 / Double(last - first + 1)
    page += "<svg viewBox=\"0 0 300 120\" role=\"img\" aria-label=\"\(XML.escaped(title))\">"
    for index in first...last {
      let height = Int(Double(values[index]) * 95 / most)
      let x = Int(Double(index - first) * width)
      page +=
        "<rect class=\"a\" x=\"\(x)\" y=\"\(100 - height)\" width=\"\(max(1, Int(width) - 1))\""
      page += " height=\"\(height)\"><title>2^\(index) ns: \(values[index])</title></rect>"
    }
    page += "<text x=\"0\" y=\"115\">\(XML.escaped(title))</text></svg>"
  }

  // MARK: Findings

  private static func append(_ finding: Finding, _ page: inout String) {
    let state =
      finding.suppression.map { " (suppressed: \($0))" } ?? (finding.isBaselined ? " (known)" : "")
    page += "<details\(finding.isOpen ? "" : " class=\"note\"")><summary>"
    page += "<span class=\"\(finding.severity.rawValue)\">\(finding.severity.rawValue)</span>"
    page += " <code>\(finding.rule.id)</code> \(XML.escaped(finding.headline + state))"
    if finding.line > 0 { page += " <small>line \(finding.line)</small>" }
    page += "</summary>\n<p>\(XML.escaped(finding.rule.why))</p>"
    page += "<p><b>What to do:</b> \(XML.escaped(finding.rule.fix))</p>\n"
    var steps: [String] = []
    if let origin = finding.origin {
      steps.append(
        (origin.line > 0 ? "line \(origin.line): " : "") + origin.words
      )
    }
    steps += finding.syncs.map { "line \($0.line): \($0.text)" }
    if finding.line > 0 { steps.append("line \(finding.line): \(finding.headline)") }
    if !steps.isEmpty {
      page += "<ol>" + steps.map { "<li>\(XML.escaped($0))</li>" }.joined() + "</ol>\n"
    }
    for (title, frames) in [
      ("called from", finding.stack), ("mapped from", finding.origin?.stack ?? []),
    ]
    where !frames.isEmpty {
      page += "<p>\(title)</p><pre>\(XML.escaped(frames.joined(separator: " ← ")))</pre>\n"
    }
    page += "<pre>\(XML.marked(finding.command))</pre></details>\n"
  }
}
