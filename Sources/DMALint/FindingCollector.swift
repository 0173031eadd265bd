import DMADebugCore
import DMATrace

/// Turns the reports of the engine into findings.
///
/// A report is a message, a finding is a mistake: what dma-debug says several times about one call
/// (a message for each segment of a list) is one finding with a count.
public struct FindingCollector {
  /// Findings beyond these are counted only: a trace must not be able to fill memory.
  public static let maximumFindings = 20_000

  public private(set) var findings: [Finding] = []
  /// Findings that were not kept.
  public private(set) var omitted: UInt64 = 0
  let path: String
  /// Findings of rules beyond the kernel by rule, device and sites: one finding for each.
  private var beyond: [BeyondKey: Int] = [:]

  private struct BeyondKey: Hashable {
    var rule: String
    var device: DeviceID
    var stack: UInt32
    var mappedStack: UInt32
  }
  private var lastEvent: UInt64?
  /// Findings of the last event, by position.
  private var ofLastEvent: [(kind: Report.Kind, device: DeviceID, position: Int)] = []
  private var poolGrowth: Int?
  /// Findings of a kernel log by what makes two messages one mistake.
  var ofLog: [LogKey: Int] = [:]

  /// - Parameter path: The capture, as findings shall name it.
  public init(path: String) {
    self.path = path
  }

  /// Takes in a report; names must be those of the reader that made its event.
  ///
  /// - Parameters:
  ///   - other: the mapping that is in the way, where the kernel names only the one that came last.
  ///   - driver: who is to blame, where the kernel has forgotten it.
  public mutating func add(
    _ report: Report,
    _ names: TraceNames,
    _ generation: KernelGeneration,
    other: Mapping? = nil,
    driver: DriverID? = nil
  ) {
    var report = report
    if let other { report.mapping = other }
    if let driver { report.driver = driver }
    guard let rule = Rule(report.kind) else { return }
    if lastEvent != report.eventNumber {
      lastEvent = report.eventNumber
      ofLastEvent.removeAll(keepingCapacity: true)
    }
    if let same = ofLastEvent.first(where: { $0.kind == report.kind && $0.device == report.device })
    {
      findings[same.position].count += 1
      return
    }
    if report.kind == .poolGrown, let position = poolGrowth {
      findings[position].count += 1
      return
    }
    if report.kind == .poolGrown { poolGrowth = findings.count }
    guard hasRoom() else { return }
    ofLastEvent.append((report.kind, report.device, findings.count))
    findings.append(finding(rule, report, names, generation))
  }

  /// Adds a finding, unless there are too many.
  ///
  /// - Returns: Its position.
  mutating func append(_ finding: Finding) -> Int? {
    guard hasRoom() else { return nil }
    findings.append(finding)
    return findings.count - 1
  }

  /// Changes a finding that was added before.
  mutating func change(_ position: Int, _ body: (inout Finding) -> Void) {
    body(&findings[position])
  }

  private mutating func hasRoom() -> Bool {
    if findings.count < Self.maximumFindings { return true }
    omitted += 1
    return false
  }

  /// Takes in a mistake beyond the kernel's rules.
  public mutating func add(
    _ verdict: Judge.Verdict,
    by judge: Judge,
    _ engine: DMADebug,
    _ names: TraceNames
  ) {
    let event = verdict.event
    let driver = judge.driver(of: event.device) ?? engine.driver(of: event.device)
    let key = BeyondKey(
      rule: verdict.rule.id,
      device: event.device,
      stack: event.stack,
      mappedStack: verdict.mapping?.stack ?? StackTable.none
    )
    if let position = beyond[key] {
      findings[position].count += verdict.count
      return
    }
    guard hasRoom() else { return }
    beyond[key] = findings.count
    findings.append(
      Finding(
        rule: verdict.rule,
        severity: verdict.rule.severity,
        path: path,
        line: event.line,
        time: event.time,
        task: event.task == NameTable.unknown ? nil : names.tasks.string(event.task),
        pid: event.pid,
        cpu: event.cpu,
        device: event.device == .unknown ? nil : names.devices.string(event.device.rawValue),
        driver: event.device == .unknown
          ? nil : names.drivers.string(driver.rawValue),
        message: verdict.message,
        count: verdict.count,
        site: names.callSite(stack: event.stack),
        stack: Self.frames(event.stack, names),
        origin: verdict.mapping.map { origin($0, names) },
        eventNumber: engine.eventCount
      )
    )
  }

  private func finding(
    _ rule: Rule,
    _ report: Report,
    _ names: TraceNames,
    _ generation: KernelGeneration
  ) -> Finding {
    var words = TextBuffer()
    KernelMessage.append(words: report, generation, to: &words)
    let event = report.event
    return Finding(
      rule: rule,
      severity: rule.severity,
      path: path,
      line: event.line,
      time: event.time,
      task: event.task == NameTable.unknown ? nil : names.tasks.string(event.task),
      pid: event.pid,
      cpu: event.cpu,
      device: report.device == .unknown ? nil : names.devices.string(report.device.rawValue),
      driver: report.device == .unknown ? nil : names.drivers.string(report.driver.rawValue),
      message: words.string,
      site: names.callSite(stack: event.stack),
      stack: Self.frames(event.stack, names),
      origin: report.mapping.map { origin($0, names) },
      eventNumber: report.eventNumber + 1
    )
  }

  private func origin(_ mapping: Mapping, _ names: TraceNames) -> Finding.Origin {
    Finding.Origin(
      line: mapping.line,
      time: mapping.time,
      task: mapping.task == NameTable.unknown ? nil : names.tasks.string(mapping.task),
      pid: mapping.pid,
      cpu: UInt32(mapping.cpu),
      site: names.mapSite(of: mapping),
      stack: Self.frames(mapping.stack, names),
      dmaAddress: mapping.dmaAddress,
      size: mapping.size,
      direction: mapping.direction,
      type: mapping.type,
      isAdopted: mapping.isAdopted
    )
  }

  private static func frames(_ stack: UInt32, _ names: TraceNames) -> [String] {
    names.stacks[stack].map { names.symbols.string($0) }
  }

  /// Adds what is to be said of the capture itself.
  public mutating func add(_ summary: TraceSummary) {
    if summary.lostEvents > 0 {
      add(
        .lostEvents,
        "the tracer lost \(summary.lostEvents) events or more; what they would "
          + "have shown is undecided",
        count: summary.lostEvents
      )
    }
    if summary.overwrittenEvents > 0 {
      add(
        .overwritten,
        "\(summary.overwrittenEvents) events were overwritten before the capture "
          + "was saved; use a larger trace buffer",
        count: summary.overwrittenEvents
      )
    }
    if summary.dmaEvents == 0, summary.damage == nil {
      add(.noDMAEvents, "the trace has no dma events: record with `trace-cmd record -e dma`")
    }
    if summary.malformedLines > 0 {
      let lines = summary.malformedLines
      let thing = summary.isBinary ? "record" : "line"
      let first =
        summary.malformed.first.map { ", first \(thing) \($0.line): \($0.reason)" } ?? ""
      add(
        .malformed,
        "\(lines) \(thing)s could not be understood\(first)",
        count: lines,
        line: summary.malformed.first?.line ?? 0
      )
    }
    if summary.cutOff {
      add(.cutOff, "the last line is cut off", line: summary.lines)
    }
  }

  mutating func add(_ rule: Rule, _ message: String, count: UInt64 = 1, line: UInt64 = 0) {
    findings.append(
      Finding(
        rule: rule,
        severity: rule.severity,
        path: path,
        line: line,
        time: 0,
        task: nil,
        pid: -1,
        cpu: 0,
        device: nil,
        driver: nil,
        message: message,
        count: count
      )
    )
  }

  /// The findings by line, then by rule.
  public var sorted: [Finding] {
    findings.enumerated().sorted { a, b in
      (a.element.line, a.element.rule.id, a.offset) < (b.element.line, b.element.rule.id, b.offset)
    }.map(\.element)
  }
}
