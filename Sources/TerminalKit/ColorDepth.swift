// SPDX-License-Identifier: MIT

/// How many colours a terminal shows.
public enum ColorDepth: Int, Comparable, Sendable {
  case monochrome = 0
  case eight = 8
  case sixteen = 16
  case twoHundredFiftySix = 256

  /// The depth of a terminal that says it has this many colours.
  public init(colors: Int) {
    switch colors {
    case 256...: self = .twoHundredFiftySix
    case 16...: self = .sixteen
    case 8...: self = .eight
    default: self = .monochrome
    }
  }

  public static func < (left: ColorDepth, right: ColorDepth) -> Bool {
    left.rawValue < right.rawValue
  }

  /// The number to ask the terminal for, `nil` for its default colour.
  ///
  /// With eight colours a bright one becomes its plain twin; `isBright` tells a foreground to make
  /// up for that with bold.
  func resolve(_ color: Color) -> (index: Int?, isBright: Bool) {
    guard self != .monochrome, let index = color.index.map(Int.init) else { return (nil, false) }
    if self == .twoHundredFiftySix { return (index, false) }
    let basic = index < 16 ? index : Self.nearestBasic(index)
    if self == .sixteen || basic < 8 { return (basic, false) }
    return (basic - 8, true)
  }

  /// The nearest of the 16 basic colours, by the palette of xterm.
  private static func nearestBasic(_ index: Int) -> Int {
    let wanted = components(index)
    var best = 0
    var bestDistance = Int.max
    for candidate in 0..<16 {
      let has = basicComponents[candidate]
      let (red, green, blue) = (wanted.0 - has.0, wanted.1 - has.1, wanted.2 - has.2)
      let distance = red * red + green * green + blue * blue
      if distance < bestDistance { (best, bestDistance) = (candidate, distance) }
    }
    return best
  }

  private static func components(_ index: Int) -> (Int, Int, Int) {
    if index >= 232 {
      let gray = 8 + (index - 232) * 10
      return (gray, gray, gray)
    }
    let levels = [0, 95, 135, 175, 215, 255]
    let cube = index - 16
    return (levels[cube / 36], levels[cube / 6 % 6], levels[cube % 6])
  }

  private static let basicComponents: [(Int, Int, Int)] = [
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0),
    (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0),
    (92, 92, 255), (255, 0, 255), (0, 255, 255), (255, 255, 255),
  ]
}
