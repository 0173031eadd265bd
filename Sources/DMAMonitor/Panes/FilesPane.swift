// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import TerminalKit

/// View 5: the files of dma-api/, what is in one, and the kernel log until now.
extension MonitorView {
  func drawFiles(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let (upper, log) = split(area, lower: area.height >= 16 ? min(10, area.height / 3) : 0)
    let width = min(26, upper.width)
    let list = state.list(glyphs)
    drawList(
      &buffer,
      Rectangle(x: upper.x, y: upper.y, width: width, height: upper.height),
      list,
      &state,
      empty: "no file matches the filter"
    )
    let selected = FileList.file(list, state.place.selection) ?? VirtualFile.allCases[0]
    let content = Rectangle(
      x: upper.x + width + 1,
      y: upper.y,
      width: max(0, upper.width - width - 1),
      height: upper.height
    )
    drawContent(
      &buffer,
      content,
      selected,
      state.timeline.engine.read(selected, names: state.names)
    )
    if log.height > 1 { drawLog(&buffer, log, state) }
  }

  private func drawContent(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ file: VirtualFile,
    _ bytes: [UInt8]
  ) {
    guard area.width > 0, area.height > 0 else { return }
    buffer.fill(
      Rectangle(x: area.x, y: area.y, width: area.width, height: 1),
      style: theme[.heading]
    )
    let title = file == .bufinfo ? file.path : file.rawValue
    buffer.put(title, x: area.x, y: area.y, style: theme[.heading], maxWidth: area.width)
    let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: true)
    for (offset, line) in lines.prefix(max(0, area.height - 1)).enumerated() {
      let isLast = offset == area.height - 2 && lines.count > area.height - 1
      let text =
        isLast
        ? "\(glyphs.ellipsis) \(lines.count - offset) lines more: dmatop fs cat \(file.path)"
        : Self.untabbed(String(decoding: line, as: UTF8.self))
      buffer.put(
        text,
        x: area.x,
        y: area.y + 1 + offset,
        style: theme[.plain],
        maxWidth: area.width
      )
    }
    if bytes.isEmpty {
      buffer.put("(empty)", x: area.x, y: area.y + 1, style: theme[.faint], maxWidth: area.width)
    }
  }

  /// A line with its tabs as blanks, stops eight cells apart.
  private static func untabbed(_ line: String) -> String {
    guard line.utf8.contains(0x09) else { return line }
    var text = ""
    for character in line {
      if character == "\t" {
        text += String(repeating: " ", count: 8 - CellWidth.of(text) % 8)
      } else {
        text.append(character)
      }
    }
    return text
  }

  /// The end of what the kernel would have logged until now.
  private func drawLog(_ buffer: inout CellBuffer, _ area: Rectangle, _ state: MonitorState) {
    drawRule(
      &buffer,
      area,
      state.timeline.isWhatIf ? "kernel log until now, what-if" : "kernel log until now"
    )
    let timeline = state.timeline
    let now = timeline.event
    let generation = timeline.engine.configuration.generation
    let names = timeline.names
    var lines: [String] = []
    for report in timeline.whatIfReports.reversed() where report.isPrinted {
      var text = TextBuffer()
      KernelMessage.append(report, names, generation, to: &text)
      lines.append(contentsOf: text.string.split(separator: "\n").reversed().map(String.init))
    }
    for entry in timeline.entries.reversed() where entry.event <= now && entry.report.isPrinted {
      var text = TextBuffer()
      KernelMessage.append(entry.report, names, generation, to: &text)
      lines.append(contentsOf: text.string.split(separator: "\n").reversed().map(String.init))
      if lines.count >= area.height - 1 { break }
    }
    for (offset, line) in lines.prefix(area.height - 1).reversed().enumerated() {
      buffer.put(line, x: area.x + 1, y: area.y + 1 + offset, style: theme[.plain], clip: area)
    }
  }
}
