// SPDX-License-Identifier: MIT
import Glibc
import Testing

@testable import TerminalKit

/// Runs the demo in a pseudo terminal. One at a time, because the tests wait without giving up
/// their thread.
@Suite(.serialized) struct TerminalSessionTests {
  static let terminals = ["xterm-256color", "screen", "linux", "vt100"]
  static let locales = ["C.UTF-8", "C"]

  private func start(
    _ terminal: PseudoTerminal,
    _ arguments: [String] = [],
    term: String = "xterm-256color",
    locale: String = "C.UTF-8",
    extra: [String: String] = [:],
    standardInput: String? = nil
  ) throws -> pid_t {
    let child = try terminal.start(
      TerminalDemoProgram.path,
      arguments,
      environment: TerminalDemoProgram.environment(term: term, locale: locale)
        .merging(extra) { $1 },
      standardInput: standardInput
    )
    try terminal.expect("READY")
    try terminal.expect("end")
    return child
  }

  @Test(arguments: terminals, locales)
  func givesTheTerminalBack(term: String, locale: String) throws {
    let ends: [(PseudoTerminal.End, (PseudoTerminal, pid_t) -> Void)] = [
      (.exit(0), { terminal, _ in terminal.type("q") }),
      (.exit(0), { _, child in kill(child, SIGTERM) }),
      (.signal(SIGUSR1), { _, child in kill(child, SIGUSR1) }),
      (.signal(SIGSEGV), { _, child in kill(child, SIGSEGV) }),
    ]
    for (expected, action) in ends {
      let terminal = try PseudoTerminal()
      let before = try terminal.modes()
      let child = try start(terminal, term: term, locale: locale)
      #expect(try terminal.modes() != before)
      action(terminal, child)
      #expect(try terminal.end(of: child) == expected)
      #expect(try terminal.modes() == before)
      #expect(!terminal.outputText.contains("\u{1B}]0;title"))
      let isASCII = terminal.output.allSatisfy { $0 < 0x80 }
      #expect(isASCII == (locale == "C"))
      if term == "xterm-256color" { expectScreenLeft(terminal) }
    }
  }

  private func expectScreenLeft(_ terminal: PseudoTerminal) {
    let text = terminal.outputText
    #expect(text.contains("\u{1B}[?1049h"))
    let lastEntered = text.ranges(of: "\u{1B}[?1049h").last?.lowerBound ?? text.startIndex
    #expect(text[lastEntered...].contains("\u{1B}[?1049l"))
    let lastHidden = text.ranges(of: "\u{1B}[?25l").last?.lowerBound ?? text.startIndex
    #expect(text[lastHidden...].contains("25h"))
    let lastPaste = text.ranges(of: "\u{1B}[?2004h").last?.lowerBound
    #expect(lastPaste.map { text[$0...].contains("\u{1B}[?2004l") } ?? false)
  }

  @Test(
    arguments: [
      ("\u{3}", .exit(0), "closed: key quitRequest"),
      ("E", .exit(3), "demo: failed on purpose"),
      ("T", .signal(SIGILL), "the demo trapped on purpose"),
      ("S", .signal(SIGSEGV), ""),
      ("A", .signal(SIGABRT), ""),
      ("O", .signal(SIGSEGV), ""),
      ("\u{1C}", .signal(SIGQUIT), ""),
      ("Wq", .exit(0), "written to stderr"),
      ("WT", .signal(SIGILL), "written to stderr"),
    ] as [(String, PseudoTerminal.End, String)]
  )
  func endsInAnyWay(keys: String, expected: PseudoTerminal.End, message: String) throws {
    let terminal = try PseudoTerminal()
    let before = try terminal.modes()
    let child = try start(terminal, ["--mouse"])
    terminal.type(keys)
    let end = try terminal.end(of: child)
    #if arch(arm64)
      let wanted = expected == .signal(SIGILL) ? .signal(SIGTRAP) : expected
    #else
      let wanted = expected
    #endif
    #expect(end == wanted)
    #expect(try terminal.modes() == before)
    expectScreenLeft(terminal)
    let text = terminal.outputText
    let left = text.ranges(of: "\u{1B}[?1049l").last?.upperBound ?? text.startIndex
    // What went to stderr comes after the screen, not into it.
    #expect(message.isEmpty || text[left...].contains(message))
    let lastMouse = text.ranges(of: "\u{1B}[?1006;1000h").last?.upperBound
    #expect(lastMouse.map { text[$0...].contains("1000l") } ?? false)
  }

  @Test func keysArrive() throws {
    let terminal = try PseudoTerminal()
    let child = try start(terminal, ["--mouse"])
    let keys: [(String, String)] = [
      ("\u{1B}OA", "up"), ("\u{1B}[B", "down"), ("\u{1B}[1~", "home"), ("\u{1B}[4~", "end"),
      ("\u{1B}[5~", "pageUp"), ("\u{1B}[Z", "backTab"), ("\u{1B}[15~", "function(5)"),
      ("\u{1B}[1;2C", "shiftArrow(TerminalKit.Key.Arrow.right)"),
      ("\u{1B}[1;5D", "controlArrow(TerminalKit.Key.Arrow.left)"),
      ("\u{1B}", "escape"), ("é", "character(\"é\")"), ("\u{1B}x", "alt(\"x\")"),
      ("\r", "enter"), ("\u{7F}", "backspace"), ("\u{10}", "control(\"p\")"),
      ("\u{1B}[99u", "unknown"),
    ]
    for (sequence, _) in keys {
      terminal.type(sequence)
      // Longer than curses waits for the rest of a sequence.
      usleep(100_000)
    }
    terminal.type("\u{1B}[<0;5;3M\u{1B}[<0;5;3m\u{1B}[<64;5;3Mq")
    #expect(try terminal.end(of: child) == .exit(0))
    let history = terminal.outputText.split(separator: "history: ").last ?? ""
    #expect(history.hasPrefix(keys.map { "key \($0.1), " }.joined()))
    let position = "position: TerminalKit.Position(x: 4, y: 2)"
    for kind in ["press(1)", "release(1)", "wheelUp"] {
      #expect(history.contains("TerminalKit.MouseEvent.Kind.\(kind), \(position)"))
    }
  }

  /// The keys of the demo until `q`, for what is typed at once.
  private func history(of text: String) throws -> Substring {
    let terminal = try PseudoTerminal()
    let child = try start(terminal)
    terminal.type(text)
    usleep(300_000)
    terminal.type("q")
    #expect(try terminal.end(of: child) == .exit(0))
    return terminal.outputText.split(separator: "history: ").last ?? ""
  }

  @Test func pastedTextIsNoKey() throws {
    let pasted = try history(of: "\u{1B}[200~one\rq\u{1B}[B é\u{1B}[201~x\u{1B}[A")
    // The rest of the same read: a letter is one, more than a letter is nothing.
    let parts =
      #"key paste("one\rq\u{1B}[B é"), key character("x"), key unknown, key character("q")"#
    #expect(pasted.hasPrefix(parts))
  }

  /// Escape ends a paste whose end was lost: until then what is typed is text.
  @Test func aPasteWithoutAnEnd() throws {
    let pasted = try history(of: "\u{1B}[200~qq\u{1B}")
    #expect(pasted.hasPrefix(#"key paste("qq"), key escape, key character("q")"#))
  }

  @Test func followsTheSize() throws {
    let terminal = try PseudoTerminal()
    let child = try start(terminal, extra: ["LINES": "5", "COLUMNS": "5"])
    #expect(terminal.outputText.contains("80x24"))
    for (width, height) in [(100, 30), (1, 1), (3, 2), (133, 40)] {
      terminal.resize(width: width, height: height)
      if width > 20 { try terminal.expect("READY \(width)x\(height)") }
      usleep(50_000)
    }
    terminal.type("q")
    #expect(try terminal.end(of: child) == .exit(0))
  }

  @Test func readsKeysFromTheTerminalWhenInputIsRedirected() throws {
    let terminal = try PseudoTerminal()
    let before = try terminal.modes()
    let child = try start(terminal, standardInput: "/dev/null")
    terminal.type("q")
    #expect(try terminal.end(of: child) == .exit(0))
    #expect(try terminal.modes() == before)
  }

  @Test func canBeOpenedAgain() throws {
    let terminal = try PseudoTerminal()
    let before = try terminal.modes()
    let child = try start(terminal)
    for _ in 0..<3 {
      terminal.type("R")
      try terminal.expect("closed: ")
      try terminal.expect("READY")
    }
    terminal.type("A")
    #expect(try terminal.end(of: child) == .signal(SIGABRT))
    #expect(try terminal.modes() == before)
  }

  @Test func ticksWithoutKeys() throws {
    let terminal = try PseudoTerminal()
    let child = try start(terminal, ["--tick"])
    try terminal.expect("timeout")
    terminal.type("q")
    #expect(try terminal.end(of: child) == .exit(0))
  }

  @Test func noColor() throws {
    let colored = "\u{1B}[48;5;"
    for (extra, isColored) in [([:], true), (["NO_COLOR": "1"], false), (["NO_COLOR": ""], true)] {
      let terminal = try PseudoTerminal()
      let child = try start(terminal, extra: extra)
      terminal.type("q")
      #expect(try terminal.end(of: child) == .exit(0))
      #expect(terminal.outputText.contains(colored) == isColored)
    }
  }

  @Test func asciiOnDemand() throws {
    let terminal = try PseudoTerminal()
    let child = try start(terminal, ["--ascii"])
    terminal.type("q")
    #expect(try terminal.end(of: child) == .exit(0))
    #expect(terminal.output.allSatisfy { $0 < 0x80 })
    #expect(terminal.outputText.contains("wide ?????? end"))
  }

  @Test(
    arguments: [
      (nil, nil, "TERM is not set"),
      ("no-such-terminal", nil, "'no-such-terminal' (TERM) is not known"),
      ("dumb", nil, "cannot move its cursor"),
      ("xterm", "/dev/null", "standard output is not a terminal"),
    ] as [(String?, String?, String)]
  )
  func refusesPolitely(term: String?, standardOutput: String?, message: String) throws {
    let terminal = try PseudoTerminal()
    let before = try terminal.modes()
    let child = try terminal.start(
      TerminalDemoProgram.path,
      environment: TerminalDemoProgram.environment(term: term),
      standardOutput: standardOutput
    )
    #expect(try terminal.end(of: child) == .exit(2))
    #expect(terminal.outputText.contains(message))
    #expect(!terminal.output.contains(0x1B))
    #expect(try terminal.modes() == before)
  }
}
