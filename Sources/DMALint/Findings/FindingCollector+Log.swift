// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

/// What makes two messages of a log one mistake: one that is made again and again is one finding.
struct LogKey: Hashable {
  var rule: String
  var driver: String?
  var device: String?
  var site: String?
  var mapSite: String?
  var type: MappingType?
  var direction: Direction?
  /// The words without addresses, where no stack tells mistakes of one kind apart.
  var words: String
}

extension FindingCollector {
  /// Takes in a record of a kernel log.
  ///
  /// - Parameters:
  ///   - origin: the mapping behind it, when something better than the log tells.
  ///   - explanation: what is to be said behind the kernel's words.
  public mutating func add(
    _ record: LogRecord,
    origin: Finding.Origin? = nil,
    explanation: String? = nil
  ) {
    guard let rule = Rule(record.kind) else { return }
    let type = origin?.type ?? record.mappedType
    let direction = origin?.direction ?? record.values.mappedDirection
    let mapSite = origin?.site ?? record.mapSite
    // What stacks tell apart needs no words.
    var words = record.kind == .report(.poolGrown) ? "" : Self.withoutAddresses(record.message)
    if record.site != nil { words = words.filter { !$0.isNumber } }
    words += explanation.map { $0.filter { !$0.isNumber } } ?? ""
    let key = LogKey(
      rule: rule.id,
      driver: record.driver,
      device: record.device,
      site: record.site.map(Self.function),
      mapSite: mapSite.map(Self.function),
      type: type,
      direction: direction,
      words: words
    )
    if let position = ofLog[key] {
      change(position) { $0.count += 1 }
      return
    }
    var known = origin
    if known == nil, !record.mappedAt.isEmpty || type != nil || direction != nil {
      known = Finding.Origin(
        line: 0,
        time: 0,
        task: nil,
        pid: -1,
        cpu: nil,
        site: record.mapSite,
        stack: record.mappedAt,
        dmaAddress: record.values.dmaAddress,
        size: record.values.mappedSize ?? record.values.size,
        direction: direction,
        type: type
      )
    }
    var finding = Finding(
      rule: rule,
      severity: rule.severity,
      path: path,
      line: record.line,
      time: record.time ?? record.wallTime ?? 0,
      task: record.task,
      pid: record.pid,
      cpu: record.cpu,
      device: record.device,
      driver: record.driver,
      message: record.message + (explanation.map { ": " + $0 } ?? ""),
      site: record.site,
      stack: record.stack,
      origin: known,
      subject: record.device.map { .device(name: $0) } ?? .trace
    )
    finding.isReplayable = false
    if let position = append(finding) { ofLog[key] = position }
  }

  /// A function without the offset in it.
  private static func function(_ site: String) -> String {
    String(site.prefix { $0 != "+" })
  }

  /// A message without what is another in each run.
  private static func withoutAddresses(_ message: String) -> String {
    var words: [UInt8] = []
    var bytes = Array(message.utf8)[...]
    while let byte = bytes.first {
      if bytes.starts(with: "0x".utf8) {
        bytes = bytes.dropFirst(2).drop { $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x61 && $0 <= 0x66 }
        words += "0x".utf8
      } else {
        words.append(byte)
        bytes = bytes.dropFirst()
      }
    }
    return String(decoding: words, as: UTF8.self)
  }
}
