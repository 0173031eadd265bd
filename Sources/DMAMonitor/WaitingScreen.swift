// SPDX-License-Identifier: MIT
import DMATrace
import Glibc
import TerminalKit

/// What is on the terminal while the input of the monitor has not given anything to begin with.
package final class WaitingScreen: @unchecked Sendable {
  // The thread that reads the input is the only one that uses it; that is why it may be sent.

  /// How long the terminal stays as it is, in milliseconds: most inputs are there by then.
  private static let patience: Int32 = 300

  private let options: TerminalOptions
  private var session: TerminalSession?
  /// The key or signal that ended it; the caller is in the middle of reading, so it cannot return.
  private let quit: @Sendable (_ signal: Int32?) -> Never

  /// - Parameter quit: ends the program; the terminal has been given back.
  init(_ options: TerminalOptions, quit: @escaping @Sendable (_ signal: Int32?) -> Never) {
    self.options = options
    self.quit = quit
  }

  /// Waits for input; the terminal shows what for.
  package func wait(for input: WaitingInput) {
    if input.wait(milliseconds: Self.patience) { return }
    if session == nil { session = try? TerminalSession(options) }
    guard let screen = session?.screen else {
      // The monitor will say why there is no screen.
      _ = input.wait()
      return
    }
    while true {
      Self.draw(input, on: screen)
      switch screen.wait(timeoutMilliseconds: nil, descriptor: input.descriptor) {
      case .descriptorReady: return
      case .key(.quitRequest), .key(.control("c")), .key(.character("q")), .key(.character("Q")):
        let signal = screen.endSignal
        close()
        quit(signal)
      case .key, .timeout: continue
      }
    }
  }

  private static func draw(_ input: WaitingInput, on screen: CursesScreen) {
    let size = screen.size
    var frame = CellBuffer(size: size)
    frame.put(
      "dmatop: waiting for input from \(input.description)\(screen.glyphs.ellipsis)  q quit",
      x: 0,
      y: 0,
      maxWidth: size.width
    )
    screen.draw(frame, cursor: nil)
  }

  /// Gives the terminal back.
  package func close() {
    session = nil
  }
}
