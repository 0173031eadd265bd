// SPDX-License-Identifier: MIT

/// Looks at brackets before the parser does: it takes for granted that the `[` of a header is followed by
/// a name and that a bracket in a value ends what it was opened for, and ends the program when it is not
/// so. Settings may come from anybody.
package enum TOMLBrackets {
  /// The first bracket that the parser must not see and what is wrong with it, `nil` when there is none.
  ///
  /// Once a text is wrong in another way this may lose its place: there the parser stops, too.
  package static func problem(_ text: String) -> (line: Int, words: String)? {
    var scanner = Scanner(bytes: Array(text.utf8))
    return scanner.scan()
  }

  private struct Scanner {
    let bytes: [UInt8]
    var position = 0
    var line = 1
    /// The brackets of arrays and inline tables that are open.
    var open: [UInt8] = []

    init(bytes: [UInt8]) {
      self.bytes = bytes
    }

    private func byte(_ offset: Int = 0) -> UInt8? {
      position + offset < bytes.count ? bytes[position + offset] : nil
    }

    private mutating func skipSpaces() {
      while byte() == UInt8(ascii: " ") || byte() == UInt8(ascii: "\t") { position += 1 }
    }

    mutating func scan() -> (line: Int, words: String)? {
      var isAtLineStart = true
      if bytes.starts(with: [0xef, 0xbb, 0xbf]) { position = 3 }
      while true {
        if isAtLineStart {
          skipSpaces()
          isAtLineStart = false
          if open.isEmpty, byte() == UInt8(ascii: "[") {
            if !hasName() { return (line, "expected the name of a table after [") }
            skipLine()
            continue
          }
        }
        guard let next = byte() else { return nil }
        position += 1
        switch next {
        case UInt8(ascii: "\n"):
          line += 1
          isAtLineStart = true
        case UInt8(ascii: "#"): skipLine()
        case UInt8(ascii: "["), UInt8(ascii: "{"): open.append(next)
        case UInt8(ascii: "]"):
          guard open.popLast() == UInt8(ascii: "[") else { return (line, "] without its [") }
        case UInt8(ascii: "}"):
          guard open.popLast() == UInt8(ascii: "{") else { return (line, "} without its {") }
        case UInt8(ascii: "\""), UInt8(ascii: "'"): skipString(next)
        default: break
        }
      }
    }

    /// Whether a name follows the brackets, or something that the parser refuses by itself.
    private func hasName() -> Bool {
      var rest = self
      rest.position += 1
      if rest.byte() == UInt8(ascii: "[") { rest.position += 1 }
      rest.skipSpaces()
      guard let next = rest.byte() else { return true }
      switch next {
      case UInt8(ascii: "]"), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "_"),
        UInt8(ascii: "-"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
        return true
      default: return false
      }
    }

    private mutating func skipLine() {
      while let next = byte(), next != UInt8(ascii: "\n") { position += 1 }
    }

    /// Skips the rest of a string, whose first quote was read.
    private mutating func skipString(_ quote: UInt8) {
      let isLong = byte() == quote && byte(1) == quote
      if isLong { position += 2 }
      while let next = byte() {
        // A string of one line ends with it; the parser says so.
        if next == UInt8(ascii: "\n"), !isLong { return }
        position += 1
        if next == UInt8(ascii: "\n") { line += 1 }
        if next == UInt8(ascii: "\\"), quote == UInt8(ascii: "\""), let escaped = byte() {
          if escaped == UInt8(ascii: "\n") { line += 1 }
          position += 1
        }
        guard next == quote else { continue }
        if !isLong { return }
        if byte() == quote, byte(1) == quote {
          position += 2
          // Up to two quotes may stand before the three that end it.
          while byte() == quote { position += 1 }
          return
        }
      }
    }
  }
}
