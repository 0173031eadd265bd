// SPDX-License-Identifier: MIT
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
  /// What a finding is called after that is in no capture of several.
  let path: String
  /// The captures of one run, as findings name them.
  private let captures: [String]
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
    self.init(captures: [path])
  }

  /// - Parameter captures: Those of one run, in the order of ``DMAEvent/capture``, as findings shall
  ///   name them. At least one.
  init(captures: [String]) {
    self.captures = captures
    path = captures[0]
  }

  private func path(_ capture: UInt16) -> String {
    Int(capture) < captures.count ? captures[Int(capture)] : path
  }

  /// The other side of a mistake that an event shows.
  private func origin(_ mapping: Mapping, of event: DMAEvent, _ names: TraceNames) -> Finding.Origin
  {
    var origin = Finding.Origin(mapping, names)
    if mapping.capture != event.capture { origin.path = path(mapping.capture) }
    return origin
  }

  /// Takes in a report; names must be those of the reader that made its event.
  public mutating func add(
    _ report: Report,
    _ names: TraceNames,
    _ generation: KernelGeneration
  ) {
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

  /// Takes in what a check beyond the kernel says.
  ///
  /// - Parameters:
  ///   - driver: Of the device.
  ///   - eventNumber: Events applied so far.
  mutating func add(
    _ verdict: Verdict,
    driver: DriverID,
    eventNumber: UInt64,
    _ names: TraceNames
  ) {
    let event = verdict.event
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
        path: path(event.capture),
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
        origin: verdict.mapping.map { origin($0, of: event, names) },
        subject: verdict.subject,
        eventNumber: eventNumber,
        capture: Int(event.capture)
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
      path: path(event.capture),
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
      origin: report.mapping.map { origin($0, of: event, names) },
      subject: .of(report.mapping, report.device, names),
      eventNumber: report.eventNumber + 1,
      capture: Int(event.capture)
    )
  }

  static func frames(_ stack: UInt32, _ names: TraceNames) -> [String] {
    names.stacks[stack].map { names.symbols.string($0) }
  }

  /// Adds a finding about a capture.
  ///
  /// - Parameter capture: Which of several.
  mutating func add(
    _ rule: Rule,
    _ message: String,
    count: UInt64 = 1,
    line: UInt64 = 0,
    capture: Int = 0
  ) {
    findings.append(
      Finding(
        rule: rule,
        severity: rule.severity,
        path: path(UInt16(clamping: capture)),
        line: line,
        time: 0,
        task: nil,
        pid: -1,
        cpu: 0,
        device: nil,
        driver: nil,
        message: message,
        count: count,
        capture: capture
      )
    )
  }

  /// The findings by capture and line, then by rule.
  public var sorted: [Finding] {
    findings.enumerated().sorted { a, b in
      (a.element.capture, a.element.line, a.element.rule.id, a.offset)
        < (b.element.capture, b.element.line, b.element.rule.id, b.offset)
    }.map(\.element)
  }
}
