import DMADebugCore
import DMATrace

/// A capture or a simulation with time travel: the state at any event, forwards and backwards.
///
/// The head reads everything once, as fast as it can or as it arrives. Now and then it leaves a
/// checkpoint: a copy of the engine and the place in the input. The state at an event is the nearest
/// checkpoint before it, played on. Memory for all that is kept to go back is bounded: when it is used
/// up, the checkpoint is given up that leaves the smallest gap, so that they thin out evenly.
public final class Timeline {
  private final class Checkpoint {
    let event: UInt64
    let time: UInt64
    let mark: ReaderMark
    let engine: DMADebug
    let activity: Activity
    /// What it takes once everything in the head has changed.
    let bytes: Int

    init(_ walker: Walker, _ mark: ReaderMark) {
      event = walker.event
      time = walker.time
      self.mark = mark
      engine = walker.engine
      activity = walker.activity
      bytes = engine.storageBytes + activity.storageBytes + mark.storageBytes
    }
  }

  /// Somebody who applies events one after the other.
  private struct Walker {
    var reader: any RewindableReader
    var engine: DMADebug
    /// What came of the last event.
    var output: EngineOutput
    /// What the devices did until here.
    var activity: Activity
    var batch = EventBatch()
    private var spare = EventBatch()
    var position = 0
    var event: UInt64 = 0
    var time: UInt64 = 0
    var isFinished = false
    var names: TraceNames?

    init(
      reader: any RewindableReader,
      engine: DMADebug,
      collecting content: EngineOutput.Content = .changes,
      activity: Activity = Activity(),
      event: UInt64 = 0,
      time: UInt64 = 0
    ) {
      self.reader = reader
      self.engine = engine
      output = EngineOutput(content)
      self.activity = activity
      self.event = event
      self.time = time
    }

    var isAtBatchEnd: Bool { position >= batch.events.count }

    /// Makes sure that there is an event.
    ///
    /// - Returns: `false` at the end, or when a live source has none now.
    mutating func fill(waits: Bool) throws(TraceError) -> Bool {
      while isAtBatchEnd {
        names = nil
        // At the end the last events stay to be looked at.
        swap(&spare, &batch)
        guard try reader.read(into: &batch) else {
          swap(&spare, &batch)
          isFinished = true
          return false
        }
        if batch.events.isEmpty {
          swap(&spare, &batch)
          if !waits { return false }
          continue
        }
        position = 0
      }
      if names == nil { names = reader.names }
      return true
    }

    /// Goes past an event without applying it.
    mutating func pass() -> DMAEvent {
      let next = batch.events[position]
      position += 1
      event += 1
      time = next.time
      return next
    }

    /// Lends the state, names and what came of the last event, without copying any.
    @inline(__always)
    mutating func withState<Result>(
      _ body: (EngineView, UnsafePointer<TraceNames?>, EngineOutput) -> Result
    ) -> Result {
      if names == nil { names = reader.names }
      return withUnsafePointer(to: &engine) { engine in
        withUnsafePointer(to: &names) { body(EngineView(engine), $0, output) }
      }
    }

    mutating func step() {
      let next = batch.events[position]
      position += 1
      event += 1
      time = next.time
      output.clear()
      if let names { engine.apply(next, in: batch, names: names, to: &output) }
      activity.observe(next)
      if !output.changes.isEmpty { activity.observe(output.changes, at: next.time) }
    }
  }

  /// Bytes to go back in time with, unless somebody says otherwise.
  public static let standardBudget = 256 << 20
  private static let maximumMarkers = 10_000
  /// Bytes of a marker's text that are kept.
  private static let maximumMarkerText = 1024
  /// What a checkpoint counts for at least. Small states would fill the budget too, and with one for
  /// each so many bytes no event is far from one.
  private static let smallestCheckpoint = 2 << 20
  public static let standardSpacing: UInt64 = 1 << 14

  @exclusivity(unchecked) private var head: Walker
  private var cursor: Walker?
  private var checkpoints: [Checkpoint] = []
  private var checkpointBytes = 0
  private var spacing: UInt64
  private let budget: Int
  private var hasEnded = false
  private var waiting: [EventBatch] = []
  private var match: TableMatch?
  /// Whether a device of the table beside the trace was met so far; `nil` without a table.
  public var hasMetTable: Bool? { match?.isMet }

  public let origin: GenerationOrigin
  /// Messages in the order of events: the first ones, up to a quarter of the budget.
  @exclusivity(unchecked) public private(set) var entries: [Entry] = []
  /// Messages of errors ever, also beyond those that are kept.
  public private(set) var entryCount: UInt64 = 0
  /// Those of them that are errors.
  public private(set) var errorEntryCount: UInt64 = 0
  /// Markers in the order of events, the first ones.
  @exclusivity(unchecked) public private(set) var markers: [Marker] = []
  private var markerBytes = 0
  @exclusivity(unchecked) public private(set) var density = EventDensity()
  /// Time of the first event.
  @exclusivity(unchecked) public private(set) var firstTime: UInt64 = 0

  /// Opens a source. Nothing but what tells the kernel is read yet.
  ///
  /// - Parameters:
  ///   - budget: bytes for all that is kept to go back in time: checkpoints, messages, markers.
  ///   - spacing: events between two checkpoints, to begin with.
  public init(
    _ source: any TraceReader,
    options: ReplayOptions,
    budget: Int = standardBudget,
    spacing: UInt64 = standardSpacing
  ) throws(TraceError) {
    self.budget = budget
    self.spacing = spacing
    var reader: any RewindableReader
    if let rewindable = source as? any RewindableReader, rewindable.isRewindable {
      reader = rewindable
    } else {
      reader = try SpooledReader(source)
    }
    let start = reader.mark()
    let beginning = StartState(options, &reader.names)
    var ended = false
    let (generation, origin) = try Replay.generation(options, &reader, &waiting, &ended)
    self.origin = origin
    var engine = DMADebug(options.configuration(generation))
    // What was read to find out is read again: it is little, and there is one way only.
    if !waiting.isEmpty || ended, !(reader is SpooledReader) {
      reader = try reader.resumed(at: start)
      waiting = []
    }
    beginning.apply(to: &engine)
    match = beginning.match
    var adopted = EngineOutput([.reports, .changes, .incidents])
    engine.noteLiveMappings(to: &adopted)
    var activity = Activity()
    activity.observe(adopted.changes, at: 0)
    head = Walker(
      reader: reader,
      engine: engine,
      collecting: adopted.content,
      activity: activity
    )
    head.output = adopted
    let first = Checkpoint(head, start)
    checkpoints = [first]
    checkpointBytes = first.bytes
    waiting.reverse()
  }

  // MARK: Reading

  /// Whether everything was read.
  public var isComplete: Bool { hasEnded }

  /// Events read so far.
  public var eventCount: UInt64 { head.event }

  /// Time of the last event read.
  public var lastTime: UInt64 { head.time }

  public var summary: TraceSummary { head.reader.summary }
  /// Whether there are events of dma-bufs in what was read, also behind the moment.
  public var hasBuffers: Bool { head.engine.sharing.bufferEvents > 0 }
  public var progress: (read: UInt64, total: UInt64?) { head.reader.progress }
  public var names: TraceNames { head.names ?? head.reader.names }

  /// Milliseconds after which to look for more, for a source that makes events as time passes.
  public var pace: Int? { hasEnded ? nil : head.reader.pace }

  /// What to wait on for more events; `nil` when there are some, or nothing to wait on.
  public var waitingDescriptor: Int32? {
    head.isAtBatchEnd && waiting.isEmpty && !hasEnded ? head.reader.liveDescriptor : nil
  }

  /// Reads on.
  ///
  /// - Parameter limit: events to read at most, about.
  /// - Returns: How many were read; 0 at the end, or when a live source has none now.
  @discardableResult
  public func read(limit: Int) throws(TraceError) -> Int {
    try read(limit: limit, isVisited: false) { _, _, _, _ in }
  }

  /// Reads on and calls `visit` after each event with it, the state, names and what came of it.
  ///
  /// - Parameters:
  ///   - limit: Events to read at most, about.
  ///   - visit: Must not keep what it gets.
  package func read(
    limit: Int,
    _ visit: (DMAEvent, EngineView, UnsafePointer<TraceNames?>, EngineOutput) -> Void
  ) throws(TraceError) {
    _ = try read(limit: limit, isVisited: true, visit)
  }

  /// Lends the state where reading is, names and what came of the last event, of the end when
  /// everything was read, and before the first event of a saved dump.
  ///
  /// - Parameter body: Must not keep what it gets.
  package func withHead<Result>(
    _ body: (EngineView, UnsafePointer<TraceNames?>, EngineOutput) -> Result
  ) -> Result {
    head.withState(body)
  }

  @inline(__always)
  private func read(
    limit: Int,
    isVisited: Bool,
    _ visit: (DMAEvent, EngineView, UnsafePointer<TraceNames?>, EngineOutput) -> Void
  ) throws(TraceError) -> Int {
    guard !hasEnded else { return 0 }
    var count = 0
    while count < limit {
      if head.isAtBatchEnd {
        if count > 0, head.reader.pace != nil || head.reader.liveDescriptor != nil { break }
        leaveCheckpoint()
        if let next = waiting.popLast() {
          head.batch = next
          head.position = 0
          head.names = head.reader.names
        } else if try !head.fill(waits: false) {
          if head.isFinished { end() }
          break
        }
        match?.look(head.batch)
      }
      while !head.isAtBatchEnd {
        head.step()
        count += 1
        note(head.position - 1)
        if isVisited {
          let event = head.batch.events[head.position - 1]
          head.withState { visit(event, $0, $1, $2) }
        }
      }
    }
    return count
  }

  /// Takes in the event at a position of the batch, which was just applied.
  @inline(__always)
  private func note(_ position: Int) {
    if head.event == 1 { firstTime = head.time }
    density.add(head.time)
    if head.batch.events[position].kind == .marker { noteMarker(head.batch.events[position]) }
    if !head.output.reports.isEmpty { takeReports() }
  }

  private func noteMarker(_ event: DMAEvent) {
    if markers.count < Self.maximumMarkers, markerBytes < budget / 16 {
      let text = String(escaping: head.batch.markerText(event).prefix(Self.maximumMarkerText))
      markerBytes += text.utf8.count + MemoryLayout<Marker>.stride
      markers.append(Marker(event: head.event, time: event.time, text: text))
    }
  }

  private func takeReports() {
    for report in head.output.reports {
      entryCount += 1
      if report.kind.isError { errorEntryCount += 1 }
      density.addError(report.event.time)
      if entries.count < maximumEntries {
        entries.append(Entry(event: head.event, report: report))
      }
    }
  }

  /// Messages that are kept: as a rule two hundred thousand.
  private var maximumEntries: Int {
    min(200_000, budget / 4 / MemoryLayout<Entry>.stride)
  }

  private func end() {
    hasEnded = true
    head.output.clear()
    head.engine.finish(names: names, to: &head.output)
    takeReports()
  }

  private func leaveCheckpoint() {
    guard waiting.isEmpty, let last = checkpoints.last, head.event > last.event,
      // What is given up of a source that goes on for long must not take the last place to go to.
      head.event >= last.event + spacing || head.reader.isAging(last.mark)
    else { return }
    forget()
    let checkpoint = Checkpoint(head, head.reader.mark())
    checkpoints.append(checkpoint)
    checkpointBytes += checkpoint.bytes
    // A checkpoint costs a copy of what changes after it: not more often than that is worth.
    spacing = max(spacing, UInt64(4 * head.engine.liveCount))
    thinOut()
  }

  /// Gives up checkpoints whose events are gone.
  private func forget() {
    while checkpoints.count > 1, !head.reader.has(checkpoints[0].mark) {
      checkpointBytes -= checkpoints.removeFirst().bytes
    }
  }

  /// Keeps within the budget. The first checkpoint, before which there is nothing, and the last one
  /// stay, however large they are.
  private func thinOut() {
    let entryBytes = entries.count * MemoryLayout<Entry>.stride
    let room = budget - entryBytes - markerBytes
    while checkpoints.count > 2,
      checkpointBytes > room || checkpoints.count > max(32, room / Self.smallestCheckpoint)
    {
      var best = 1
      var smallest = UInt64.max
      for index in 1..<checkpoints.count - 1 {
        let gap = checkpoints[index + 1].event - checkpoints[index - 1].event
        if gap < smallest { (best, smallest) = (index, gap) }
      }
      checkpointBytes -= checkpoints.remove(at: best).bytes
      // What would soon be given up again need not be copied.
      spacing = max(spacing, smallest / 4)
    }
  }

  /// Bytes that checkpoints take at most, and how many there are.
  public var checkpointUse: (bytes: Int, count: Int) { (checkpointBytes, checkpoints.count) }

  // MARK: Now

  /// Whether now is where reading is.
  public var isFollowing: Bool { cursor == nil }

  /// Events applied until now.
  public var event: UInt64 { cursor?.event ?? head.event }

  /// Time of the last event applied.
  public var time: UInt64 { event == 0 ? firstTime : cursor?.time ?? head.time }

  /// What the devices did until now.
  public var activity: Activity { cursor?.activity ?? head.activity }

  /// The state now.
  public var engine: DMADebug { cursor?.engine ?? head.engine }

  /// Whether the state now is not what the source says: a file was written.
  public private(set) var isWhatIf = false

  /// What dma-debug said to the writes of ``write(_:_:)``.
  public private(set) var whatIfReports: [Report] = []

  /// Changes the state now, as somebody who writes a virtual file would. Going anywhere drops it.
  ///
  /// - Precondition: everything was read, or now is not where reading is.
  public func write(_ file: VirtualFile, _ value: [UInt8]) throws(TraceError) -> WriteError? {
    // What is read next must not see it.
    if cursor == nil { try seek(event: event) }
    isWhatIf = true
    var output = EngineOutput(.reports)
    let problem = cursor?.engine.write(file, value, to: &output)
    whatIfReports += output.reports
    return problem
  }

  /// Events around now: those of the batch at hand, and where now is among them.
  public var neighbourhood: (batch: EventBatch, position: Int, first: UInt64) {
    let walker = cursor ?? head
    return (walker.batch, walker.position, walker.event - UInt64(walker.position))
  }

  /// The first event that can be gone to: a source that goes on for long loses its beginning.
  public var firstEvent: UInt64 { checkpoints.first?.event ?? 0 }

  /// Time of that event, or of the first one ever.
  public var firstReachableTime: UInt64 {
    firstEvent == 0 ? firstTime : checkpoints.first?.time ?? firstTime
  }

  /// Goes where reading is, and stays there.
  public func follow() {
    forgetWrites()
    cursor = nil
  }

  /// Goes to the state after `target` events; not beyond what was read.
  public func seek(event target: UInt64) throws(TraceError) {
    forget()
    let target = max(min(target, head.event), firstEvent)
    var walker = try walker(before: target)
    defer { arrive(walker) }
    while walker.event < target, try walker.fill(waits: true) { walker.step() }
  }

  /// Goes to the state after all events up to and including a time.
  public func seek(time target: UInt64) throws(TraceError) {
    try seek(time: target, limit: .max)
  }

  /// Goes on to a time, but not by more than some events: what playing does.
  ///
  /// - Returns: Whether the time was reached.
  @discardableResult
  public func seek(time target: UInt64, limit: UInt64) throws(TraceError) -> Bool {
    forget()
    let index = checkpoints.lastIndex { $0.time <= target } ?? 0
    var walker: Walker
    if let cursor, !isWhatIf, cursor.time <= target,
      cursor.event >= checkpoints[index].event || limit != .max
    {
      walker = try takeCursor()
    } else {
      walker = try self.walker(at: checkpoints[index])
    }
    defer { arrive(walker) }
    let last = limit > head.event - walker.event ? head.event : walker.event + limit
    while walker.event < last, try walker.fill(waits: true) {
      if walker.batch.events[walker.position].time > target { return true }
      walker.step()
    }
    return walker.event == head.event
  }

  /// Takes the cursor away, so that going on with it copies nothing. ``arrive(_:)`` gives it back.
  private func takeCursor() throws(TraceError) -> Walker {
    guard let walker = cursor else { return try self.walker(at: checkpoints[0]) }
    cursor = nil
    return walker
  }

  /// Now is where a walker has come to.
  private func arrive(_ arrived: Walker) {
    var walker = arrived
    forgetWrites()
    settle(&walker)
    cursor = walker
  }

  private func forgetWrites() {
    isWhatIf = false
    whatIfReports = []
  }

  private func settle(_ walker: inout Walker) {
    if hasEnded, walker.event == head.event {
      walker.engine.finish(names: names, to: &walker.output)
    }
  }

  /// A walker at the nearest place before an event, the event's own place included.
  private func walker(before target: UInt64) throws(TraceError) -> Walker {
    let index = checkpoints.lastIndex { $0.event <= target } ?? 0
    if let cursor, !isWhatIf, cursor.event <= target, cursor.event >= checkpoints[index].event,
      !(hasEnded && cursor.event == head.event)
    {
      return try takeCursor()
    }
    return try walker(at: checkpoints[index])
  }

  private func walker(at checkpoint: Checkpoint) throws(TraceError) -> Walker {
    Walker(
      reader: try head.reader.resumed(at: checkpoint.mark),
      engine: checkpoint.engine,
      activity: checkpoint.activity,
      event: checkpoint.event,
      time: checkpoint.time
    )
  }

  /// Reads events again without going anywhere.
  ///
  /// - Returns: How many events before the first one that was visited there are.
  func visit(
    from first: UInt64,
    through last: UInt64,
    _ body: (UInt64, DMAEvent, EventBatch) -> Void
  ) throws(TraceError) -> UInt64 {
    forget()
    let index = checkpoints.lastIndex { $0.event <= first } ?? 0
    var walker = try walker(at: checkpoints[index])
    let start = max(first, walker.event)
    while walker.event < min(last, head.event), try walker.fill(waits: true) {
      let event = walker.pass()
      if walker.event > first { body(walker.event, event, walker.batch) }
    }
    return start
  }

  /// Goes to after the next event that maps, frees or is an error.
  ///
  /// - Returns: Whether there is one among the events read.
  @discardableResult
  public func stepToNextChange() throws(TraceError) -> Bool {
    let now = event
    var walker = try walker(before: now)
    defer { arrive(walker) }
    while walker.event < now, try walker.fill(waits: true) { walker.step() }
    let live = Self.fingerprint(walker.engine)
    while walker.event < head.event, try walker.fill(waits: true) {
      walker.step()
      if Self.fingerprint(walker.engine) != live { return true }
    }
    return false
  }

  /// Goes back to before the last event that mapped, freed or was an error.
  ///
  /// - Returns: Whether there was one.
  @discardableResult
  public func stepToPreviousChange() throws(TraceError) -> Bool {
    let now = event
    guard now > 0 else { return false }
    var limit = now
    while true {
      let index = checkpoints.lastIndex { $0.event < limit } ?? 0
      var walker = try walker(at: checkpoints[index])
      var found: UInt64?
      var before = Self.fingerprint(walker.engine)
      while walker.event < limit, try walker.fill(waits: true) {
        walker.step()
        let after = Self.fingerprint(walker.engine)
        if after != before { found = walker.event - 1 }
        before = after
      }
      if let found {
        try seek(event: found)
        return true
      }
      guard index > 0 else {
        try seek(event: firstEvent)
        return false
      }
      limit = checkpoints[index].event
    }
  }

  /// What differs whenever something was mapped, freed or reported.
  private static func fingerprint(_ engine: borrowing DMADebug) -> UInt64 {
    // Neither ever shrinks.
    engine.changeCount &+ UInt64(engine.errorCount)
  }
}
