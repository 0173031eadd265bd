// SPDX-License-Identifier: MIT
import TerminalKit

/// What the demo shows, apart from it so that tests can compare a terminal with the same frame.
public enum Scene {
  /// A frame with text of every kind that a terminal finds hard.
  public static func frame(size: Size, glyphs: Glyphs, message: String) -> CellBuffer {
    var frame = CellBuffer(size: size)
    let head = Style(foreground: .black, background: .green)
    frame.fill(Rectangle(x: 0, y: 0, width: size.width, height: 1), style: head)
    frame.put("READY \(size.width)x\(size.height)", x: 0, y: 0, style: head)
    frame.put(message, x: 0, y: 1, style: Style(bold: true))
    frame.put("wide 日本語 end", x: 0, y: 2, style: Style(foreground: .brightRed))
    frame.put("marks e\u{301}o\u{308}\u{323} end", x: 0, y: 3)
    frame.put("hostile \u{1B}]0;title\u{7} \u{202E}abc", x: 0, y: 4)
    frame.put("bar \(glyphs.bar(fraction: 0.45, width: 10))|", x: 0, y: 5)
    for column in 0..<min(size.width, 60) {
      let style = Style(background: .indexed(UInt8(16 + column * 3)))
      frame.put(" ", x: column, y: 6, style: style)
    }
    // The last column of the last row, which some ways of drawing scroll away.
    frame.horizontalLine(
      x: 0,
      y: size.height - 1,
      width: size.width,
      glyph: glyphs.horizontalLine
    )
    frame.put("語", x: size.width - 1, y: size.height - 2)
    frame.put("#", x: size.width - 1, y: size.height - 1)
    return frame
  }
}
