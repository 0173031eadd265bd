import Glibc
import TerminalKit

/// Opens the monitor on the terminal, or prints one picture of it.
struct MonitorLauncher {
  var ascii: Bool
  var noColor: Bool

  func open(_ state: MonitorState) throws {
    var monitor = Monitor(state)
    do {
      let session = try TerminalSession(
        TerminalOptions(
          characterSet: ascii ? .ascii : .automatic,
          colorDepth: noColor ? .monochrome : nil
        )
      )
      monitor.run(on: session.screen)
    } catch {
      throw CommandError("\(error.description); 'dmatop stat' and 'dmatop dump' need no terminal")
    }
  }

  /// One picture of the monitor as text, for pipes and logs.
  ///
  /// - Parameter size: columns and lines; `nil` for what the environment says.
  func printScreen(_ initial: MonitorState, size: (width: Int, height: Int)?) throws {
    var state = initial
    while !state.isDone { state.advance(limit: .max) }
    let glyphs: Glyphs = Self.localeIsUTF8 && !ascii ? .unicode : .ascii
    let frame = MonitorView(glyphs: glyphs).frame(
      &state,
      width: size?.width ?? Self.dimension("COLUMNS", 100),
      height: size?.height ?? Self.dimension("LINES", 24)
    )
    var output = StandardOutput()
    for line in frame.textRows { output.write(line + "\n") }
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
