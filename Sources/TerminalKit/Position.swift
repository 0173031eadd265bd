// SPDX-License-Identifier: MIT

/// A cell's place: column and row from the top left corner, which is 0, 0.
public struct Position: Hashable, Sendable {
  public var x: Int
  public var y: Int

  public init(x: Int, y: Int) {
    self.x = x
    self.y = y
  }
}
