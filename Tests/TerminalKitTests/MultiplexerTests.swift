// SPDX-License-Identifier: MIT
import Glibc
import Testing

@testable import TerminalDemo
@testable import TerminalKit

/// What only a whole terminal with a shell can show.
@Suite(.serialized, .enabled(if: Multiplexer.isInstalled)) struct MultiplexerTests {
  private func scene(_ width: Int, _ height: Int, _ message: String) -> [String] {
    let size = Size(width: width, height: height)
    return Scene.frame(size: size, glyphs: .unicode, message: message).textRows
  }

  private func matches(_ rows: [String], _ scene: [String]) -> Bool {
    Array(rows.prefix(scene.count)) == scene
  }

  @Test func showsTheFrameAtEverySize() throws {
    let program = "SWIFT_BACKTRACE=enable=no exec \(TerminalDemoProgram.path)"
    let multiplexer = try Multiplexer(width: 60, height: 12, command: program)
    try multiplexer.expect("first frame") { matches($0, scene(60, 12, "no key yet")) }
    for (width, height) in [(80, 24), (40, 10), (2, 2), (1, 1), (200, 60), (61, 13)] {
      try multiplexer.resize(width: width, height: height)
      // Curses cannot fill a corner that is all there is; it is enough to live through it.
      if width == 1 {
        usleep(500_000)
        continue
      }
      try multiplexer.expect("\(width)x\(height)") { rows in
        matches(rows, scene(width, height, "key resize"))
      }
    }
    try multiplexer.press("F5")
    try multiplexer.expect("key") { matches($0, scene(61, 13, "key function(5)")) }
  }

  @Test func stopsAndContinues() throws {
    let shell = "ENV= PS1='$ ' exec bash --norc --noprofile"
    let multiplexer = try Multiplexer(width: 60, height: 12, command: shell)
    try multiplexer.expect("prompt") { $0.first == "$" }
    let before = try modes(multiplexer)
    try multiplexer.press("clear; \(TerminalDemoProgram.path)", "Enter")
    try multiplexer.expect("frame") { matches($0, scene(60, 12, "no key yet")) }
    for _ in 0..<2 {
      try multiplexer.press("C-z")
      try multiplexer.expect("shell") { $0.joined().contains("Stopped") && $0.contains("$") }
      #expect(try modes(multiplexer) == before)
      try multiplexer.press("fg", "Enter")
      try multiplexer.expect("frame") { matches($0, scene(60, 12, "no key yet")) }
    }
    try multiplexer.press("q")
    try multiplexer.expect("end") { $0.contains { $0.hasPrefix("closed") } }
    #expect(try modes(multiplexer) == before)
  }

  /// A check sum of the modes that the shell's children get.
  private func modes(_ multiplexer: Multiplexer) throws -> String {
    try multiplexer.press("clear; stty -a | cksum", "Enter")
    try multiplexer.expect("prompt") { $0.count > 2 && $0[1] == "$" }
    return try multiplexer.rows()[0]
  }
}
