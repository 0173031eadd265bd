// SPDX-License-Identifier: MIT
import TerminalKit

/// What holds for every picture, whatever it shows.
enum FrameCheck {
  /// What is wrong with a picture: a cell that is not printable, or a row of another width; `nil` when
  /// nothing is.
  static func fault(_ frame: CellBuffer, isASCII: Bool) -> String? {
    for y in 0..<frame.height {
      var width = 0
      for cell in frame.row(y) {
        width += Int(cell.width)
        for scalar in cell.text.unicodeScalars {
          if Sanitizer.needsEscape(scalar) {
            return "U+\(String(scalar.value, radix: 16)) on the screen, row \(y)"
          }
          if isASCII, !scalar.isASCII { return "more than ASCII on the screen, row \(y)" }
        }
      }
      if width != frame.width { return "row \(y) is \(width) cells wide, not \(frame.width)" }
    }
    return nil
  }
}
