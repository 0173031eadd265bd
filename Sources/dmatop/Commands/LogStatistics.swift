// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAExport
import DMALint
import DMATrace

/// What `dmatop stat` shows of a kernel log: how often each rule, by driver and device.
struct LogStatistics {
  /// Devices beyond these are counted together: a log must not be able to fill memory.
  private static let maximumDevices = 10_000

  private struct Place: Hashable {
    var driver: String
    var device: String
  }

  private struct Counts {
    var rules: [String: UInt64] = [:]
    var total: UInt64 { rules.values.reduce(0, +) }

    mutating func add(_ rule: String) { rules[rule, default: 0] += 1 }
  }

  let path: String
  private let summary: TraceSummary
  private var all = Counts()
  private var places: [Place: Counts] = [:]
  private var notes: UInt64 = 0
  private var first: UInt64?
  private var last: UInt64 = 0

  /// Reads a log to its end.
  init(path: String, _ reader: inout LogReader) throws(TraceError) {
    self.path = path
    while let record = try reader.next() {
      guard let rule = Rule(record.kind) else {
        notes += 1
        continue
      }
      if let time = record.time {
        first = min(first ?? time, time)
        last = max(last, time)
      }
      all.add(rule.id)
      guard let device = record.device else { continue }
      var place = Place(driver: record.driver ?? "?", device: device)
      if places[place] == nil, places.count >= Self.maximumDevices {
        place = Place(driver: "(others)", device: "(too many)")
      }
      places[place, default: Counts()].add(rule.id)
    }
    summary = reader.summary
  }

  private var sortedPlaces: [(place: Place, counts: Counts)] {
    places.map { ($0.key, $0.value) }.sorted { a, b in
      (a.0.driver, a.0.device) < (b.0.driver, b.0.device)
    }
  }

  private var span: UInt64 { first.map { last - $0 } ?? 0 }

  /// Rules that occur, by id.
  private func rules(_ counts: Counts) -> [(rule: Rule, count: UInt64)] {
    Rule.all.compactMap { rule in counts.rules[rule.id].map { (rule, $0) } }
  }

  func lines() -> [String] {
    var lines = [
      "log       \(displayName(path)), \(summary.dialect)",
      "kernel    " + (summary.kernelRelease.map { String(escaping: $0.utf8) } ?? "?"),
      "lines     \(summary.lines); \(all.total) messages about DMA over \(Self.duration(span)),"
        + " \(notes) other lines of dma-debug",
    ]
    if summary.lostEvents > 0 { lines.append("lost      \(summary.lostEvents) messages or more") }
    var table = TextTable([("COUNT", true), ("RULE", false), ("NAME", false), ("MEANING", false)])
    for (rule, count) in rules(all) {
      table.add([String(count), rule.id, rule.name, rule.summary])
    }
    if !table.isEmpty { lines += [""] + table.lines() }
    var devices = TextTable([
      ("DRIVER", false), ("DEVICE", false), ("COUNT", true), ("RULES", false),
    ])
    for (place, counts) in sortedPlaces {
      devices.add([
        String(escaping: place.driver.utf8), String(escaping: place.device.utf8),
        String(counts.total),
        rules(counts).map { $0.count > 1 ? "\($0.rule.id) x\($0.count)" : $0.rule.id }
          .joined(separator: ", "),
      ])
    }
    if !devices.isEmpty { lines += [""] + devices.lines() }
    return lines
  }

  private static func duration(_ nanoseconds: UInt64) -> String {
    var text = TextBuffer()
    text.append(decimal: nanoseconds / 1_000_000_000)
    text.append(".")
    text.append(decimal: nanoseconds / 1_000_000 % 1000, digits: 3)
    text.append(" s")
    return text.string
  }

  func json() -> [UInt8] {
    var json = JSONWriter(indented: true)
    json.object { json in
      json.pair("schema", "dmatop.logstat/1")
      json.pair("log", path)
      json.pair("dialect", summary.dialect)
      json.pair("kernel", summary.kernelRelease)
      json.pair("lines", summary.lines)
      json.pair("messages", all.total)
      json.pair("other_lines", notes)
      json.pair("lost_messages", summary.lostEvents)
      json.pair("span_ns", span)
      json.key("rules")
      append(all, to: &json)
      json.key("devices")
      json.array { json in
        for (place, counts) in sortedPlaces {
          json.object { json in
            json.pair("driver", place.driver)
            json.pair("device", place.device)
            json.pair("messages", counts.total)
            json.key("rules")
            append(counts, to: &json)
          }
        }
      }
    }
    return json.text.bytes + [0x0a]
  }

  private func append(_ counts: Counts, to json: inout JSONWriter) {
    let rules = rules(counts)
    json.array { json in
      for (rule, count) in rules {
        json.object { json in
          json.pair("rule", rule.id)
          json.pair("name", rule.name)
          json.pair("count", count)
        }
      }
    }
  }
}
