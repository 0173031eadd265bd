// SPDX-License-Identifier: MIT

/// Makes keys of what curses read: control characters, Alt, and sequences nobody declared.
struct KeyDecoder {
  /// What one read gave.
  enum Input: Equatable {
    case scalar(Unicode.Scalar)
    /// A sequence that curses knows.
    case key(Key)
  }

  /// The longest undeclared sequence that is swallowed; longer ones are no sequences.
  static let maximumSequence = 32

  /// The next key. `read` does not wait: `nil` says that nothing (more) has arrived.
  static func next(_ read: () -> Input?) -> Key? {
    switch read() {
    case nil: return nil
    case .key(let key): return key
    case .scalar("\u{1B}"): return escape(read)
    case .scalar(let scalar): return plain(scalar)
    }
  }

  private static func plain(_ scalar: Unicode.Scalar) -> Key {
    switch scalar.value {
    case 0x0A, 0x0D: .enter
    case 0x09: .tab
    case 0x08, 0x7F: .backspace
    case 0x00: .control(" ")
    case 0x01...0x1A: .control(Character(Unicode.Scalar(UInt8(scalar.value + 0x60))))
    case 0x1B: .escape
    case 0x1C...0x1F: .control(Character(Unicode.Scalar(UInt8(scalar.value + 0x40))))
    case 0x80..<0xA0: .unknown
    default: .character(Character(scalar))
    }
  }

  private static func escape(_ read: () -> Input?) -> Key {
    switch read() {
    case nil: return .escape
    case .key(let key): return key
    case .scalar("["):
      // The rest of an unknown sequence would arrive as typed letters, and act as commands.
      var sequence = String.UnicodeScalarView()
      for count in 0..<maximumSequence {
        guard case .scalar(let scalar)? = read() else { return count == 0 ? .alt("[") : .unknown }
        sequence.append(scalar)
        if (0x40...0x7E).contains(scalar.value) {
          return String(sequence) == "200~" ? .paste("") : .unknown
        }
      }
      return .unknown
    case .scalar("O"):
      return read() == nil ? .alt("O") : .unknown
    case .scalar(let scalar):
      guard case .character(let character) = plain(scalar) else { return plain(scalar) }
      return .alt(character)
    }
  }
}
