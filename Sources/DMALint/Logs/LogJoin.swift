import DMADebugCore
import DMATrace

/// A kernel log beside a trace of the same run: what the one says is looked up in the other.
///
/// Both clocks count from boot: printk uses `local_clock()`, and so does the trace clock `local`. They
/// may still differ by a little, and printk stamps a fault only when its interrupt was handled; so
/// nothing is concluded from an order of two things less than ``tolerance`` apart without saying so.
public struct LogJoin {
  /// Nanoseconds: what is closer than that may have happened in the other order.
  public static let tolerance: UInt64 = 1_000_000
  /// How far apart a message and the finding of the trace that is the same may be, in nanoseconds.
  public static let messageTolerance: UInt64 = 1_000_000_000
  /// The most records of a log that are kept.
  public static let maximumRecords = 200_000

  /// The log, as findings shall name it.
  public let path: String
  public let summary: TraceSummary
  /// By time.
  private var faults: [LogRecord] = []
  private var nextFault = 0
  private var messages: [LogRecord] = []
  private var sawDebug = false
  private var collector: FindingCollector
  /// Records that were too many.
  public private(set) var omitted: UInt64 = 0
  /// Messages that a finding of the trace repeats.
  public private(set) var repeated: UInt64 = 0
  /// By how much the stamp of such a message was later than the event that it is about, at most, in
  /// nanoseconds. Events that are traced when the call is over come later by what a console takes to
  /// print, which tells nothing; a message that comes later than its event tells of other clocks.
  public private(set) var largestLag: UInt64 = 0
  /// From the first to the last stamp of the log.
  public private(set) var span: ClosedRange<UInt64>?

  /// Reads a log to its end.
  ///
  /// - Throws: ``TraceError`` when it cannot be read.
  public init(_ reader: inout LogReader, path: String) throws(TraceError) {
    self.path = path
    collector = FindingCollector(path: path)
    while let record = try reader.next() {
      if record.isOfDebug { sawDebug = true }
      if record.kind == .note { continue }
      guard faults.count + messages.count < Self.maximumRecords else {
        omitted += 1
        continue
      }
      if record.kind == .iommuFault, record.time != nil, record.device != nil {
        faults.append(record)
      } else {
        messages.append(record)
      }
    }
    summary = reader.summary
    span = reader.timeRange
    faults.sort { ($0.time ?? 0, $0.line) < ($1.time ?? 0, $1.line) }
  }

  /// Whether a fault waits that was printed up to a time.
  @inline(__always)
  public func hasFault(until time: UInt64) -> Bool {
    nextFault < faults.count && (faults[nextFault].time ?? 0) <= time
  }

  /// Looks up the faults that were printed up to a time, in the state at that time.
  ///
  /// - Parameters:
  ///   - trace: the trace, as findings shall name it.
  ///   - range: from its first to its last event so far; `nil` before the first.
  public mutating func takeFaults(
    until time: UInt64,
    _ judge: Judge,
    _ engine: DMADebug,
    _ names: TraceNames,
    trace: String,
    range: ClosedRange<UInt64>?
  ) {
    while hasFault(until: time) {
      let record = faults[nextFault]
      nextFault += 1
      join(record, judge, engine, names, trace, range)
    }
  }

  private mutating func join(
    _ record: LogRecord,
    _ judge: Judge,
    _ engine: DMADebug,
    _ names: TraceNames,
    _ trace: String,
    _ range: ClosedRange<UInt64>?
  ) {
    guard let time = record.time, let device = record.device,
      let address = record.values.dmaAddress
    else { return }
    var record = record
    let id = Self.device(device, names)
    if let id, record.driver == nil {
      let driver = judge.driver(of: id) ?? engine.driver(of: id)
      if driver != .unknown { record.driver = names.drivers.string(driver.rawValue) }
    }
    guard let range, range.lowerBound <= time &+ Self.tolerance,
      time <= range.upperBound &+ Self.tolerance
    else {
      collector.add(record, explanation: "printed outside of the time of \(trace)")
      return
    }
    guard let id else {
      collector.add(record, explanation: "\(trace) has no mapping of this device")
      return
    }
    guard let found = judge.mapping(at: address, of: id, engine) else {
      collector.add(
        record,
        explanation: "nothing was mapped there, as far as \(trace) shows"
      )
      return
    }
    let mapping = found.mapping
    var origin = Finding.Origin(
      line: mapping.line,
      time: mapping.time,
      task: mapping.task == NameTable.unknown ? nil : names.tasks.string(mapping.task),
      pid: mapping.pid,
      cpu: UInt32(mapping.cpu),
      site: names.mapSite(of: mapping),
      stack: names.stacks[mapping.stack].map { names.symbols.string($0) },
      dmaAddress: mapping.dmaAddress,
      size: mapping.size,
      direction: mapping.direction,
      type: mapping.type,
      isAdopted: mapping.isAdopted
    )
    origin.path = trace
    if let gone = found.unmapped, gone.time < time { origin.endedBefore = time - gone.time }
    collector.add(
      record,
      origin: origin,
      explanation: Self.explanation(record, mapping, found.unmapped, time)
    )
  }

  private static func explanation(
    _ record: LogRecord,
    _ mapping: Mapping,
    _ unmapped: (time: UInt64, line: UInt64)?,
    _ time: UInt64
  ) -> String {
    let what = "\(mapping.direction.traceName) mapping of \(mapping.size) bytes"
    if let unmapped, time > unmapped.time {
      let distance = time - unmapped.time
      var text =
        "the \(what) there was unmapped \(distance / 1000) µs before, in line \(unmapped.line)"
      if distance < tolerance {
        text += "; the access may have come before that, the stamp of a fault is late"
      }
      return text
    }
    if let unmapped, unmapped.time - time < tolerance {
      return "inside a \(what) that was unmapped at about the same time, in line \(unmapped.line)"
    }
    if time < mapping.time || time - mapping.time < tolerance, !mapping.isAdopted {
      return "a \(what) was made there at about the same time"
    }
    switch (record.values.isWrite, mapping.direction) {
    case (true?, .toDevice): return "the device wrote into a live \(what)"
    case (false?, .fromDevice): return "the device read from a live \(what)"
    default: return "inside a live \(what)"
    }
  }

  /// The device of a trace that a log names, perhaps without its domain.
  private static func device(_ name: String, _ names: TraceNames) -> DeviceID? {
    var bytes = Array(name.utf8)
    if let number = bytes.withUnsafeMutableBufferPointer({
      names.devices.find(UnsafeBufferPointer($0))
    }) {
      return DeviceID(rawValue: number)
    }
    // Some IOMMU drivers do not print the domain of PCI: 0000 was put there.
    guard name.hasPrefix("0000:") else { return nil }
    let tail = bytes.dropFirst(4)
    var found: UInt32?
    for number in 0..<UInt32(min(names.devices.count, 1 << 16)) {
      let known = names.devices[number]
      guard known.count >= bytes.count, known.suffix(tail.count).elementsEqual(tail) else {
        continue
      }
      if found != nil { return nil }
      found = number
    }
    return found.map { DeviceID(rawValue: $0) }
  }

  /// Takes the messages out that findings of the trace repeat, gives those findings the stacks of the
  /// log, and makes a result of the rest.
  public mutating func finish(_ trace: inout LintResult) -> LintResult {
    // Findings by rule, device and words; each may stand for as many messages as it counts.
    var byWords: [String: [Int]] = [:]
    var byDevice: [String: [Int]] = [:]
    var room: [UInt64] = trace.findings.map(\.count)
    for (index, finding) in trace.findings.enumerated() {
      guard let device = finding.device else { continue }
      byWords[Self.key(finding.rule, device, finding.message), default: []].append(index)
      if finding.count > 1 {
        byDevice[Self.key(finding.rule, device, ""), default: []].append(index)
      }
    }
    for record in messages {
      guard let rule = Rule(record.kind), let device = record.device, let time = record.time else {
        collector.add(record)
        continue
      }
      func nearest(_ candidates: [Int]?) -> Int? {
        candidates?.filter {
          room[$0] > 0 && Self.distance(trace.findings[$0].time, time) <= Self.messageTolerance
        }.min {
          Self.distance(trace.findings[$0].time, time)
            < Self.distance(trace.findings[$1].time, time)
        }
      }
      guard
        let index = nearest(byWords[Self.key(rule, device, record.message)])
          ?? nearest(byDevice[Self.key(rule, device, "")])
      else {
        collector.add(record)
        continue
      }
      room[index] -= 1
      repeated += 1
      let event = trace.findings[index].time
      if time > event { largestLag = max(largestLag, time - event) }
      Self.complete(&trace.findings[index], record)
    }
    var result = LintResult.result(of: collector, summary, sawDebug: sawDebug, name: path)
    result.omitted += omitted
    return result
  }

  private static func key(_ rule: Rule, _ device: String, _ message: String) -> String {
    "\(rule.id)\n\(device)\n\(message)"
  }

  private static func distance(_ a: UInt64, _ b: UInt64) -> UInt64 { a > b ? a - b : b - a }

  /// The stacks that the log knows and the trace does not. What the fingerprint is made of stays: the
  /// finding is the same with and without a log.
  private static func complete(_ finding: inout Finding, _ record: LogRecord) {
    if finding.stack.isEmpty { finding.stack = record.stack }
    if var origin = finding.origin, origin.stack.isEmpty, !record.mappedAt.isEmpty {
      origin.stack = record.mappedAt
      finding.origin = origin
    }
  }
}
