// SPDX-License-Identifier: MIT
import DMADebugCore

/// Several captures of one run as one: their events in the order of time.
///
/// Clocks must be the same; the captures may be of different kinds, such as the trace of the host's
/// top buffer and those of instances. Names are brought into one set of tables.
public struct MergedReader: TraceReader {
  /// One of the captures.
  private struct Source {
    var reader: any TraceReader
    var batch = EventBatch()
    var next = 0
    var hasEnded = false
    /// Numbers of names here by numbers there.
    var devices: [UInt32] = []
    var drivers: [UInt32] = []
    var tasks: [UInt32] = []
    var symbols: [UInt32] = []
    var exporters: [UInt32] = []
    var timelines: [UInt32] = []
    var channels: [UInt32] = []
    var stacks: [UInt32] = []
  }

  private var sources: [Source]
  public var names = TraceNames()
  public private(set) var summary = TraceSummary()

  /// The paths of the captures, by which damage is told apart; the first goes without saying.
  private let paths: [String]

  /// - Parameters:
  ///   - readers: Readers that have not begun; two or more.
  ///   - paths: their captures; none where all are called the same.
  public init(_ readers: [any TraceReader], paths: [String] = []) {
    sources = readers.map { Source(reader: $0) }
    self.paths = paths
    summary.dialect = "\(readers.count) captures merged"
  }

  public var progress: (read: UInt64, total: UInt64?) {
    var read: UInt64 = 0
    var total: UInt64? = 0
    for source in sources {
      let part = source.reader.progress
      read += part.read
      total = total.flatMap { sum in part.total.map { sum + $0 } }
    }
    return (read, total)
  }

  public var liveDescriptor: Int32? { nil }

  public mutating func read(into batch: inout EventBatch) throws(TraceError) -> Bool {
    batch.removeAll()
    while !TextDecoder.isFull(batch) {
      var best: Int?
      for index in sources.indices {
        guard try fill(index) else { continue }
        let time = sources[index].batch.events[sources[index].next].time
        if let other = best, sources[other].batch.events[sources[other].next].time <= time {
          continue
        }
        best = index
      }
      guard let best else { break }
      take(best, &batch)
    }
    summarise()
    return !batch.events.isEmpty
  }

  /// Makes sure that an event of a source is at hand.
  private mutating func fill(_ index: Int) throws(TraceError) -> Bool {
    while sources[index].next >= sources[index].batch.events.count {
      if sources[index].hasEnded { return false }
      sources[index].next = 0
      var batch = EventBatch()
      swap(&batch, &sources[index].batch)
      if try !sources[index].reader.read(into: &batch) {
        sources[index].hasEnded = true
        batch.removeAll()
      }
      swap(&batch, &sources[index].batch)
    }
    return true
  }

  /// Moves the next event of a source into the batch.
  private mutating func take(_ index: Int, _ batch: inout EventBatch) {
    var event = sources[index].batch.events[sources[index].next]
    sources[index].next += 1
    let start = Int(event.payload)
    if event.kind == .marker {
      event.payload = UInt32(truncatingIfNeeded: batch.text.count)
      let end = start + Int(event.segmentCount)
      batch.text.append(contentsOf: sources[index].batch.text[start..<end])
    } else {
      let words = 2 * Int(event.segmentCount) + Int(event.physicalCount)
      event.payload = UInt32(truncatingIfNeeded: batch.payload.count)
      if words > 0 {
        batch.payload.append(contentsOf: sources[index].batch.payload[start..<start + words])
      }
    }
    event.capture = UInt16(clamping: index)
    translate(&event, index)
    batch.events.append(event)
  }

  // MARK: Names

  private mutating func translate(_ event: inout DMAEvent, _ index: Int) {
    // Asked for its names only when one is new: a copy of all tables for each event would cost more.
    let their = sources[index].reader
    event.device = DeviceID(
      rawValue: Self.number(
        event.device.rawValue,
        their.names.devices,
        &sources[index].devices,
        &names.devices
      )
    )
    event.driver = DriverID(
      rawValue: Self.number(
        event.driver.rawValue,
        their.names.drivers,
        &sources[index].drivers,
        &names.drivers
      )
    )
    event.task = Self.number(event.task, their.names.tasks, &sources[index].tasks, &names.tasks)
    if event.site != NameTable.unknown { translateSite(&event, their, index) }
    if event.stack != StackTable.none { translateStack(&event, their, index) }
  }

  private mutating func translateSite(
    _ event: inout DMAEvent,
    _ their: any TraceReader,
    _ index: Int
  ) {
    let site = event.site
    if event.kind.isBuffer {
      event.site = Self.number(
        site,
        their.names.exporters,
        &sources[index].exporters,
        &names.exporters
      )
    } else if event.kind.isFence {
      event.site = Self.number(
        site,
        their.names.timelines,
        &sources[index].timelines,
        &names.timelines
      )
    } else if event.kind.isChannel {
      event.site = Self.number(
        site,
        their.names.channels,
        &sources[index].channels,
        &names.channels
      )
    } else {
      event.site = Self.number(site, their.names.symbols, &sources[index].symbols, &names.symbols)
    }
  }

  private mutating func translateStack(
    _ event: inout DMAEvent,
    _ their: any TraceReader,
    _ index: Int
  ) {
    let number = Int(event.stack)
    while sources[index].stacks.count <= number { sources[index].stacks.append(.max) }
    if sources[index].stacks[number] == .max {
      var frames: [UInt32] = []
      for frame in their.names.stacks[event.stack] {
        frames.append(
          Self.number(frame, their.names.symbols, &sources[index].symbols, &names.symbols)
        )
      }
      sources[index].stacks[number] = names.stacks.intern(frames)
    }
    event.stack = sources[index].stacks[number]
  }

  private static func number(
    _ number: UInt32,
    _ their: @autoclosure () -> NameTable,
    _ known: inout [UInt32],
    _ table: inout NameTable
  ) -> UInt32 {
    if number == NameTable.unknown || number == NameTable.overflow { return number }
    let place = Int(number)
    while known.count <= place { known.append(.max) }
    if known[place] == .max {
      known[place] = their()[number].withUnsafeBufferPointer { table.intern($0) }
    }
    return known[place]
  }

  // MARK: Summary

  /// The sum of what the captures say of themselves.
  private mutating func summarise() {
    var sum = TraceSummary()
    sum.dialect = summary.dialect
    sum.captures = sources.map(\.reader.summary)
    for (index, source) in sources.enumerated() {
      let part = source.reader.summary
      if part.clock == .ticks { sum.clock = .ticks }
      if sum.kernelRelease == nil { sum.kernelRelease = part.kernelRelease }
      sum.lines &+= part.lines
      sum.events &+= part.events
      sum.dmaEvents &+= part.dmaEvents
      sum.foreignEvents &+= part.foreignEvents
      sum.malformedLines &+= part.malformedLines
      sum.brokenRecords &+= part.brokenRecords
      sum.undecoded &+= part.undecoded
      sum.malformed += part.malformed.prefix(10 - min(10, sum.malformed.count))
      sum.lostEvents &+= part.lostEvents
      sum.overwrittenEvents &+= part.overwrittenEvents
      sum.cutOff = sum.cutOff || part.cutOff
      if sum.damage == nil, let damage = part.damage {
        sum.damage =
          index > 0 && index < paths.count ? "\(displayName(paths[index])): \(damage)" : damage
      }
      sum.isBinary = sum.isBinary || part.isBinary
      sum.sawPhysEvents = sum.sawPhysEvents || part.sawPhysEvents
      sum.sawPageEvents = sum.sawPageEvents || part.sawPageEvents
      sum.sawBufferTracepoints = sum.sawBufferTracepoints || part.sawBufferTracepoints
      sum.sawStacks = sum.sawStacks || part.sawStacks
      sum.sawMapErrorHook = sum.sawMapErrorHook || part.sawMapErrorHook
    }
    summary = sum
  }
}
