// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

/// A kernel log beside a trace of the same run: what the one says is looked up in the other.
///
/// Both clocks count from boot: printk uses `local_clock()`, and so does the trace clock `local`. They
/// may still differ by a little, and printk stamps a fault only when its interrupt was handled; so
/// nothing is concluded from an order of two things less than ``tolerance`` apart without saying so.
public struct LogJoin {
  /// Nanoseconds: what is closer than that may have happened in the other order.
  public static let tolerance = DMA117.tolerance
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

  /// A trace that a log is held against.
  struct Trace {
    /// Its captures, as findings name them.
    var captures: [String]
    /// From its first to its last event so far; `nil` before the first.
    var range: ClosedRange<UInt64>?

    /// All of it, in messages.
    var name: String { captures.joined(separator: ", ") }

    /// The capture that something is in.
    func name(of capture: UInt16) -> String {
      Int(capture) < captures.count ? captures[Int(capture)] : name
    }
  }

  /// Looks up the faults that were printed up to a time, in the state at that time.
  mutating func takeFaults(until time: UInt64, _ context: inout LintContext, of trace: Trace) {
    while hasFault(until: time) {
      let record = faults[nextFault]
      nextFault += 1
      join(record, &context, trace)
    }
  }

  private mutating func join(
    _ record: LogRecord,
    _ context: inout LintContext,
    _ trace: Trace
  ) {
    guard let time = record.time, let device = record.device,
      let address = record.values.dmaAddress
    else { return }
    var record = record
    let names = context.names
    let id = Self.device(device, names)
    if let id, record.driver == nil {
      let driver = context.driver(of: id)
      if driver != .unknown { record.driver = names.drivers.string(driver.rawValue) }
    }
    guard let range = trace.range, range.lowerBound <= time &+ Self.tolerance,
      time <= range.upperBound &+ Self.tolerance
    else {
      collector.add(record, explanation: "printed outside of the time of \(trace.name)")
      return
    }
    guard let id else {
      collector.add(record, explanation: "\(trace.name) has no mapping of this device")
      return
    }
    let content = context.content(at: address, of: id)
    var origin: Finding.Origin?
    switch content {
    case .live(let mapping)?:
      origin = Finding.Origin(mapping, names)
      origin?.path = trace.name(of: mapping.capture)
    case .ended(let ended)?:
      origin = ended.mapping.map { Finding.Origin($0, names) }
      origin?.path = ended.mapping.map { trace.name(of: $0.capture) }
      if ended.time < time { origin?.endedBefore = time - ended.time }
    default: break
    }
    collector.add(
      record,
      origin: origin,
      explanation: DMA117.explanation(
        of: record,
        content,
        at: time,
        context,
        trace: trace.name
      )
    )
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

extension LogJoin {
  /// Why a trace and the log may not belong together; `nil` when nothing speaks against it.
  ///
  /// - Parameter range: Of the times of the trace.
  func doubt(_ range: ClosedRange<UInt64>?, _ summary: TraceSummary) -> String? {
    guard let span else { return nil }
    if summary.clock == .ticks {
      return "its clock counts ticks, so nothing of \(displayName(path)) can be found in it;"
        + " record with the trace clock 'local'"
    }
    guard let range else { return nil }
    if span.upperBound < range.lowerBound || span.lowerBound > range.upperBound {
      return
        "its times and those of \(displayName(path)) do not meet: they are of different runs or"
        + " clocks (printk goes with the trace clock 'local')"
    }
    if largestLag > Self.tolerance {
      return
        "messages of \(displayName(path)) have stamps up to \(largestLag / 1000) µs later than what"
        + " they are about: the clocks differ, take what is said about an order with care"
    }
    return nil
  }
}
