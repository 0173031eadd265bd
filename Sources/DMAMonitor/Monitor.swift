import DMADebugCore
import DMAExport
import DMAReplay
import DMATrace
import TerminalKit

/// The loop of the monitor: read a little, draw, take a key.
package struct Monitor {
  private static let eventsPerRound = 20_000
  /// How long keys that are at hand are taken before the next picture while a line is typed.
  private static let longestFlood = Duration.milliseconds(500)

  private(set) var state: MonitorState
  private let glyphs: Glyphs
  private let effects: Effects
  /// The line that is typed has changed since the view was searched or filtered for it.
  private var isLineNew = false

  /// What the monitor does outside of its window.
  struct Effects {
    /// Keeps the settings for the next time; gives what went wrong.
    var saveSettings: (MonitorSettings) -> String? = { _ in nil }
    /// Saves rows under a name; gives how many they were.
    var export: (any RowList, [Int], String, MonitorState.View) throws(CommandError) -> Int = {
      (_, rows, _, _) throws(CommandError) in rows.count
    }
  }

  init(_ state: MonitorState, glyphs: Glyphs, effects: Effects) {
    self.state = state
    self.glyphs = glyphs
    self.effects = effects
  }

  /// Time between pictures while something goes on by itself.
  private var framePeriod: Duration {
    .milliseconds(max(1000 / max(state.settings.framesPerSecond, 1), 1))
  }

  private var framePeriodMilliseconds: Int { 1000 / max(state.settings.framesPerSecond, 1) }

  /// Runs until somebody quits.
  mutating func run(on screen: some Screen) {
    let clock = ContinuousClock()
    var lastDraw: ContinuousClock.Instant?
    var isRunning = true
    while isRunning {
      let wantsMouse = state.settings.mouse
      if screen.reportsMouse != wantsMouse { screen.reportsMouse = wantsMouse }
      let isReading = !state.isDone
      // While reading, time goes into reading; whoever presses a key sees the answer at once.
      let isDue = lastDraw.map { clock.now - $0 >= framePeriod } ?? true
      if isDue || !isReading && !state.isPlaying {
        if state.isMoving, !state.isPlaying { state.noteFreshness(clock.now) }
        draw(on: screen)
        lastDraw = clock.now
      }
      // A pipe that has nothing yet must not keep keys waiting.
      let input = isReading ? state.timeline.waitingDescriptor : nil
      var timeout: Int?
      if isReading { timeout = pause(input) }
      if state.isPlaying { timeout = playPause(lastDraw, clock) }
      if case .key(let key) = screen.wait(timeoutMilliseconds: timeout, descriptor: input) {
        isRunning = takeKeys(key, screen)
        lastDraw = nil
      }
      if isReading, isRunning { advance(input) }
      if isRunning { state.play(for: framePeriod) }
    }
  }

  private mutating func draw(on screen: some Screen) {
    let view = MonitorView(glyphs: glyphs, theme: state.settings.theme)
    let size = screen.size
    screen.draw(view.frame(&state, width: size.width, height: size.height))
  }

  /// Milliseconds to wait while reading: none when there is something to read.
  private func pause(_ input: Int32?) -> Int {
    if let pace = state.timeline.pace {
      // What comes between two pictures need not be fetched before the second one.
      return state.timeline.isFollowing ? max(pace, framePeriodMilliseconds) : max(pace, 100)
    }
    return input == nil ? 0 : framePeriodMilliseconds
  }

  /// Milliseconds until the next picture; at the highest speed none, because playing itself takes
  /// as long.
  private func playPause(_ lastDraw: ContinuousClock.Instant?, _ clock: ContinuousClock) -> Int {
    if state.speed == MonitorState.fastest { return 0 }
    guard let lastDraw else { return framePeriodMilliseconds }
    let left = framePeriod - (clock.now - lastDraw)
    return max(0, Int(left / .milliseconds(1)))
  }

  private mutating func advance(_ input: Int32?) {
    if let input, !Self.hasInput(input) { return }
    state.advance(limit: Self.eventsPerRound)
  }

  // MARK: Keys

  /// Takes a key and those that are at hand with it: a picture, and a search through all rows, for each
  /// letter of a flood of them would take minutes.
  ///
  /// - Returns: Whether to go on.
  private mutating func takeKeys(_ first: Key, _ screen: some Screen) -> Bool {
    let start = ContinuousClock.now
    var next: Key? = first
    var isFirst = true
    while let key = next {
      // A click means what can be seen there now.
      if case .mouse = key, !isFirst { draw(on: screen) }
      isFirst = false
      guard handle(key, screen, pageSize: max(1, screen.size.height - 8)) else { return false }
      let longest = state.prompt == nil ? framePeriod : Self.longestFlood
      guard ContinuousClock.now - start < longest else { break }
      next = screen.keyAtHand()
    }
    showLine()
    return true
  }

  /// - Returns: Whether to go on.
  private mutating func handle(_ key: Key, _ screen: some Screen, pageSize page: Int) -> Bool {
    if key == .quitRequest || key == .control("c") { return false }
    if key == .resize || key == .unknown { return true }
    if case .paste(let text) = key, state.prompt == nil {
      // What is pasted is never a command.
      if !text.isEmpty { state.say("open a prompt first: pasted text is no command", keeps: false) }
      return true
    }
    if state.prompt != nil { return type(key, screen, page) }
    if state.awaitsMark {
      state.awaitsMark = false
      state.silence()
      if case .character(let letter) = key { state.goTo("mark \(letter)") }
      return true
    }
    if case .mouse(let event) = key { return mouse(event, screen, page) }
    if state.overlay != nil { return overlay(key, screen, page) }
    if key == .character("Q") { return false }
    guard let action = state.keyMap.action(key) else { return true }
    return perform(action, "", screen, page)
  }

  /// - Returns: Whether to go on.
  private mutating func mouse(
    _ event: MouseEvent,
    _ screen: some Screen,
    _ page: Int
  ) -> Bool {
    switch event.kind {
    case .wheelUp: scroll(by: -3)
    case .wheelDown: scroll(by: 3)
    case .press(1): return click(event.position, screen, page)
    default: break
    }
    return true
  }

  private mutating func scroll(by rows: Int) {
    if state.overlay == .help || state.overlay == .log {
      state.overlayScroll = max(0, state.overlayScroll + rows)
    } else if state.overlay != nil {
      state.overlaySelection = max(0, min(state.overlaySelection + rows.signum(), 1000))
    } else {
      moveSelection(by: rows)
    }
  }

  /// Moves the cursor from where it is, which may have been left beyond the end of the list.
  private mutating func moveSelection(by rows: Int) {
    let list = state.list(glyphs)
    guard let row = state.selectedRow(list) else { return }
    state.moveSelection(to: min(row + rows, list.count - 1))
  }

  private mutating func click(
    _ position: Position,
    _ screen: some Screen,
    _ page: Int
  ) -> Bool {
    if state.overlay != nil {
      state.overlay = nil
      return true
    }
    guard let target = state.target(x: position.x, y: position.y) else { return true }
    switch target.kind {
    case .view(let view): show(view)
    case .strip:
      state.isPlaying = false
      let (start, span) = state.stripRange
      let share = Double(position.x - target.x) / Double(max(1, target.width - 1))
      state.attempt { timeline throws(TraceError) in
        try timeline.seek(time: start &+ span.share(share))
      }
    case .rows(let first):
      let row = first + position.y - target.y
      // A second click on a row opens it.
      if row == state.place.selection { return perform(.open, "", screen, page) }
      state.moveSelection(to: row)
    case .heading(let column): sort(by: column)
    case .action(let action): return perform(action, "", screen, page)
    }
    return true
  }

  /// - Returns: Whether to go on.
  private mutating func overlay(
    _ key: Key,
    _ screen: some Screen,
    _ page: Int
  ) -> Bool {
    let action = state.keyMap.action(key)
    let step: Int? =
      switch action {
      case .up: -1
      case .down: 1
      case .pageUp: -page
      case .pageDown: page
      case .first: -1_000_000
      case .last: 1_000_000
      default: nil
      }
    switch state.overlay {
    case .help, .log:
      if let step {
        state.overlayScroll = max(0, state.overlayScroll + step)
      } else {
        state.overlay = nil
      }
    case .sort:
      if let step {
        let last = sortColumns().count - 1
        state.overlaySelection = max(0, min(state.overlaySelection + step, last))
      } else {
        if action == .open { sortByPicked() }
        state.overlay = nil
      }
    case .setup:
      let items = MonitorSettings.Item.allCases
      state.overlaySelection = max(0, min(state.overlaySelection, items.count - 1))
      if let step {
        state.overlaySelection = max(0, min(state.overlaySelection + step, items.count - 1))
      } else if action == .left || action == .right || action == .open || action == .pause {
        state.settings.change(
          items[state.overlaySelection],
          by: action == .left ? -1 : 1
        )
      } else if action == .save {
        save()
      } else {
        state.overlay = nil
      }
    case nil: break
    }
    return true
  }

  // MARK: Actions

  /// - Parameter argument: what was typed behind the action's name.
  /// - Returns: Whether to go on.
  private mutating func perform(
    _ action: MonitorAction,
    _ argument: String,
    _ screen: some Screen,
    _ page: Int
  ) -> Bool {
    state.silence()
    switch action {
    case .quit:
      return closeSomething()
    case .back: _ = closeSomething()
    case .palette: open(.palette, argument)
    case .help: openOverlay(.help)
    case .log: openOverlay(.log)
    case .setup: openOverlay(.setup)
    case .sort:
      if argument.isEmpty {
        openOverlay(.sort)
        state.overlaySelection =
          sortColumns().firstIndex { $0.name == state.place.sort?.column } ?? 0
      } else {
        sortNamed(argument)
      }
    case .save: save()
    case .theme: changeTheme(argument)
    case .mappings: show(.mappings)
    case .errors: show(.errors)
    case .events: show(.events)
    case .devices: show(.devices)
    case .files: show(.files)
    case .buffers: show(.buffers)
    case .map: show(.map)
    case .stats: show(.stats)
    case .nextView, .previousView:
      let all = MonitorState.View.allCases
      let index = all.firstIndex(of: state.view) ?? 0
      show(all[(index + (action == .nextView ? 1 : all.count - 1)) % all.count])
    case .up: moveSelection(by: -1)
    case .down: moveSelection(by: 1)
    case .pageUp: moveSelection(by: -page)
    case .pageDown: moveSelection(by: page)
    case .first: state.moveSelection(to: 0)
    case .last: state.moveSelection(to: Int.max / 2)
    case .left: sideways(-1)
    case .right: sideways(1)
    case .detailUp: state.detailScroll = max(0, state.detailScroll - 1)
    case .detailDown: state.detailScroll += 1
    case .open: openRow()
    case .filter: argument.isEmpty ? open(.filter, state.place.filterText) : filter(argument)
    case .clearFilter: state.setFilter("")
    case .pin: state.togglePin()
    case .search: argument.isEmpty ? open(.search, "") : searchFor(argument)
    case .nextMatch: search(forwards: true)
    case .previousMatch: search(forwards: false)
    case .sortLeft: changeSort(by: -1)
    case .sortRight: changeSort(by: 1)
    case .invertSort: invertSort()
    case .errorsOnly: state.place.errorsOnly.toggle()
    case .tree, .expand, .collapse, .toggleAll: changeTree(action)
    case .mark: markRow()
    case .markRange: markRange()
    case .unmarkAll: state.place.marked = []
    case .follow: follow()
    case .goTo: argument.isEmpty ? open(.goTo, "") : goTo(argument)
    case .write: argument.isEmpty ? startWriting() : write(argument)
    case .export: argument.isEmpty ? open(.export, "") : export(argument)
    case .copy: copy(screen)
    case .setMark: argument.isEmpty ? open(.mark, "") : setMark(argument)
    case .goToMark:
      if let letter = argument.first {
        state.goTo("mark \(letter)")
      } else {
        state.awaitsMark = true
        let letters = state.marks.keys.sorted().map { String($0) }.joined(separator: " ")
        state.say(
          letters.isEmpty ? "no marks yet: \" and a letter sets one" : "go to mark: \(letters)",
          keeps: false
        )
      }
    case .mouse:
      state.settings.mouse.toggle()
      state.say(
        state.settings.mouse ? "the mouse is ours" : "the mouse is the terminal's",
        keeps: false
      )
    case .header:
      state.settings.change(.header, by: 1)
    case .redraw: state.invalidate()
    case .stripIn: state.stripZoom = min(state.stripZoom + 1, 8)
    case .stripOut: state.stripZoom = max(state.stripZoom - 1, 0)
    default: travel(action)
    }
    return true
  }

  /// - Returns: Whether there was nothing to close, and so whether to go on.
  private mutating func closeSomething() -> Bool {
    if state.showsDetail {
      state.showsDetail = false
    } else if state.difference != nil {
      state.difference = nil
    } else if state.view == .map, !state.mapZoom.isEmpty {
      state.mapZoom.removeLast()
      state.mapCell = nil
      state.invalidate()
    } else {
      return false
    }
    return true
  }

  private mutating func openOverlay(_ overlay: MonitorState.Overlay) {
    state.overlay = overlay
    state.overlayScroll = 0
    state.overlaySelection = 0
  }

  private mutating func show(_ view: MonitorState.View) {
    state.view = view
    state.showsDetail = false
    state.detailScroll = 0
    state.difference = nil
    if view == .events { state.place.selection = .max / 2 }
  }

  private mutating func save() {
    if let problem = effects.saveSettings(state.settings) {
      state.say("not saved: \(problem)")
    } else {
      state.say("settings saved")
    }
  }

  private mutating func changeTheme(_ name: String) {
    if name.isEmpty {
      state.settings.change(.theme, by: 1)
    } else if !state.settings.set(.theme, name) {
      state.say("themes: " + Theme.all.map(\.name).joined(separator: ", "), keeps: false)
      return
    }
    state.say("theme \(state.settings.theme.name)", keeps: false)
  }

  // MARK: Rows

  private mutating func openRow() {
    let list = state.list(glyphs)
    guard let row = state.selectedRow(list) else {
      state.showsDetail = false
      return
    }
    if let group = list.branch(row)?.group {
      toggle(group.key)
      return
    }
    if state.view == .map, state.difference == nil {
      zoomMap(list, row)
      return
    }
    if state.difference != nil { return showDifference(list, row) }
    state.showsDetail.toggle()
    state.detailScroll = 0
  }

  /// Takes the row of the map, or the cell of it that is picked, for the whole picture.
  private mutating func zoomMap(_ list: any RowList, _ row: Int) {
    guard let identity = list.identity(row),
      let region = state.regions().first(where: { $0.identity == identity })
    else { return }
    var range = region.start..<region.end
    if let cell = state.mapCell {
      range = region.cell(min(cell, state.mapBarWidth - 1), of: state.mapBarWidth)
    }
    guard range.upperBound - range.lowerBound > 64, state.mapZoom.count < 12 else {
      state.say("one cacheline is as close as it gets", keeps: false)
      return
    }
    state.mapZoom.append((range, region.space))
    state.mapCell = nil
    state.place.selection = 0
    state.invalidate()
  }

  private mutating func sideways(_ step: Int) {
    if state.view == .map, state.difference == nil {
      let cell = (state.mapCell ?? (step > 0 ? -1 : state.mapBarWidth)) + step
      state.mapCell = cell < 0 || cell >= state.mapBarWidth ? nil : cell
      return
    }
    let list = state.list(glyphs)
    if state.place.isTree, let row = state.selectedRow(list), let branch = list.branch(row) {
      if let group = branch.group {
        if group.isOpen != (step > 0) { toggle(group.key) }
      } else if step < 0 {
        // From a row of a group to its head.
        var head = row
        while head > 0, list.branch(head)?.group == nil { head -= 1 }
        state.moveSelection(to: head)
      }
      return
    }
    state.place.columnOffset = max(0, min(state.place.columnOffset + step, list.columns.count - 1))
  }

  private mutating func toggle(_ key: String) {
    if state.place.toggled.remove(key) == nil { state.place.toggled.insert(key) }
    state.invalidate()
  }

  private mutating func changeTree(_ action: MonitorAction) {
    guard state.view.hasTree, state.difference == nil else {
      state.say("this view has no groups", keeps: false)
      return
    }
    if action == .tree {
      state.place.isTree.toggle()
      return
    }
    let list = state.list(glyphs)
    if action == .toggleAll {
      let groups = (0..<list.count).compactMap { list.branch($0)?.group }
      let opens = groups.contains { !$0.isOpen }
      for group in groups where group.isOpen != opens { toggle(group.key) }
      return
    }
    guard let row = state.selectedRow(list), let group = list.branch(row)?.group else { return }
    if group.isOpen != (action == .expand) { toggle(group.key) }
  }

  private mutating func markRow() {
    let list = state.list(glyphs)
    guard let row = state.selectedRow(list), let identity = list.identity(row) else { return }
    if state.place.marked.remove(identity) == nil { state.place.marked.insert(identity) }
    state.moveSelection(to: min(row + 1, list.count - 1))
  }

  private mutating func markRange() {
    let list = state.list(glyphs)
    guard let row = state.selectedRow(list) else { return }
    // The marked row that is nearest above, or below when there is none.
    let marked = state.place.marked
    let above = (0..<row).last { list.isRow($0, among: marked) }
    let below = (row..<list.count).first { list.isRow($0, among: marked) }
    guard let other = above ?? below else { return markRow() }
    let identities = (min(row, other)...max(row, other)).compactMap { list.identity($0) }
    state.place.marked.formUnion(identities)
  }

  private mutating func follow() {
    let list = state.list(glyphs)
    guard let row = state.selectedRow(list) else { return }
    state.place.followed = state.place.followed == nil ? list.identity(row) : nil
    state.say(
      state.place.followed == nil ? "the cursor stays where it is" : "the cursor follows this row",
      keeps: false
    )
  }

  // MARK: Sorting

  /// Columns that the list at hand can be sorted by, hidden ones too.
  private mutating func sortColumns() -> [ListColumn] {
    if state.view == .mappings, state.difference == nil {
      return state.settings.allMappingFields.map(MappingList.column)
    }
    return state.list(glyphs).columns
  }

  private mutating func sortByPicked() {
    let columns = sortColumns()
    guard columns.indices.contains(state.overlaySelection) else { return }
    sort(by: columns[state.overlaySelection].name)
  }

  /// Sorts by a column; by the same one again the other way round.
  private mutating func sort(by column: String) {
    if let sort = state.place.sort, sort.column == column {
      state.place.sort = MonitorState.Sort(column: column, isAscending: !sort.isAscending)
      return
    }
    let isTrailing = sortColumns().first { $0.name == column }?.isTrailing ?? false
    // Of numbers the largest are of most interest, of names the first.
    state.place.sort = MonitorState.Sort(column: column, isAscending: !isTrailing)
  }

  /// `size`, `-size`
  private mutating func sortNamed(_ text: String) {
    let isDescending = text.hasPrefix("-")
    let name = isDescending ? String(text.dropFirst()) : text
    let columns = sortColumns()
    var wanted = name
    if state.view == .buffers, let field = BufferField(name: name) { wanted = field.rawValue }
    guard
      let column = columns.first(where: { $0.name == name })
        ?? columns.first(where: { $0.name == wanted || $0.name == wanted + "_ns" })
    else {
      state.say(
        "columns: " + columns.map(\.name).joined(separator: ", "),
        keeps: false
      )
      return
    }
    state.place.sort = MonitorState.Sort(column: column.name, isAscending: !isDescending)
  }

  private mutating func changeSort(by step: Int) {
    let all = state.list(glyphs).columns
    // Those that are on the screen; hidden ones are for the picker.
    let shown = state.shownColumns.isEmpty ? Array(all.indices) : state.shownColumns
    let columns = shown.filter { all.indices.contains($0) }.map { all[$0] }
    guard !columns.isEmpty else { return }
    let position = columns.firstIndex { $0.name == state.place.sort?.column }
    let next = position.map { ($0 + step + columns.count) % columns.count } ?? 0
    state.place.sort = nil
    sort(by: columns[next].name)
  }

  private mutating func invertSort() {
    if let sort = state.place.sort {
      state.place.sort?.isAscending = !sort.isAscending
    } else if let column = state.list(glyphs).columns.first {
      sort(by: column.name)
    }
  }

  // MARK: Time

  private mutating func travel(_ action: MonitorAction) {
    let old = state.timeline.event
    switch action {
    case .pause: return state.togglePause()
    case .slower: return state.changeSpeed(by: 0.5)
    case .faster: return state.changeSpeed(by: 2)
    case .related: return goToRelated()
    case .difference: return state.compareMarks()
    case .repeatJump:
      guard !state.lastJump.isEmpty else {
        return state.say("no +time or -time to repeat yet", keeps: false)
      }
      return goTo(state.lastJump)
    case .markA:
      state.markA = state.now()
      return state.say("A is event \(old)", keeps: false)
    case .markB:
      state.markB = state.now()
      return state.say("B is event \(old)", keeps: false)
    default: break
    }
    state.isPlaying = false
    var isThere = true
    let marked = state.markedEvents
    let (stripStart, stripSpan) = state.stripRange
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
      case .stripStart: try timeline.seek(time: stripStart)
      case .stripEnd: try timeline.seek(time: stripStart + stripSpan)
      case .nextMarker, .previousMarker:
        let target =
          action == .nextMarker ? marked.first { $0 > old } : marked.last { $0 < old }
        isThere = target != nil
        if let target { try timeline.seek(event: target) }
      default: break
      }
    }
    if !isThere { state.say("there is none in this direction", keeps: false) }
    afterTravel()
  }

  private mutating func afterTravel() {
    if state.view == .errors { selectErrorAtNow() }
    if state.view == .events { state.place.selection = .max / 2 }
  }

  /// The row of the errors view that belongs to now.
  private mutating func selectErrorAtNow() {
    let now = state.timeline.event
    let entries = state.timeline.entries
    let list = state.list(glyphs)
    guard let errors = Self.errors(list) else { return }
    var best: Int?
    for row in 0..<list.count {
      guard let members = errors.members(row, list) else { continue }
      if members.contains(where: { entries[$0].event == now }) {
        best = row
        // The message itself says more than its group.
        if list.branch(row)?.group == nil { break }
      }
    }
    if let best { state.place.selection = best }
  }

  /// The list of errors behind a list, however it is arranged.
  static func errors(_ list: any RowList) -> ErrorRows? {
    if let errors = list as? ErrorList { return ErrorRows(errors: errors, order: nil) }
    guard let arranged = list as? ArrangedList, let errors = arranged.base as? ErrorList else {
      return nil
    }
    return ErrorRows(errors: errors, order: arranged.order)
  }

  /// Goes to where the selected row came from, or to the view that shows the other side of it.
  private mutating func goToRelated() {
    let list = state.list(glyphs)
    guard let row = state.selectedRow(list) else { return }
    if state.difference != nil { return showDifference(list, row) }
    switch state.view {
    case .errors:
      guard let position = Self.errors(list)?.position(row) else { return }
      let event = state.timeline.entries[position].event
      state.isPlaying = false
      state.attempt { timeline throws(TraceError) in try timeline.seek(event: event) }
      state.say("just after the error, event \(event)", keeps: false)
    case .events:
      guard let number = list.identity(row) else { return }
      state.isPlaying = false
      state.attempt { timeline throws(TraceError) in try timeline.seek(event: number) }
      afterTravel()
    case .mappings:
      guard let mapping = (list as? MappingList)?.mapping(row) else { return }
      if let buffer = state.timeline.engine.buffer(of: mapping) {
        return showBuffer(buffer, mapping)
      }
      state.isPlaying = false
      state.attempt { timeline throws(TraceError) in try timeline.seek(time: mapping.time) }
      state.place.followed = mapping.sequence
      state.say("when the mapping was made; the cursor follows it", keeps: false)
    case .devices:
      guard case .text(let device) = list.value(row, 1) else { return }
      if let group = list.branch(row)?.group {
        show(.mappings)
        state.setFilter("driver=\(group.key)")
        state.say("what devices of \(group.key) hold", keeps: false)
        return
      }
      show(.mappings)
      state.setFilter("device=\(device)")
      state.say("what \(device) holds", keeps: false)
    case .stats:
      guard case .text(let site) = list.value(row, 5), let word = site.split(separator: " ").first
      else { return }
      show(.mappings)
      state.setFilter("site:\(word)")
    case .map:
      guard let region = state.regions().first(where: { $0.identity == list.identity(row) }) else {
        return
      }
      var range = region.start..<region.end
      if let cell = state.mapCell { range = region.cell(cell, of: state.mapBarWidth) }
      let from = String(range.lowerBound, radix: 16)
      let to = String(range.upperBound, radix: 16)
      show(.mappings)
      let space = region.space.map { " device=\(state.names.devices.string($0.rawValue))" } ?? ""
      state.setFilter("dma_addr>=0x\(from) dma_addr<0x\(to)\(space)")
    case .buffers: showMappings(of: list, row)
    case .files: break
    }
  }

  /// The row of a mapping among the buffers.
  private mutating func showBuffer(_ buffer: DMABuf, _ mapping: Mapping) {
    let attachment = state.timeline.engine.attachment(of: mapping)
    show(.buffers)
    state.setFilter("")
    state.place.errorsOnly = false
    state.place.isTree = true
    let exporter =
      buffer.exporter == NameTable.unknown ? "?" : state.names.exporters.string(buffer.exporter)
    // Exporters, attachments and mappings are open unless they were closed, buffers the other way.
    state.place.toggled.remove(BufferList.key(exporter: exporter))
    state.place.toggled.insert(BufferList.key(buffer))
    if let attachment { state.place.toggled.remove("a:\(attachment.id)") }
    state.invalidate()
    select(.mapping(mapping.sequence))
    state.say("buffer \(buffer.inode), which it maps; z goes back", keeps: false)
  }

  /// Puts the cursor on the row of the buffers view that stands for something.
  private mutating func select(_ subject: BufferList.Subject) {
    let list = state.list(glyphs)
    guard let row = (0..<list.count).first(where: { BufferList.subject(list, $0) == subject })
    else { return }
    state.moveSelection(to: row)
  }

  /// From a row of the buffers to the mappings of it.
  private mutating func showMappings(of list: any RowList, _ row: Int) {
    let sharing = state.timeline.engine.sharing
    switch BufferList.subject(list, row) {
    case .mapping(let sequence):
      show(.mappings)
      state.setFilter("")
      state.place.errorsOnly = false
      state.place.isTree = false
      let mappings = state.list(glyphs)
      guard let row = (0..<mappings.count).first(where: { mappings.identity($0) == sequence })
      else { return }
      state.moveSelection(to: row)
      state.say("the mapping; z goes back to its buffer", keeps: false)
    case .attachment(let id):
      guard let attachment = sharing.attachment(id) else { return }
      let device = state.names.devices.string(attachment.device.rawValue)
      guard !state.timeline.engine.slots(of: attachment).isEmpty else {
        return state.say("\(device) has buffer \(attachment.inode) not mapped", keeps: false)
      }
      show(.mappings)
      state.setFilter("buffer=\(attachment.inode) device=\(device)")
    case .buffer(let inode):
      let attachments = sharing.buffer(inode)?.attachments.compactMap { sharing.attachment($0) }
      guard attachments?.contains(where: { !state.timeline.engine.slots(of: $0).isEmpty }) == true
      else { return state.say("buffer \(inode) is not mapped", keeps: false) }
      show(.mappings)
      state.setFilter("buffer=\(inode)")
      state.say("mappings of buffer \(inode)", keeps: false)
    case .exporter, .process, nil: break
    }
  }

  /// The mappings that a row of the difference counts as new.
  private mutating func showDifference(_ list: any RowList, _ row: Int) {
    guard let difference = state.difference,
      let group = DifferenceList.group(difference, list, row),
      let a = state.markA, let b = state.markB
    else { return }
    let device = state.names.devices.string(group.device.rawValue)
    let site = MapSite(stack: group.stack, symbol: group.site).name(state.names)
    state.isPlaying = false
    state.attempt { timeline throws(TraceError) in try timeline.seek(event: max(a.event, b.event)) }
    show(.mappings)
    let from = a.event < b.event ? a.time : b.time
    let word = site?.split(separator: " ").first.map { " site:\($0)" } ?? ""
    state.setFilter("device=\(device) time>=\(from)ns\(word)")
    state.say("new since the first of the two markers", keeps: false)
  }

  private mutating func goTo(_ text: String) {
    state.goTo(text)
    afterTravel()
  }

  /// Names this moment by a letter.
  private mutating func setMark(_ text: String) {
    guard let letter = text.trimmingBlanks().first, text.trimmingBlanks().count == 1,
      letter.isLetter || letter.isNumber
    else {
      state.say("a mark is a letter or a digit", keeps: false)
      return
    }
    state.marks[letter] = state.now()
    state.say("mark \(letter) is event \(state.timeline.event)", keeps: false)
  }

  // MARK: Prompts

  private mutating func open(_ kind: MonitorState.Prompt, _ text: String) {
    state.prompt = (kind, LineEditor(text, history: state.histories[kind] ?? []))
  }

  /// - Returns: Whether to go on.
  private mutating func type(
    _ key: Key,
    _ screen: some Screen,
    _ page: Int
  ) -> Bool {
    guard let prompt = state.prompt else { return true }
    let kind = prompt.kind
    var editor = prompt.editor
    switch key {
    case .enter:
      state.prompt = nil
      return finish(kind, editor.text, screen, page)
    case .escape:
      if kind == .search { showLine() }
      state.prompt = nil
      // Out of the line means out of the filter.
      if kind == .filter { state.setFilter("") }
      return true
    case .tab where kind == .palette:
      if let action = Self.matching(editor.text).first { editor.set(action.rawValue + " ") }
    case .mouse: return true
    default:
      guard editor.type(key) else { return true }
    }
    state.prompt = (kind, editor)
    isLineNew = true
    return true
  }

  /// Searches or filters for what has been typed so far.
  private mutating func showLine() {
    guard isLineNew else { return }
    isLineNew = false
    guard let (kind, editor) = state.prompt else { return }
    switch kind {
    case .search:
      state.searchText = editor.text
      search(forwards: true, fromHere: true)
    case .filter: state.setFilter(editor.text)
    default: break
    }
  }

  private mutating func finish(
    _ kind: MonitorState.Prompt,
    _ text: String,
    _ screen: some Screen,
    _ page: Int
  ) -> Bool {
    if !text.isEmpty {
      var lines = state.histories[kind] ?? []
      lines.removeAll { $0 == text }
      state.histories[kind] = lines.suffix(99) + [text]
    }
    switch kind {
    case .filter: filter(text)
    case .search: searchFor(text)
    case .goTo: goTo(text)
    case .write: write(text)
    case .export: export(text)
    case .mark: setMark(text)
    case .palette: return command(text, screen, page)
    }
    return true
  }

  /// A line of the palette: the name of an action, and what it needs.
  private mutating func command(
    _ text: String,
    _ screen: some Screen,
    _ page: Int
  ) -> Bool {
    let words = text.trimmingBlanks()
    guard !words.isEmpty else { return true }
    let name = String(words.prefix { $0 != " " })
    let argument = String(words.dropFirst(name.count)).trimmingBlanks()
    guard let action = MonitorAction(named: name) ?? Self.matching(name).first else {
      state.say("there is no action '\(String(escaping: name.utf8))'", keeps: false)
      return true
    }
    return perform(action, argument, screen, page)
  }

  /// Actions whose names have these words, those that begin with them first.
  static func matching(_ text: String) -> [MonitorAction] {
    let word = String(text.trimmingBlanks().lowercased().prefix { $0 != " " })
    let all = MonitorAction.allCases
    func begins(_ action: MonitorAction) -> Bool {
      action.rawValue.hasPrefix(word) || action.aliases.contains { $0.hasPrefix(word) }
    }
    return all.filter { $0.rawValue == word }
      + all.filter { $0.rawValue != word && begins($0) }
      + all.filter { !begins($0) && $0.rawValue.contains(word) }
  }

  private mutating func filter(_ text: String) {
    // The filter that was there stays when this is none, and the line comes back.
    if !state.setFilter(text) {
      let message = state.message
      open(.filter, text)
      if let message { state.say(message, keeps: false) }
    }
  }

  private mutating func startWriting() {
    guard state.view == .files else {
      state.say("files are written in view 5", keeps: false)
      return
    }
    open(.write, "")
  }

  /// Writes the selected file, on top of what the trace says.
  private mutating func write(_ text: String) {
    guard state.view == .files else { return startWriting() }
    let list = state.list(glyphs)
    guard let row = state.selectedRow(list), let file = FileList.file(list, row) else { return }
    if state.timeline.isFollowing, !state.timeline.isComplete {
      state.say("pause first: the file of a running kernel is not ours to write", keeps: false)
      return
    }
    var error: WriteError?
    do throws(TraceError) {
      error = try state.timeline.write(file, Array(text.utf8))
    } catch {
      return state.say(error.description)
    }
    state.say(
      error.map { "write error: \($0.message)" }
        ?? "wrote dma-api/\(file.rawValue), what-if until time moves"
    )
    state.invalidate()
  }

  // MARK: Export

  private mutating func export(_ name: String) {
    let list = state.list(glyphs)
    let rows = chosenRows(list, orAll: true)
    do throws(CommandError) {
      let count = try effects.export(list, rows, name, state.view)
      state.say("\(count) row\(count == 1 ? "" : "s") saved to \(displayName(name))")
    } catch {
      state.say("not saved: \(error.description)")
    }
  }

  private mutating func copy(_ screen: some Screen) {
    let list = state.list(glyphs)
    let rows = chosenRows(list, orAll: false)
    guard !rows.isEmpty else { return }
    let text = rows.map { String(escaping: list.line($0).utf8) }.joined(separator: "\n")
    let isSent = screen.copy(text)
    state.say(
      isSent
        ? "\(rows.count) row\(rows.count == 1 ? "" : "s") copied, if the terminal allows it"
        : "this terminal has no clipboard, or the rows are too many",
      keeps: false
    )
  }

  /// The marked rows; without any the one of the cursor, or all.
  private func chosenRows(_ list: any RowList, orAll: Bool) -> [Int] {
    let marked = state.place.marked
    if !marked.isEmpty {
      let rows = (0..<list.count).filter { list.isRow($0, among: marked) }
      if !rows.isEmpty { return rows }
    }
    if orAll { return Array(0..<list.count) }
    return state.selectedRow(list).map { [$0] } ?? []
  }

  // MARK: Searching

  private mutating func searchFor(_ text: String) {
    state.searchText = text
    if state.view == .mappings, state.place.isTree, state.difference == nil {
      state.openGroups(with: text)
    }
    search(forwards: true, fromHere: true)
  }

  private mutating func search(forwards: Bool, fromHere: Bool = false) {
    let text = state.searchText.trimmingBlanks()
    guard !text.isEmpty else { return }
    let list = state.list(glyphs)
    let matches = ListSearch.matches(text, list)
    guard !matches.isEmpty else {
      state.say("'\(String(escaping: text.utf8))' is not here", keeps: false)
      return
    }
    let here = state.selectedRow(list) ?? 0
    let next =
      forwards
      ? matches.first { fromHere ? $0 >= here : $0 > here } ?? matches[0]
      : matches.last { $0 < here } ?? matches[matches.count - 1]
    state.moveSelection(to: next)
    let number = (matches.firstIndex(of: next) ?? 0) + 1
    state.say("'\(String(escaping: text.utf8))' \(number)/\(matches.count)", keeps: false)
  }
}

/// The errors behind a list that may be arranged.
struct ErrorRows {
  let errors: ErrorList
  let order: [Int]?

  private func row(_ row: Int) -> Int? {
    guard let order else { return row }
    return order.indices.contains(row) ? order[row] : nil
  }

  /// The position of the message among the timeline's entries.
  func position(_ row: Int) -> Int? { self.row(row).flatMap { errors.position($0) } }

  /// All messages of a row.
  func members(_ row: Int, _ list: any RowList) -> [Int]? {
    self.row(row).map { errors.members($0) }
  }
}
