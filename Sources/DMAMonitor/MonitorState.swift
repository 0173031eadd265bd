import DMADebugCore
import DMAExport
import DMALint
import DMAReplay
import DMATrace
import TerminalKit

/// What the monitor shows and where the person is in it. Knows nothing of a terminal.
package struct MonitorState {
  package enum View: Int, CaseIterable {
    case mappings = 1
    case errors = 2
    case events = 3
    case devices = 4
    case files = 5
    case buffers = 6
    case map = 7
    case stats = 8

    package var title: String {
      switch self {
      case .mappings: "Mappings"
      case .errors: "Errors"
      case .events: "Events"
      case .devices: "Devices"
      case .files: "Files"
      case .buffers: "Buffers"
      case .map: "Map"
      case .stats: "Stats"
      }
    }

    /// Whether its rows can be grouped.
    var hasTree: Bool {
      self == .mappings || self == .errors || self == .devices || self == .buffers
    }
  }

  /// What a line that is being typed is for.
  enum Prompt: String, CaseIterable {
    case filter
    case search
    case goTo = "go to"
    case write = "echo"
    case export = "save rows as"
    case palette = ":"
    case mark = "name of this moment"
  }

  /// Where a person is in one view.
  package struct Place {
    var selection = 0
    var scroll = 0
    /// Columns that were moved out to the left.
    var columnOffset = 0
    var filterText = ""
    fileprivate(set) var filter: FilterExpression?
    var errorsOnly = false
    var sort: ListSort?
    package var isTree = false
    /// Groups that are not as they begin.
    var toggled: Set<String> = []
    /// Identities of marked rows.
    var marked: Set<UInt64> = []
    /// The row that the cursor stays on.
    var followed: UInt64?

    package init() {}
  }

  /// What lies over the view.
  enum Overlay {
    case help
    case sort
    case setup
    case log
  }

  /// A moment to come back to, and what there was then.
  struct TimeMark {
    var event: UInt64
    var time: UInt64
    var live: Int = 0
    var errors: UInt32 = 0
  }

  let path: String
  let moment: Moment
  let timeline: Timeline
  package var settings = MonitorSettings() {
    didSet { keyMap = settings.keyMap }
  }
  private(set) var keyMap = KeyMap()
  /// What there is to say now, and all that was said.
  package private(set) var message: String?
  private(set) var log: [(event: UInt64, text: String)] = []
  /// What went wrong while reading.
  private(set) var failure: TraceError?

  package var view = View.mappings
  package var places: [View: Place] = [:]
  /// A filter for all views.
  private(set) var pinnedText = ""
  var searchText = ""
  /// The line being typed, or `nil`.
  var prompt: (kind: Prompt, editor: LineEditor)?
  var histories: [Prompt: [String]] = [:]
  var overlay: Overlay?
  var overlaySelection = 0
  var overlayScroll = 0
  var showsDetail = false
  var detailScroll = 0
  /// What came and went from A to B, when it is shown.
  var difference: MappingDifference?
  var differencePlace = Place()
  /// Whether the next letter names a moment to go to.
  var awaitsMark = false
  /// Ranges of addresses that the map has been zoomed into, and the cell of its cursor.
  var mapZoom: [(range: Range<UInt64>, space: DeviceID?)] = []
  var mapCell: Int?
  var mapBarWidth = 8
  /// The columns that the last picture had.
  var shownColumns: [Int] = []
  /// What the last picture had where, for the mouse.
  var targets: [Target] = []

  /// A part of the picture that does something when it is clicked.
  struct Target {
    enum Kind {
      case view(View)
      case strip
      /// Rows of the list, the first one given.
      case rows(Int)
      /// A column's heading, by its name.
      case heading(String)
      case action(MonitorAction)
    }

    var x: Int
    var y: Int
    var width: Int
    var height: Int
    var kind: Kind
  }

  /// Time goes on by itself: `speed` seconds of the trace in a second.
  var isPlaying = false
  var speed = 1.0
  static let fastest = Double.infinity
  /// Where time was when playing began, and when that was.
  var playStart: (time: UInt64, real: ContinuousClock.Instant)?
  /// Moments to compare.
  var markA: TimeMark?
  var markB: TimeMark?
  var marks: [Character: TimeMark] = [:]
  /// The last `+10ms` or the like.
  var lastJump = ""
  /// The part of all time that the strip shows is 1/2^n.
  var stripZoom = 0
  /// Sequence numbers from which on mappings are new, and when that was so.
  var freshSamples: [(at: ContinuousClock.Instant, sequence: UInt64)] = []
  var freshFrom = UInt64.max
  /// Event to go to when everything has been read: where a session was left.
  package var resumeEvent: UInt64?
  /// The finding to begin with, as lint identifies it.
  package var wantedFinding: String?
  /// Why the monitor does not show what was asked for.
  private(set) var problem: CommandError?
  /// Lint beside what is read.
  var lint: MonitorLint

  var hasArrived = false
  /// Grows whenever something was changed that a list depends on and that does not show otherwise.
  private(set) var epoch: UInt64 = 0
  var caches = ListCaches()

  /// - Parameter timeline: Nothing of it was read yet.
  package init(
    path: String,
    moment: Moment,
    timeline: Timeline,
    lint: MonitorLint.Options = .init()
  ) {
    self.path = path
    self.moment = moment
    self.timeline = timeline
    self.lint = MonitorLint(timeline, path: path, lint)
    var errors = Place()
    errors.isTree = true
    places[.errors] = errors
    var devices = Place()
    devices.isTree = true
    places[.devices] = devices
    var buffers = Place()
    buffers.isTree = true
    places[.buffers] = buffers
    var mappings = Place()
    mappings.sort = ListSort(column: MappingField.age.rawValue, isAscending: false)
    places[.mappings] = mappings
    var events = Place()
    // Beyond the end means where now is.
    events.selection = .max / 2
    places[.events] = events
  }

  var names: TraceNames { timeline.names }

  var context: MappingContext {
    MappingContext(engine: timeline.engine, names: timeline.names, now: timeline.time)
  }

  /// Times of the trace are nanoseconds.
  var hasClock: Bool { timeline.summary.clock == .nanoseconds }

  /// The place in the list that is shown.
  var place: Place {
    get { difference == nil ? places[view] ?? Place() : differencePlace }
    set { if difference == nil { places[view] = newValue } else { differencePlace = newValue } }
  }

  /// Everything was read.
  var isDone: Bool { timeline.isComplete || failure != nil }

  /// Events are made while one looks.
  var isLive: Bool { timeline.pace != nil || timeline.waitingDescriptor != nil }

  /// What is shown changes by itself.
  var isMoving: Bool { isPlaying || !isDone && timeline.isFollowing }

  /// What is going on, in a word.
  var mode: String {
    if timeline.isWhatIf { return "what-if" }
    if isPlaying { return "play " + speedName }
    if !timeline.isComplete, failure == nil {
      if !timeline.isFollowing { return isLive ? "paused" : "replay, reading" }
      return path.hasPrefix("sim:") ? "simulation" : isLive ? "live" : "reading"
    }
    return "replay"
  }

  var speedName: String {
    speed == Self.fastest ? "max" : speed >= 1 ? "\(Int(speed))×" : "1/\(Int(1 / speed))×"
  }

  // MARK: Saying

  /// Shows a message, and keeps it for the log.
  package mutating func say(_ text: String, keeps: Bool = true) {
    message = text
    guard keeps else { return }
    log.append((timeline.event, text))
    if log.count > 1000 { log.removeFirst(log.count - 1000) }
  }

  mutating func silence() {
    message = nil
  }

  // MARK: Reading

  /// Reads `limit` events or so.
  mutating func advance(limit: Int) {
    guard !isDone else { return }
    do {
      try lint.read(timeline, limit: limit)
      if timeline.isComplete { arrive() }
    } catch {
      failure = error
      say(error.description)
    }
  }

  /// Everything was read: goes to the moment that was asked for.
  private mutating func arrive() {
    guard !hasArrived else { return }
    hasArrived = true
    for note in Diagnostics.lines(path, timeline).reversed() {
      say(note.hasPrefix("dmatop: ") ? String(note.dropFirst("dmatop: ".count)) : note)
    }
    guard timeline.isFollowing else { return }
    let moment = moment
    let path = displayName(path)
    var found: Finding?
    if let wanted = wantedFinding {
      found = lint.finding(wanted)
      if found == nil { miss(wanted) }
    }
    let resume = found?.eventNumber ?? resumeEvent
    if moment == .end, resume == nil { return }
    attempt { timeline throws(TraceError) in
      switch moment {
      case .end: if let resume { try timeline.seek(event: resume) }
      case .event(let number): try timeline.seek(event: number)
      case .time(let text):
        if let time = Moment.nanoseconds(text) { try timeline.seek(time: time) }
      case .marker(let text): try Self.seek(markerWith: text, timeline, path)
      case .snapshot(let name):
        let isOfBuffers = timeline.markers.contains { $0.text == "dma-buf: snapshot \(name)" }
        let system = isOfBuffers ? "dma-buf" : "dma-api"
        try Self.seek(markerWith: "\(system): snapshot \(name)", timeline, path)
      }
    }
    if let found { show(found) }
  }

  private mutating func miss(_ finding: String) {
    let error = CommandError(
      "\(displayName(path)) has no finding '\(String(escaping: finding.utf8))';"
        + " 'dmatop lint --format json' lists them"
    )
    problem = error
    say(error.description)
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
    // A list that kept the state would make every step copy it.
    caches.letGo()
    let before = timeline.engine.nextSequence
    let event = timeline.event
    do {
      try body(timeline)
    } catch {
      say(error.description)
    }
    if !isPlaying { freshFrom = timeline.event >= event ? before : .max }
    if timeline.firstEvent > 0, timeline.event == timeline.firstEvent, !timeline.isFollowing {
      say(
        "time travel begins at \(FieldValue.seconds(timeline.firstReachableTime)), event"
          + " \(timeline.firstEvent): temporary files keep the last"
          + " \(FieldValue.bytes(BatchSpool.standardCapacity)) of events at most",
        keeps: false
      )
    }
  }

  mutating func invalidate() {
    epoch += 1
  }

  // MARK: Filters

  /// Takes a filter for the view; says what is wrong with it when it is none.
  ///
  /// - Returns: Whether it is one.
  @discardableResult
  package mutating func setFilter(_ text: String) -> Bool {
    do {
      let expression = try FilterExpression(text, fields: fieldNames())
      place.filter = expression.isEmpty ? nil : expression
      place.filterText = expression.isEmpty ? "" : text
      silence()
      return true
    } catch {
      say(error.description, keeps: false)
      return false
    }
  }

  /// Keeps the filter of this view for all views, or lets go of the one that was kept.
  mutating func togglePin() {
    if !pinnedText.isEmpty {
      pinnedText = ""
      say("no filter for all views")
    } else if place.filterText.isEmpty {
      say("type a filter first; P then keeps it for all views", keeps: false)
    } else {
      pin(place.filterText)
      setFilter("")
      say("filter for all views: \(pinnedText)")
    }
  }

  mutating func pin(_ text: String) {
    pinnedText = text
  }

  /// The filters that hold for the list at hand.
  func filters() -> [FilterExpression] {
    let pinned =
      pinnedText.isEmpty
      ? nil : try? FilterExpression(pinnedText, fields: fieldNames(), skipsOthers: true)
    return [place.filter, pinned].compactMap { $0 }.filter { !$0.isEmpty }
  }

  /// What filters of the list at hand may ask for.
  func fieldNames() -> Set<String> {
    let names: [String]
    if difference != nil {
      names = ["growth", "new", "gone", "driver", "device", "site", "changed"]
    } else {
      switch view {
      case .mappings: names = MappingField.allCases.map(\.rawValue)
      case .errors:
        names = ["time_ns", "last_ns", "count", "rule", "by", "driver", "device", "message"]
      case .events: names = EventList.fields.map(\.rawValue)
      case .devices: names = DeviceList.columns.map(\.name)
      case .files: names = ["file", "bytes"]
      case .buffers: names = BufferList.columns.map(\.name) + BufferField.names
      case .map:
        names = ["space", "dma_addr", "span", "bytes", "live", "gaps", "largest_gap", "oldest_ns"]
      case .stats: names = ["live", "bytes", "oldest_ns", "driver", "device", "site"]
      }
    }
    let short = names.filter { $0.hasSuffix("_ns") }.map { String($0.dropLast(3)) }
    return Set(names + short)
  }

  /// Takes back a filter that a session had.
  mutating func restoreFilter(_ text: String, for view: View) {
    let shown = self.view
    self.view = view
    setFilter(text)
    self.view = shown
  }

  // MARK: Moving

  /// The row at the cursor; `nil` when the list has none. Beyond the end it is the last one, among
  /// events that which was applied last.
  func selectedRow(_ list: any RowList) -> Int? {
    let last = list.count - 1
    guard last >= 0 else { return nil }
    if place.selection > last, let events = list as? EventList {
      return max(0, min(events.position - 1, last))
    }
    return max(0, min(place.selection, last))
  }

  /// Moves the cursor by hand: it no longer follows anything.
  mutating func moveSelection(to row: Int) {
    place.selection = max(0, row)
    place.followed = nil
    detailScroll = 0
  }

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

  // MARK: The mouse

  /// What a click at a place hits.
  func target(x: Int, y: Int) -> Target? {
    targets.last {
      x >= $0.x && x < $0.x + $0.width && y >= $0.y && y < $0.y + $0.height
    }
  }
}

extension String {
  /// Without blanks at both ends.
  func trimmingBlanks() -> String {
    var text = Substring(self)
    while text.first == " " || text.first == "\t" { text.removeFirst() }
    while text.last == " " || text.last == "\t" { text.removeLast() }
    return String(text)
  }
}
