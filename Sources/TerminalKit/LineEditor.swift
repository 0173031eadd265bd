// SPDX-License-Identifier: MIT

/// A line of text that is being typed, with a cursor and the lines typed before.
public struct LineEditor: Sendable {
  /// The most bytes of a line.
  public static let maximumLength = 4096

  public private(set) var text: String {
    didSet { if text.utf8.count < oldValue.utf8.count { isFull = false } }
  }
  /// Something did not fit and was left out.
  public private(set) var isFull = false
  /// Characters before the cursor.
  public private(set) var cursor: Int
  private let history: [String]
  private var place: Int
  /// What was typed before history was gone through.
  private var draft = ""

  /// - Parameter history: earlier lines, the latest last.
  public init(_ text: String = "", history: [String] = []) {
    self.text = text
    self.history = history
    cursor = text.count
    place = history.count
  }

  /// Takes a key.
  ///
  /// - Returns: Whether it meant something here.
  public mutating func type(_ key: Key) -> Bool {
    switch key {
    case .character(let character):
      guard text.utf8.count + character.utf8.count <= Self.maximumLength else {
        isFull = true
        return true
      }
      text.insert(character, at: index(cursor))
      // A combining mark joins the character before it.
      cursor = min(cursor + 1, text.count)
    case .paste(let pasted): insert(pasted)
    case .backspace:
      guard cursor > 0 else { return true }
      text.remove(at: index(cursor - 1))
      cursor -= 1
    case .delete, .control("d"):
      if cursor < text.count { text.remove(at: index(cursor)) }
    case .left, .control("b"): cursor = max(0, cursor - 1)
    case .right, .control("f"): cursor = min(text.count, cursor + 1)
    case .home, .control("a"): cursor = 0
    case .end, .control("e"): cursor = text.count
    case .control("u"): set("")
    case .control("k"): text.removeSubrange(index(cursor)...)
    case .control("w"): removeWord()
    case .up, .control("p"): recall(place - 1)
    case .down, .control("n"): recall(place + 1)
    default: return false
    }
    return true
  }

  /// Replaces the whole line.
  public mutating func set(_ text: String) {
    self.text = text
    cursor = text.count
  }

  /// Inserts pasted text at the cursor, as far as there is room: ends of lines and tabs become blanks,
  /// other characters that are not printable are left out.
  private mutating func insert(_ pasted: String) {
    let room = Self.maximumLength - text.utf8.count
    var clean = String.UnicodeScalarView()
    var bytes = 0
    var last: Unicode.Scalar?
    for scalar in pasted.unicodeScalars {
      let isSecond = scalar == "\n" && last == "\r"
      last = scalar
      let isBlank = scalar == "\n" || scalar == "\r" || scalar == "\t"
      if isSecond || Sanitizer.needsEscape(scalar) && !isBlank { continue }
      bytes += UTF8.width(scalar)
      if bytes > room {
        isFull = true
        break
      }
      clean.append(isBlank ? " " : scalar)
    }
    guard !clean.isEmpty else { return }
    let place = index(cursor)
    // A combining mark joins the character before it, so characters are counted afterwards.
    let before = String(text[..<place]) + String(clean)
    text = before + text[place...]
    cursor = min(before.count, text.count)
  }

  private func index(_ offset: Int) -> String.Index {
    text.index(text.startIndex, offsetBy: min(offset, text.count))
  }

  private mutating func removeWord() {
    var start = cursor
    while start > 0, text[index(start - 1)] == " " { start -= 1 }
    while start > 0, text[index(start - 1)] != " " { start -= 1 }
    text.removeSubrange(index(start)..<index(cursor))
    cursor = start
  }

  private mutating func recall(_ wanted: Int) {
    guard wanted >= 0, wanted <= history.count else { return }
    if place == history.count { draft = text }
    place = wanted
    set(wanted == history.count ? draft : history[wanted])
  }
}
