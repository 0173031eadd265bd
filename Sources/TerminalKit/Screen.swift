// SPDX-License-Identifier: MIT

/// Where frames go and keys come from.
///
/// A program's loop looks like this with a terminal and with a test's script alike:
///
///     while running {
///       var frame = CellBuffer(size: screen.size)
///       view.draw(on: &frame)
///       screen.draw(frame)
///       switch screen.wait(timeoutMilliseconds: 1000) { … }
///     }
///
/// A screen belongs to one thread.
public protocol Screen: AnyObject {
  /// The size that the next frame should have.
  var size: Size { get }

  /// The characters that this terminal can show.
  var glyphs: Glyphs { get }

  /// The colours that this terminal can show.
  var colorDepth: ColorDepth { get }

  /// Shows a frame. One of another size than the screen's is cut or padded. With `cursor` the
  /// terminal's own cursor stands there, otherwise it is hidden.
  func draw(_ frame: CellBuffer, cursor: Position?)

  /// Waits for a key, for a descriptor to become readable, or for time to pass, whichever comes
  /// first; keys come first when several do. `nil` waits without an end, 0 does not wait.
  func wait(timeoutMilliseconds: Int?, descriptor: Int32?) -> Wakeup

  /// The next key if it is at hand already, without waiting: what a flood of keys is taken with before
  /// the next frame.
  func keyAtHand() -> Key?

  /// Beeps, or flashes.
  func bell()

  /// Puts a text into the clipboard of whoever sits at the terminal (OSC 52).
  ///
  /// - Returns: Whether this terminal may know how.
  func copy(_ text: String) -> Bool

  /// Whether the mouse is reported. It takes the terminal's text selection away.
  var reportsMouse: Bool { get set }
}

extension Screen {
  /// Every key comes through ``wait(timeoutMilliseconds:descriptor:)``.
  public func keyAtHand() -> Key? { nil }

  /// Shows a frame without a cursor.
  public func draw(_ frame: CellBuffer) {
    draw(frame, cursor: nil)
  }

  /// Waits for a key or for time to pass.
  public func wait(timeoutMilliseconds: Int? = nil) -> Wakeup {
    wait(timeoutMilliseconds: timeoutMilliseconds, descriptor: nil)
  }
}
