import DMADebugCore
import DMAReplay
import DMATrace
import TerminalKit

/// Draws the state of the monitor into cells.
package struct MonitorView {
  let glyphs: Glyphs
  var theme = Theme.standard

  /// A picture of `width` × `height` cells.
  func frame(_ state: inout MonitorState, width: Int, height: Int) -> CellBuffer {
    var buffer = CellBuffer(size: Size(width: width, height: height), style: theme[.plain])
    state.targets.removeAll(keepingCapacity: true)
    let top = drawHeader(&buffer, &state)
    let hasKeys = height >= 6 && (state.settings.showsKeys || state.prompt != nil)
    let bottom = height - (hasKeys ? 1 : 0) - (hasMessageLine(state) ? 1 : 0)
    let area = Rectangle(x: 0, y: top, width: width, height: max(0, bottom - top))
    if state.difference != nil {
      drawDifference(&buffer, &state, area)
    } else {
      drawView(&buffer, &state, area)
    }
    if hasMessageLine(state), bottom < height { drawMessage(&buffer, state, bottom) }
    if hasKeys { drawKeys(&buffer, &state, height - 1) }
    drawOverlay(&buffer, &state)
    if glyphs.isASCII { buffer.restrictToASCII() }
    return buffer
  }

  private func drawView(
    _ buffer: inout CellBuffer,
    _ state: inout MonitorState,
    _ area: Rectangle
  ) {
    switch state.view {
    case .mappings: drawMappings(&buffer, &state, area)
    case .errors: drawErrors(&buffer, &state, area)
    case .events: drawEvents(&buffer, &state, area)
    case .devices: drawDevices(&buffer, &state, area)
    case .files: drawFiles(&buffer, &state, area)
    case .buffers: drawBuffers(&buffer, &state, area)
    case .map: drawMap(&buffer, &state, area)
    case .stats: drawStats(&buffer, &state, area)
    }
  }

  private func hasMessageLine(_ state: MonitorState) -> Bool {
    state.message != nil || state.prompt != nil
  }

  // MARK: Header

  /// - Returns: The first line below it.
  private func drawHeader(_ buffer: inout CellBuffer, _ state: inout MonitorState) -> Int {
    drawTitle(&buffer, state)
    var y = 1
    let header = state.settings.header
    let timeline = state.timeline
    let engine = timeline.engine
    if header != .none || buffer.height < 12 {
      let totals = state.totals()
      var line = [("live", "\(totals.count) (\(FieldValue.bytes(totals.bytes)))")]
      line.append(("errors", String(engine.errorCount)))
      line.append(("event", "\(timeline.event)" + ofAll(timeline)))
      line.append(("time", time(state)))
      if let rate = state.eventRate { line.append(("events/s", Self.short(rate))) }
      drawPairs(&buffer, y, line, alarming: engine.errorCount > 0 ? "errors" : nil)
      y += 1
      if header == .full, buffer.height >= 12 {
        drawPool(&buffer, y, engine.poolCounters, isDisabled: engine.isDisabled)
        y += 1
        drawPairs(
          &buffer,
          y,
          [Direction.toDevice, .fromDevice, .bidirectional].map {
            let part = totals.byDirection[Int($0.rawValue)]
            return ($0.traceName.description, "\(part.count) (\(FieldValue.bytes(part.bytes)))")
          },
          alarming: nil
        )
        y += 1
        if let deltas = state.deltas() {
          drawPairs(&buffer, y, [("A to B", deltas)], alarming: nil)
          y += 1
        }
        drawStrip(&buffer, y, state)
        state.targets.append(
          MonitorState.Target(x: 1, y: y, width: buffer.width - 2, height: 1, kind: .strip)
        )
        y += 1
      }
    }
    if buffer.height >= 4 {
      drawTabs(&buffer, y, &state)
      y += 1
    }
    return y
  }

  /// `1.2M`
  static func short(_ number: UInt64) -> String {
    switch number {
    case ..<10_000: return String(number)
    case ..<10_000_000: return "\(number / 1000)k"
    default: return "\(number / 1_000_000)M"
    }
  }

  private func drawTitle(_ buffer: inout CellBuffer, _ state: MonitorState) {
    let style = theme[.bar]
    buffer.fill(Rectangle(x: 0, y: 0, width: buffer.width, height: 1), style: style)
    let isReading = !state.isDone && !state.isLive
    let mode = state.mode + (isReading ? percentage(state) : "")
    let generation = state.timeline.engine.configuration.generation
    // What nothing in the trace tells is no fact.
    let doubt = state.timeline.origin == .assumed ? "?" : ""
    let x = buffer.put(
      " dmatop  kernel \(generation.version)\(doubt)  ",
      x: 0,
      y: 0,
      style: style,
      maxWidth: max(0, buffer.width - mode.count - 2)
    )
    let room = buffer.width - x - mode.count - 3
    // Of a long path the end says most.
    var path = displayName(state.path)
    if path.count > room, room > 1 {
      path = glyphs.ellipsis + String(path.suffix(room - 1))
    }
    buffer.put(path, x: x, y: 0, style: style, maxWidth: max(0, room))
    buffer.put(mode, x: max(0, buffer.width - mode.count - 1), y: 0, style: style)
  }

  private func ofAll(_ timeline: Timeline) -> String {
    timeline.isFollowing ? "" : "/\(timeline.eventCount)"
  }

  private func percentage(_ state: MonitorState) -> String {
    let progress = state.timeline.progress
    guard let total = progress.total, total > 0 else { return "" }
    return " \(progress.read * 100 / total) %"
  }

  func time(_ state: MonitorState) -> String {
    time(state.timeline.time, state)
  }

  func time(_ time: UInt64, _ state: MonitorState) -> String {
    guard state.hasClock else { return String(time) }
    return String(FieldValue.seconds(time).dropLast(3))
  }

  func drawPairs(
    _ buffer: inout CellBuffer,
    _ y: Int,
    _ pairs: [(String, String)],
    alarming: String?
  ) {
    var x = 1
    for (label, value) in pairs {
      let length = label.count + 1 + value.count
      guard x == 1 || x + length <= buffer.width else { break }
      x += buffer.put(label, x: x, y: y, style: theme[.label]) + 1
      let style = label == alarming ? theme[.error] : theme[.plain]
      x += buffer.put(value, x: x, y: y, style: style) + 2
    }
  }

  private func drawPool(
    _ buffer: inout CellBuffer,
    _ y: Int,
    _ pool: (total: UInt32, minimumFree: UInt32, free: UInt32),
    isDisabled: Bool
  ) {
    let numbers =
      " \(pool.free) free, \(pool.minimumFree) at least, \(pool.total) in all"
      + (isDisabled ? ", disabled" : "")
    var x = 1 + buffer.put("pool", x: 1, y: y, style: theme[.label]) + 1
    let width = min(24, buffer.width - x - numbers.count - 3)
    if width >= 4 {
      let used = Int(pool.total - min(pool.total, pool.free)) * width / max(Int(pool.total), 1)
      let most =
        Int(pool.total - min(pool.total, pool.minimumFree)) * width / max(Int(pool.total), 1)
      let shown = pool.total > pool.free ? max(used, 1) : 0
      x += buffer.put("[", x: x, y: y, style: theme[.plain])
      // How full it is, and how full it was at most.
      let share = Double(pool.free) / Double(max(pool.total, 1))
      let fill = share < 0.1 ? theme[.error] : share < 0.25 ? theme[.warning] : theme[.good]
      buffer.put(String(repeating: "|", count: shown), x: x, y: y, style: fill)
      if most > shown {
        let mark = String(repeating: ":", count: most - shown)
        buffer.put(mark, x: x + shown, y: y, style: theme[.faint])
      }
      x += width
      x += buffer.put("]", x: x, y: y, style: theme[.plain])
    }
    buffer.put(numbers, x: x, y: y, style: isDisabled ? theme[.warning] : theme[.plain])
  }

  /// All of the time in one line: how much happened, where errors are, and where now is.
  private func drawStrip(_ buffer: inout CellBuffer, _ y: Int, _ state: MonitorState) {
    let timeline = state.timeline
    let (start, span) = state.stripRange
    let width = buffer.width - 2
    guard width > 4, span > 0 else { return }
    let density = timeline.density
    /// The pieces of the density that a cell shows.
    func pieces(_ cell: Int) -> Range<Int> {
      func piece(_ cell: Int) -> Int {
        let time =
          (start - min(start, density.start)) &+ span.share(Double(cell) / Double(width))
        return Int(min(time / density.width, UInt64(EventDensity.pieces - 1)))
      }
      let first = piece(cell)
      return first..<max(first + 1, piece(cell + 1))
    }
    func cell(_ time: UInt64) -> Int? {
      guard time >= start, time - start <= span else { return nil }
      return Int(Double(time - start) / Double(span) * Double(width - 1))
    }
    let sums = (0..<width).map { cell in pieces(cell).reduce(0) { $0 + density.events[$1] } }
    let most = max(sums.max() ?? 1, 1)
    let found = Set(
      state.lint.findings.lazy.filter { $0.eventNumber > 0 }.compactMap { cell($0.time) }
    )
    func hasError(_ index: Int) -> Bool {
      found.contains(index) || pieces(index).contains { density.errors[$0] > 0 }
    }
    for index in 0..<width {
      let hasError = hasError(index)
      let level = sums[index] == 0 ? 0 : 1 + Int(sums[index] * 7 / most)
      // An error has a sign of its own: a colour would be lost on some.
      let glyph = hasError ? "!" : level == 0 ? " " : glyphs.verticalBar[min(level, 8) - 1]
      buffer.put(
        glyph,
        x: index + 1,
        y: y,
        style: hasError ? theme[.error] : theme[.chart]
      )
    }
    var letters = state.marks.sorted { $0.key < $1.key }.map { (String($0.key), $0.value.time) }
    if let mark = state.markA { letters.append(("A", mark.time)) }
    if let mark = state.markB { letters.append(("B", mark.time)) }
    for (letter, time) in letters {
      guard let cell = cell(time) else { continue }
      buffer.put(letter, x: 1 + cell, y: y, style: hasError(cell) ? theme[.error] : theme[.notice])
    }
    if let cell = cell(max(timeline.time, start)) {
      buffer.restyle(Rectangle(x: 1 + cell, y: y, width: 1, height: 1)) { $0.reverse.toggle() }
    }
    if state.stripZoom > 0 {
      buffer.put("\(1 << state.stripZoom)×", x: 1, y: y, style: theme[.notice])
    }
  }

  private func drawTabs(_ buffer: inout CellBuffer, _ y: Int, _ state: inout MonitorState) {
    var notes: [String] = []
    let place = state.place
    if !place.filterText.isEmpty { notes.append("FILTER \(place.filterText)") }
    if !state.pinnedText.isEmpty { notes.append("PINNED \(state.pinnedText)") }
    if place.errorsOnly { notes.append("ERRORS ONLY") }
    if !notes.isEmpty, state.view == .mappings, state.difference == nil {
      let content = state.mappingList().content
      notes.append("\(content.count) of \(content.total) shown")
    }
    if place.followed != nil { notes.append("FOLLOW") }
    if !place.marked.isEmpty { notes.append("\(place.marked.count) marked") }
    let note = notes.joined(separator: "  ")
    let current = state.view
    let errors = errorCounts(state)
    var targets: [MonitorState.Target] = []
    func text(_ view: MonitorState.View, isShort: Bool) -> String {
      if isShort, view != current { return " \(view.rawValue) " }
      let count = view == .errors ? " (\(errors))" : ""
      return " \(view.rawValue) \(view.title)\(count) "
    }
    let all = MonitorState.View.allCases
    // Names give way to what has to be seen: a filter that is on.
    let full = all.reduce(1) { $0 + text($1, isShort: false).count + 1 }
    let isShort = full + (note.isEmpty ? 0 : note.count + 1) > buffer.width
    let short = all.reduce(2) { $0 + text($1, isShort: true).count }
    var x = 1
    for view in all {
      if !note.isEmpty, short + note.count > buffer.width, view != state.view { continue }
      let style = view == state.view ? theme[.openTab] : theme[.tab]
      let width = buffer.put(text(view, isShort: isShort), x: x, y: y, style: style)
      targets.append(MonitorState.Target(x: x, y: y, width: width, height: 1, kind: .view(view)))
      x += width + (isShort ? 0 : 1)
    }
    buffer.put(
      note,
      x: x + 1,
      y: y,
      style: theme[.notice],
      maxWidth: max(0, buffer.width - x - 1)
    )
    state.targets += targets
  }

  /// How many errors there are: until now, and of how many.
  private func errorCounts(_ state: MonitorState) -> String {
    let now = state.timeline.event
    let found = state.lint.counts(until: now)
    let entries = state.timeline.entries
    let all = state.timeline.errorEntryCount + found.all
    var until = state.timeline.errorEntryCount
    if let last = entries.last, last.event > now {
      until = UInt64(entries.lazy.filter { $0.event <= now && $0.report.kind.isError }.count)
    }
    until += found.until
    return until == all ? String(all) : "\(until) of \(all)"
  }

  // MARK: Foot

  private func drawMessage(_ buffer: inout CellBuffer, _ state: MonitorState, _ y: Int) {
    let row = Rectangle(x: 0, y: y, width: buffer.width, height: 1)
    buffer.fill(row, style: theme[.plain])
    if let prompt = state.prompt {
      let limit = prompt.editor.isFull ? " (full: \(LineEditor.maximumLength) bytes)" : ""
      let label =
        prompt.kind.rawValue + limit + (prompt.kind == .palette && limit.isEmpty ? "" : ": ")
      var x = buffer.put(label, x: 0, y: y, style: theme[.label])
      // The cursor stays in sight when the line is longer than the screen.
      let text = Array(prompt.editor.text)
      let hint = hint(prompt.kind, prompt.editor.text, state)
      var room = max(1, buffer.width - x - 1)
      // What is wrong with a line stays in sight, too.
      if text.count > room, !hint.isEmpty { room = max(1, room - min(hint.count + 3, room / 2)) }
      let first = max(0, prompt.editor.cursor - room + 1)
      let start = x
      let shown = text[min(first, text.count)...].prefix(room)
      x += buffer.put(String(shown), x: x, y: y, style: theme[.key], maxWidth: room)
      let before = String(text[min(first, text.count)..<min(prompt.editor.cursor, text.count)])
      let cursor = start + CellWidth.of(before)
      buffer.restyle(Rectangle(x: cursor, y: y, width: 1, height: 1)) { $0.reverse.toggle() }
      if glyphs.isASCII || theme.name == "mono" {
        if prompt.editor.cursor == text.count {
          buffer.put("_", x: cursor, y: y, style: theme[.key])
        }
      }
      buffer.put(
        hint,
        x: max(x, cursor + 1) + 2,
        y: y,
        style: theme[.faint],
        maxWidth: max(0, buffer.width - x - 3)
      )
    } else if let message = state.message {
      let first = message.split(separator: "\n").first ?? ""
      buffer.put(first, x: 0, y: y, style: theme[.warning])
    }
  }

  /// What can be typed.
  private func hint(_ kind: MonitorState.Prompt, _ text: String, _ state: MonitorState) -> String {
    switch kind {
    case .palette:
      let found = Monitor.matching(text)
      if let only = found.first, text.hasPrefix(only.rawValue) { return only.summary }
      return found.prefix(12).map(\.rawValue).joined(separator: " ")
    case .filter:
      if let message = state.message { return message }
      return text.isEmpty ? "words  a|b  !word  dir=from  size>4k  age>1s  ~regex  err" : ""
    case .search: return state.message ?? ""
    case .goTo: return text.isEmpty ? "+10ms  -2s  12.5  50%  #1234  start  end  mark a" : ""
    case .write: return text.isEmpty ? "value for the file" : ""
    case .export: return text.isEmpty ? "NAME.txt  NAME.csv  NAME.json" : ""
    case .mark: return text.isEmpty ? "a letter or a digit" : ""
    }
  }

  private func drawKeys(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ y: Int) {
    var keys: [(key: String, word: String, action: MonitorAction?)] = []
    if let prompt = state.prompt {
      keys = [("Enter", prompt.kind == .filter ? "Filter" : "Do", nil)]
      keys.append(("Esc", prompt.kind == .filter ? "All rows" : "Cancel", nil))
      if prompt.kind == .palette { keys.append(("Tab", "Complete", nil)) }
    } else if state.overlay == .setup {
      keys = [("←→", "Change", nil), ("F12", "Save", .save), ("Esc", "Close", .back)]
      if glyphs.isASCII { keys[0].key = "Left/Right" }
    } else {
      func add(_ action: MonitorAction, _ word: String) {
        if let key = state.keyMap.short(action) { keys.append((key, word, action)) }
      }
      func pair(_ action: MonitorAction, _ other: MonitorAction, _ word: String) {
        guard let key = state.keyMap.short(action), let second = state.keyMap.short(other) else {
          return
        }
        keys.append((key + second, word, action))
      }
      add(.help, "Help")
      add(.quit, state.difference == nil ? "Quit" : "Close")
      if buffer.width >= 60 { add(.pause, state.isMoving ? "Pause" : "Play") }
      pair(.nextChange, .previousChange, "Step")
      pair(.nextError, .previousError, "Error")
      add(.goTo, "GoTo")
      switch state.view {
      case _ where state.difference != nil:
        add(.filter, "Filter")
        add(.sort, "Sort")
        add(.export, "Save")
      case .mappings:
        add(.filter, "Filter")
        add(.tree, "Tree")
        add(.sort, "Sort")
        add(.open, "Detail")
      case .errors:
        add(.filter, "Filter")
        add(.related, "GoThere")
        add(.open, "Detail")
      case .events:
        pair(.nextEvent, .previousEvent, "Event")
        add(.related, "GoThere")
      case .files: add(.write, "Write")
      case .devices:
        add(.tree, "Tree")
        add(.related, "Mappings")
      case .map:
        add(.open, "Zoom")
        add(.related, "Mappings")
      case .buffers:
        add(.filter, "Filter")
        add(.tree, "Tree")
        add(.related, "Mappings")
      case .stats: break
      }
      add(.palette, "Palette")
      add(.setup, "Setup")
    }
    var x = 0
    for (key, word, action) in keys {
      let width = key.count + word.count
      guard x + width + 1 <= buffer.width else { continue }
      if let action {
        state.targets.append(
          MonitorState.Target(x: x, y: y, width: width, height: 1, kind: .action(action))
        )
      }
      x += buffer.put(key, x: x, y: y, style: theme[.key])
      x += buffer.put(word, x: x, y: y, style: theme[.bar]) + 1
    }
  }
}
