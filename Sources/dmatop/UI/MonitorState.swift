import DMADebugCore
import DMATimeline
import DMATrace

/// What the monitor shows and where the person is in it. Knows nothing of a terminal.
struct MonitorState {
  enum View: Int, CaseIterable {
    case mappings = 1
    case errors = 2
    case events = 3
    case devices = 4
    case files = 5
    // 6 is kept for buffers that devices share.
    case map = 7
    case stats = 8

    var title: String {
      switch self {
      case .mappings: "Mappings"
      case .errors: "Errors"
      case .events: "Events"
      case .devices: "Devices"
      case .files: "Files"
      case .map: "Map"
      case .stats: "Stats"
      }
    }
  }

  /// What a line that is being typed is for.
  enum Prompt: String {
    case filter
    case search
    case goTo = "go to"
    case write = "echo"
    case palette = ":"
  }

  /// Where a person is in one view.
  struct Place {
    var selection = 0
    var scroll = 0
    var filterText = ""
  }

  let path: String
  let moment: Moment
  let timeline: Timeline
  /// What there is to say.
  var message: String?
  /// What went wrong while reading.
  private(set) var failure: TraceError?

  var view = View.mappings
  var places: [View: Place] = [:]
  var sort = MappingField.age
  var isAscending = false
  var errorsOnly = false
  private var filter: FilterExpression?
  var searchText = ""
  /// The line being typed, or `nil`.
  var prompt: (kind: Prompt, text: String)?
  var showsHelp = false
  var helpScroll = 0
  var showsDetail = false
  /// What came and went from A to B, when it is shown.
  var difference: MappingDifference?
  /// Whether the mouse is ours.
  var wantsMouse = true
  /// What the last picture had where, for the mouse.
  var targets: [Target] = []

  /// A part of the picture that does something when it is clicked.
  struct Target {
    enum Kind {
      case view(View)
      case strip
      /// Rows of the list, the first one given.
      case rows(Int)
      case action(MonitorAction)
    }

    var x: Int
    var y: Int
    var width: Int
    var height: Int
    var kind: Kind
  }

  var hidesHeader = false

  /// Time goes on by itself: `speed` seconds of the trace in a second.
  var isPlaying = false
  var speed = 1.0
  /// Where time was when playing began, and when that was.
  private var playStart: (time: UInt64, real: ContinuousClock.Instant)?
  /// Moments to compare.
  var markA: UInt64?
  var markB: UInt64?

  private var rowCache: (key: [UInt64], rows: [Mapping])?
  /// When the rows were made and how long that took: while reading, sorting must not take over.
  private var rowTime: (made: ContinuousClock.Instant, duration: Duration)?
  private var hasArrived = false

  init(path: String, moment: Moment, timeline: Timeline) {
    self.path = path
    self.moment = moment
    self.timeline = timeline
  }

  var names: TraceNames { timeline.names }

  var context: MappingContext {
    MappingContext(engine: timeline.engine, names: timeline.names, now: timeline.time)
  }

  var place: Place {
    get { places[view] ?? Place() }
    set { places[view] = newValue }
  }

  /// Everything was read.
  var isDone: Bool { timeline.isComplete || failure != nil }

  /// Events are made while one looks.
  var isLive: Bool { timeline.pace != nil || timeline.waitingDescriptor != nil }

  /// What is going on, in a word.
  var mode: String {
    if isPlaying {
      let factor = speed >= 1 ? "\(Int(speed))×" : "1/\(Int(1 / speed))×"
      return "play \(factor)"
    }
    if !timeline.isComplete, failure == nil {
      if !timeline.isFollowing { return isLive ? "paused" : "replay, reading" }
      return path.hasPrefix("sim:") ? "simulation" : isLive ? "live" : "reading"
    }
    return "replay"
  }

  // MARK: Reading

  /// Reads `limit` events or so.
  mutating func advance(limit: Int) {
    guard !isDone else { return }
    do {
      try timeline.read(limit: limit)
      if timeline.isComplete { arrive() }
    } catch {
      failure = error
      message = error.description
    }
  }

  /// Everything was read: goes to the moment that was asked for.
  private mutating func arrive() {
    guard !hasArrived else { return }
    hasArrived = true
    if let note = Diagnostics.lines(path, timeline).first {
      message = note.hasPrefix("dmatop: ") ? String(note.dropFirst("dmatop: ".count)) : note
    }
    guard moment != .end, timeline.isFollowing else { return }
    let moment = moment
    let path = displayName(path)
    attempt { timeline throws(TraceError) in
      switch moment {
      case .end: return
      case .event(let number): try timeline.seek(event: number)
      case .time(let text):
        if let time = Moment.nanoseconds(text) { try timeline.seek(time: time) }
      case .marker(let text): try Self.seek(markerWith: text, timeline, path)
      case .snapshot(let name):
        try Self.seek(markerWith: "dma-api: snapshot \(name)", timeline, path)
      }
    }
  }

  private static func seek(
    markerWith text: String,
    _ timeline: Timeline,
    _ path: String
  ) throws(TraceError) {
    guard let marker = timeline.markers.first(where: { $0.text.hasPrefix(text) }) else {
      throw TraceError(path: path, problem: "no such marker in the trace")
    }
    try timeline.seek(event: marker.event)
  }

  /// Does something in time; a failure becomes the message.
  mutating func attempt(_ body: (Timeline) throws(TraceError) -> Void) {
    do {
      try body(timeline)
    } catch {
      message = error.description
    }
    invalidate()
  }

  // MARK: Playing

  /// Stops, or goes on: a live source at what is happening now, a trace at its own speed.
  mutating func togglePause() {
    if isPlaying {
      isPlaying = false
      return
    }
    if isLive, !timeline.isComplete {
      if timeline.isFollowing {
        attempt { timeline throws(TraceError) in try timeline.seek(event: timeline.event) }
      } else {
        timeline.follow()
        invalidate()
      }
      return
    }
    if timeline.event >= timeline.eventCount {
      attempt { timeline throws(TraceError) in try timeline.seek(event: 0) }
    }
    isPlaying = true
    playStart = nil
  }

  mutating func changeSpeed(by factor: Double) {
    speed = min(64, max(0.125, speed * factor))
    playStart = nil
    message = "speed \(speed >= 1 ? "\(Int(speed))" : "1/\(Int(1 / speed))")×"
  }

  /// Moves on while playing.
  mutating func play() {
    guard isPlaying else { return }
    let now = ContinuousClock.now
    if playStart == nil { playStart = (timeline.time, now) }
    guard let playStart else { return }
    let passed = now - playStart.real
    let seconds =
      Double(passed.components.seconds) + Double(passed.components.attoseconds) / 1e18
    let target = playStart.time &+ UInt64(min(seconds * speed * 1e9, 1e18))
    attempt { timeline throws(TraceError) in try timeline.seek(time: target) }
    if timeline.event >= timeline.eventCount { isPlaying = false }
  }

  // MARK: Rows

  /// The live mappings that the filter lets through, sorted.
  mutating func rows() -> [Mapping] {
    let key = [timeline.event, timeline.engine.changeCount]
    if let rowCache, rowCache.key == key || !isDone && timeline.isFollowing && isFresh {
      return rowCache.rows
    }
    let start = ContinuousClock.now
    let context = context
    var rows = context.engine.liveMappings()
    if let filter {
      rows.removeAll { !filter.matches(MappingRow($0, context)) }
    }
    if errorsOnly { rows.removeAll { $0.mapError != .notChecked || !$0.showsMapErrorCheck } }
    rows = sorted(rows, context)
    rowCache = (key, rows)
    rowTime = (ContinuousClock.now, ContinuousClock.now - start)
    return rows
  }

  /// The rows were made not long ago, measured by what making them costs.
  private var isFresh: Bool {
    rowTime.map { ContinuousClock.now - $0.made < $0.duration * 10 } ?? false
  }

  private func sorted(_ rows: [Mapping], _ context: MappingContext) -> [Mapping] {
    let keyed = rows.map { (key: sort.value(of: $0, in: context), row: $0) }
    return keyed.sorted { a, b in
      if a.key == b.key { return a.row.sequence < b.row.sequence }
      if a.key == .none || b.key == .none { return b.key == .none }
      return isAscending ? a.key.precedes(b.key) : b.key.precedes(a.key)
    }.map(\.row)
  }

  /// Messages that the errors view shows, with their place among all.
  func errorRows() -> [Timeline.Entry] {
    let words = (places[.errors]?.filterText ?? "").lowercased().split(separator: " ")
    return timeline.entries.filter { entry in
      let kind = entry.report.kind
      if kind == .filterEnabled || kind == .filterDisabled { return false }
      if errorsOnly, !kind.isError { return false }
      guard !words.isEmpty else { return true }
      let text = (ReportText.line(entry.report, timeline) + " " + kind.name).lowercased()
      return words.allSatisfy { text.contains($0) }
    }
  }

  mutating func invalidate() {
    rowCache = nil
  }

  /// Takes a filter for the view; says what is wrong with it when it is none.
  mutating func setFilter(_ text: String) {
    if view == .mappings {
      do {
        let fields = MappingField.allCases.map(\.rawValue)
        let expression = try FilterExpression.parse(text, fields)
        filter = text.isEmpty ? nil : expression
      } catch {
        message = "\(error)"
        return
      }
    }
    place.filterText = text
    message = nil
    invalidate()
  }

  // MARK: Moving

  /// Scrolls so that the selection is among `visible` of `count` rows.
  mutating func showSelection(visible: Int, count: Int) {
    var here = place
    here.selection = max(0, min(here.selection, count - 1))
    let room = max(visible, 1)
    if here.selection < here.scroll { here.scroll = here.selection }
    if here.selection >= here.scroll + room { here.scroll = here.selection - room + 1 }
    here.scroll = max(0, min(here.scroll, max(0, count - room)))
    place = here
  }

  /// Compares the moments A and B, and comes back to now.
  mutating func compareMarks() {
    guard let markA, let markB else {
      message = "set markers first: A and B"
      return
    }
    let isFollowing = timeline.isFollowing
    let now = timeline.event
    var first: [Mapping] = []
    var second: [Mapping] = []
    attempt { timeline throws(TraceError) in
      try timeline.seek(event: min(markA, markB))
      first = timeline.engine.liveMappings()
      try timeline.seek(event: max(markA, markB))
      second = timeline.engine.liveMappings()
      if isFollowing { timeline.follow() } else { try timeline.seek(event: now) }
    }
    difference = MappingDifference(from: first, to: second)
    place.selection = 0
  }

  // MARK: The mouse

  /// Does what a click at a place means.
  ///
  /// - Returns: an action that was clicked.
  mutating func click(x: Int, y: Int) -> MonitorAction? {
    guard
      let target = targets.last(where: {
        x >= $0.x && x < $0.x + $0.width && y >= $0.y && y < $0.y + $0.height
      })
    else { return nil }
    switch target.kind {
    case .view(let view):
      self.view = view
      difference = nil
    case .strip:
      isPlaying = false
      let start = timeline.firstTime
      let span = Double(timeline.lastTime - min(start, timeline.lastTime))
      let share = Double(x - target.x) / Double(max(1, target.width - 1))
      attempt { timeline throws(TraceError) in
        try timeline.seek(time: start + UInt64(span * min(share, 1)))
      }
    case .rows(let first): place.selection = first + y - target.y
    case .action(let action): return action
    }
    return nil
  }

  // MARK: Going to a moment

  /// `+10ms`, `-2s`, `12.5`, `50%`, `#1234`, `start`, `end`, `a`, `b`, or the text of a marker.
  mutating func goTo(_ text: String) {
    let word = text.trimmingBlanks()
    guard !word.isEmpty else { return }
    isPlaying = false
    let path = displayName(path)
    attempt { timeline throws(TraceError) in
      if word == "end" || word == "now" { return timeline.follow() }
      if word == "start" { return try timeline.seek(event: 0) }
      if word.hasPrefix("#"), let number = UInt64(word.dropFirst()) {
        return try timeline.seek(event: number)
      }
      if word.hasSuffix("%"), let share = Double(word.dropLast()), share >= 0 {
        let span = Double(timeline.lastTime - min(timeline.firstTime, timeline.lastTime))
        return try timeline.seek(time: timeline.firstTime + UInt64(span * min(share, 100) / 100))
      }
      if word.hasPrefix("+") || word.hasPrefix("-"), let distance = Self.distance(word.dropFirst())
      {
        let now = timeline.time
        let target = word.hasPrefix("+") ? now &+ distance : now - min(now, distance)
        return try timeline.seek(time: target)
      }
      if let time = Moment.nanoseconds(word) { return try timeline.seek(time: time) }
      if let marker = timeline.markers.first(where: { $0.text.contains(word) }) {
        return try timeline.seek(event: marker.event)
      }
      throw TraceError(
        path: path,
        problem: "'\(String(escaping: word.utf8))' is no moment",
        advice: "+10ms, -2s, 12.5, 50%, #1234, end or the text of a marker"
      )
    }
    if word == "a" || word == "b", let mark = word == "a" ? markA : markB {
      message = nil
      attempt { timeline throws(TraceError) in try timeline.seek(event: mark) }
    }
  }

  /// Nanoseconds of `10ms`, `2s`, `500us`, `3m`, `1h`; seconds without a unit.
  private static func distance(_ text: Substring) -> UInt64? {
    let units: [(String, Double)] = [
      ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
    ]
    for (unit, factor) in units where text.hasSuffix(unit) {
      guard let value = Double(text.dropLast(unit.count)), value >= 0, value * factor < 1e18 else {
        continue
      }
      return UInt64(value * factor)
    }
    guard let seconds = Double(text), seconds >= 0, seconds < 1e9 else { return nil }
    return UInt64(seconds * 1e9)
  }
}

extension String {
  /// Without blanks at both ends.
  func trimmingBlanks() -> String {
    var text = Substring(self)
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}

/// Reports as lines of the monitor.
enum ReportText {
  /// The message, without driver and device.
  static func words(_ report: Report, _ timeline: Timeline) -> String {
    var text = TextBuffer()
    let generation = timeline.engine.configuration.generation
    KernelMessage.append(words: report, generation, to: &text)
    return text.string
  }

  /// Driver, device and message.
  static func line(_ report: Report, _ timeline: Timeline) -> String {
    let names = timeline.names
    return names.drivers.string(report.driver.rawValue) + " "
      + names.devices.string(report.device.rawValue) + " " + words(report, timeline)
  }
}
