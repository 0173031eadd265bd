// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

/// How a trace is replayed: the boot parameters of the kernel, and what stands beside the trace.
public struct ReplayOptions: Sendable {
  /// The kernel to mirror; `nil` to find out from the trace.
  public var generation: KernelGeneration?
  /// `dma_debug_entries=`
  public var entries: UInt32 = 65536
  /// `dma_debug_driver=`
  public var driverFilter = ""
  /// `dma_debug=off`
  public var isOff = false
  /// `all_errors` at boot.
  public var allErrors: UInt32 = 0
  /// `num_errors` at boot.
  public var numErrors: UInt32 = 1
  /// Bytes that the machine's DMA needs to have for itself; below 64 as on x86.
  public var dmaAlignment: UInt64 = 1
  /// The trace begins at boot.
  public var isComplete = false
  /// What `--devices` said.
  public var devices: DeviceTable?
  /// A dump that was saved just before the first event: what was mapped then.
  public var startDump: MappingDump?

  public init() {}

  /// The configuration of an engine.
  public func configuration(_ generation: KernelGeneration) -> Configuration {
    var configuration = Configuration(generation: generation)
    configuration.entries = entries
    configuration.driverFilter = Array(driverFilter.utf8)
    configuration.isOff = isOff
    configuration.allErrors = allErrors
    configuration.numErrors = numErrors
    configuration.dmaAlignment = dmaAlignment
    configuration.isComplete = isComplete
    return configuration
  }
}

/// Why a kernel generation was picked.
public enum GenerationOrigin: Sendable, Equatable {
  /// The user asked for it.
  case asked
  /// The trace states the release.
  case stated(String)
  /// The trace has events that only such kernels have.
  case recognised
  /// Only such kernels print a dump as the one beside the trace.
  case dump
  /// Nothing in the trace says which it was.
  case assumed

  /// In words, for `stat` and `lint`.
  public var description: String {
    switch self {
    case .asked: "as asked"
    case .stated(let release): "the trace states \(release)"
    case .recognised: "recognised by its events"
    case .dump: "recognised by the dump"
    case .assumed: "assumed, nothing in the trace tells"
    }
  }
}

/// A trace on its way through the engine.
public struct Replay {
  /// How many events may be read ahead to find out which kernel it was.
  private static let lookahead: UInt64 = 1 << 17

  private var reader: any TraceReader
  private var waiting: [EventBatch] = []
  private var hasEnded = false
  /// The batch that is being applied, and how far.
  public private(set) var batch = EventBatch()
  private var position = 0
  private var match: TableMatch?

  /// Whether a device of the table beside the trace was met so far; `nil` without a table.
  public var hasMetTable: Bool? { match?.isMet }

  /// The state. Lent, not copied: whoever keeps it makes the next event copy what it changes.
  public var engine: DMADebug {
    @inline(__always) _read { yield state }
  }
  private var state: DMADebug
  public let origin: GenerationOrigin

  /// The time of the last event that was applied.
  public private(set) var time: UInt64 = 0
  /// Markers passed so far, the first few.
  public private(set) var markers: [String] = []

  /// Opens a replay; reads ahead when the kernel has to be found out.
  public init(reader: any TraceReader, options: ReplayOptions) throws(TraceError) {
    var reader = reader
    let start = StartState(options, &reader.names)
    let (generation, origin) = try Self.generation(options, &reader, &waiting, &hasEnded)
    state = DMADebug(options.configuration(generation))
    start.apply(to: &state)
    match = start.match
    self.origin = origin
    self.reader = reader
    waiting.reverse()
  }

  /// Finds out which kernel it was; what was read for it is left in `waiting`.
  static func generation<Reader: TraceReader>(
    _ options: ReplayOptions,
    _ reader: inout Reader,
    _ waiting: inout [EventBatch],
    _ hasEnded: inout Bool
  ) throws(TraceError) -> (KernelGeneration, GenerationOrigin) {
    if let generation = options.generation { return (generation, .asked) }
    while true {
      let summary = reader.summary
      if let release = summary.kernelRelease, let stated = KernelGeneration(version: release) {
        return (stated, .stated(release))
      }
      if let dumped = options.startDump?.generation { return (dumped, .dump) }
      if summary.sawPhysEvents || summary.sawBufferTracepoints { return (.linux73, .recognised) }
      if summary.sawPageEvents { return (.linux612, .recognised) }
      if hasEnded || summary.events > lookahead { return (.linux612, .assumed) }
      var batch = EventBatch()
      if try reader.read(into: &batch) { waiting.append(batch) } else { hasEnded = true }
    }
  }

  /// The names met so far.
  public var names: TraceNames { currentNames ?? reader.names }

  /// A copy for the batch at hand. It is given up before the reader goes on, because the reader
  /// would otherwise have to copy its tables to add a name.
  private var currentNames: TraceNames?

  /// Lends state, names and output, without copying any.
  ///
  /// - Parameter body: Must not keep what it gets.
  @inline(__always)
  public mutating func withState<Result>(
    _ body: (EngineView, UnsafePointer<TraceNames?>, EngineOutput) -> Result
  ) -> Result {
    if currentNames == nil { currentNames = reader.names }
    return withUnsafePointer(to: &state) { state in
      withUnsafePointer(to: &currentNames) { body(EngineView(state), $0, output) }
    }
  }

  /// What the reader has learned so far.
  public var summary: TraceSummary { reader.summary }

  /// How many bytes were read, and how many there are when that is known.
  public var progress: (read: UInt64, total: UInt64?) { reader.progress }

  /// Whether everything was applied.
  public var isAtEnd: Bool { hasEnded && waiting.isEmpty && position >= batch.events.count }

  /// Makes sure that there is an event to apply.
  ///
  /// - Returns: `false` at the end of the trace.
  public mutating func fill() throws(TraceError) -> Bool {
    while position >= batch.events.count {
      if let next = waiting.popLast() {
        batch = next
      } else if hasEnded {
        return false
      } else {
        currentNames = nil
        if try !reader.read(into: &batch) {
          hasEnded = true
          batch.removeAll()
          position = 0
          return false
        }
      }
      position = 0
    }
    if currentNames == nil {
      currentNames = reader.names
      match?.look(batch)
    }
    return true
  }

  /// Looks once for more events, of a source that makes them as time passes.
  ///
  /// - Returns: Whether there is something to do now: an event, or the end.
  public mutating func refill() throws(TraceError) -> Bool {
    if position < batch.events.count || !waiting.isEmpty || hasEnded { return true }
    currentNames = nil
    position = 0
    if try !reader.read(into: &batch) {
      hasEnded = true
      batch.removeAll()
      return true
    }
    return !batch.events.isEmpty
  }

  /// The event that ``step()`` will apply. Call ``fill()`` first.
  public var nextEvent: DMAEvent { batch.events[position] }

  /// Applies the next event. Call ``fill()`` first.
  public mutating func step() {
    let event = batch.events[position]
    position += 1
    time = event.time
    output.clear()
    if let currentNames { state.apply(event, in: batch, names: currentNames, to: &output) }
  }

  /// Reads on without applying anything: the state stays what it was, and can only be asked.
  ///
  /// - Returns: the first event that is wanted, or `nil` when none comes.
  /// - Throws: ``TraceError`` when the trace cannot be read.
  public mutating func skip(to isWanted: (DMAEvent) -> Bool) throws(TraceError) -> DMAEvent? {
    while try fill() {
      if let event = batch.events[position...].first(where: isWanted) { return event }
      position = batch.events.count
    }
    return nil
  }

  /// What came of the event that was applied last, or of the end: as much of it as ``collect(_:)``
  /// asked for. The next step clears it.
  public private(set) var output = EngineOutput([])

  /// Says what ``output`` should hold from now on. Call it before the first step: then the mappings
  /// of a saved dump stand in it as changes.
  public mutating func collect(_ content: EngineOutput.Content) {
    output = EngineOutput(content)
    if state.eventCount == 0 { state.noteLiveMappings(to: &output) }
  }

  /// Tells the engine that the trace is over.
  public mutating func finish() {
    output.clear()
    state.finish(names: names, to: &output)
  }

  /// Applies the next event, unless a moment has come.
  ///
  /// - Returns: `false` when the moment has come, or the end. ``lastEvent`` is what was applied.
  /// - Throws: ``TraceError`` when the trace cannot be read.
  public mutating func step(to moment: Moment) throws(TraceError) -> Bool {
    if hasMet || moment == .event(0) {
      hasMet = true
      output.clear()
      return false
    }
    guard try fill() else {
      finish()
      if case .time = moment { hasMet = true }
      if moment == .end { hasMet = true }
      return false
    }
    let event = nextEvent
    if case .time(let text) = moment {
      if timeLimit == nil { timeLimit = Self.timeLimit(text, summary.clock) }
      if let timeLimit, event.time > timeLimit {
        hasMet = true
        output.clear()
        return false
      }
    }
    step()
    switch moment {
    case .end, .time: break
    case .event(let number): hasMet = state.eventCount == number
    case .marker, .snapshot:
      hasMet =
        event.kind == .marker
        && meets(moment, String(decoding: batch.markerText(event), as: UTF8.self))
    }
    return true
  }

  /// The event that was applied last. There must have been one.
  public var lastEvent: DMAEvent { batch.events[position - 1] }

  /// Whether the moment of ``step(to:)`` has come.
  public private(set) var hasMet = false
  private var timeLimit: UInt64?

  /// Where to wait for more events when the next one may not be there yet: a pipe whose bytes were
  /// all used.
  public var waitingDescriptor: Int32? {
    position >= batch.events.count && waiting.isEmpty && !hasEnded ? reader.liveDescriptor : nil
  }

  /// Applies all events up to a moment and calls `visit` after each with what it applied.
  ///
  /// - Returns: Whether the moment was met. A marker or event number behind the end is not.
  /// - Throws: ``TraceError`` when the trace cannot be read.
  public mutating func run(
    to moment: Moment,
    _ visit: (inout Replay, DMAEvent) -> Void
  ) throws(TraceError) -> Bool {
    while try step(to: moment) { visit(&self, lastEvent) }
    return hasMet
  }

  /// Milliseconds after which to look again, when everything that there is was applied and a
  /// source makes more as time passes.
  public var pace: Int? {
    position >= batch.events.count && waiting.isEmpty && !hasEnded ? reader.pace : nil
  }

  private static func timeLimit(_ text: String, _ clock: TraceSummary.Clock) -> UInt64? {
    clock == .ticks ? UInt64(text.prefix { $0 != "." }) : Moment.nanoseconds(text)
  }

  private mutating func meets(_ moment: Moment, _ text: String) -> Bool {
    if markers.count < 20 { markers.append(text) }
    switch moment {
    case .marker(let beginning): return text.hasPrefix(beginning)
    case .snapshot(let name):
      return text == "dma-api: snapshot " + name || text == "dma-buf: snapshot " + name
    default: return false
    }
  }
}
