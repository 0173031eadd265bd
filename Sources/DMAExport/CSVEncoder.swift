// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay

/// Cells of CSV, as RFC 4180 has them: the only place that makes any.
package struct CSVEncoder {
  /// The text of the trace as it is: nothing is escaped, and formulas stay formulas.
  package var isRaw: Bool

  package init(isRaw: Bool = false) {
    self.isRaw = isRaw
  }

  /// What spreadsheets take for a formula when a cell begins with it; the last four are the wide
  /// forms, which some take for the narrow ones.
  private static let formulas: Set<Unicode.Scalar> = [
    "=", "+", "-", "@", "\t", "\r", "\u{ff1d}", "\u{ff0b}", "\u{ff0d}", "\u{ff20}",
  ]

  /// Numbers stay numbers; nothing for what is not known.
  package func cell(_ value: FieldValue) -> [UInt8] {
    switch value {
    case .none: []
    case .number(let number), .time(let number), .duration(let number): Array(String(number).utf8)
    case .address, .flag: Array(value.display.utf8)
    case .text(let text): cell(text.utf8)
    }
  }

  /// Text: quoted where needed. An apostrophe before it keeps a spreadsheet from calculating.
  package func cell(_ text: some Collection<UInt8>) -> [UInt8] {
    var cell: [UInt8] = []
    if isRaw {
      cell += text
    } else {
      let text = String(decoding: text, as: UTF8.self)
      if let first = text.unicodeScalars.first, Self.formulas.contains(first) { cell.append(0x27) }
      // A control character in a cell could still reach a terminal; a spreadsheet needs none.
      cell += String(escaping: text.utf8).utf8
    }
    guard cell.contains(where: { [0x22, 0x2c, 0x0a, 0x0d].contains($0) }) else { return cell }
    var quoted: [UInt8] = [0x22]
    for byte in cell {
      if byte == 0x22 { quoted.append(0x22) }
      quoted.append(byte)
    }
    return quoted + [0x22]
  }
}
