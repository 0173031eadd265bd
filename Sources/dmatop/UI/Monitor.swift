import DMADebugCore
import DMATimeline
import DMATrace
import TerminalKit

/// The loop of the monitor: read a little, draw, take a key.
struct Monitor {
  private static let eventsPerRound = 20_000
  /// Milliseconds between pictures while something goes on by itself.
  private static let framePeriod = 50

  private var state: MonitorState

  init(_ state: MonitorState) {
    self.state = state
  }

  /// Runs until somebody quits.
  mutating func run(on screen: some Screen) {
    let view = MonitorView(glyphs: screen.glyphs)
    let clock = ContinuousClock()
    var lastDraw: ContinuousClock.Instant?
    var isRunning = true
    while isRunning {
      let size = screen.size
      if screen.reportsMouse != state.wantsMouse { screen.reportsMouse = state.wantsMouse }
      let isReading = !state.isDone
      // While reading, time goes into reading; whoever presses a key sees the answer at once.
      let isDue = lastDraw.map { clock.now - $0 >= .milliseconds(Self.framePeriod) } ?? true
      if isDue || !isReading && !state.isPlaying {
        screen.draw(view.frame(&state, width: size.width, height: size.height))
        lastDraw = clock.now
      }
      // A pipe that has nothing yet must not keep keys waiting.
      let input = isReading ? state.timeline.waitingDescriptor : nil
      var timeout: Int?
      if isReading { timeout = state.timeline.pace ?? (input == nil ? 0 : Self.framePeriod) }
      if state.isPlaying { timeout = min(timeout ?? Self.framePeriod, Self.framePeriod) }
      if case .key(let key) = screen.wait(timeoutMilliseconds: timeout, descriptor: input) {
        isRunning = handle(key, pageSize: max(1, size.height - 8))
        lastDraw = nil
      }
      if isReading, isRunning { advance(input) }
      state.play()
    }
  }

  private mutating func advance(_ input: Int32?) {
    if let input, !Self.hasInput(input) { return }
    state.advance(limit: Self.eventsPerRound)
  }

  /// - Returns: Whether to go on.
  private mutating func handle(_ key: Key, pageSize page: Int) -> Bool {
    if key == .quitRequest || key == .control("c") { return false }
    if key == .resize { return true }
    if state.prompt != nil {
      type(key, page)
      return true
    }
    if state.showsHelp {
      switch key {
      case .down, .character("j"): state.helpScroll += 1
      case .up, .character("k"): state.helpScroll = max(0, state.helpScroll - 1)
      case .pageDown, .character(" "): state.helpScroll += page
      case .pageUp: state.helpScroll = max(0, state.helpScroll - page)
      default: state.showsHelp = false
      }
      return true
    }
    if key == .character("Q") { return false }
    if case .mouse(let event) = key { return mouse(event, page) }
    guard let action = MonitorAction.action(key) else { return true }
    return perform(action, page)
  }

  /// - Returns: Whether to go on.
  private mutating func mouse(_ event: MouseEvent, _ page: Int) -> Bool {
    switch event.kind {
    case .wheelUp: state.place.selection = max(0, state.place.selection - 3)
    case .wheelDown: state.place.selection += 3
    case .press(1):
      if let action = state.click(x: event.position.x, y: event.position.y) {
        return perform(action, page)
      }
    default: break
    }
    return true
  }

  /// - Returns: Whether to go on.
  private mutating func perform(_ action: MonitorAction, _ page: Int) -> Bool {
    state.message = nil
    switch action {
    case .quit:
      if state.showsDetail || state.difference != nil {
        state.showsDetail = false
        state.difference = nil
      } else {
        return false
      }
    case .back:
      state.showsDetail = false
      state.difference = nil
    case .difference: state.compareMarks()
    case .mouse:
      state.wantsMouse.toggle()
      state.message = state.wantsMouse ? "the mouse is ours" : "the mouse is the terminal's"
    case .help:
      state.showsHelp = true
      state.helpScroll = 0
    case .mappings: show(.mappings)
    case .errors: show(.errors)
    case .events: show(.events)
    case .devices: show(.devices)
    case .files: show(.files)
    case .map: show(.map)
    case .stats: show(.stats)
    case .nextView, .previousView:
      let all = MonitorState.View.allCases
      let index = all.firstIndex(of: state.view) ?? 0
      show(all[(index + (action == .nextView ? 1 : all.count - 1)) % all.count])
    case .up: state.place.selection -= 1
    case .down: state.place.selection += 1
    case .pageUp: state.place.selection -= page
    case .pageDown: state.place.selection += page
    case .first: state.place.selection = 0
    case .last: state.place.selection = Int.max / 2
    case .open: state.showsDetail.toggle()
    case .palette: state.prompt = (.palette, "")
    case .filter: state.prompt = (.filter, state.place.filterText)
    case .clearFilter: state.setFilter("")
    case .search: state.prompt = (.search, "")
    case .nextMatch: search(forwards: true)
    case .previousMatch: search(forwards: false)
    case .sortLeft: changeSort(by: -1)
    case .sortRight: changeSort(by: 1)
    case .invertSort:
      state.isAscending.toggle()
      state.invalidate()
    case .errorsOnly:
      state.errorsOnly.toggle()
      state.invalidate()
    case .goTo: state.prompt = (.goTo, "")
    case .write: startWriting()
    case .header: state.hidesHeader.toggle()
    case .redraw: state.invalidate()
    default: travel(action)
    }
    return true
  }

  private mutating func show(_ view: MonitorState.View) {
    state.view = view
    state.showsDetail = false
    state.difference = nil
  }

  // MARK: Time

  private mutating func travel(_ action: MonitorAction) {
    let old = state.timeline.event
    switch action {
    case .pause: return state.togglePause()
    case .slower: return state.changeSpeed(by: 0.5)
    case .faster: return state.changeSpeed(by: 2)
    case .related: return goToRelated()
    case .markA:
      state.markA = old
      state.message = "A is event \(old)"
      return
    case .markB:
      state.markB = old
      state.message = "B is event \(old)"
      return
    default: break
    }
    state.isPlaying = false
    var isThere = true
    state.attempt { timeline throws(TraceError) in
      switch action {
      case .nextEvent: try timeline.step(1)
      case .previousEvent: try timeline.step(-1)
      case .nextChange: isThere = try timeline.stepToNextChange()
      case .previousChange: isThere = try timeline.stepToPreviousChange()
      case .nextError: isThere = try timeline.seekEntry(forwards: true, errorsOnly: true) != nil
      case .previousError:
        isThere = try timeline.seekEntry(forwards: false, errorsOnly: true) != nil
      case .nextMessage: isThere = try timeline.seekEntry(forwards: true, errorsOnly: false) != nil
      case .previousMessage:
        isThere = try timeline.seekEntry(forwards: false, errorsOnly: false) != nil
      case .start: try timeline.seek(event: 0)
      case .end: timeline.follow()
      case .nextMarker:
        guard let marker = timeline.markers.first(where: { $0.event > old }) else {
          isThere = false
          return
        }
        try timeline.seek(event: marker.event)
      case .previousMarker:
        guard let marker = timeline.markers.last(where: { $0.event < old }) else {
          isThere = false
          return
        }
        try timeline.seek(event: marker.event)
      default: break
      }
    }
    if !isThere { state.message = "there is none in this direction" }
    if state.view == .errors { selectErrorAtNow() }
    if state.view == .events { state.place.selection = .max / 2 }
  }

  /// The row of the errors view that belongs to now.
  private mutating func selectErrorAtNow() {
    let now = state.timeline.event
    if let index = state.errorRows().firstIndex(where: { $0.event >= now }) {
      state.place.selection = index
    }
  }

  /// Goes to where the selected row came from.
  private mutating func goToRelated() {
    let selected = state.place.selection
    switch state.view {
    case .errors:
      let rows = state.errorRows()
      guard rows.indices.contains(selected) else { return }
      let event = rows[selected].event
      state.attempt { timeline throws(TraceError) in try timeline.seek(event: event) }
      state.message = "just after the error, event \(event)"
    case .events:
      let (_, _, first) = state.timeline.neighbourhood
      let target = first + UInt64(selected) + 1
      state.attempt { timeline throws(TraceError) in try timeline.seek(event: target) }
    case .mappings:
      let rows = state.rows()
      guard rows.indices.contains(selected) else { return }
      let time = rows[selected].time
      state.attempt { timeline throws(TraceError) in try timeline.seek(time: time) }
      state.message = "when the mapping was made"
    default: break
    }
  }

  // MARK: Prompts

  private mutating func type(_ key: Key, _ page: Int) {
    guard var prompt = state.prompt else { return }
    switch key {
    case .enter:
      state.prompt = nil
      finish(prompt.kind, prompt.text, page)
      return
    case .escape:
      state.prompt = nil
      return
    case .backspace: prompt.text = String(prompt.text.dropLast())
    case .control("u"): prompt.text = ""
    case .tab where prompt.kind == .palette:
      if let action = Self.matching(prompt.text).first { prompt.text = action.rawValue }
    case .character(let character) where prompt.text.utf8.count < 1024:
      prompt.text.append(character)
    default: break
    }
    state.prompt = prompt
    // What is typed shows at once.
    if prompt.kind == .search {
      state.searchText = prompt.text
      search(forwards: true, fromHere: true)
    }
  }

  private mutating func finish(_ kind: MonitorState.Prompt, _ text: String, _ page: Int) {
    switch kind {
    case .filter: state.setFilter(text)
    case .search:
      state.searchText = text
      search(forwards: true, fromHere: true)
    case .goTo: state.goTo(text)
    case .write: write(text)
    case .palette:
      guard let action = Self.matching(text).first else {
        state.message = "there is no action '\(text)'"
        return
      }
      _ = perform(action, page)
    }
  }

  /// Actions whose names have these words, those that begin with them first.
  static func matching(_ text: String) -> [MonitorAction] {
    let word = text.trimmingBlanks().lowercased()
    let all = MonitorAction.allCases
    return all.filter { $0.rawValue == word }
      + all.filter { $0.rawValue != word && $0.rawValue.hasPrefix(word) }
      + all.filter { !$0.rawValue.hasPrefix(word) && $0.rawValue.contains(word) }
  }

  private mutating func startWriting() {
    guard state.view == .files else {
      state.message = "files are written in view 5"
      return
    }
    state.prompt = (.write, "")
  }

  /// Writes the selected file, on top of what the trace says.
  private mutating func write(_ text: String) {
    let files = VirtualFile.allCases
    let index = max(0, min(state.place.selection, files.count - 1))
    let file = files[index]
    if state.timeline.isFollowing, !state.timeline.isComplete {
      state.message = "pause first: the file of a running kernel is not ours to write"
      return
    }
    let error = state.timeline.write(file, Array(text.utf8))
    state.message =
      error.map { "write error: \($0)" }
      ?? "wrote dma-api/\(file.rawValue), what-if until time moves"
    state.invalidate()
  }

  // MARK: Searching and sorting

  private mutating func search(forwards: Bool, fromHere: Bool = false) {
    let words = state.searchText.lowercased()
    guard !words.isEmpty else { return }
    let texts = MonitorView.searchTexts(&state)
    guard !texts.isEmpty else { return }
    let here = max(0, min(state.place.selection, texts.count - 1))
    let matches = texts.indices.filter { texts[$0].lowercased().contains(words) }
    guard !matches.isEmpty else {
      state.message = "'\(state.searchText)' is not here"
      return
    }
    let next =
      forwards
      ? matches.first { fromHere ? $0 >= here : $0 > here } ?? matches[0]
      : matches.last { $0 < here } ?? matches[matches.count - 1]
    state.place.selection = next
    let number = (matches.firstIndex(of: next) ?? 0) + 1
    state.message = "'\(state.searchText)' \(number)/\(matches.count)"
  }

  private mutating func changeSort(by step: Int) {
    let fields = MonitorColumn.all.map(\.field)
    let position = fields.firstIndex(of: state.sort) ?? 0
    state.sort = fields[(position + step + fields.count) % fields.count]
    state.invalidate()
  }
}
