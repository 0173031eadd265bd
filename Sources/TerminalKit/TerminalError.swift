// SPDX-License-Identifier: MIT

/// Why a terminal cannot be used. The description is a sentence for the user.
public enum TerminalError: Error, Hashable, Sendable, CustomStringConvertible {
  case alreadyOpen
  case outputIsNotATerminal
  case noKeyboard
  case typeMissing
  case typeUnknown(String)
  case typeTooSimple(String)
  case systemError

  public var description: String {
    switch self {
    case .alreadyOpen: "the terminal is already in use by this program"
    case .outputIsNotATerminal: "standard output is not a terminal"
    case .noKeyboard: "there is no terminal to read keys from"
    case .typeMissing: "TERM is not set, so the type of the terminal is unknown"
    case .typeUnknown(let name):
      "the terminal type '\(sanitized(name))' (TERM) is not known on this machine"
    case .typeTooSimple(let name):
      "the terminal type '\(sanitized(name))' (TERM) cannot move its cursor"
    case .systemError: "the terminal could not be set up"
    }
  }
}
