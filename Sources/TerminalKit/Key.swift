// SPDX-License-Identifier: MIT

/// What the user did, or what the loop has to react to like a key.
public enum Key: Hashable, Sendable {
  case character(Character)
  case up, down, left, right
  case home, end, pageUp, pageDown
  case enter, escape, backspace, tab, backTab, delete, insert
  /// F1 is `function(1)`.
  case function(Int)
  /// Control with a lower-case letter, or with a space, `\`, `]`, `^`, `_`.
  case control(Character)
  /// Alt (or Escape typed just before) with a character.
  case alt(Character)
  case shiftArrow(Arrow)
  case controlArrow(Arrow)
  case mouse(MouseEvent)
  /// Text that was pasted, or the next part of it: what it says is no command. An empty part is the
  /// beginning of a paste.
  case paste(String)
  /// The screen has another size now; lay out and draw again.
  case resize
  /// SIGINT (Ctrl-C), SIGTERM or SIGHUP, or the terminal is gone: save and leave.
  case quitRequest
  /// Something without a meaning here. To be ignored.
  case unknown

  /// A direction that goes with a modifier.
  public enum Arrow: Hashable, Sendable {
    case up, down, left, right
  }
}
