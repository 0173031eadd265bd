// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

extension LintResult {
  /// All results as one JSON document.
  public static func json(_ results: [LintResult]) -> [UInt8] {
    var json = JSONWriter(indented: true)
    json.object { json in
      json.pair("schema", "dmatop.lint/1")
      json.key("traces")
      json.array { json in for result in results { result.append(to: &json) } }
      json.key("findings")
      json.array { json in
        for result in results {
          for finding in result.findings { append(finding, to: &json) }
        }
      }
    }
    return json.text.bytes + [0x0a]
  }

  /// A finding in each line.
  static func jsonLines(_ results: [LintResult]) -> [UInt8] {
    var bytes: [UInt8] = []
    for finding in results.flatMap(\.findings) {
      var json = JSONWriter()
      append(finding, to: &json)
      bytes += json.text.bytes + [0x0a]
    }
    return bytes
  }

  private func append(to json: inout JSONWriter) {
    json.object { json in
      json.pair("path", path)
      if kind != .trace { json.pair("kind", kind == .log ? "log" : "dump") }
      json.pair("dialect", summary.dialect)
      json.pair("kernel", kernel)
      json.pair("kernel_origin", kernelOrigin)
      json.pair("clock", summary.clock == .nanoseconds ? "ns" : "ticks")
      json.pair("events", eventCount)
      json.pair("dma_events", summary.dmaEvents)
      json.pair("lost_events", summary.lostEvents)
      json.pair("overwritten_events", summary.overwrittenEvents)
      json.pair("malformed_lines", summary.malformedLines)
      json.key("undecided")
      json.object { json in
        for reason in Undecided.Reason.allCases { json.pair(reason.rawValue, undecided[reason]) }
      }
    }
  }

  private static func append(_ finding: Finding, to json: inout JSONWriter) {
    json.object { json in
      json.pair("rule", finding.rule.id)
      json.pair("name", finding.rule.name)
      json.pair("severity", finding.severity.rawValue)
      json.pair("path", finding.path)
      json.pair("fingerprint", finding.fingerprint)
      json.pair("occurrence", UInt64(finding.occurrence))
      json.pair("suppressed", finding.suppression)
      json.key("baselined")
      json.bool(finding.isBaselined)
      json.pair("event", finding.eventNumber)
      appendPlace(
        finding.line,
        finding.device == nil || !finding.isReplayable && finding.time == 0 ? nil : finding.time,
        finding.task,
        finding.pid,
        finding.device == nil ? nil : finding.cpu,
        &json
      )
      json.pair("device", finding.device)
      json.pair("driver", finding.driver)
      json.pair("message", finding.message)
      json.pair("count", finding.count)
      json.pair("site", finding.site)
      json.key("stack")
      json.array { json in for frame in finding.stack { json.string(frame) } }
      json.key("mapped")
      guard let origin = finding.origin else {
        json.null()
        return
      }
      json.object { json in
        let time = origin.line > 0 ? origin.time : nil
        let cpu = origin.line > 0 ? origin.cpu : nil
        appendPlace(origin.line, time, origin.task, origin.pid, cpu, &json)
        if let path = origin.path { json.pair("path", path) }
        json.pair("site", origin.site)
        json.key("dma_addr")
        if let address = origin.dmaAddress { json.address(address) } else { json.null() }
        json.key("size")
        if let size = origin.size { json.number(size) } else { json.null() }
        json.pair("dir", origin.direction?.traceName.description)
        json.pair("type", origin.type?.kernelName.description)
        json.key("stack")
        json.array { json in for frame in origin.stack { json.string(frame) } }
      }
    }
  }

  private static func appendPlace(
    _ line: UInt64,
    _ time: UInt64?,
    _ task: String?,
    _ pid: Int32,
    _ cpu: UInt32?,
    _ json: inout JSONWriter
  ) {
    json.key("line")
    if line > 0 { json.number(line) } else { json.null() }
    json.key("time_ns")
    if let time { json.number(time) } else { json.null() }
    json.pair("task", task)
    json.key("pid")
    if pid >= 0 { json.number(Int64(pid)) } else { json.null() }
    json.key("cpu")
    if let cpu { json.number(UInt64(cpu)) } else { json.null() }
  }
}
