/// A key, or something else that a person did to the terminal.
public enum Key: Sendable, Equatable {
  case character(Character)
  case up, down, left, right
  case home, end, pageUp, pageDown
  case enter, escape, backspace, delete, insert, tab, backTab
  /// `F1` is 1.
  case function(Int)
  /// The size has changed.
  case resize
  /// A signal asks the program to end.
  case quit
  case other
}

/// Something to draw on and to read keys from.
public protocol Screen {
  /// Columns and lines, at least 1 each.
  var size: (width: Int, height: Int) { get }
  /// Whether characters beyond ASCII can be shown.
  var isUnicode: Bool { get }

  /// Shows a picture, with the cursor at a place or hidden.
  mutating func draw(_ buffer: CellBuffer, cursor: (x: Int, y: Int)?)

  /// Draws everything anew with the next picture.
  mutating func redraw()

  /// The next key, or `nil` when the time is over or a descriptor has input.
  ///
  /// - Parameter milliseconds: How long to wait; negative for ever.
  mutating func key(milliseconds: Int, descriptor: Int32?) -> Key?
}

/// A screen of a test: keys come from a list, pictures are kept.
public struct VirtualScreen: Screen {
  public var size: (width: Int, height: Int)
  public var isUnicode: Bool
  /// What will be typed.
  public var keys: [Key]
  /// Every picture that was drawn.
  public private(set) var frames: [CellBuffer] = []

  public init(width: Int, height: Int, unicode: Bool = true, keys: [Key] = []) {
    size = (width, height)
    isUnicode = unicode
    self.keys = keys
  }

  public mutating func draw(_ buffer: CellBuffer, cursor: (x: Int, y: Int)?) {
    frames.append(buffer)
  }

  public mutating func redraw() {}

  /// The next of the list; behind its end the program is asked to quit.
  public mutating func key(milliseconds: Int, descriptor: Int32?) -> Key? {
    keys.isEmpty ? .quit : keys.removeFirst()
  }
}
