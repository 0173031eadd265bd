// SPDX-License-Identifier: MIT

extension CellBuffer {
  /// The characters of each row, without trailing spaces.
  public var textRows: [String] {
    (0..<height).map { y in
      var text = ""
      for cell in row(y) { text += cell.text }
      while text.last == " " { text.removeLast() }
      return text
    }
  }

  /// The frame as text, for golden files: the rows, and with `styles` for each row the letters of
  /// its cells' looks below, and a legend at the end. A `.` is a plain cell.
  public func snapshot(styles: Bool = false) -> String {
    guard styles else { return textRows.map { $0 + "\n" }.joined() }
    var letters: [Style: Character] = [.plain: "."]
    var legend: [String] = []
    var text = ""
    for (y, rowText) in textRows.enumerated() {
      var line = ""
      for cell in row(y) {
        if let letter = letters[cell.style] {
          line.append(letter)
        } else {
          let letter = Self.letter(letters.count - 1)
          letters[cell.style] = letter
          legend.append("\(letter): \(cell.style.summary)")
          line.append(letter)
        }
      }
      while line.last == "." { line.removeLast() }
      text += "|\(rowText)\n"
      if !line.isEmpty { text += ":\(line)\n" }
    }
    return text + legend.map { "= \($0)\n" }.joined()
  }

  private static func letter(_ index: Int) -> Character {
    let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    return index < letters.count ? letters[index] : "?"
  }
}

extension Style {
  /// The style in words: `bold red on blue`.
  var summary: String {
    var words: [String] = []
    if bold { words.append("bold") }
    if dim { words.append("dim") }
    if reverse { words.append("reverse") }
    if underline { words.append("underline") }
    if foreground != .terminalDefault { words.append("\(foreground)") }
    if background != .terminalDefault { words.append("on \(background)") }
    return words.isEmpty ? "plain" : words.joined(separator: " ")
  }
}
