// SPDX-License-Identifier: MIT

extension DMAAttributes {
  /// The names joined by `|` as a tracepoint prints them, leftovers in hexadecimal.
  public var traceText: String {
    var rest = self
    var words: [String] = []
    for (name, flag) in Self.traceNames where rest.contains(flag) {
      words.append(name.description)
      rest.subtract(flag)
    }
    if !rest.isEmpty { words.append("0x" + String(rest.rawValue, radix: 16)) }
    return words.joined(separator: "|")
  }
}
