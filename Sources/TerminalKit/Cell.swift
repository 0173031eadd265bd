/// How text looks. Never the only bearer of a meaning: terminals without colour exist.
public struct Style: Sendable, Equatable {
  /// A colour of the terminal's own palette; `nil` is its default.
  public enum Colour: Int32, Sendable {
    case black, red, green, yellow, blue, magenta, cyan, white
  }

  public var foreground: Colour?
  public var background: Colour?
  public var isBold = false
  public var isDim = false
  public var isReverse = false
  public var isUnderlined = false

  public init(
    foreground: Colour? = nil,
    background: Colour? = nil,
    bold: Bool = false,
    dim: Bool = false,
    reverse: Bool = false,
    underlined: Bool = false
  ) {
    self.foreground = foreground
    self.background = background
    isBold = bold
    isDim = dim
    isReverse = reverse
    isUnderlined = underlined
  }

  public static let plain = Style()
}

/// One column of one line of the screen.
public struct Cell: Sendable, Equatable {
  /// A character and the marks on it, at most five; empty for the right half of a wide character.
  public var scalars: [Unicode.Scalar]
  public var style: Style

  public static let blank = Cell(scalars: [" "], style: .plain)
}
