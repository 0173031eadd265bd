import DMADebugCore
import DMATimeline
import TerminalKit

/// Draws the state of the monitor into cells.
struct MonitorView {
  let glyphs: Glyphs

  private static let barStyle = Style(foreground: .black, background: .cyan)
  private static let headingStyle = Style(foreground: .black, background: .green)
  private static let selectionStyle = Style(reverse: true)
  private static let errorStyle = Style(foreground: .red, bold: true)
  private static let labelStyle = Style(foreground: .cyan)

  /// A picture of `width` × `height` cells.
  func frame(_ state: inout MonitorState, width: Int, height: Int) -> CellBuffer {
    var buffer = CellBuffer(size: Size(width: width, height: height))
    var top = drawHeader(&buffer, &state)
    let detail = state.view == .errors && height >= 16 ? 6 : 0
    let bottom = height - (height >= 6 ? 1 : 0) - (hasMessageLine(state) ? 1 : 0)
    let visible = max(0, bottom - detail - top - 1)
    state.showSelection(visible: visible)
    switch state.view {
    case .mappings: drawMappings(&buffer, &state, &top, visible)
    case .errors: drawErrors(&buffer, &state, &top, visible)
    }
    if detail > 0 { drawErrorDetail(&buffer, state, bottom - detail, detail) }
    if hasMessageLine(state), bottom < height { drawMessage(&buffer, state, bottom) }
    if height >= 6 { drawKeys(&buffer, state, height - 1) }
    if state.showsHelp { drawHelp(&buffer) }
    return buffer
  }

  private func hasMessageLine(_ state: MonitorState) -> Bool {
    state.message != nil || state.prompt != nil
  }

  // MARK: Header

  /// - Returns: The first line below it.
  private func drawHeader(_ buffer: inout CellBuffer, _ state: inout MonitorState) -> Int {
    let engine = state.replay.engine
    let pool = engine.poolCounters
    let isSmall = buffer.height < 10
    var y = 0

    buffer.fill(
      Rectangle(x: 0, y: 0, width: buffer.width, height: 1),
      style: Self.barStyle
    )
    let mode = state.isDone ? "replay" : "reading" + percentage(state)
    let title = " dmatop  kernel \(engine.configuration.generation.version)  "
    let x = buffer.put(title, x: 0, y: 0, style: Self.barStyle)
    let room = buffer.width - x - mode.count - 3
    // Of a long path the end says most.
    var path = displayName(state.path)
    if path.count > room, room > 1 {
      path = glyphs.ellipsis + String(path.suffix(room - 1))
    }
    buffer.put(path, x: x, y: 0, style: Self.barStyle, maxWidth: max(0, room))
    buffer.put(mode, x: buffer.width - mode.count - 1, y: 0, style: Self.barStyle)
    y += 1

    let totals = Totals(engine)
    var line = [("live", "\(totals.count) (\(FieldValue.bytes(totals.bytes)))")]
    line.append(("errors", String(engine.errorCount)))
    line.append(("events", String(engine.eventCount)))
    line.append(("time", time(state)))
    drawPairs(&buffer, y, line, alarming: engine.errorCount > 0 ? "errors" : nil)
    y += 1
    if !isSmall {
      drawPool(&buffer, y, pool, isDisabled: engine.isDisabled)
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
    }
    drawTabs(&buffer, y, state)
    return y + 1
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
    let progress = state.replay.progress
    guard let total = progress.total, total > 0 else { return "" }
    return " \(progress.read * 100 / total) %"
  }

  private func time(_ state: MonitorState) -> String {
    guard state.replay.summary.clock == .nanoseconds else { return String(state.replay.time) }
    return String(FieldValue.seconds(state.replay.time).dropLast(3))
  }

  private func drawPairs(
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

  private func drawTabs(_ buffer: inout CellBuffer, _ y: Int, _ state: MonitorState) {
    var x = 1
    for view in MonitorState.View.allCases {
      let style = view == state.view ? Style(bold: true, reverse: true) : .plain
      let count = view == .errors ? " (\(state.errors.count))" : ""
      x += buffer.put(" \(view.rawValue + 1) \(view.title)\(count) ", x: x, y: y, style: style) + 1
    }
    if !state.filterText.isEmpty, state.view == .mappings {
      buffer.put(
        "FILTER \(state.filterText)",
        x: x + 1,
        y: y,
        style: Style(foreground: .yellow, bold: true),
        maxWidth: max(0, buffer.width - x - 1)
      )
    }
  }

  // MARK: Mappings

  private func drawMappings(
    _ buffer: inout CellBuffer,
    _ state: inout MonitorState,
    _ y: inout Int,
    _ visible: Int
  ) {
    let columns = MonitorColumn.fitting(buffer.width)
    buffer.fill(
      Rectangle(x: 0, y: y, width: buffer.width, height: 1),
      style: Self.headingStyle
    )
    var x = 0
    for column in columns {
      var heading = column.heading
      if column.field == state.sort { heading += arrow(state.isAscending) }
      let start = column.field.isNumeric ? max(x, x + column.width - heading.count) : x
      buffer.put(
        heading,
        x: start,
        y: y,
        style: Self.headingStyle,
        maxWidth: x + column.width - start
      )
      x += column.width + 1
    }
    y += 1
    let rows = state.rows()
    let context = state.context
    let first = state.scroll[state.view.rawValue]
    let selected = state.selection[state.view.rawValue]
    for line in 0..<visible where first + line < rows.count {
      let isSelected = first + line == selected
      let style = isSelected ? Self.selectionStyle : .plain
      if isSelected {
        buffer.fill(
          Rectangle(x: 0, y: y + line, width: buffer.width, height: 1),
          style: style
        )
      }
      var x = 0
      for column in columns {
        buffer.putField(
          column.text(rows[first + line], context),
          x: x,
          y: y + line,
          width: column.width,
          alignment: column.field.isNumeric ? .trailing : .leading,
          truncation: .tail,
          ellipsis: glyphs.ellipsis,
          style: style
        )
        x += column.width + 1
      }
    }
    if rows.isEmpty, visible > 0 {
      let words = state.filterText.isEmpty ? "no live mappings" : "nothing matches the filter"
      buffer.put(words, x: 1, y: y, style: Style(dim: true))
    }
  }

  private func arrow(_ isAscending: Bool) -> String {
    isAscending ? glyphs.arrowUp : glyphs.arrowDown
  }

  // MARK: Errors

  private func words(_ report: Report, _ state: MonitorState) -> String {
    var text = TextBuffer()
    KernelMessage.append(
      words: report,
      state.replay.engine.configuration.generation,
      to: &text
    )
    return text.string
  }

  private func drawErrors(
    _ buffer: inout CellBuffer,
    _ state: inout MonitorState,
    _ y: inout Int,
    _ visible: Int
  ) {
    let isWide = buffer.width >= 60
    buffer.fill(
      Rectangle(x: 0, y: y, width: buffer.width, height: 1),
      style: Self.headingStyle
    )
    let heading =
      isWide ? "          TIME DRIVER       DEVICE       MESSAGE" : "DEVICE       MESSAGE"
    buffer.put(heading, x: 0, y: y, style: Self.headingStyle)
    y += 1
    let first = state.scroll[state.view.rawValue]
    let selected = state.selection[state.view.rawValue]
    for line in 0..<visible where first + line < state.errors.count {
      let report = state.errors[first + line]
      let isSelected = first + line == selected
      let style = isSelected ? Self.selectionStyle : report.kind.isError ? Self.errorStyle : .plain
      if isSelected {
        buffer.fill(
          Rectangle(x: 0, y: y + line, width: buffer.width, height: 1),
          style: style
        )
      }
      var x = 0
      if isWide {
        let time = String(FieldValue.seconds(report.event.time).dropLast(3))
        buffer.put(time, x: max(0, 14 - time.count), y: y + line, style: style)
        buffer.put(
          String(escaping: state.names.drivers[report.driver.rawValue]),
          x: 15,
          y: y + line,
          style: style,
          maxWidth: 12
        )
        x = 28
      }
      buffer.put(
        String(escaping: state.names.devices[report.device.rawValue]),
        x: x,
        y: y + line,
        style: style,
        maxWidth: 12
      )
      let message = words(report, state).split(separator: "\n").joined(separator: "; ")
      buffer.put(message, x: x + 13, y: y + line, style: style)
    }
    if state.errors.isEmpty, visible > 0 {
      buffer.put("no errors", x: 1, y: y, style: Style(dim: true))
    }
  }

  private func drawErrorDetail(
    _ buffer: inout CellBuffer,
    _ state: MonitorState,
    _ top: Int,
    _ height: Int
  ) {
    buffer.put(
      String(repeating: glyphs.horizontalLine, count: buffer.width),
      x: 0,
      y: top,
      style: Style(dim: true)
    )
    let selected = state.selection[MonitorState.View.errors.rawValue]
    guard selected < state.errors.count else { return }
    let report = state.errors[selected]
    var lines: [String] = []
    for line in words(report, state).split(separator: "\n") {
      lines += wrapped(String(line), width: buffer.width - 2)
    }
    lines.append(
      "at "
        + place(
          report.event.line,
          report.event.time,
          report.event.task,
          report.event.pid,
          report.event.cpu,
          state
        )
    )
    if let mapping = report.mapping {
      let site = state.names.mapSite(of: mapping).map { " in \($0)" } ?? ""
      lines.append(
        "mapped at "
          + place(
            mapping.line,
            mapping.time,
            mapping.task,
            mapping.pid,
            UInt32(mapping.cpu),
            state
          ) + site
      )
    }
    for (offset, line) in lines.prefix(height - 1).enumerated() {
      buffer.put(line, x: 1, y: top + 1 + offset)
    }
  }

  private func place(
    _ line: UInt64,
    _ time: UInt64,
    _ task: UInt32,
    _ pid: Int32,
    _ cpu: UInt32,
    _ state: MonitorState
  ) -> String {
    let seconds = FieldValue.seconds(time).dropLast(3)
    let name = String(escaping: state.names.tasks[task])
    return "\(seconds), line \(line), by \(name)-\(pid < 0 ? "?" : String(pid)) on CPU \(cpu)"
  }

  private func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return lines + (line.isEmpty ? [] : [line])
  }

  // MARK: Foot

  private func drawMessage(_ buffer: inout CellBuffer, _ state: MonitorState, _ y: Int) {
    if let prompt = state.prompt {
      buffer.put("filter: \(prompt)", x: 0, y: y, style: Style(bold: true))
    } else if let message = state.message {
      let first = message.split(separator: "\n").first ?? ""
      buffer.put(first, x: 0, y: y, style: Style(foreground: .yellow))
    }
  }

  private func drawKeys(_ buffer: inout CellBuffer, _ state: MonitorState, _ y: Int) {
    let keys: [(String, String)] =
      state.prompt == nil
      ? [
        ("F1", "Help"), ("1", "Mappings"), ("2", "Errors"), ("F4", "Filter"), ("<>", "Sort"),
        ("I", "Invert"), ("F10", "Quit"),
      ] : [("Enter", "Filter"), ("Esc", "Cancel")]
    var x = 0
    for (key, action) in keys {
      guard x + key.count + action.count + 1 <= buffer.width else { break }
      x += buffer.put(key, x: x, y: y, style: Style(bold: true))
      x += buffer.put(action, x: x, y: y, style: Self.barStyle) + 1
    }
  }

  private func drawHelp(_ buffer: inout CellBuffer) {
    let lines = [
      "Keys", "",
      "1 2 Tab        Mappings, Errors, the other one",
      "Up Down j k    move;  PgUp PgDn Home End g G",
      "< >            sort by the column before, behind",
      "I              invert the order",
      "\\ F4           filter: words, !word, a|b, size>4k,",
      "               dir=from, driver:nvme, age>1s, ~regex",
      "q F10 Ctrl-C   quit", "",
      "Any key closes this.",
    ]
    let width = min(buffer.width, (lines.map(\.count).max() ?? 0) + 4)
    let height = min(buffer.height, lines.count + 2)
    let x = (buffer.width - width) / 2
    let y = (buffer.height - height) / 2
    buffer.fill(
      Rectangle(x: x, y: y, width: width, height: height),
      style: Self.selectionStyle
    )
    for (offset, line) in lines.prefix(max(0, height - 2)).enumerated() {
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
