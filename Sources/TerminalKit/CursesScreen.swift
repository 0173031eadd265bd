// SPDX-License-Identifier: MIT
import Glibc

/// The screen of a real terminal. Comes from a `TerminalSession`, and is dead after it.
///
/// Curses keeps what the terminal shows, and sends only what differs from it.
public final class CursesScreen: Screen {
  public let glyphs: Glyphs
  public let colorDepth: ColorDepth
  public var reportsMouse: Bool {
    didSet { if isOpen { Curses.setMouse(reportsMouse) } }
  }

  /// Whether non-ASCII characters reach the terminal.
  private let isUTF8: Bool
  private var isOpen = true
  /// The signal behind a ``Key/quitRequest``: SIGINT, SIGTERM or SIGHUP, which also stands for a
  /// terminal that is gone. `nil` for the key Ctrl-C.
  public private(set) var endSignal: Int32?
  private var palette: CursesPalette
  private var cells: [Curses.NativeCell] = []
  /// Read together with an earlier key.
  private var pendingKeys: [Key] = []
  /// The paste that is coming in.
  private var paste: PasteDecoder?
  /// What was read together with the end of a paste, the next one last. Keys of more than a character
  /// are not recognised in it.
  private var pendingScalars: [Unicode.Scalar] = []

  init(_ options: TerminalOptions) throws(TerminalError) {
    let localeIsUTF8 = Curses.setLocale(preferUTF8: options.characterSet == .utf8)
    isUTF8 = localeIsUTF8 && options.characterSet != .ascii
    glyphs = isUTF8 ? .unicode : .ascii
    try Curses.open()
    let wanted = options.colorDepth ?? (Curses.isNoColorSet ? .monochrome : .twoHundredFiftySix)
    palette = CursesPalette(atMost: wanted)
    colorDepth = palette.depth
    reportsMouse = options.mouse
    Curses.setMouse(options.mouse)
    if Curses.understandsModernSequences { Curses.setPaste(true) }
  }

  func end() {
    guard isOpen else { return }
    isOpen = false
    Curses.close()
  }

  public var size: Size {
    isOpen ? Curses.size : Size(width: 0, height: 0)
  }

  public func draw(_ frame: CellBuffer, cursor: Position?) {
    guard isOpen, !size.isEmpty else { return }
    for y in 0..<size.height { drawRow(y, of: frame) }
    Curses.update(cursor: cursor.flatMap { Rectangle(size).contains(x: $0.x, y: $0.y) ? $0 : nil })
  }

  public func copy(_ text: String) -> Bool {
    // More than terminals take is worse than nothing.
    guard isOpen, Curses.understandsModernSequences, text.utf8.count <= 74_994 else { return false }
    Curses.send("\u{1B}]52;c;\(Base64.encode(Array(text.utf8)))\u{07}")
    return true
  }

  public func bell() {
    if isOpen { Curses.ring() }
  }

  // MARK: Drawing

  private func drawRow(_ y: Int, of frame: CellBuffer) {
    cells.removeAll(keepingCapacity: true)
    let width = size.width
    var column = 0
    if y < frame.height {
      for cell in frame.row(y) where cell.width > 0 {
        guard column + Int(cell.width) <= width else { break }
        append(cell)
        column += Int(cell.width)
      }
    }
    while column < width {
      append(.blank())
      column += 1
    }
    Curses.write(cells, row: y)
  }

  private func append(_ cell: Cell) {
    let (attributes, pair) = palette.look(cell.style)
    let scalars = cell.text.unicodeScalars
    guard let first = scalars.first else { return }
    if first.isASCII, scalars.count == 1 {
      cells.append(Curses.nativeCell(CollectionOfOne(first), attributes: attributes, pair: pair))
      return
    }
    // Curses counts columns by the C library's table. Where that differs from ours (a newer
    // character) every cell to the right would be off, so a stand-in of our width goes out.
    guard isUTF8 || first.isASCII, Curses.libraryWidth(first) == Int(cell.width) else {
      let stand = CollectionOfOne<Unicode.Scalar>("?")
      for _ in 0..<cell.width {
        cells.append(Curses.nativeCell(stand, attributes: attributes, pair: pair))
      }
      return
    }
    let marks = scalars.dropFirst().filter { isUTF8 && Curses.libraryWidth($0) == 0 }
    cells.append(Curses.nativeCell([first] + marks, attributes: attributes, pair: pair))
  }

  // MARK: Waiting

  public func wait(timeoutMilliseconds: Int?, descriptor: Int32?) -> Wakeup {
    guard isOpen else { return .key(.quitRequest) }
    let deadline = timeoutMilliseconds.map { ContinuousClock.now + .milliseconds($0) }
    var emptyReads = 0
    while true {
      if let key = keyOfSignals() { return .key(key) }
      // Before poll: curses may hold bytes that it read ahead.
      if let key = readKey() { return .key(key) }

      var descriptors = [
        pollfd(fd: Curses.keyboardDescriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: Curses.signalDescriptor, events: Int16(POLLIN), revents: 0),
        // poll skips a negative descriptor.
        pollfd(fd: descriptor ?? -1, events: Int16(POLLIN), revents: 0),
      ]
      let count = poll(&descriptors, 3, Self.milliseconds(until: deadline))
      // Interrupted: a signal, which the next turn sees.
      if count < 0 { continue }
      if count == 0 {
        if let deadline, ContinuousClock.now < deadline { continue }
        return .timeout
      }
      let keyboard = descriptors[0].revents
      if keyboard != 0 {
        if let key = keyOfSignals() ?? readKey() { return .key(key) }
        // Readable without anything to read is the end of the terminal. A character whose bytes
        // have not all arrived looks the same for a moment.
        emptyReads += 1
        if keyboard & Int16(POLLIN) == 0 || emptyReads > 8 {
          endSignal = SIGHUP
          return .key(.quitRequest)
        }
      } else if descriptors[2].revents != 0, descriptors[1].revents == 0 {
        return .descriptorReady
      }
    }
  }

  private static func milliseconds(until deadline: ContinuousClock.Instant?) -> Int32 {
    guard let deadline else { return -1 }
    let left = ContinuousClock.now.duration(to: deadline)
    guard left > .zero else { return 0 }
    // Rounded up, lest the last millisecond is spent spinning.
    let milliseconds = left / .milliseconds(1)
    return Int32(min(milliseconds.rounded(.up), Double(Int32.max)))
  }

  private func readKey() -> Key? {
    if !pendingKeys.isEmpty { return pendingKeys.removeFirst() }
    if paste != nil, let key = readPaste() { return key }
    guard paste == nil else { return nil }
    let key = KeyDecoder.next { readInput() }
    guard case .paste? = key else { return key }
    paste = PasteDecoder()
    return readPaste() ?? .unknown
  }

  private func readInput() -> KeyDecoder.Input? {
    if let scalar = pendingScalars.popLast() { return .scalar(scalar) }
    return Curses.read(pending: &pendingKeys)
  }

  /// The next part of the paste that is at hand.
  private func readPaste() -> Key? {
    while var decoder = paste {
      var bytes = pendingScalars.reversed().flatMap { Array(UTF8.encode($0)!) }
      pendingScalars = []
      if bytes.isEmpty {
        // The rest of the end comes at once; a person's next key does not.
        bytes = Curses.readBytes(within: decoder.endsWithEscape ? 100 : 0)
      }
      if bytes.isEmpty {
        guard decoder.endsWithEscape else { return nil }
        paste = nil
        return .escape
      }
      let (text, rest) = decoder.take(bytes)
      paste = rest == nil ? decoder : nil
      if let rest {
        pendingScalars = String(decoding: rest, as: UTF8.self).unicodeScalars.reversed()
      }
      if !text.isEmpty { return .paste(text) }
    }
    return nil
  }

  public func keyAtHand() -> Key? {
    isOpen ? keyOfSignals() ?? readKey() : nil
  }

  private func keyOfSignals() -> Key? {
    let notes = Curses.takeNotes()
    if notes.contains(.quit) {
      endSignal = Curses.quitSignal
      return .quitRequest
    }
    if notes.contains(.stop) { Curses.suspend() }
    var isResized = notes.contains(.resized) && Curses.adoptSize()
    if notes.contains(.stop) || notes.contains(.resumed) {
      isResized = Curses.resume() || isResized
    }
    return isResized ? .resize : nil
  }
}

@available(*, unavailable)
extension CursesScreen: Sendable {}
