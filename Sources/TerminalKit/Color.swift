// SPDX-License-Identifier: MIT

/// A colour of a cell, in terms that every terminal with colours understands.
public enum Color: Hashable, Sendable {
  /// What the user chose for their terminal.
  case terminalDefault
  case black, red, green, yellow, blue, magenta, cyan, white
  case brightBlack, brightRed, brightGreen, brightYellow
  case brightBlue, brightMagenta, brightCyan, brightWhite
  /// One of the 256 colours of xterm. Terminals with fewer show the nearest one they have.
  case indexed(UInt8)

  /// The number in the palette of 256, `nil` for the default.
  var index: UInt8? {
    switch self {
    case .terminalDefault: nil
    case .black: 0
    case .red: 1
    case .green: 2
    case .yellow: 3
    case .blue: 4
    case .magenta: 5
    case .cyan: 6
    case .white: 7
    case .brightBlack: 8
    case .brightRed: 9
    case .brightGreen: 10
    case .brightYellow: 11
    case .brightBlue: 12
    case .brightMagenta: 13
    case .brightCyan: 14
    case .brightWhite: 15
    case .indexed(let index): index
    }
  }
}
