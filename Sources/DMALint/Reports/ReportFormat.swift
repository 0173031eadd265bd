// SPDX-License-Identifier: MIT
import DMADebugCore

/// What is known about a run beside its findings.
public struct ReportContext: Sendable {
  /// Rules that were looked for, with their levels.
  public var rules: [(rule: Rule, level: LintConfiguration.Level)] = []
  /// Captures that could not be read, and why.
  public var failures: [(path: String, reason: String)] = []
  /// Set before each path in reports for machines.
  public var pathPrefix = ""
  /// Part of `automationDetails.id` in SARIF.
  public var category = ""
  /// The last line of the text report.
  public var summary = ""

  public init() {}

  /// A path as reports for machines have it: relative, with the prefix.
  func location(_ path: String) -> String {
    let bare = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
    return pathPrefix + bare
  }
}

/// A way to write findings down.
public enum ReportFormat: String, Sendable, CaseIterable {
  case text
  case concise
  case json
  case jsonl
  case sarif
  case junit
  case ktap
  case gitlab
  case github
  case checkstyle
  case markdown
  case html

  /// The text report with its colours, for a terminal.
  public static func text(_ results: [LintResult]) -> StyledText {
    var report = StyledText()
    for result in results { result.appendText(to: &report) }
    return report
  }

  /// The report as bytes; the same for the same findings.
  public func render(_ results: [LintResult], _ context: ReportContext) -> [UInt8] {
    switch self {
    case .text: return Self.text(results).text.bytes
    case .concise: return Array(ConciseReport.render(results).utf8)
    case .json: return LintResult.json(results)
    case .jsonl: return LintResult.jsonLines(results)
    case .sarif: return SARIFReport.render(results, context)
    case .junit: return Array(JUnitReport.render(results, context).utf8)
    case .ktap: return Array(KTAPReport.render(results, context).utf8)
    case .gitlab: return GitLabReport.render(results, context)
    case .github: return Array(GitHubReport.render(results, context).utf8)
    case .checkstyle: return Array(CheckstyleReport.render(results, context).utf8)
    case .markdown: return Array(MarkdownReport.render(results, context).utf8)
    case .html: return Array(HTMLReport.render(results, context).utf8)
    }
  }
}

extension Finding {
  /// The first line of the message, with driver and device, safe to show.
  var headline: String {
    let words = message.split(separator: "\n").first.map(String.init) ?? ""
    let who = device.map { "\(driver ?? "?") \($0): " } ?? ""
    return String(escaping: (who + words).utf8)
  }

  /// The command that opens the monitor where it came up.
  ///
  /// What a log or a dump shows has no moment: there it is the one that explains the rule.
  public var command: String {
    guard isReplayable else { return "dmatop explain \(rule.id)" }
    return "dmatop replay \(invocation.arguments(path: path)) --finding \(identifier)"
  }

  /// The fingerprint, and which one of several.
  public var identifier: String {
    occurrence > 1 ? "\(fingerprint):\(occurrence)" : fingerprint
  }
}

extension Invocation {
  /// The arguments of `dmatop replay` that open the captures, as a shell takes them.
  ///
  /// - Parameter path: The capture of a finding, when nothing better is known.
  func arguments(path: String) -> String {
    // What came through standard input is gone: it has to be put in for it.
    let names = (captures.isEmpty ? [path] : captures).map {
      $0 == "<stdin>" ? "TRACE" : Self.argument($0)
    }
    let others = names.dropFirst().map { "--with \($0)" }
    let options = options.map { option in
      option.name + (option.value.map { " " + Self.argument($0) } ?? "")
    }
    return (names.prefix(1) + others + options).joined(separator: " ")
  }

  /// A file name as an argument in a shell, safe to show and to paste: it is neither an option nor
  /// several words, and what could not be shown is written as bash, zsh and ksh read it.
  private static func argument(_ path: String) -> String {
    let path = path.hasPrefix("-") ? "./" + path : path
    let isPlain = path.allSatisfy {
      $0.isASCII && ($0.isLetter || $0.isNumber || "._/-+=:,@".contains($0))
    }
    // zsh takes =word for the path of a command.
    if isPlain, !path.isEmpty, !path.hasPrefix("=") { return path }
    func quoted(_ text: String, quote: String) -> String {
      text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: quote) + "'"
    }
    if path.unicodeScalars.contains(where: \.isHarmful) {
      return "$'" + quoted(String(escaping: path.utf8), quote: "\\'")
    }
    return "'" + quoted(path, quote: "'\\''")
  }
}

/// `file:line: severity: text [id]`, a line each, for editors.
enum ConciseReport {
  static func render(_ results: [LintResult]) -> String {
    var text = ""
    for finding in results.flatMap(\.findings) where finding.isOpen {
      text += String(escaping: finding.path.utf8) + ":\(max(finding.line, 1)):1: "
      text += "\(finding.severity.rawValue): \(finding.headline) [\(finding.rule.id)]\n"
    }
    return text
  }
}

/// Text in XML: marked-up signs and control characters never get through.
enum XML {
  static func escaped(_ text: String) -> String {
    marked(String(escaping: text.utf8))
  }

  /// Text that is safe to show, such as a command, in which a backslash is to stay one.
  static func marked(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n": result += "&#10;"
      default:
        // What XML 1.0 does not allow in any form.
        let value = scalar.value
        let isAllowed = value >= 0x20 && value != 0xfffe && value != 0xffff || value == 0x9
        result.unicodeScalars.append(isAllowed ? scalar : "?")
      }
    }
    return result
  }
}

/// JUnit XML: a suite for each capture, a case for each rule.
enum JUnitReport {
  static func render(_ results: [LintResult], _ context: ReportContext) -> String {
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    let rules = context.rules
    let all = results.flatMap { result in
      rules.map { rule in result.findings.filter { $0.rule == rule.rule && $0.isOpen } }
    }
    let failures = all.count { !$0.isEmpty }
    let tests = rules.count * results.count + context.failures.count
    text += "<testsuites name=\"dmatop lint\" tests=\"\(tests)\" failures=\"\(failures)\""
    text += " errors=\"\(context.failures.count)\">\n"
    for result in results { suite(result, context, &text) }
    for failure in context.failures {
      let path = XML.escaped(context.location(failure.path))
      text +=
        "  <testsuite name=\"\(path)\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">\n"
      text += "    <testcase classname=\"\(path)\" name=\"read\">\n"
      text += "      <error message=\"\(XML.escaped(failure.reason))\"/>\n    </testcase>\n"
      text += "  </testsuite>\n"
    }
    return text + "</testsuites>\n"
  }

  private static func suite(_ result: LintResult, _ context: ReportContext, _ text: inout String) {
    let path = XML.escaped(context.location(result.path))
    let failed = context.rules.count { rule in
      result.findings.contains { $0.rule == rule.rule && $0.isOpen }
    }
    let skipped = context.rules.count { $0.level == .off }
    text += "  <testsuite name=\"\(path)\" tests=\"\(context.rules.count)\" failures=\"\(failed)\""
    text += " errors=\"0\" skipped=\"\(skipped)\" time=\"0\">\n"
    for (rule, level) in context.rules {
      let findings = result.findings.filter { $0.rule == rule && $0.isOpen }
      text += "    <testcase classname=\"\(path)\" name=\"\(rule.id) \(rule.name)\""
      if level == .off {
        text += "><skipped/></testcase>\n"
      } else if findings.isEmpty {
        text += "/>\n"
      } else {
        let message = XML.escaped("\(findings.count) \(rule.summary)")
        text +=
          ">\n      <failure type=\"\(findings[0].severity.rawValue)\" message=\"\(message)\">"
        for finding in findings.prefix(100) {
          text += XML.escaped("\(finding.path):\(finding.line): \(finding.headline)") + "&#10;"
        }
        text += "</failure>\n    </testcase>\n"
      }
    }
    text += "  </testsuite>\n"
  }
}

/// Checkstyle XML, which many CI servers read.
enum CheckstyleReport {
  static func render(_ results: [LintResult], _ context: ReportContext) -> String {
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<checkstyle version=\"4.3\">\n"
    for result in results {
      text += "  <file name=\"\(XML.escaped(context.location(result.path)))\">\n"
      for finding in result.findings where finding.isOpen {
        let severity = finding.severity == .note ? "info" : finding.severity.rawValue
        text += "    <error line=\"\(max(finding.line, 1))\" severity=\"\(severity)\""
        text += " message=\"\(XML.escaped(finding.headline))\""
        text += " source=\"dmatop.\(finding.rule.id)\"/>\n"
      }
      text += "  </file>\n"
    }
    return text + "</checkstyle>\n"
  }
}

/// KTAP version 1: a test for each capture, a subtest for each rule.
enum KTAPReport {
  static func render(_ results: [LintResult], _ context: ReportContext) -> String {
    var text = "KTAP version 1\n1..\(results.count + context.failures.count)\n"
    var number = 0
    for result in results {
      number += 1
      text += "  KTAP version 1\n  1..\(context.rules.count)\n"
      var hasFailed = false
      for (index, entry) in context.rules.enumerated() {
        let findings = result.findings.filter { $0.rule == entry.rule }
        let open = findings.filter(\.isOpen)
        for finding in open.prefix(20) {
          text += "  # line \(finding.line): \(description(finding.headline))\n"
        }
        hasFailed = hasFailed || !open.isEmpty
        let directive =
          entry.level == .off
          ? " # SKIP" : open.isEmpty && !findings.isEmpty ? " # XFAIL allowed" : ""
        text += "  \(open.isEmpty ? "ok" : "not ok") \(index + 1) \(entry.rule.id)"
        text += " \(entry.rule.name)\(directive)\n"
      }
      text +=
        "\(hasFailed ? "not ok" : "ok") \(number) \(description(context.location(result.path)))\n"
    }
    for failure in context.failures {
      number += 1
      text += "# \(description(failure.reason))\n"
      text += "not ok \(number) \(description(context.location(failure.path))) # ERROR unreadable\n"
    }
    return text
  }

  /// A number sign would begin a directive.
  private static func description(_ text: String) -> String {
    String(escaping: text.utf8).split(separator: "#", omittingEmptySubsequences: false)
      .joined(separator: "No.").split(separator: "\n").joined(separator: " ")
  }
}

/// Annotations of GitHub Actions, the worst first: only ten of a kind are shown.
enum GitHubReport {
  static func render(_ results: [LintResult], _ context: ReportContext) -> String {
    let open = results.flatMap(\.findings).filter(\.isOpen).enumerated().sorted {
      $0.element.severity == $1.element.severity
        ? $0.offset < $1.offset : $0.element.severity > $1.element.severity
    }.map(\.element)
    var text = ""
    for finding in open {
      let kind = finding.severity == .note ? "notice" : finding.severity.rawValue
      let path = property(context.location(finding.path))
      text += "::\(kind) file=\(path),line=\(max(finding.line, 1)),"
      text += "title=\(property("\(finding.rule.id) \(finding.rule.name)"))::"
      text += data("\(finding.headline)\n\(finding.rule.fix)") + "\n"
    }
    return text
  }

  private static func data(_ text: String) -> String {
    var result = ""
    for character in text.unicodeScalars {
      switch character {
      case "%": result += "%25"
      case "\r": result += "%0D"
      case "\n": result += "%0A"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }

  private static func property(_ text: String) -> String {
    var result = ""
    for character in data(String(escaping: text.utf8)).unicodeScalars {
      switch character {
      case ":": result += "%3A"
      case ",": result += "%2C"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }
}

/// The Code Quality report of GitLab.
enum GitLabReport {
  static func render(_ results: [LintResult], _ context: ReportContext) -> [UInt8] {
    var json = JSONWriter(indented: true)
    var seen: [String: Int] = [:]
    json.array { json in
      for finding in results.flatMap(\.findings) where finding.isOpen {
        // Equal fingerprints would hide each other, also those of two captures.
        let base = finding.fingerprint + (finding.device == nil ? finding.path : "")
        seen[base, default: 0] += 1
        let number = seen[base] ?? 1
        json.object { json in
          json.pair("description", "\(finding.rule.id): \(finding.headline)")
          json.pair("check_name", finding.rule.id)
          json.pair("fingerprint", finding.fingerprint + (number > 1 ? "-\(number)" : ""))
          json.pair("severity", severity(finding.severity))
          json.key("location")
          json.object { json in
            json.pair("path", String(escaping: context.location(finding.path).utf8))
            json.key("lines")
            json.object { json in json.pair("begin", max(finding.line, 1)) }
          }
        }
      }
    }
    return json.text.bytes + [0x0a]
  }

  private static func severity(_ severity: Severity) -> String {
    switch severity {
    case .error: "critical"
    case .warning: "minor"
    case .note: "info"
    }
  }
}

/// A table for a summary of a job or a merge request.
enum MarkdownReport {
  static func render(_ results: [LintResult], _ context: ReportContext) -> String {
    var text = "## dmatop lint\n\n\(escaped(context.summary))\n"
    for failure in context.failures {
      text += "\n**\(escaped(context.location(failure.path)))** could not be read:"
      text += " \(escaped(failure.reason))\n"
    }
    for result in results {
      let open = result.findings.filter(\.isOpen)
      guard !open.isEmpty else { continue }
      text += "\n### \(escaped(context.location(result.path)))\n\n"
      text += "| line | | rule | finding |\n|---:|---|---|---|\n"
      for finding in open.prefix(500) {
        text += "| \(finding.line == 0 ? "" : String(finding.line)) | \(finding.severity.rawValue)"
        text += " | \(finding.rule.id) \(finding.rule.name) | \(escaped(finding.headline)) |\n"
      }
      if open.count > 500 { text += "\nand \(open.count - 500) more\n" }
    }
    return text
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in String(escaping: text.utf8) {
      switch character {
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "&": result += "&amp;"
      case "\n": result += " "
      case _ where "\\`*_{}[]#|!~".contains(character): result += "\\\(character)"
      default: result.append(character)
      }
    }
    return result
  }
}
