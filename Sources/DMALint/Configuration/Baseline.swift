// SPDX-License-Identifier: MIT
import DMADebugCore
import FoundationEssentials

/// Findings that were there when somebody began to lint: they are known, and not held against
/// anybody, as long as they do not become more.
public struct Baseline: Sendable {
  /// One mistake, and how often it is allowed.
  struct Entry: Codable, Sendable {
    var fingerprint: String
    var count: UInt64
    var rule: String
    /// For people who review the file.
    var text: String
  }

  private struct Document: Codable {
    var schema: String
    var findings: [Entry]
  }

  private static let schema = "dmatop.baseline/1"

  private var entries: [Entry]

  /// What is wrong with a file.
  public struct Problem: Error, CustomStringConvertible {
    public let description: String
  }

  /// Reads a file that ``text`` made.
  public init(_ bytes: [UInt8], name: String) throws(Problem) {
    let document: Document
    do {
      document = try JSONDecoder().decode(Document.self, from: Data(bytes))
    } catch {
      throw Problem(description: "\(name): no baseline of dmatop")
    }
    guard document.schema == Self.schema else {
      throw Problem(description: "\(name): no baseline of this version of dmatop")
    }
    entries = document.findings
  }

  /// What was found, as it is to be allowed.
  public init(_ results: [LintResult]) {
    var table: [String: Entry] = [:]
    for finding in results.flatMap(\.findings) where finding.suppression == nil {
      var entry =
        table[finding.fingerprint]
        ?? Entry(
          fingerprint: finding.fingerprint,
          count: 0,
          rule: finding.rule.id,
          text: Self.text(finding)
        )
      entry.count += 1
      table[finding.fingerprint] = entry
    }
    entries = table.values.sorted { ($0.rule, $0.fingerprint) < ($1.rule, $1.fingerprint) }
  }

  private static func text(_ finding: Finding) -> String {
    [finding.driver, finding.device, finding.site, finding.rule.summary].compactMap { $0 }
      .joined(separator: " ")
  }

  /// The file.
  public var text: [UInt8] {
    var json = JSONWriter(indented: true)
    json.object { json in
      json.pair("schema", Self.schema)
      json.key("findings")
      json.array { json in
        for entry in entries {
          json.object { json in
            json.pair("fingerprint", entry.fingerprint)
            json.pair("count", entry.count)
            json.pair("rule", entry.rule)
            json.pair("text", entry.text)
          }
        }
      }
    }
    return json.text.bytes + [0x0a]
  }

  public var count: Int { entries.count }

  /// Marks what is allowed.
  ///
  /// - Returns: what is allowed but was not found, as text.
  public func apply(_ results: inout [LintResult]) -> [String] {
    var left: [String: UInt64] = [:]
    for entry in entries { left[entry.fingerprint, default: 0] += entry.count }
    for result in results.indices {
      for finding in results[result].findings.indices {
        let known = results[result].findings[finding]
        guard known.suppression == nil, let count = left[known.fingerprint], count > 0 else {
          continue
        }
        left[known.fingerprint] = count - 1
        results[result].findings[finding].isBaselined = true
      }
    }
    return entries.filter { (left[$0.fingerprint] ?? 0) >= $0.count }
      .map { "\($0.rule) \($0.text)" }
  }

  /// Without what is no longer found; nothing is added.
  public func pruned(by results: [LintResult]) -> Baseline {
    var found: [String: UInt64] = [:]
    for finding in results.flatMap(\.findings) { found[finding.fingerprint, default: 0] += 1 }
    var pruned = self
    pruned.entries = entries.compactMap { entry in
      guard let count = found[entry.fingerprint] else { return nil }
      var kept = entry
      kept.count = min(kept.count, count)
      return kept
    }
    return pruned
  }
}
