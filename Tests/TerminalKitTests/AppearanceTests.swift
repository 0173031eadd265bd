// SPDX-License-Identifier: MIT
import Testing

@testable import TerminalKit

@Suite struct AppearanceTests {
  @Test func colorsBecomePoorer() {
    #expect(ColorDepth.twoHundredFiftySix.resolve(.indexed(208)).index == 208)
    #expect(ColorDepth.sixteen.resolve(.indexed(196)).index == 9)
    #expect(ColorDepth.sixteen.resolve(.indexed(16)).index == 0)
    #expect(ColorDepth.sixteen.resolve(.indexed(231)).index == 15)
    #expect(ColorDepth.sixteen.resolve(.brightBlue).index == 12)
    let bright = ColorDepth.eight.resolve(.brightRed)
    #expect(bright.index == 1 && bright.isBright)
    #expect(ColorDepth.eight.resolve(.red).isBright == false)
    #expect(ColorDepth.monochrome.resolve(.red).index == nil)
    #expect(ColorDepth.eight.resolve(.terminalDefault).index == nil)
    for index in UInt8.min...UInt8.max {
      #expect((0..<8).contains(ColorDepth.eight.resolve(.indexed(index)).index ?? -1))
    }
  }

  @Test func depthOfATerminal() {
    #expect(ColorDepth(colors: -1) == .monochrome)
    #expect(ColorDepth(colors: 8) == .eight)
    #expect(ColorDepth(colors: 88) == .sixteen)
    #expect(ColorDepth(colors: 1 << 24) == .twoHundredFiftySix)
  }

  @Test(arguments: [Glyphs.unicode, .ascii])
  func glyphsAreNarrow(glyphs: Glyphs) {
    for child in Mirror(reflecting: glyphs).children {
      let texts = child.value as? [String] ?? (child.value as? String).map { [$0] } ?? []
      for text in texts {
        #expect(CellWidth.of(text) == 1)
        #expect(!glyphs.isASCII || text.utf8.count == 1)
      }
    }
  }

  @Test(arguments: [Glyphs.unicode, .ascii])
  func barsFillTheirWidth(glyphs: Glyphs) {
    for width in 0...12 {
      for step in -1...30 {
        #expect(CellWidth.of(glyphs.bar(fraction: Double(step) / 29, width: width)) == width)
      }
    }
    #expect(glyphs.bar(fraction: .nan, width: 3) == "   ")
    #expect(glyphs.bar(fraction: .infinity, width: 3).count == 3)
    #expect(Glyphs.unicode.bar(fraction: 0.5, width: 4) == "██  ")
    #expect(Glyphs.ascii.bar(fraction: 1, width: 3) == "|||")
  }

  @Test func rectangles() {
    let one = Rectangle(x: 0, y: 0, width: 10, height: 5)
    let two = Rectangle(x: 8, y: 4, width: 10, height: 5)
    #expect(one.intersection(two) == Rectangle(x: 8, y: 4, width: 2, height: 1))
    #expect(one.intersection(Rectangle(x: 20, y: 0, width: 1, height: 1)).isEmpty)
    #expect(one.inset(left: 6, right: 6).isEmpty)
    #expect(one.contains(x: 9, y: 4) && !one.contains(x: 10, y: 4))
  }
}
