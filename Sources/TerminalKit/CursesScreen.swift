import CTerminal

/// Why the terminal cannot be used.
public struct TerminalError: Error, Sendable, CustomStringConvertible {
  public let description: String
}

/// The terminal, by way of ncursesw. It is given back when the value goes.
public final class CursesScreen: Screen {
  public let isUnicode: Bool
  private let hasColour: Bool

  /// Whether the locale of the environment can show characters beyond ASCII.
  public static var localeIsUnicode: Bool { ct_set_locale() }

  /// Takes the terminal.
  ///
  /// - Parameters:
  ///   - ascii: Show ASCII characters only, whatever the locale says.
  ///   - colour: Use colours where the terminal has them.
  /// - Throws: ``TerminalError`` when standard input or output is no terminal or it is unknown.
  public init(ascii: Bool, colour: Bool) throws(TerminalError) {
    let isUTF8 = ct_set_locale()
    switch ct_open(colour) {
    case CT_OK: break
    case CT_NOT_A_TERMINAL:
      throw TerminalError(description: "standard input and output must be a terminal")
    case CT_UNKNOWN_TERMINAL:
      throw TerminalError(
        description: "the terminal is unknown: set TERM to one that has a terminfo entry"
      )
    default:
      throw TerminalError(description: "the terminal could not be opened")
    }
    isUnicode = isUTF8 && !ascii
    hasColour = colour && ct_colours() >= 8
  }

  deinit {
    ct_close()
  }

  public var size: (width: Int, height: Int) {
    (max(1, Int(ct_width())), max(1, Int(ct_height())))
  }

  public func redraw() {
    ct_redraw()
  }

  public func draw(_ buffer: CellBuffer, cursor: (x: Int, y: Int)?) {
    ct_erase()
    let size = size
    for y in 0..<min(buffer.height, size.height) {
      drawLine(buffer, y, min(buffer.width, size.width))
    }
    ct_flush(cursor.map { Int32($0.y) } ?? -1, cursor.map { Int32($0.x) } ?? -1)
  }

  /// Draws a line in runs of one style.
  private func drawLine(_ buffer: CellBuffer, _ y: Int, _ width: Int) {
    var x = 0
    var text: [UInt32] = []
    while x < width {
      let start = x
      let style = buffer[x, y].style
      text.removeAll(keepingCapacity: true)
      while x < width, buffer[x, y].style == style {
        let scalars = buffer[x, y].scalars
        for scalar in scalars { text.append(shown(scalar)) }
        x += 1
        // The C library may think otherwise about the width of what is not plain: place what
        // follows anew.
        if scalars.count != 1 || !scalars[0].isASCII { break }
      }
      if text.isEmpty { continue }
      var attributes: UInt32 = 0
      if style.isBold { attributes |= CT_BOLD.rawValue }
      if style.isDim { attributes |= CT_DIM.rawValue }
      if style.isReverse { attributes |= CT_REVERSE.rawValue }
      if style.isUnderlined { attributes |= CT_UNDERLINE.rawValue }
      ct_draw(
        Int32(y),
        Int32(start),
        text,
        Int32(text.count),
        Int32(attributes),
        hasColour ? style.foreground?.rawValue ?? -1 : -1,
        hasColour ? style.background?.rawValue ?? -1 : -1
      )
    }
  }

  private func shown(_ scalar: Unicode.Scalar) -> UInt32 {
    isUnicode || scalar.isASCII ? scalar.value : 0x3f
  }

  public func key(milliseconds: Int, descriptor: Int32?) -> Key? {
    var code: UInt32 = 0
    switch ct_wait(Int32(clamping: milliseconds), descriptor ?? -1, &code) {
    case CT_KEY_NONE: return nil
    case CT_KEY_CHARACTER: return Unicode.Scalar(code).map { .character(Character($0)) }
    case CT_KEY_UP: return .up
    case CT_KEY_DOWN: return .down
    case CT_KEY_LEFT: return .left
    case CT_KEY_RIGHT: return .right
    case CT_KEY_HOME: return .home
    case CT_KEY_END: return .end
    case CT_KEY_PAGE_UP: return .pageUp
    case CT_KEY_PAGE_DOWN: return .pageDown
    case CT_KEY_ENTER: return .enter
    case CT_KEY_ESCAPE: return .escape
    case CT_KEY_BACKSPACE: return .backspace
    case CT_KEY_DELETE: return .delete
    case CT_KEY_INSERT: return .insert
    case CT_KEY_TAB: return .tab
    case CT_KEY_BACK_TAB: return .backTab
    case CT_KEY_FUNCTION: return .function(Int(code))
    case CT_KEY_RESIZE: return .resize
    case CT_KEY_QUIT: return .quit
    default: return .other
    }
  }
}
