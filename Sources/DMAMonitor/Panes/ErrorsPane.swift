import DMADebugCore
import DMALint
import DMAReplay
import TerminalKit

/// View 2: what dma-debug says and lint finds, and what is behind one row.
extension MonitorView {
  func drawErrors(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let list = state.list(glyphs)
    let isTall = area.height >= 14
    let lowerHeight =
      state.showsDetail ? max(min(16, area.height * 2 / 3), area.height * 3 / 5) : isTall ? 6 : 0
    let (upper, lower) = split(area, lower: lowerHeight)
    let place = state.place
    let isFiltered = !place.filterText.isEmpty || place.errorsOnly || !state.pinnedText.isEmpty
    drawList(
      &buffer,
      upper,
      list,
      &state,
      empty: isFiltered ? "nothing matches the filter" : "no errors"
    )
    guard lower.height > 1, let rows = ErrorRows(list) else { return }
    switch rows.item(state.place.selection) {
    case .message(let position):
      drawErrorDetail(&buffer, lower, rows.errors.entries[position], &state)
    case .finding(let index):
      drawFinding(&buffer, lower, rows.errors.content.findings[index], &state)
    case nil: break
    }
  }

  private func drawErrorDetail(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ entry: Timeline.Entry,
    _ state: inout MonitorState
  ) {
    let report = entry.report
    let names = state.timeline.names
    let generation = state.timeline.engine.configuration.generation
    let rule = Rule(report.kind)
    drawRule(&buffer, area, rule.map { "\($0.id) \($0.name): \($0.summary)" } ?? "message")
    var lines: [(text: String, role: Theme.Role)] = []
    for line in ReportText.words(report, generation).split(separator: "\n") {
      lines.append((String(line), report.kind.isError ? .error : .plain))
    }
    let event = report.event
    lines.append(
      ("at " + moment(event.line, event.time, event.task, event.pid, event.cpu, state), .plain)
    )
    func add(_ label: String, _ stack: UInt32) {
      let frames = names.stacks[stack].map { names.symbols.string($0) }
      if !frames.isEmpty { lines.append((label + frames.joined(separator: " < "), .plain)) }
    }
    add("called from: ", event.stack)
    if let mapping = report.mapping {
      let site = names.mapSite(of: mapping).map { " in \($0)" } ?? ""
      let cpu = UInt32(mapping.cpu)
      let words = moment(mapping.line, mapping.time, mapping.task, mapping.pid, cpu, state)
      lines.append(("mapped at " + words + site, .plain))
      add("mapped from: ", mapping.stack)
    }
    lines.append(("event \(entry.event); z goes there", .faint))
    if state.showsDetail {
      if let rule {
        lines.append(("why: " + rule.why, .label))
        lines.append(("fix: " + rule.fix, .label))
      }
      let address = report.mapping?.dmaAddress ?? report.reference?.dmaAddress
      if let address {
        lines += historyLines(
          report.device,
          address,
          max(report.mapping?.size ?? 0, report.reference?.size ?? 0),
          through: entry.event,
          &state
        )
      }
    }
    let inner = area.inset(top: 1)
    drawLines(&buffer, inner, lines, scroll: &state.detailScroll)
  }

  private func drawFinding(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ finding: Finding,
    _ state: inout MonitorState
  ) {
    let rule = finding.rule
    drawRule(&buffer, area, "\(rule.id) \(rule.name): \(rule.summary)")
    var lines: [(text: String, role: Theme.Role)] = []
    for line in finding.message.split(separator: "\n") {
      lines.append((String(line), finding.severity == .note ? .plain : .error))
    }
    if finding.eventNumber > 0 {
      let words = moment(finding.line, finding.time, finding.task, finding.pid, finding.cpu, state)
      lines.append(("at " + words, .plain))
    }
    func add(_ label: String, _ frames: [String]) {
      if !frames.isEmpty { lines.append((label + frames.joined(separator: " < "), .plain)) }
    }
    add("called from: ", finding.stack)
    if let origin = finding.origin, origin.line > 0 {
      let site = origin.site.map { " in \($0)" } ?? ""
      let words = moment(origin.line, origin.time, origin.task, origin.pid, origin.cpu, state)
      lines.append(("mapped at " + words + site, .plain))
      add("mapped from: ", origin.stack)
    }
    let end =
      finding.eventNumber == 0
      ? "about the trace as a whole"
      : "event \(finding.eventNumber); z goes there"
    lines.append((end, .faint))
    if state.showsDetail {
      lines.append(("why: " + rule.why, .label))
      lines.append(("fix: " + rule.fix, .label))
      if let address = finding.origin?.dmaAddress, let device = state.device(named: finding.device)
      {
        let size = finding.origin?.size ?? 0
        lines += historyLines(device, address, size, through: finding.eventNumber, &state)
      }
    }
    drawLines(&buffer, area.inset(top: 1), lines, scroll: &state.detailScroll)
  }

  private func moment(
    _ line: UInt64,
    _ time: UInt64,
    _ task: String?,
    _ pid: Int32,
    _ cpu: UInt32?,
    _ state: MonitorState
  ) -> String {
    let who = task.map { ", by \($0)-\(pid < 0 ? "?" : String(pid))" } ?? ""
    let place = cpu.map { " on CPU \($0)" } ?? ""
    return "\(self.time(time, state)), line \(line)" + who + place
  }

  private func moment(
    _ line: UInt64,
    _ time: UInt64,
    _ task: UInt32,
    _ pid: Int32,
    _ cpu: UInt32,
    _ state: MonitorState
  ) -> String {
    let name = String(escaping: state.timeline.names.tasks[task])
    return "\(self.time(time, state)), line \(line), by \(name)-\(pid < 0 ? "?" : String(pid))"
      + " on CPU \(cpu)"
  }
}
