// SPDX-License-Identifier: MIT
import DMALint
import DMAReplay
import Glibc

/// Where a trace was left: kept in a file of its own for each trace, and taken up again when the
/// trace is opened the next time.
package struct Session {
  private static let heading = "dmatop session 1"

  /// The file of a trace's session; `nil` for what is no file that stays.
  private let file: String?
  /// Bytes of the trace: another number means another capture under the same name.
  private let size: Int

  /// - Parameter directory: where sessions are kept.
  package init(trace path: String, in directory: String? = SettingsFiles.sessions) {
    var status = stat()
    guard let directory, stat(path, &status) == 0,
      status.st_mode & S_IFMT == S_IFREG, let resolved = realpath(path, nil)
    else {
      file = nil
      size = 0
      return
    }
    defer { free(resolved) }
    size = Int(status.st_size)
    var hash = StableHash()
    hash.add(String(cString: resolved).utf8)
    file = "\(directory)/\(String(hash.value, radix: 16)).session"
  }

  /// Keeps where a person is.
  func save(_ state: MonitorState) {
    guard let file else { return }
    var lines = [Self.heading, "size \(size)", "view \(state.view.title.lowercased())"]
    lines.append("event \(state.timeline.isFollowing ? "end" : String(state.timeline.event))")
    for view in MonitorState.View.allCases {
      guard let place = state.places[view] else { continue }
      let name = view.title.lowercased()
      if !place.filterText.isEmpty { lines.append("filter \(name) \(place.filterText)") }
      if let sort = place.sort {
        lines.append("sort \(name) \(sort.isAscending ? "" : "-")\(sort.column)")
      }
      lines.append("tree \(name) \(place.isTree)")
      if place.errorsOnly { lines.append("errors-only \(name)") }
    }
    if !state.pinnedText.isEmpty { lines.append("pinned \(state.pinnedText)") }
    func add(_ name: String, _ mark: MonitorState.TimeMark) {
      lines.append("mark \(name) \(mark.event) \(mark.time) \(mark.live) \(mark.errors)")
    }
    if let mark = state.markA { add("A:", mark) }
    if let mark = state.markB { add("B:", mark) }
    for (letter, mark) in state.marks.sorted(by: { $0.key < $1.key }) { add(String(letter), mark) }
    _ = SettingsFiles.replace(file, lines.joined(separator: "\n") + "\n")
  }

  /// Takes up where somebody was. Whatever does not fit is left out.
  package func restore(_ state: inout MonitorState) {
    guard let file else { return }
    let text: String
    do {
      guard let found = try SettingsFiles.text(file) else { return }
      text = found
    } catch {
      return state.say("session not restored: \(error)")
    }
    let lines = text.split(separator: "\n").map(String.init)
    guard lines.first == Self.heading, lines.contains("size \(size)") else { return }
    for line in lines.dropFirst() {
      let words = line.split(separator: " ", maxSplits: 2).map(String.init)
      guard words.count > 1 else { continue }
      let view = MonitorState.View.allCases.first { $0.title.lowercased() == words[1] }
      switch words[0] {
      case "view": if let view { state.view = view }
      case "event": state.resumeEvent = UInt64(words[1])
      case "filter":
        if let view, words.count > 2 { state.restoreFilter(words[2], for: view) }
      case "sort":
        guard let view, words.count > 2 else { continue }
        let isDescending = words[2].hasPrefix("-")
        let column = isDescending ? String(words[2].dropFirst()) : words[2]
        state.places[view, default: .init()].sort = .init(
          column: column,
          isAscending: !isDescending
        )
      case "tree":
        if let view { state.places[view, default: .init()].isTree = words.last == "true" }
      case "errors-only": if let view { state.places[view, default: .init()].errorsOnly = true }
      case "pinned": state.pin(String(line.dropFirst("pinned ".count)))
      case "mark": mark(line, &state)
      default: continue
      }
    }
    if state.resumeEvent != nil { state.say("where you left it; R goes to the end", keeps: false) }
  }

  private func mark(_ line: String, _ state: inout MonitorState) {
    let words = line.split(separator: " ")
    guard words.count == 6, let event = UInt64(words[2]), let time = UInt64(words[3]),
      let live = Int(words[4]), let errors = UInt32(words[5])
    else { return }
    let mark = MonitorState.TimeMark(event: event, time: time, live: live, errors: errors)
    switch words[1] {
    case "A:": state.markA = mark
    case "B:": state.markB = mark
    default: if let letter = words[1].first, words[1].count == 1 { state.marks[letter] = mark }
    }
  }
}
