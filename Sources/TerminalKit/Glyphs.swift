// SPDX-License-Identifier: MIT

/// The characters that a user interface is drawn with, chosen once for a terminal.
public struct Glyphs: Hashable, Sendable {
  public let horizontalLine: String
  public let verticalLine: String
  public let cross: String
  public let topLeftCorner: String
  public let topRightCorner: String
  public let bottomLeftCorner: String
  public let bottomRightCorner: String
  public let ellipsis: String
  public let arrowUp: String
  public let arrowDown: String
  public let arrowLeft: String
  public let arrowRight: String
  public let bullet: String
  /// A bar's cell, from an eighth filled to all of it; growing to the right.
  public let horizontalBar: [String]
  /// A chart's cell, from an eighth filled to all of it; growing upwards.
  public let verticalBar: [String]
  /// Whether all of them are ASCII.
  public let isASCII: Bool

  /// For terminals that show UTF-8.
  public static let unicode = Glyphs(
    horizontalLine: "─",
    verticalLine: "│",
    cross: "┼",
    topLeftCorner: "┌",
    topRightCorner: "┐",
    bottomLeftCorner: "└",
    bottomRightCorner: "┘",
    ellipsis: "…",
    arrowUp: "▲",
    arrowDown: "▼",
    arrowLeft: "◀",
    arrowRight: "▶",
    bullet: "•",
    horizontalBar: ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    verticalBar: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    isASCII: false
  )

  /// For all others.
  public static let ascii = Glyphs(
    horizontalLine: "-",
    verticalLine: "|",
    cross: "+",
    topLeftCorner: "+",
    topRightCorner: "+",
    bottomLeftCorner: "+",
    bottomRightCorner: "+",
    ellipsis: "~",
    arrowUp: "^",
    arrowDown: "v",
    arrowLeft: "<",
    arrowRight: ">",
    bullet: "*",
    horizontalBar: [" ", " ", " ", "|", "|", "|", "|", "|"],
    verticalBar: ["_", ".", ".", "-", "-", "=", "=", "#"],
    isASCII: true
  )

  /// A bar of `width` columns of which `fraction` (0...1) is filled, padded with spaces.
  public func bar(fraction: Double, width: Int) -> String {
    guard width > 0 else { return "" }
    let steps = horizontalBar.count
    let share = fraction.isFinite ? min(max(fraction, 0), 1) : 0
    let filled = Int((share * Double(width * steps)).rounded())
    var text = String(repeating: horizontalBar[steps - 1], count: filled / steps)
    if filled % steps > 0 { text += horizontalBar[filled % steps - 1] }
    return text + String(repeating: " ", count: width - (filled + steps - 1) / steps)
  }
}
