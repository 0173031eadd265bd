// SPDX-License-Identifier: MIT
import Glibc

/// A tmux of its own, detached: a terminal that can be looked at, with a shell in it.
final class Multiplexer {
  private let socket: String

  /// Whether there is a tmux to test with.
  static var isInstalled: Bool {
    let paths: [String] = ["/usr/bin/tmux", "/usr/local/bin/tmux", "/bin/tmux"]
    return paths.contains { access($0, X_OK) == 0 }
  }

  init(width: Int, height: Int, command: String) throws {
    // Of its own even if tests run at the same time.
    socket = "terminal-kit-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    try run([
      "-f", "/dev/null", "new-session", "-d", "-x", "\(width)", "-y", "\(height)", command,
    ])
  }

  deinit {
    _ = try? run(["kill-server"])
  }

  /// Presses keys, by tmux's names for them or as text.
  func press(_ keys: String...) throws {
    try run(["send-keys"] + keys)
  }

  func resize(width: Int, height: Int) throws {
    try run(["resize-window", "-x", "\(width)", "-y", "\(height)"])
  }

  /// The rows that are to be seen, without trailing spaces.
  func rows() throws -> [String] {
    try run(["capture-pane", "-p"]).split(separator: "\n", omittingEmptySubsequences: false)
      .map(String.init)
  }

  /// Waits until the screen is as wished.
  func expect(_ description: String, _ condition: ([String]) -> Bool) throws {
    let deadline = ContinuousClock.now + .seconds(20)
    var rows: [String] = []
    while ContinuousClock.now < deadline {
      rows = try self.rows()
      if condition(rows) { return }
      usleep(50_000)
    }
    throw PseudoTerminal.Failure("\(description) is not shown:\n\(rows.joined(separator: "\n"))")
  }

  @discardableResult
  private func run(_ arguments: [String]) throws -> String {
    let words = ["tmux", "-L", socket] + arguments
    let quoted = words.map { word in
      let parts = word.split(separator: "'", omittingEmptySubsequences: false)
      return "'" + parts.joined(separator: "'\\''") + "'"
    }
    .joined(separator: " ")
    guard let pipe = popen("LC_ALL=C.UTF-8 \(quoted)", "r") else {
      throw PseudoTerminal.Failure("cannot start tmux")
    }
    var text: [UInt8] = []
    var bytes = [UInt8](repeating: 0, count: 4096)
    while case let count = fread(&bytes, 1, bytes.count, pipe), count > 0 {
      text += bytes[..<count]
    }
    guard pclose(pipe) == 0 else { throw PseudoTerminal.Failure("tmux \(arguments) failed") }
    return String(decoding: text, as: UTF8.self)
  }
}
