// SPDX-License-Identifier: MIT
import Testing

@testable import TerminalKit

@Suite struct VirtualScreenTests {
  /// The loop that a view would have.
  private func run(on screen: some Screen) -> [Wakeup] {
    var wakeups: [Wakeup] = []
    while true {
      var frame = CellBuffer(size: screen.size)
      frame.put("\(screen.size.width)x\(screen.size.height)", x: 0, y: 0, style: Style(bold: true))
      frame.put("\(wakeups.count) 日", x: 1, y: 1)
      screen.draw(frame)
      let wakeup = screen.wait(timeoutMilliseconds: 50)
      wakeups.append(wakeup)
      if wakeup == .key(.quitRequest) { return wakeups }
    }
  }

  @Test func playsAScript() {
    let screen = VirtualScreen(
      width: 12,
      height: 2,
      steps: [
        .type("ab"), .key(.down), .resize(Size(width: 6, height: 3)), .timeout, .descriptorReady,
      ]
    )
    #expect(
      run(on: screen) == [
        .key(.character("a")), .key(.character("b")), .key(.down), .key(.resize), .timeout,
        .descriptorReady, .key(.quitRequest),
      ]
    )
    #expect(screen.frames.count == 7)
    #expect(screen.frames[0].textRows == ["12x2", " 0 日"])
    #expect(screen.snapshot() == "6x3\n 6 日\n\n")
    #expect(screen.timeouts.count == 7)
  }

  @Test func showsStyles() {
    let screen = VirtualScreen(width: 12, height: 2)
    var frame = CellBuffer(size: screen.size)
    frame.put("title", x: 0, y: 0, style: Style(foreground: .red, bold: true))
    frame.put("日x", x: 2, y: 0, style: Style(background: .indexed(17)))
    screen.draw(frame, cursor: Position(x: 3, y: 1))
    #expect(
      screen.snapshot(styles: true) == """
        |ti日x
        :aabbb
        |
        = a: bold red
        = b: on indexed(17)

        """
    )
    #expect(screen.cursor == Position(x: 3, y: 1))
    screen.bell()
    #expect(screen.bellCount == 1)
  }
}
