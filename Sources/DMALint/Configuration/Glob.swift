// SPDX-License-Identifier: MIT

/// A pattern of shell kind: `*` for any text, `?` for one character.
struct Glob: Sendable, Equatable {
  private let pattern: [Character]

  init(_ pattern: String) {
    self.pattern = Array(pattern)
  }

  /// Whether all of a text fits. Takes time in the product of the lengths at worst.
  func matches(_ text: String) -> Bool {
    let text = Array(text)
    var place = 0
    var position = 0
    var star: Int?
    var retry = 0
    while position < text.count {
      if place < pattern.count, pattern[place] == "*" {
        star = place
        retry = position
        place += 1
      } else if place < pattern.count, pattern[place] == "?" || pattern[place] == text[position] {
        place += 1
        position += 1
      } else if let star {
        place = star + 1
        retry += 1
        position = retry
      } else {
        return false
      }
    }
    while place < pattern.count, pattern[place] == "*" { place += 1 }
    return place == pattern.count
  }
}
