// SPDX-License-Identifier: MIT
import DMADebugCore

/// The documentation of rules, in every form: one text for `explain`, docs/RULES.md, SARIF and the
/// monitor.
extension Rule {
  /// What it can prove, in words.
  var precisionWords: String {
    switch precision {
    case .proved: "the trace proves it"
    case .strong: "hardly anything else explains it"
    case .hint: "worth a look"
    }
  }

  /// For a terminal.
  public var text: String {
    var text = "\(id) \(name): \(summary)\n\n"
    text += "severity   \(severity.rawValue) (\(precisionWords))\n"
    if let kernelWords { text += "kernel     \(kernelWords)\n" }
    if !keys.isEmpty { text += "settings   \(keys.joined(separator: ", "))\n" }
    text += "\nWhy\n" + Self.wrapped(why) + "\nWhat to do\n" + Self.wrapped(fix)
    if let bad {
      text += "\nA \(bad.kindName) that has it" + needs(bad) + "\n" + Self.indented(bad.excerpt)
    }
    if let good { text += "\nAnd one that has not\n" + Self.indented(good.excerpt) }
    return text
  }

  /// For docs/RULES.md and for viewers of SARIF.
  public var markdown: String {
    var text = "\(summary.prefix(1).uppercased())\(summary.dropFirst()).\n\n"
    text += "Severity: \(severity.rawValue); \(precisionWords).\n"
    if let kernelWords { text += "\nThe kernel says: `\(kernelWords)`\n" }
    text += "\n\(why)\n\n**What to do:** \(fix)\n"
    if !keys.isEmpty { text += "\nSettings: \(keys.map { "`\($0)`" }.joined(separator: ", ")).\n" }
    if let bad {
      text += "\nA \(bad.kindName) that has it\(needs(bad)):\n\n```\n\(bad.excerpt)\n```\n"
    }
    if let good { text += "\nAnd one that has not:\n\n```\n\(good.excerpt)\n```\n" }
    return text
  }

  /// Appends all of it as JSON.
  public func append(to json: inout JSONWriter) {
    json.object { json in
      json.pair("id", id)
      json.pair("name", name)
      json.pair("severity", severity.rawValue)
      json.pair("precision", precision.rawValue)
      json.pair("summary", summary)
      json.pair("kernel", kernelWords)
      json.pair("why", why)
      json.pair("fix", fix)
      json.key("settings")
      json.array { json in for key in keys { json.string(key) } }
      json.pair("bad", bad?.trace)
      json.pair("good", good?.trace)
    }
  }

  /// docs/RULES.md
  public static var document: String {
    var text = """
      # Rules of dmatop lint

      Made by `dmatop rules --format markdown`; a test holds this file against it. `DMA0xx` are the
      checks of the kernel, `DMA1xx` go beyond them, `DMA2xx` are about buffers that are shared (dma-buf,
      fences, IOVA ranges, dmaengine), `TRC0xx` are about the evidence. Ids and names are for ever. The
      examples are in `fixtures/rules/` as traces; `dmatop explain ID` shows them too.

      | id | name | severity | |
      |---|---|---|---|

      """
    for rule in all {
      text += "| [\(rule.id)](#\(rule.id.lowercased())) | \(rule.name) | \(rule.severity.rawValue)"
      text += " | \(rule.summary) |\n"
    }
    for rule in all { text += "\n## \(rule.id)\n\n`\(rule.name)`: \(rule.markdown)" }
    return text
  }

  private func needs(_ example: RuleExample) -> String {
    var words: [String] = []
    if example.kernel != "7.3" { words.append("--kernel \(example.kernel)") }
    if !example.isCoherentMachine { words.append("--dma-alignment 64") }
    return words.isEmpty ? "" : " (with \(words.joined(separator: " ")))"
  }

  private static func indented(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { "  " + $0 + "\n" }.joined()
  }

  private static func wrapped(_ text: String) -> String {
    var lines = ""
    var line = " "
    for word in text.split(separator: " ") {
      if line.count + 1 + word.count > 78 {
        lines += line + "\n"
        line = " "
      }
      line += " " + word
    }
    return lines + line + "\n"
  }
}
