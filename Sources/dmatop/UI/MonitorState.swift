import DMADebugCore
import DMATimeline
import DMATrace

/// What the monitor shows and where the person is in it. Knows nothing of a terminal.
struct MonitorState {
  enum View: Int, CaseIterable {
    case mappings
    case errors

    var title: String {
      switch self {
      case .mappings: "Mappings"
      case .errors: "Errors"
      }
    }
  }

  /// Errors that are kept; later ones are only counted.
  static let maximumErrors = 100_000

  let path: String
  let moment: Moment
  private(set) var replay: Replay
  /// The moment, or the end, was reached.
  private(set) var isDone = false
  /// What there is to say.
  var message: String?
  /// What went wrong while reading.
  private(set) var failure: TraceError?
  private(set) var errors: [Report] = []

  var view = View.mappings
  var sort = MappingField.age
  var isAscending = false
  private(set) var filterText = ""
  private var filter: FilterExpression?
  /// The line being typed for a filter, or `nil`.
  var prompt: String?
  var showsHelp = false
  /// Selected row and first visible row of each view.
  var selection = [0, 0]
  var scroll = [0, 0]

  private var rowCache: (events: UInt64, rows: [Mapping])?
  /// When the rows were made and how long that took: while reading, sorting must not take over.
  private var rowTime: (made: ContinuousClock.Instant, duration: Duration)?

  init(path: String, moment: Moment, replay: Replay) {
    self.path = path
    self.moment = moment
    self.replay = replay
  }

  var names: TraceNames { replay.names }

  var context: MappingContext {
    MappingContext(engine: replay.engine, names: replay.names, now: replay.time)
  }

  // MARK: Reading

  /// Applies events until the moment, the end, or `limit` events.
  mutating func advance(limit: Int) {
    guard !isDone else { return }
    var left = limit
    do {
      while left > 0 {
        if replay.pace != nil, try !replay.refill() { break }
        guard try replay.step(to: moment) else {
          finish()
          break
        }
        left -= 1
        if replay.engine.hasReports { collectReports() }
        // A pipe gives what it has; the next read could block.
        if replay.waitingDescriptor != nil { break }
      }
    } catch {
      failure = error
      message = error.description
      isDone = true
    }
  }

  private mutating func finish() {
    isDone = true
    collectReports()
    let notes = Diagnostics.lines(path, replay, verbose: false)
    if let first = notes.first {
      message = first.hasPrefix("dmatop: ") ? String(first.dropFirst("dmatop: ".count)) : first
    }
  }

  private mutating func collectReports() {
    var reports: [Report] = []
    replay.takeReports(&reports)
    for report in reports where report.kind != .filterEnabled && report.kind != .filterDisabled {
      if errors.count < Self.maximumErrors { errors.append(report) }
    }
  }

  // MARK: Rows

  /// The live mappings that the filter lets through, sorted.
  mutating func rows() -> [Mapping] {
    if let rowCache, rowCache.events == replay.engine.eventCount || !isDone && isFresh {
      return rowCache.rows
    }
    let start = ContinuousClock.now
    let context = context
    var rows = replay.engine.liveMappings()
    if let filter {
      rows.removeAll { !filter.matches(MappingRow(mapping: $0, context: context)) }
    }
    rows = sorted(rows, context)
    rowCache = (replay.engine.eventCount, rows)
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

  mutating func rowCount() -> Int {
    view == .mappings ? rows().count : errors.count
  }

  mutating func invalidate() {
    rowCache = nil
  }

  /// Takes a filter; says what is wrong with it when it is none.
  mutating func setFilter(_ text: String) {
    do {
      let fields = MappingField.allCases.map(\.rawValue)
      let expression = try FilterExpression.parse(text, fields)
      filter = text.isEmpty ? nil : expression
      filterText = text
      message = nil
      invalidate()
    } catch {
      message = "\(error)"
    }
  }

  // MARK: Moving

  mutating func move(by rows: Int) {
    selection[view.rawValue] += rows
    clamp()
  }

  mutating func moveToEnd() {
    selection[view.rawValue] = rowCount() - 1
    clamp()
  }

  mutating func moveToStart() {
    selection[view.rawValue] = 0
    clamp()
  }

  /// Keeps the selection inside the rows.
  mutating func clamp() {
    selection[view.rawValue] = max(0, min(selection[view.rawValue], rowCount() - 1))
  }

  /// Scrolls so that the selection is among `visible` rows.
  mutating func showSelection(visible: Int) {
    clamp()
    let selected = selection[view.rawValue]
    var first = scroll[view.rawValue]
    if selected < first { first = selected }
    if selected >= first + max(visible, 1) { first = selected - max(visible, 1) + 1 }
    scroll[view.rawValue] = max(0, min(first, max(0, rowCount() - max(visible, 1))))
  }
}
