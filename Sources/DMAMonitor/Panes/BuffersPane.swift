// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import TerminalKit

/// View 6: dma-bufs, who holds them, and what has to be waited for.
extension MonitorView {
  func drawBuffers(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let list = state.list(glyphs)
    let lines = detailLines(list, state)
    let wanted = lines.isEmpty || area.height < 12 ? 0 : min(lines.count + 1, area.height / 3)
    let (upper, lower) = split(area, lower: wanted)
    let sharing = state.timeline.engine.sharing
    let isFiltered = !state.filters().isEmpty || state.place.errorsOnly
    let empty =
      sharing.bufferEvents == 0
      ? state.timeline.hasBuffers
        ? "no buffer exists yet: the dma_buf events come later"
        : "the trace has no dma_buf events up to here; kernels from 7.0 on have them"
      : isFiltered ? "nothing matches the filter" : "no buffers"
    drawList(&buffer, upper, list, &state, empty: empty)
    guard lower.height > 1 else { return }
    drawRule(&buffer, lower, lines[0].text)
    let rest = Array(lines.dropFirst())
    drawLines(&buffer, lower.inset(top: 1), rest, scroll: &state.detailScroll)
  }

  /// What is to be said of the buffer of the selected row, and of what has no row; the title first.
  private func detailLines(
    _ list: any RowList,
    _ state: MonitorState
  ) -> [(text: String, role: Theme.Role)] {
    let sharing = state.timeline.engine.sharing
    var lines: [(text: String, role: Theme.Role)] = []
    if let buffer = state.bufferOfSelection(list) {
      lines.append(("buffer \(buffer.inode)", .label))
      lines += bufferLines(buffer, state)
    }
    if lines.isEmpty, sharing.hasFences || sharing.iovaEvents + sharing.channelEvents > 0 {
      lines.append(("sharing", .label))
    }
    if sharing.hasFences {
      lines.append(
        (
          "fences: \(sharing.pendingFences) pending, \(sharing.fencesSignaled) signaled on"
            + " \(Self.plural(sharing.timelines().count { $0.context != 0 }, "timeline"))", .label
        )
      )
    }
    if sharing.iovaEvents > 0 {
      let linked = sharing.ranges().reduce(0 as UInt64) { $0 &+ $1.linkedBytes }
      lines.append(
        (
          "IOVA: \(Self.plural(sharing.iovaRangeCount, "range")), \(FieldValue.bytes(linked)) linked",
          .label
        )
      )
    }
    if sharing.channelEvents > 0 {
      let channels = sharing.channels()
      let flying = channels.reduce(0) { $0 + $1.inFlight }
      lines.append(
        (
          "dmaengine: \(Self.plural(channels.count, "channel")),"
            + " \(Self.plural(flying, "descriptor")) in flight", .label
        )
      )
    }
    return lines
  }

  private static func plural(_ count: Int, _ word: String) -> String {
    "\(count) \(word)\(count == 1 ? "" : "s")"
  }

  private func bufferLines(
    _ buffer: DMABuf,
    _ state: MonitorState
  ) -> [(text: String, role: Theme.Role)] {
    let names = state.names
    let sharing = state.timeline.engine.sharing
    let first = buffer.first
    let who =
      (first.task == NameTable.unknown ? "?" : names.tasks.string(first.task)) + "-\(first.pid)"
    let begin = buffer.isKnown || first.kind == .bufferExport ? "exported" : "first seen"
    var lines: [(text: String, role: Theme.Role)] = [
      (
        "\(begin) by \(who) at \(time(first.time, state)), line \(first.line);"
          + " \(buffer.size) bytes of \(names.exporters.string(buffer.exporter))", .plain
      )
    ]
    let counts: [(name: String, field: BufferField)] = [
      ("fds", .descriptors), ("gets", .gets), ("puts", .puts), ("mmaps", .mmaps),
      ("vmaps", .vmaps), ("kmaps", .kmaps), ("CPU accesses", .accesses), ("moves", .moves),
    ]
    // What the trace would not show is left out.
    let known = counts.compactMap { name, field in
      field.value(of: buffer, in: state.context).magnitude.map { "\(name) \($0)" }
    }
    if !known.isEmpty { lines.append((known.joined(separator: ", "), .plain)) }
    if buffer.outlivesReferences, buffer.isHeld {
      lines.append(
        ("its last known reference was put, and something still holds it", .warning)
      )
    } else if buffer.state == .possiblyGone {
      lines.append(("possibly gone: only descriptors may hold it", .faint))
    }
    let site = names.callSite(stack: first.stack)
    if let site { lines.append(("exported at: " + site, .label)) }
    let usages = ["kernel", "write", "read", "bookkeeping"]
    for reservation in buffer.fences {
      let fence = sharing.fence(reservation.fence)
      let isSignaled = fence?.isSignaled ?? true
      let usage =
        Int(reservation.usage) < usages.count
        ? usages[Int(reservation.usage)] : String(reservation.usage)
      let driver = names.drivers.string(fence?.driver.rawValue ?? NameTable.unknown)
      let timeline = names.timelines.string(fence?.timeline ?? NameTable.unknown)
      let key = reservation.fence
      lines.append(
        (
          "\(usage) fence \(key.context):\(key.sequence) of \(driver) \(timeline): "
            + (isSignaled ? "signaled" : "pending"), isSignaled ? .faint : .notice
        )
      )
    }
    return lines
  }
}

extension MonitorState {
  /// The buffer that a row is about.
  func bufferOfSelection(_ list: any RowList) -> DMABuf? {
    let sharing = timeline.engine.sharing
    var row = min(place.selection, list.count - 1)
    while row >= 0 {
      switch BufferList.subject(list, row) {
      case .buffer(let inode): return sharing.buffer(inode)
      case .attachment(let id): return sharing.attachment(id).flatMap { sharing.buffer($0.inode) }
      case .exporter, nil: return nil
      case .mapping, .process: row -= 1
      }
    }
    return nil
  }
}
