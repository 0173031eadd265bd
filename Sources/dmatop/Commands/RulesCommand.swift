// SPDX-License-Identifier: MIT
import ArgumentParser
import DMADebugCore
import DMAExport
import DMALint
import Glibc

/// `dmatop rules`, the list of rules.
struct RulesCommand: ParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text
    case markdown
    case json
  }

  static let configuration = CommandConfiguration(
    commandName: "rules",
    abstract: "List the rules of lint.",
    discussion: """
      Example:
        dmatop rules
      """
  )

  @Option(help: "text, markdown (docs/RULES.md) or json.")
  var format = Format.text

  func run() throws {
    var output = BufferedOutput()
    switch format {
    case .text:
      for rule in Rule.all {
        let name = rule.name + String(repeating: " ", count: max(1, 26 - rule.name.count))
        let severity = rule.severity.rawValue
        let padding = String(repeating: " ", count: max(1, 8 - severity.count))
        output.write("\(rule.id)  \(name)\(severity)\(padding)\(rule.summary)\n")
      }
    case .markdown: output.write(Rule.document)
    case .json:
      var json = JSONWriter(indented: true)
      json.object { json in
        json.pair("schema", "dmatop.rules/1")
        json.key("rules")
        json.array { json in for rule in Rule.all { rule.append(to: &json) } }
      }
      output.write(bytes: json.text.bytes + [0x0a])
    }
  }
}

/// `dmatop explain`
struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Explain a rule: what it means, why it hurts, what to do.",
    discussion: """
      Example:
        dmatop explain DMA003
      """
  )

  @Argument(help: "Ids or names: DMA003, free-size.")
  var rules: [String]

  @Option(help: "text, markdown or json.")
  var format = RulesCommand.Format.text

  func run() throws {
    let found = try rules.map { name -> Rule in
      guard let rule = Rule(named: name) else {
        throw CommandError(
          "there is no rule '\(String(escaping: name.utf8))'; 'dmatop rules' lists them"
        )
      }
      return rule
    }
    var output = BufferedOutput()
    switch format {
    case .text: output.write(found.map(\.text).joined(separator: "\n"))
    case .markdown:
      output.write(found.map { "# \($0.id) \($0.name)\n\n\($0.markdown)" }.joined(separator: "\n"))
    case .json:
      var json = JSONWriter(indented: true)
      json.array { json in for rule in found { rule.append(to: &json) } }
      output.write(bytes: json.text.bytes + [0x0a])
    }
  }
}
