import DMAExport
import DMAReplay
import DMATrace
import Glibc
import TerminalKit

/// Opens the monitor on the terminal, or prints one picture of it.
package struct MonitorLauncher {
  var ascii: Bool
  var noColor: Bool
  /// Says what could not be read of what was shown.
  var report: (_ path: String, Timeline) -> Void

  package init(ascii: Bool, noColor: Bool, report: @escaping (String, Timeline) -> Void) {
    self.ascii = ascii
    self.noColor = noColor
    self.report = report
  }

  private var options: TerminalOptions {
    TerminalOptions(
      characterSet: ascii ? .ascii : .automatic,
      colorDepth: noColor ? .monochrome : nil
    )
  }

  /// Shows on the terminal what is waited for before the monitor can open.
  ///
  /// - Parameter quit: ends the program when somebody does not wait any longer.
  /// - Returns: what shows it; to be closed before ``open(_:session:)``.
  package func waitingScreen(quit: @escaping @Sendable (_ signal: Int32?) -> Never) -> WaitingScreen
  {
    let screen = WaitingScreen(options, quit: quit)
    WaitingInput.waiter = { screen.wait(for: $0) }
    return screen
  }

  /// Runs the monitor until somebody quits.
  ///
  /// - Parameter session: where to keep where the trace is left.
  /// - Returns: the signal that ended it; `nil` for a key.
  package func open(_ state: MonitorState, session: Session?) throws -> Int32? {
    WaitingInput.waiter = nil
    let final: MonitorState
    let signal: Int32?
    do {
      let terminal = try TerminalSession(options)
      var monitor = Monitor(state, glyphs: terminal.screen.glyphs, effects: Self.effects)
      monitor.run(on: terminal.screen)
      if monitor.state.settings.remembersSessions { session?.save(monitor.state) }
      final = monitor.state
      signal = terminal.screen.endSignal
    } catch {
      throw CommandError("\(error.description); 'dmatop stat' and 'dmatop dump' need no terminal")
    }
    // The terminal is the shell's again.
    try end(final)
    return signal
  }

  private static var effects: Monitor.Effects {
    var effects = Monitor.Effects()
    effects.saveSettings = { settings in
      guard let path = SettingsFiles.setup else { return "neither XDG_CONFIG_HOME nor HOME is set" }
      return SettingsFiles.replace(path, settings.toml)
    }
    effects.export = { (list, rows, name, view) throws(CommandError) in
      try ListExport.write(list, rows, to: name, view: view.title.lowercased())
    }
    return effects
  }

  /// One picture of the monitor as text, for pipes and logs.
  ///
  /// - Parameters:
  ///   - size: columns and lines; `nil` for what the environment says.
  ///   - styles: how each cell looks, too.
  package func printScreen(
    _ initial: MonitorState,
    size: (width: Int, height: Int)?,
    styles: Bool
  ) throws {
    var state = initial
    while !state.isDone { state.advance(limit: .max) }
    if state.failure == nil, let problem = state.problem { throw problem }
    let glyphs: Glyphs = Self.localeIsUTF8 && !ascii ? .unicode : .ascii
    let frame = MonitorView(glyphs: glyphs, theme: state.settings.theme).frame(
      &state,
      width: size?.width ?? Self.dimension("COLUMNS", 100),
      height: size?.height ?? Self.dimension("LINES", 24)
    )
    var output = BufferedOutput()
    output.write(frame.snapshot(styles: styles))
    output.flush()
    try end(state)
  }

  /// Says what could not be read.
  private func end(_ state: MonitorState) throws {
    report(state.path, state.timeline)
    if let failure = state.failure { throw failure }
  }

  /// Whether the environment asks for UTF-8.
  private static var localeIsUTF8: Bool {
    setlocale(LC_CTYPE, "")
    return nl_langinfo(Int32(CODESET)).map { String(cString: $0) } == "UTF-8"
  }

  /// The environment's idea of a dimension of the screen.
  private static func dimension(_ name: String, _ standard: Int) -> Int {
    guard let text = getenv(name), let value = Int(String(cString: text)) else { return standard }
    return min(max(value, 20), 1000)
  }
}
