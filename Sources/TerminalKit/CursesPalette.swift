// SPDX-License-Identifier: MIT

/// Finds for each style what curses needs to show it, and remembers it. Pairs of colours are
/// defined when they are first used: a terminal has too few for all, or so many that it takes long.
struct CursesPalette {
  let depth: ColorDepth

  private struct Pair: Hashable {
    var foreground: Int
    var background: Int
  }

  private let pairLimit: Int
  private let hasDefault: Bool
  private var pairs: [Pair: Int] = [:]
  private var looks: [Style: (attributes: UInt32, pair: Int)] = [:]
  private var lastStyle: Style?
  private var lastLook: (attributes: UInt32, pair: Int) = (0, 0)

  /// Starts the terminal's colours, unless none are wanted. Needs an open terminal.
  init(atMost wanted: ColorDepth) {
    let found = wanted == .monochrome ? (0, 0, false) : Curses.startColors()
    depth = min(wanted, ColorDepth(colors: found.0))
    pairLimit = found.1
    hasDefault = found.2
  }

  /// The attribute bits and the colour pair for a style.
  mutating func look(_ style: Style) -> (attributes: UInt32, pair: Int) {
    // Neighbours mostly look alike.
    if style == lastStyle { return lastLook }
    let look = looks[style] ?? make(style)
    looks[style] = look
    lastStyle = style
    lastLook = look
    return look
  }

  private mutating func make(_ style: Style) -> (attributes: UInt32, pair: Int) {
    let foreground = depth.resolve(style.foreground)
    let background = depth.resolve(style.background)
    // Without colours a coloured ground would vanish, and a selection with it.
    let isGroundLost = depth == .monochrome && style.background != .terminalDefault
    let attributes = Curses.attributes(
      bold: style.bold || foreground.isBright,
      dim: style.dim,
      reverse: style.reverse || isGroundLost,
      underline: style.underline
    )
    guard foreground.index != nil || background.index != nil else { return (attributes, 0) }
    let pair = Pair(
      foreground: foreground.index ?? (hasDefault ? -1 : 7),
      background: background.index ?? (hasDefault ? -1 : 0)
    )
    return (attributes, number(of: pair))
  }

  private mutating func number(of pair: Pair) -> Int {
    if let number = pairs[pair] { return number }
    let number = pairs.count + 1
    guard number < pairLimit,
      Curses.definePair(number, foreground: pair.foreground, background: pair.background)
    else { return 0 }
    pairs[pair] = number
    return number
  }
}
