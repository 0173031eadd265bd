// SPDX-License-Identifier: MIT

/// A report of the mouse.
public struct MouseEvent: Hashable, Sendable {
  /// What the mouse did.
  public enum Kind: Hashable, Sendable {
    /// Button 1 (left) to 3 (right) went down.
    case press(Int)
    /// Button 1 (left) to 3 (right) went up.
    case release(Int)
    case wheelUp
    case wheelDown
  }

  public var kind: Kind
  public var position: Position

  public init(_ kind: Kind, at position: Position) {
    self.kind = kind
    self.position = position
  }
}
