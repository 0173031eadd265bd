// SPDX-License-Identifier: MIT

extension CellBuffer {
  /// Replaces what is not ASCII, for terminals and files that show nothing else.
  ///
  /// A few signs have a letter that stands for them; everything else becomes `?`, as wide as it was.
  public mutating func restrictToASCII() {
    for y in 0..<height {
      for x in 0..<width {
        let cell = self[x, y]
        guard cell.text.utf8.contains(where: { $0 >= 0x80 }) else { continue }
        let letter: Unicode.Scalar =
          switch cell.text {
          case "µ": "u"
          case "×": "x"
          default: "?"
          }
        // Filling a wide character's first cell blanks its second one.
        fill(
          Rectangle(x: x, y: y, width: 1, height: 1),
          with: letter,
          style: cell.style
        )
      }
    }
  }
}
