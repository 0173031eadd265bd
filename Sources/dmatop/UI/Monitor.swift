import DMATimeline
import TerminalKit

/// The loop of the monitor: read a little, draw, take a key.
struct Monitor {
  private static let eventsPerRound = 20_000
  /// Milliseconds between pictures while reading.
  private static let framePeriod = 50

  private var state: MonitorState

  init(_ state: MonitorState) {
    self.state = state
  }

  /// Runs until somebody quits.
  mutating func run(on screen: inout some Screen) {
    var isRunning = true
    while isRunning {
      let size = screen.size
      let view = MonitorView(isUnicode: screen.isUnicode)
      let frame = view.frame(&state, width: size.width, height: size.height)
      screen.draw(frame, cursor: nil)
      let isReading = !state.isDone
      // A pipe that has nothing yet must not keep keys waiting.
      let input = isReading ? state.replay.waitingDescriptor : nil
      let wait = isReading ? (input == nil ? 0 : Self.framePeriod) : -1
      let key = screen.key(milliseconds: wait, descriptor: input)
      if let key { isRunning = handle(key, &screen) }
      if isReading, isRunning { advance(input) }
    }
  }

  private mutating func advance(_ input: Int32?) {
    if let input, !Self.hasInput(input) { return }
    state.advance(limit: Self.eventsPerRound)
    state.invalidate()
  }

  /// - Returns: Whether to go on.
  private mutating func handle(_ key: Key, _ screen: inout some Screen) -> Bool {
    if key == .quit { return false }
    if key == .resize { return true }
    if state.prompt != nil {
      type(key)
      return true
    }
    if state.showsHelp {
      state.showsHelp = false
      return true
    }
    let page = max(1, screen.size.height - 8)
    switch key {
    case .character("q"), .character("Q"), .function(10): return false
    case .character("\u{c}"): screen.redraw()
    case .character("?"), .function(1): state.showsHelp = true
    case .character("1"): state.view = .mappings
    case .character("2"): state.view = .errors
    case .tab, .backTab: state.view = state.view == .mappings ? .errors : .mappings
    case .up, .character("k"): state.move(by: -1)
    case .down, .character("j"): state.move(by: 1)
    case .pageUp: state.move(by: -page)
    case .pageDown: state.move(by: page)
    case .home, .character("g"): state.moveToStart()
    case .end, .character("G"): state.moveToEnd()
    case .character("<"): changeSort(by: -1)
    case .character(">"): changeSort(by: 1)
    case .character("I"):
      state.isAscending.toggle()
      state.invalidate()
    case .character("\\"), .function(4): state.prompt = state.filterText
    default: break
    }
    return true
  }

  private mutating func type(_ key: Key) {
    switch key {
    case .enter:
      state.setFilter(state.prompt ?? "")
      state.prompt = nil
    case .escape: state.prompt = nil
    case .backspace: state.prompt = state.prompt.map { String($0.dropLast()) }
    case .character("\u{15}"): state.prompt = ""
    case .character(let character) where !character.isControl:
      state.prompt?.append(character)
    default: break
    }
  }

  private mutating func changeSort(by step: Int) {
    let fields = MonitorColumn.all.map(\.field)
    let position = fields.firstIndex(of: state.sort) ?? 0
    state.sort = fields[(position + step + fields.count) % fields.count]
    state.invalidate()
  }
}

extension Character {
  fileprivate var isControl: Bool {
    unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f }
  }
}
