// SPDX-License-Identifier: MIT

/// Takes the text of a bracketed paste out of the bytes of a terminal: everything up to `ESC [ 201 ~`.
///
/// Nothing in it can be a key. It holds no more than a few bytes, however long the paste is and even
/// if its end never comes.
struct PasteDecoder {
  private static let end = Array("\u{1B}[201~".utf8)

  /// What was not given out yet: the beginning of a character, or of what may be the end.
  private var held: [UInt8] = []

  /// Whether the last byte was an Escape that nothing followed. In a paste that goes on it is the
  /// beginning of the end; when nothing comes after it somebody pressed the key, because the end of the
  /// paste was lost.
  var endsWithEscape: Bool { held == [0x1B] }

  /// Takes in some bytes.
  ///
  /// - Returns: the text that they complete, and when the paste has ended the bytes after it.
  mutating func take(_ bytes: some Sequence<UInt8>) -> (text: String, rest: [UInt8]?) {
    held.append(contentsOf: bytes)
    var start = 0
    while let place = held[start...].firstIndex(of: 0x1B) {
      let part = held[place...].prefix(Self.end.count)
      if part.elementsEqual(Self.end) {
        let text = String(decoding: held[..<place], as: UTF8.self)
        let rest = Array(held[(place + part.count)...])
        held = []
        return (text, rest)
      }
      if part.count < Self.end.count, Self.end.starts(with: part) { return (give(place), nil) }
      start = place + 1
    }
    return (give(held.count - incompleteTail()), nil)
  }

  /// Gives out the first bytes and keeps the others.
  private mutating func give(_ count: Int) -> String {
    let text = String(decoding: held[..<count], as: UTF8.self)
    held.removeFirst(count)
    return text
  }

  /// Bytes at the end that are the beginning of a character.
  private func incompleteTail() -> Int {
    for (index, byte) in held.suffix(3).reversed().enumerated() {
      if byte & 0xC0 == 0x80 { continue }
      let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return length > index + 1 ? index + 1 : 0
    }
    return 0
  }
}
