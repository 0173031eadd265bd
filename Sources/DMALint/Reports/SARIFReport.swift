// SPDX-License-Identifier: MIT
import DMADebugCore

/// SARIF 2.1.0, as code scanning services read it.
enum SARIFReport {
  private static let schema =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
  /// Services keep no more.
  private static let maximumResults = 25_000

  static func render(_ results: [LintResult], _ context: ReportContext) -> [UInt8] {
    var json = JSONWriter(indented: true)
    json.object { json in
      json.pair("$schema", schema)
      json.pair("version", "2.1.0")
      json.key("runs")
      json.array { json in run(results, context, &json) }
    }
    return json.text.bytes + [0x0a]
  }

  private static func run(
    _ results: [LintResult],
    _ context: ReportContext,
    _ json: inout JSONWriter
  ) {
    json.object { json in
      json.key("tool")
      json.object { json in
        json.key("driver")
        json.object { json in
          json.pair("name", "dmatop")
          json.pair("version", LintResult.toolVersion)
          json.pair("semanticVersion", LintResult.toolVersion)
          json.key("rules")
          json.array { json in
            for (rule, level) in context.rules where level != .off { append(rule, level, &json) }
          }
        }
      }
      json.key("automationDetails")
      json.object { json in json.pair("id", "dmatop/\(context.category)") }
      json.pair("columnKind", "unicodeCodePoints")
      json.key("invocations")
      json.array { json in
        json.object { json in
          json.key("executionSuccessful")
          json.bool(context.failures.isEmpty)
          json.key("toolExecutionNotifications")
          json.array { json in notifications(results, context, &json) }
        }
      }
      json.key("results")
      json.array { json in
        let enabled = context.rules.filter { $0.level != .off }.map(\.rule.id)
        for finding in results.flatMap(\.findings).prefix(maximumResults) {
          append(finding, enabled.firstIndex(of: finding.rule.id), context, &json)
        }
      }
    }
  }

  private static func notifications(
    _ results: [LintResult],
    _ context: ReportContext,
    _ json: inout JSONWriter
  ) {
    func notify(_ level: String, _ text: String, _ json: inout JSONWriter) {
      json.object { json in
        json.pair("level", level)
        json.key("message")
        json.object { json in json.pair("text", String(escaping: text.utf8)) }
      }
    }
    for failure in context.failures {
      notify("error", "\(failure.path): \(failure.reason)", &json)
    }
    for result in results {
      if result.summary.lostEvents > 0 {
        notify("warning", "\(result.path): \(result.summary.lostEvents) events were lost", &json)
      }
      if result.undecided.total > 0 {
        notify("note", "\(result.path): \(result.undecided.total) calls are undecided", &json)
      }
      if result.omitted > 0 {
        notify("warning", "\(result.path): \(result.omitted) findings more were not kept", &json)
      }
    }
  }

  private static func append(
    _ rule: Rule,
    _ level: LintConfiguration.Level,
    _ json: inout JSONWriter
  ) {
    json.object { json in
      json.pair("id", rule.id)
      // Viewers want names without blanks and signs.
      json.pair("name", rule.name.split(separator: "-").map(\.capitalizedFirst).joined())
      json.key("shortDescription")
      json.object { json in json.pair("text", rule.summary) }
      json.key("fullDescription")
      json.object { json in json.pair("text", rule.why) }
      json.key("help")
      json.object { json in
        json.pair("text", rule.text)
        json.pair("markdown", rule.markdown)
      }
      json.key("defaultConfiguration")
      json.object { json in json.pair("level", level.rawValue) }
      json.key("properties")
      json.object { json in
        json.key("tags")
        json.array { json in
          json.string("dma")
          json.string(rule.id.hasPrefix("TRC") ? "evidence" : "kernel")
        }
        json.pair("precision", precision(rule.precision))
        json.pair(
          "problem.severity",
          rule.severity == .note ? "recommendation" : rule.severity.rawValue
        )
      }
    }
  }

  private static func precision(_ precision: Precision) -> String {
    switch precision {
    case .proved: "very-high"
    case .strong: "high"
    case .hint: "medium"
    }
  }

  private static func append(
    _ finding: Finding,
    _ ruleIndex: Int?,
    _ context: ReportContext,
    _ json: inout JSONWriter
  ) {
    json.object { json in
      json.pair("ruleId", finding.rule.id)
      if let ruleIndex { json.pair("ruleIndex", UInt64(ruleIndex)) }
      json.pair("level", finding.severity.rawValue)
      json.key("message")
      json.object { json in
        json.pair("text", "\(finding.headline).\n\(finding.command)")
      }
      json.key("locations")
      json.array { json in
        json.object { json in
          physical(finding.path, finding.line, context, &json)
          if finding.device != nil { logical(finding, &json) }
        }
      }
      if let origin = finding.origin {
        let place = finding.place(of: origin)
        json.key("relatedLocations")
        json.array { json in
          json.object { json in
            json.pair("id", 1)
            physical(place.path, place.line, context, &json)
            json.key("message")
            json.object { json in json.pair("text", mapped(origin)) }
          }
        }
        json.key("codeFlows")
        json.array { json in flow(finding, origin, context, &json) }
      }
      stacks(finding, &json)
      json.key("partialFingerprints")
      json.object { json in
        json.pair("dmatop/v1", finding.fingerprint)
        json.pair("primaryLocationLineHash", "\(finding.fingerprint):\(finding.occurrence)")
      }
      json.pair("baselineState", finding.isBaselined ? "unchanged" : "new")
      json.key("suppressions")
      json.array { json in
        guard let reason = finding.suppression else { return }
        json.object { json in
          json.pair("kind", "external")
          json.pair("justification", String(escaping: reason.utf8))
        }
      }
    }
  }

  private static func mapped(_ origin: Finding.Origin) -> String {
    String(escaping: origin.words.utf8)
  }

  private static func physical(
    _ path: String,
    _ line: UInt64,
    _ context: ReportContext,
    _ json: inout JSONWriter
  ) {
    json.key("physicalLocation")
    json.object { json in
      json.key("artifactLocation")
      json.object { json in
        json.pair("uri", uri(context.location(path)))
        json.pair("uriBaseId", "%SRCROOT%")
      }
      json.key("region")
      json.object { json in json.pair("startLine", max(line, 1)) }
    }
  }

  private static func logical(_ finding: Finding, _ json: inout JSONWriter) {
    json.key("logicalLocations")
    json.array { json in
      for (name, kind) in [
        (finding.driver, "module"), (finding.device, "object"), (finding.site, "function"),
      ] {
        guard let name else { continue }
        json.object { json in
          json.pair("name", String(escaping: name.utf8))
          json.pair("kind", kind)
        }
      }
    }
  }

  /// From the map to the mistake.
  private static func flow(
    _ finding: Finding,
    _ origin: Finding.Origin,
    _ context: ReportContext,
    _ json: inout JSONWriter
  ) {
    func location(
      _ line: UInt64,
      _ text: String,
      _ json: inout JSONWriter,
      path: String? = nil
    ) {
      json.object { json in
        json.key("location")
        json.object { json in
          physical(path ?? finding.path, line, context, &json)
          json.key("message")
          json.object { json in json.pair("text", text) }
        }
      }
    }
    json.object { json in
      json.key("threadFlows")
      json.array { json in
        json.object { json in
          json.key("locations")
          json.array { json in
            let place = finding.place(of: origin)
            location(place.line, mapped(origin), &json, path: place.path)
            for sync in finding.syncs {
              location(sync.line, String(escaping: sync.text.utf8), &json)
            }
            location(finding.line, finding.headline, &json)
          }
        }
      }
    }
  }

  private static func stacks(_ finding: Finding, _ json: inout JSONWriter) {
    let all = [("mistake", finding.stack), ("mapped", finding.origin?.stack ?? [])]
    guard all.contains(where: { !$0.1.isEmpty }) else { return }
    json.key("stacks")
    json.array { json in
      for (name, frames) in all where !frames.isEmpty {
        json.object { json in
          json.key("message")
          json.object { json in json.pair("text", name) }
          json.key("frames")
          json.array { json in
            for frame in frames {
              json.object { json in
                json.key("location")
                json.object { json in
                  json.key("logicalLocations")
                  json.array { json in
                    json.object { json in
                      json.pair("name", String(escaping: frame.utf8))
                      json.pair("kind", "function")
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  /// A relative reference of RFC 3986.
  private static func uri(_ path: String) -> String {
    var text = ""
    for byte in path.utf8 {
      switch byte {
      case 0x41...0x5a, 0x61...0x7a, 0x30...0x39, 0x2d, 0x2e, 0x2f, 0x5f, 0x7e:
        text.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        text += "%" + (digits.count < 2 ? "0" : "") + digits
      }
    }
    return text
  }
}

extension Substring {
  fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
