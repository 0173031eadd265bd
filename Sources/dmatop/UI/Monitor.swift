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
  mutating func run(on screen: some Screen) {
    let view = MonitorView(glyphs: screen.glyphs)
    let clock = ContinuousClock()
    var lastDraw: ContinuousClock.Instant?
    var isRunning = true
    while isRunning {
      let size = screen.size
      let isReading = !state.isDone
      // While reading, time goes into reading; whoever presses a key sees the answer at once.
      let isDue = lastDraw.map { clock.now - $0 >= .milliseconds(Self.framePeriod) } ?? true
      if isDue || !isReading {
        screen.draw(view.frame(&state, width: size.width, height: size.height))
        lastDraw = clock.now
      }
      // A pipe that has nothing yet must not keep keys waiting.
      let input = isReading ? state.replay.waitingDescriptor : nil
      let pause = state.replay.pace ?? (input == nil ? 0 : Self.framePeriod)
      let timeout = isReading ? pause : nil
      if case .key(let key) = screen.wait(timeoutMilliseconds: timeout, descriptor: input) {
        isRunning = handle(key, pageSize: max(1, size.height - 8))
        lastDraw = nil
      }
      if isReading, isRunning { advance(input) }
    }
  }

  private mutating func advance(_ input: Int32?) {
    if let input, !Self.hasInput(input) { return }
    state.advance(limit: Self.eventsPerRound)
  }

  /// - Returns: Whether to go on.
  private mutating func handle(_ key: Key, pageSize page: Int) -> Bool {
    if key == .quitRequest || key == .control("c") { return false }
    if key == .resize { return true }
    if state.prompt != nil {
      type(key)
      return true
    }
    if state.showsHelp {
      state.showsHelp = false
      return true
    }
    switch key {
    case .character("q"), .character("Q"), .function(10): return false
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
    case .control("u"): state.prompt = ""
    case .character(let character):
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
