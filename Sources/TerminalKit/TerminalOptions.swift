// SPDX-License-Identifier: MIT

/// What a user may decide about the terminal; the rest is found out.
public struct TerminalOptions: Hashable, Sendable {
  /// Which characters to draw with.
  public enum CharacterSet: Hashable, Sendable {
    /// UTF-8 if the locale says so, otherwise ASCII.
    case automatic
    case utf8
    case ascii
  }

  public var characterSet: CharacterSet
  /// The most colours to use; `nil` is what the terminal has, or none if `NO_COLOR` is set.
  public var colorDepth: ColorDepth?
  public var mouse: Bool

  public init(
    characterSet: CharacterSet = .automatic,
    colorDepth: ColorDepth? = nil,
    mouse: Bool = false
  ) {
    self.characterSet = characterSet
    self.colorDepth = colorDepth
    self.mouse = mouse
  }
}
