// SPDX-License-Identifier: MIT

/// How a cell looks. What a look means (an error, a selection) is the caller's business.
///
/// Not every terminal has `dim`, and some have no colours: never let a look alone carry meaning.
public struct Style: Hashable, Sendable {
  public var foreground: Color
  public var background: Color
  public var bold: Bool
  public var dim: Bool
  public var reverse: Bool
  public var underline: Bool

  /// A style; without arguments the terminal's own.
  public init(
    foreground: Color = .terminalDefault,
    background: Color = .terminalDefault,
    bold: Bool = false,
    dim: Bool = false,
    reverse: Bool = false,
    underline: Bool = false
  ) {
    self.foreground = foreground
    self.background = background
    self.bold = bold
    self.dim = dim
    self.reverse = reverse
    self.underline = underline
  }

  /// The terminal's own look.
  public static let plain = Style()
}
