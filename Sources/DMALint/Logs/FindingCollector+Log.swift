import DMADebugCore
import DMATrace

extension Rule {
  /// The rule for a message of a kernel log; `nil` for lines that are no finding.
  public init?(_ kind: LogRecord.Kind) {
    switch kind {
    case .report(let kind): self.init(kind)
    case .cpuTouch: self = .cpuTouchesMapped
    case .trackingOutOfMemory: self = .outOfMemory
    case .iommuFault: self = .iommuFault
    case .swiotlbFull: self = .swiotlbFull
    case .note: return nil
    }
  }
}

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
    var words = rule == .poolGrown ? "" : Self.withoutAddresses(record.message)
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
      origin: known
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

  /// Adds what is to be said of a log itself.
  ///
  /// - Parameter sawDebug: dma-debug has said something in it, if only that it is there.
  mutating func add(logSummary summary: TraceSummary, sawDebug: Bool) {
    if summary.lostEvents > 0 {
      add(
        .lostEvents,
        "the kernel kept back \(summary.lostEvents) messages; what they would have said is unknown",
        count: summary.lostEvents
      )
    }
    if !sawDebug {
      add(
        .noDMAEvents,
        "the log has no line of dma-debug (`DMA-API:`): was CONFIG_DMA_API_DEBUG on, and is it the"
          + " whole log?"
      )
    }
  }
}

extension LintResult {
  /// Lints a kernel log: each mistake that the kernel names is a finding, however often it does.
  ///
  /// - Parameters:
  ///   - reader: a log of which nothing was read yet.
  ///   - name: the capture, as findings shall name it.
  ///   - visit: called with each record, to show how far it is.
  /// - Throws: ``TraceError`` when the log cannot be read.
  public static func linted(
    _ reader: inout LogReader,
    name: String,
    _ visit: (LogRecord, LogReader) -> Void = { _, _ in }
  ) throws(TraceError) -> LintResult {
    var collector = FindingCollector(path: name)
    var sawDebug = false
    while let record = try reader.next() {
      if record.isOfDebug { sawDebug = true }
      collector.add(record)
      visit(record, reader)
    }
    return result(of: collector, reader.summary, sawDebug: sawDebug, name: name)
  }

  /// The result of a log whose records a collector has taken in.
  static func result(
    of collector: FindingCollector,
    _ summary: TraceSummary,
    sawDebug: Bool,
    name: String
  ) -> LintResult {
    var collector = collector
    collector.add(logSummary: summary, sawDebug: sawDebug)
    var result = LintResult(
      path: name,
      findings: collector.sorted.map { finding in
        var finding = finding
        finding.isReplayable = false
        return finding
      },
      eventCount: summary.events,
      summary: summary,
      kernel: summary.kernelRelease ?? "?",
      kernelOrigin: summary.kernelRelease == nil ? "the log does not say" : "as the log says",
      undecided: Undecided()
    )
    result.kind = .log
    result.omitted = collector.omitted
    return result
  }
}

extension LogRecord {
  /// Whether dma-debug said it.
  var isOfDebug: Bool { kind != .iommuFault && kind != .swiotlbFull }
}
