// SPDX-License-Identifier: MIT

/// The right to use the terminal: takes it over when made, gives it back when it ends.
///
/// It ends with its scope, also when an error is thrown, and gives back everything: modes, screen,
/// signal actions, stderr with whatever was written there meanwhile. Fatal signals and traps give
/// back too. Only `exit()` does not, so return to the session's scope before calling that.
///
///     let session = try TerminalSession()
///     try run(on: session.screen)
public struct TerminalSession: ~Copyable {
  /// Where to draw while the session lasts. Afterwards it shows nothing and asks to quit.
  public let screen: CursesScreen

  /// Takes over the terminal on stdout. Keys come from stdin, or from the controlling terminal if
  /// stdin is something else.
  public init(_ options: TerminalOptions = TerminalOptions()) throws(TerminalError) {
    screen = try CursesScreen(options)
  }

  /// Gives the terminal back now.
  public consuming func close() {
    // What follows the last use of a noncopyable value is its deinit.
  }

  deinit {
    screen.end()
  }
}
