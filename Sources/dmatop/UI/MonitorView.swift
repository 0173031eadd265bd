import DMADebugCore
import DMATimeline
import TerminalKit

/// Draws the state of the monitor into cells.
struct MonitorView {
  let glyphs: Glyphs

  static let barStyle = Style(foreground: .black, background: .cyan)
  static let headingStyle = Style(foreground: .black, background: .green)
  static let selectionStyle = Style(reverse: true)
  static let errorStyle = Style(foreground: .red, bold: true)
  static let labelStyle = Style(foreground: .cyan)
  static let dimStyle = Style(dim: true)

  /// A picture of `width` × `height` cells.
  func frame(_ state: inout MonitorState, width: Int, height: Int) -> CellBuffer {
    var buffer = CellBuffer(size: Size(width: width, height: height))
    state.targets.removeAll(keepingCapacity: true)
    let top = drawHeader(&buffer, &state)
    let hasKeys = height >= 6
    let bottom = height - (hasKeys ? 1 : 0) - (hasMessageLine(state) ? 1 : 0)
    let area = Rectangle(x: 0, y: top, width: width, height: max(0, bottom - top))
    if let difference = state.difference {
      drawDifference(&buffer, &state, difference, area)
    } else {
      drawView(&buffer, &state, area)
    }
    if hasMessageLine(state), bottom < height { drawMessage(&buffer, state, bottom) }
    if hasKeys { drawKeys(&buffer, &state, height - 1) }
    if state.showsHelp { drawHelp(&buffer, &state) }
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
    case .map: drawMap(&buffer, &state, area)
    case .stats: drawStats(&buffer, &state, area)
    }
  }

  private func hasMessageLine(_ state: MonitorState) -> Bool {
    state.message != nil || state.prompt != nil
  }

  /// What search looks at, a text for each row of the view.
  static func searchTexts(_ state: inout MonitorState) -> [String] {
    switch state.view {
    case .mappings:
      let rows = state.rows()
      let context = state.context
      return rows.map { row in
        MonitorColumn.all.map { $0.text(row, context) }.joined(separator: " ")
      }
    case .errors: return state.errorRows().map { ReportText.line($0.report, state.timeline) }
    case .events: return eventTexts(state)
    case .devices: return DeviceSummary.all(state).map(\.name)
    case .files: return VirtualFile.allCases.map(\.rawValue)
    case .map, .stats: return []
    }
  }

  // MARK: Header

  /// - Returns: The first line below it.
  private func drawHeader(_ buffer: inout CellBuffer, _ state: inout MonitorState) -> Int {
    let timeline = state.timeline
    let engine = timeline.engine
    let isSmall = buffer.height < 12 || state.hidesHeader
    drawTitle(&buffer, state)
    var y = 1
    let totals = Totals(engine)
    var line = [("live", "\(totals.count) (\(FieldValue.bytes(totals.bytes)))")]
    line.append(("errors", String(engine.errorCount)))
    line.append(("event", "\(timeline.event)" + ofAll(timeline)))
    line.append(("time", time(state)))
    if let difference = difference(state) { line.append(("A to B", difference)) }
    drawPairs(&buffer, y, line, alarming: engine.errorCount > 0 ? "errors" : nil)
    y += 1
    if !isSmall {
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
      drawStrip(&buffer, y, state)
      state.targets.append(
        MonitorState.Target(x: 1, y: y, width: buffer.width - 2, height: 1, kind: .strip)
      )
      y += 1
    }
    if buffer.height >= 4 {
      drawTabs(&buffer, y, &state)
      y += 1
    }
    return y
  }

  private func drawTitle(_ buffer: inout CellBuffer, _ state: MonitorState) {
    buffer.fill(Rectangle(x: 0, y: 0, width: buffer.width, height: 1), style: Self.barStyle)
    let isReading = !state.isDone && !state.isLive
    let mode = state.mode + (isReading ? percentage(state) : "")
    let generation = state.timeline.engine.configuration.generation
    let x = buffer.put(" dmatop  kernel \(generation.version)  ", x: 0, y: 0, style: Self.barStyle)
    let room = buffer.width - x - mode.count - 3
    // Of a long path the end says most.
    var path = displayName(state.path)
    if path.count > room, room > 1 {
      path = glyphs.ellipsis + String(path.suffix(room - 1))
    }
    buffer.put(path, x: x, y: 0, style: Self.barStyle, maxWidth: max(0, room))
    buffer.put(mode, x: max(0, buffer.width - mode.count - 1), y: 0, style: Self.barStyle)
  }

  private func ofAll(_ timeline: Timeline) -> String {
    timeline.isFollowing ? "" : "/\(timeline.eventCount)"
  }

  /// Time and mappings between the markers A and B.
  private func difference(_ state: MonitorState) -> String? {
    guard let a = state.markA, let b = state.markB else { return nil }
    return "\(Int64(bitPattern: b &- a)) events"
  }

  /// Live mappings and bytes, in all and by direction.
  private struct Totals {
    var count: UInt64 = 0
    var bytes: UInt64 = 0
    var byDirection = [(count: UInt64, bytes: UInt64)](repeating: (0, 0), count: 4)

    init(_ engine: DMADebug) {
      var parts = byDirection
      engine.forEachLiveMapping { mapping in
        parts[Int(mapping.direction.rawValue)].count += 1
        parts[Int(mapping.direction.rawValue)].bytes &+= mapping.size
      }
      byDirection = parts
      count = parts.reduce(0) { $0 + $1.count }
      bytes = parts.reduce(0) { $0 &+ $1.bytes }
    }
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
    guard state.timeline.summary.clock == .nanoseconds else { return String(time) }
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
      x += buffer.put(label, x: x, y: y, style: Self.labelStyle) + 1
      x += buffer.put(value, x: x, y: y, style: label == alarming ? Self.errorStyle : .plain) + 2
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
    var x = 1 + buffer.put("pool", x: 1, y: y, style: Self.labelStyle) + 1
    let width = min(24, buffer.width - x - numbers.count - 3)
    if width >= 4 {
      let used = Int(pool.total - pool.free) * width / max(Int(pool.total), 1)
      let shown = pool.total > pool.free ? max(used, 1) : 0
      x += buffer.put("[", x: x, y: y)
      x += buffer.put(
        String(repeating: "|", count: shown),
        x: x,
        y: y,
        style: Style(foreground: .green)
      )
      x += width - shown
      x += buffer.put("]", x: x, y: y)
    }
    buffer.put(numbers, x: x, y: y)
  }

  /// All of the time in one line: how much happened, where errors are, and where now is.
  private func drawStrip(_ buffer: inout CellBuffer, _ y: Int, _ state: MonitorState) {
    let timeline = state.timeline
    let start = timeline.firstTime
    let span = timeline.lastTime > start ? timeline.lastTime - start : 0
    let width = buffer.width - 2
    guard width > 4 else { return }
    guard span > 0 else { return }
    let density = timeline.density
    let pieces = Int(min(span / density.width, UInt64(EventDensity.pieces - 1))) + 1
    func piece(_ cell: Int) -> Range<Int> {
      let first = cell * pieces / width
      return first..<max(first + 1, (cell + 1) * pieces / width)
    }
    func cell(_ time: UInt64) -> Int {
      let distance = min(time > start ? time - start : 0, span)
      return Int(Double(distance) / Double(span) * Double(width - 1))
    }
    let sums = (0..<width).map { cell in piece(cell).reduce(0) { $0 + density.events[$1] } }
    let most = max(sums.max() ?? 1, 1)
    for index in 0..<width {
      let hasError = piece(index).contains { density.errors[$0] > 0 }
      let level = sums[index] == 0 ? 0 : 1 + Int(sums[index] * 7 / most)
      let glyph =
        hasError && glyphs.isASCII
        ? "!" : level == 0 ? (hasError ? "!" : " ") : glyphs.verticalBar[min(level, 8) - 1]
      buffer.put(
        glyph,
        x: index + 1,
        y: y,
        style: hasError ? Self.errorStyle : Style(foreground: .blue)
      )
    }
    for (mark, letter) in [(state.markA, "A"), (state.markB, "B")] {
      guard let mark, timeline.eventCount > 0 else { continue }
      let share = Double(mark) / Double(timeline.eventCount)
      buffer.put(letter, x: 1 + Int(share * Double(width - 1)), y: y, style: Style(bold: true))
    }
    let now = Rectangle(x: 1 + cell(timeline.time), y: y, width: 1, height: 1)
    buffer.restyle(now) { $0.reverse = true }
  }

  private func drawTabs(_ buffer: inout CellBuffer, _ y: Int, _ state: inout MonitorState) {
    var notes: [String] = []
    if !state.place.filterText.isEmpty { notes.append("FILTER \(state.place.filterText)") }
    if state.errorsOnly { notes.append("ERRORS ONLY") }
    let note = notes.joined(separator: "  ")
    let current = state.view
    let entryCount = state.timeline.entryCount
    var targets: [MonitorState.Target] = []
    func text(_ view: MonitorState.View, isShort: Bool) -> String {
      if isShort, view != current { return " \(view.rawValue) " }
      let count = view == .errors ? " (\(entryCount))" : ""
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
      let style = view == state.view ? Style(bold: true, reverse: true) : .plain
      let width = buffer.put(text(view, isShort: isShort), x: x, y: y, style: style)
      targets.append(MonitorState.Target(x: x, y: y, width: width, height: 1, kind: .view(view)))
      x += width + (isShort ? 0 : 1)
    }
    buffer.put(
      note,
      x: x + 1,
      y: y,
      style: Style(foreground: .yellow, bold: true),
      maxWidth: max(0, buffer.width - x - 1)
    )
    state.targets += targets
  }

  // MARK: Foot

  private func drawMessage(_ buffer: inout CellBuffer, _ state: MonitorState, _ y: Int) {
    if let prompt = state.prompt {
      var text = "\(prompt.kind.rawValue)\(prompt.kind == .palette ? "" : ": ")\(prompt.text)_"
      if prompt.kind == .palette {
        let names = Monitor.matching(prompt.text).prefix(8).map(\.rawValue)
        text += "   " + names.joined(separator: " ")
      }
      buffer.put(text, x: 0, y: y, style: Style(bold: true))
    } else if let message = state.message {
      let first = message.split(separator: "\n").first ?? ""
      buffer.put(first, x: 0, y: y, style: Style(foreground: .yellow))
    }
  }

  private func drawKeys(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ y: Int) {
    let keys: [(String, String, MonitorAction?)]
    if let prompt = state.prompt {
      keys = [("Enter", prompt.kind == .filter ? "Filter" : "Do", nil), ("Esc", "Cancel", nil)]
    } else {
      var shown: [(String, String, MonitorAction?)] = [
        ("F1", "Help", .help), ("F10", "Quit", .quit),
      ]
      if buffer.width >= 60 { shown += [("Space", state.isPlaying ? "Pause" : "Play", .pause)] }
      shown += [("tT", "Step", .nextChange), ("eE", "Error", .nextError), ("b", "GoTo", .goTo)]
      switch state.view {
      case .mappings:
        shown += [
          ("F4", "Filter", .filter), ("<>", "Sort", .sortRight), ("I", "Invert", .invertSort),
          ("Enter", "Detail", .open),
        ]
      case .errors:
        shown += [
          ("F4", "Filter", .filter), ("z", "GoThere", .related), ("Enter", "Detail", .open),
        ]
      case .events: shown += [(".,", "Event", .nextEvent), ("z", "GoThere", .related)]
      case .files: shown += [("o", "Write", .write)]
      case .devices, .map, .stats: break
      }
      shown += [(":", "Palette", .palette)]
      keys = shown
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
      x += buffer.put(key, x: x, y: y, style: Style(bold: true))
      x += buffer.put(word, x: x, y: y, style: Self.barStyle) + 1
    }
  }

  private func drawHelp(_ buffer: inout CellBuffer, _ state: inout MonitorState) {
    var lines = ["Keys: up and down scroll, any other key closes", ""]
    for action in MonitorAction.allCases {
      let keys = action.keyName
      let padding = String(repeating: " ", count: max(1, 12 - keys.count))
      lines.append(keys + padding + action.summary)
    }
    lines.append("Q Ctrl-C    quit at once")
    let width = min(buffer.width, (lines.map(\.count).max() ?? 0) + 4)
    let height = min(buffer.height, lines.count + 2)
    let visible = max(0, height - 2)
    state.helpScroll = max(0, min(state.helpScroll, lines.count - visible))
    let x = (buffer.width - width) / 2
    let y = (buffer.height - height) / 2
    buffer.fill(
      Rectangle(x: x, y: y, width: width, height: height),
      style: Self.selectionStyle
    )
    for (offset, line) in lines.dropFirst(state.helpScroll).prefix(visible).enumerated() {
      buffer.put(
        line,
        x: x + 2,
        y: y + 1 + offset,
        style: Self.selectionStyle,
        maxWidth: max(0, width - 3)
      )
    }
  }
}
