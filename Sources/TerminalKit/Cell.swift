// SPDX-License-Identifier: MIT

/// One place of the grid: a character with its combining marks, its columns, its look.
public struct Cell: Hashable, Sendable {
  /// The most code points in one cell; what one cell of curses holds.
  public static let maximumScalars = 5

  /// The character and up to four combining marks; empty in the right half of a wide character.
  public internal(set) var text: String
  /// 1, or 2 for the left half of a wide character, or 0 for its right half.
  public internal(set) var width: Int8
  public var style: Style

  /// A space.
  public static func blank(_ style: Style = .plain) -> Cell {
    Cell(text: " ", width: 1, style: style)
  }
}
