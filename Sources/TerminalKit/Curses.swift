// SPDX-License-Identifier: MIT
import CTerminal
import Glibc

/// The only door to curses. It exports words like `refresh`, `move` and `filter` as global
/// functions, so the C module is imported in this file and nowhere else.
enum Curses {
  /// Which signals came in.
  struct Notes: OptionSet {
    let rawValue: Int
    static let quit = Notes(rawValue: Int(TERMINAL_NOTE_QUIT))
    static let stop = Notes(rawValue: Int(TERMINAL_NOTE_STOP))
    static let resumed = Notes(rawValue: Int(TERMINAL_NOTE_CONTINUE))
    static let resized = Notes(rawValue: Int(TERMINAL_NOTE_RESIZE))
  }

  /// A cell as curses wants it.
  typealias NativeCell = cchar_t

  // MARK: Opening and closing

  /// Takes LC_CTYPE from the environment; whether it is UTF-8.
  static func setLocale(preferUTF8: Bool) -> Bool {
    terminal_set_locale(preferUTF8)
  }

  static func open() throws(TerminalError) {
    let type = getenv("TERM").map { String(cString: $0) } ?? ""
    switch terminal_open() {
    case TERMINAL_OK: break
    case TERMINAL_ALREADY_OPEN: throw .alreadyOpen
    case TERMINAL_OUTPUT_IS_NO_TTY: throw .outputIsNotATerminal
    case TERMINAL_NO_KEYBOARD: throw .noKeyboard
    case TERMINAL_TERM_MISSING: throw .typeMissing
    case TERMINAL_TERM_UNKNOWN: throw .typeUnknown(type)
    case TERMINAL_TERM_TOO_SIMPLE: throw .typeTooSimple(type)
    default: throw .systemError
    }
    defineKeys()
  }

  static func close() {
    terminal_close()
  }

  static func setMouse(_ on: Bool) {
    terminal_set_mouse(on)
  }

  static var isNoColorSet: Bool {
    getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
  }

  /// Lets the terminal say where pasted text begins and ends, or not.
  static func setPaste(_ on: Bool) {
    terminal_set_paste(on)
  }

  // MARK: Colours

  /// Starts colours; how many there are, and whether the terminal's own may be kept.
  static func startColors() -> (count: Int, pairs: Int, hasDefault: Bool) {
    guard has_colors(), start_color() != ERR else { return (0, 0, false) }
    let hasDefault = use_default_colors() != ERR
    return (Int(terminal_colors()), Int(terminal_color_pairs()), hasDefault)
  }

  /// Defines a pair; whether it worked. -1 is the terminal's own colour.
  static func definePair(_ pair: Int, foreground: Int, background: Int) -> Bool {
    init_extended_pair(Int32(pair), Int32(foreground), Int32(background)) != ERR
  }

  // MARK: Drawing

  static var size: Size {
    Size(width: Int(terminal_columns()), height: Int(terminal_lines()))
  }

  /// The bits of a style's attributes.
  static func attributes(bold: Bool, dim: Bool, reverse: Bool, underline: Bool) -> UInt32 {
    var bits: attr_t = 0
    if bold { bits |= terminal_attribute_bold() }
    if dim { bits |= terminal_attribute_dim() }
    if reverse { bits |= terminal_attribute_reverse() }
    if underline { bits |= terminal_attribute_underline() }
    return bits
  }

  /// The columns that curses will count for a code point.
  static func libraryWidth(_ scalar: Unicode.Scalar) -> Int {
    Int(terminal_libc_width(scalar.value))
  }

  /// A cell of up to five code points, the first of them not a combining mark.
  static func nativeCell(
    _ scalars: some Sequence<Unicode.Scalar>,
    attributes: UInt32,
    pair: Int
  ) -> NativeCell {
    var cell = cchar_t()
    withUnsafeTemporaryAllocation(of: wchar_t.self, capacity: Cell.maximumScalars + 1) { text in
      var count = 0
      for scalar in scalars.prefix(Cell.maximumScalars) {
        text[count] = wchar_t(bitPattern: scalar.value)
        count += 1
      }
      text[count] = 0
      _ = terminal_make_cell(&cell, text.baseAddress, attributes, Int32(pair))
    }
    return cell
  }

  /// Writes cells of one row from its left end. Does not move the cursor, so the last column of
  /// the last row cannot scroll the screen.
  static func write(_ cells: [NativeCell], row: Int) {
    guard wmove(terminal_stdscr(), Int32(row), 0) != ERR else { return }
    _ = cells.withUnsafeBufferPointer {
      wadd_wchnstr(terminal_stdscr(), $0.baseAddress, Int32($0.count))
    }
  }

  /// Sends what changed since the last time.
  static func update(cursor: Position?) {
    let window = terminal_stdscr()
    leaveok(window, cursor == nil)
    // Not every terminal can hide its cursor.
    _ = curs_set(cursor == nil ? 0 : 1)
    if let cursor { wmove(window, Int32(cursor.y), Int32(cursor.x)) }
    wnoutrefresh(window)
    // A terminal that knows these marks shows the frame at once; others pass over them.
    if understandsModernSequences { send("\u{1B}[?2026h") }
    doupdate()
    if understandsModernSequences { send("\u{1B}[?2026l") }
  }

  /// Whether the terminal is of a kind that takes private modes and commands that it does not know
  /// without showing them.
  static let understandsModernSequences: Bool = {
    let type = getenv("TERM").map { String(cString: $0) } ?? ""
    let families = [
      "xterm", "tmux", "screen", "alacritty", "foot", "kitty", "wezterm", "ghostty", "contour",
      "rxvt-unicode", "st-",
    ]
    return families.contains { type.hasPrefix($0) }
  }()

  /// Sends a command past curses, whose buffer is empty between frames.
  static func send(_ command: String) {
    terminal_send(command, command.utf8.count)
  }

  static func ring() {
    beep()
  }

  // MARK: Waiting

  static var keyboardDescriptor: Int32 { terminal_keyboard_descriptor() }
  static var signalDescriptor: Int32 { terminal_signal_descriptor() }

  static func takeNotes() -> Notes {
    Notes(rawValue: Int(terminal_take_notes()))
  }

  /// The signal that asked to quit; `nil` when none did, or when it was the key Ctrl-C.
  static var quitSignal: Int32? {
    let number = terminal_quit_signal()
    return number == 0 ? nil : number
  }

  /// Takes over the terminal's size; whether it is another.
  static func adoptSize() -> Bool {
    terminal_adopt_size()
  }

  static func suspend() {
    terminal_suspend()
  }

  /// Repaints; whether the size is another.
  static func resume() -> Bool {
    terminal_resume()
  }

  // MARK: Keys

  /// What has been typed, without waiting. Of several reports of the mouse that arrived together
  /// the first is the answer, and the others are appended to `pending`.
  static func read(pending: inout [Key]) -> KeyDecoder.Input? {
    var value: wint_t = 0
    switch wget_wch(terminal_keyboard_window(), &value) {
    case OK: return .scalar(Unicode.Scalar(value) ?? "\u{FFFD}")
    case KEY_CODE_YES where value == wint_t(KEY_MOUSE):
      let keys = mouseKeys()
      pending += keys.dropFirst()
      return .key(keys.first ?? .unknown)
    case KEY_CODE_YES: return .key(key(Int32(bitPattern: value)))
    default: return nil
    }
  }

  /// The bytes that have been typed, past curses, which would read them one by one; no more than some,
  /// and none when nothing comes within `milliseconds`.
  ///
  /// - Precondition: curses holds no bytes that it read ahead, as after a sequence that it knows.
  static func readBytes(within milliseconds: Int32 = 0) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    var request = pollfd(fd: keyboardDescriptor, events: Int16(POLLIN), revents: 0)
    // A terminal gives out a few thousand bytes at a time.
    while bytes.count < 1 << 16, poll(&request, 1, bytes.isEmpty ? milliseconds : 0) > 0 {
      let count = Glibc.read(keyboardDescriptor, &chunk, chunk.count)
      guard count > 0 else { break }
      bytes += chunk[..<count]
    }
    return bytes
  }

  // Above every number that curses gives to keys of terminfo.
  private static let pasteBegin: Int32 = 0x7F05
  private static let controlUp: Int32 = 0x7F01
  private static let controlDown: Int32 = 0x7F02
  private static let controlRight: Int32 = 0x7F03
  private static let controlLeft: Int32 = 0x7F04

  private static func key(_ code: Int32) -> Key {
    switch code {
    case KEY_UP: .up
    case KEY_DOWN: .down
    case KEY_LEFT: .left
    case KEY_RIGHT: .right
    case KEY_HOME, KEY_FIND, KEY_A1: .home
    case KEY_END, KEY_SELECT, KEY_C1: .end
    case KEY_PPAGE, KEY_A3: .pageUp
    case KEY_NPAGE, KEY_C3: .pageDown
    case KEY_ENTER: .enter
    case KEY_BACKSPACE: .backspace
    case KEY_DC: .delete
    case KEY_IC: .insert
    case KEY_BTAB: .backTab
    case KEY_SR: .shiftArrow(.up)
    case KEY_SF: .shiftArrow(.down)
    case KEY_SLEFT: .shiftArrow(.left)
    case KEY_SRIGHT: .shiftArrow(.right)
    case controlUp: .controlArrow(.up)
    case controlDown: .controlArrow(.down)
    case controlLeft: .controlArrow(.left)
    case controlRight: .controlArrow(.right)
    case KEY_F0 + 1...KEY_F0 + 63: .function(Int(code - KEY_F0))
    case KEY_RESIZE: .resize
    case pasteBegin: .paste("")
    default: .unknown
    }
  }

  /// A press and its release often come in one packet. Curses then gives one key for both, and
  /// hands out the reports from the latest to the first.
  private static func mouseKeys() -> [Key] {
    var keys: [Key] = []
    var event = MEVENT()
    while keys.count < 64, getmouse(&event) != ERR {
      if let key = mouseKey(event) { keys.append(key) }
    }
    return keys.reversed()
  }

  private static func mouseKey(_ event: MEVENT) -> Key? {
    let position = Position(x: Int(event.x), y: Int(event.y))
    switch terminal_mouse_pressed(event.bstate) {
    case 4: return .mouse(MouseEvent(.wheelUp, at: position))
    case 5: return .mouse(MouseEvent(.wheelDown, at: position))
    case let button where button > 0:
      return .mouse(MouseEvent(.press(Int(button)), at: position))
    default:
      let button = Int(terminal_mouse_released(event.bstate))
      return button == 0 ? nil : .mouse(MouseEvent(.release(button), at: position))
    }
  }

  /// Teaches curses the sequences that the descriptions of terminals leave out: terminals in the
  /// other cursor mode, inside multiplexers, or of a type that TERM does not quite name.
  private static func defineKeys() {
    for (final, key) in [("A", KEY_UP), ("B", KEY_DOWN), ("C", KEY_RIGHT), ("D", KEY_LEFT)] {
      define("\u{1B}[\(final)", key)
      define("\u{1B}O\(final)", key)
    }
    for (final, key) in [("H", KEY_HOME), ("F", KEY_END)] {
      define("\u{1B}[\(final)", key)
      define("\u{1B}O\(final)", key)
    }
    let numbered: [(Int, Int32)] = [
      (1, KEY_HOME), (2, KEY_IC), (3, KEY_DC), (4, KEY_END), (5, KEY_PPAGE), (6, KEY_NPAGE),
      (7, KEY_HOME), (8, KEY_END), (11, KEY_F0 + 1), (12, KEY_F0 + 2), (13, KEY_F0 + 3),
      (14, KEY_F0 + 4), (15, KEY_F0 + 5), (17, KEY_F0 + 6), (18, KEY_F0 + 7), (19, KEY_F0 + 8),
      (20, KEY_F0 + 9), (21, KEY_F0 + 10), (23, KEY_F0 + 11), (24, KEY_F0 + 12),
    ]
    for (number, key) in numbered { define("\u{1B}[\(number)~", key) }
    for (index, final) in ["P", "Q", "R", "S"].enumerated() {
      define("\u{1B}O\(final)", KEY_F0 + Int32(index) + 1)
    }
    define("\u{1B}[Z", KEY_BTAB)
    // Some descriptions name it, but not as a key.
    define_key("\u{1B}[200~", pasteBegin)
    // Terminfo has these under names without a fixed number, so they are redefined in any case.
    let modified: [(String, Int32, Int32)] = [
      ("A", KEY_SR, controlUp), ("B", KEY_SF, controlDown),
      ("C", KEY_SRIGHT, controlRight), ("D", KEY_SLEFT, controlLeft),
    ]
    for (final, shift, control) in modified {
      define_key("\u{1B}[1;2\(final)", shift)
      define_key("\u{1B}[1;5\(final)", control)
    }
  }

  private static func define(_ sequence: String, _ key: Int32) {
    // The terminal's own description knows better.
    if key_defined(sequence) == 0 { define_key(sequence, key) }
  }
}
