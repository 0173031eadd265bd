// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAExport
import DMAReplay
import DMATrace
import TerminalKit

/// Lines that are typed.
extension Monitor {
  mutating func open(_ kind: MonitorState.Prompt, _ text: String) {
    state.prompt = (kind, LineEditor(text, history: state.histories[kind] ?? []))
  }

  /// - Returns: Whether to go on.
  mutating func type(
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
  mutating func showLine() {
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

  mutating func filter(_ text: String) {
    // The filter that was there stays when this is none, and the line comes back.
    if !state.setFilter(text) {
      let message = state.message
      open(.filter, text)
      if let message { state.say(message, keeps: false) }
    }
  }

  mutating func startWriting() {
    guard state.view == .files else {
      state.say("files are written in view 5", keeps: false)
      return
    }
    open(.write, "")
  }

  /// Writes the selected file, on top of what the trace says.
  mutating func write(_ text: String) {
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
}
