// SPDX-License-Identifier: MIT
import DMAReplay

/// Which rows have some words.
enum ListSearch {
  /// Rows that have all words, in order.
  static func matches(_ text: String, _ list: any RowList) -> [Int] {
    let words = text.lowercased().split(separator: " ").map(String.init)
    if let mappings = list as? MappingList { return matches(words, mappings) }
    return (0..<list.count).filter { row in
      let line = ([list.line(row)] + list.hiddenTexts(row)).joined(separator: " ").lowercased()
      return words.allSatisfy { line.contains($0) }
    }
  }

  /// Of mappings there may be a million: names are asked once, and no text is made.
  private static func matches(_ words: [String], _ list: MappingList) -> [Int] {
    let filters = words.map { FilterExpression(plain: $0) }
    var rows: [UInt32: Int] = [:]
    var slots: [UInt32] = []
    var groups: [Int] = []
    for (row, line) in list.content.lines.enumerated() {
      if case .group = line {
        let text = list.line(row).lowercased()
        if words.allSatisfy({ text.contains($0) }) { groups.append(row) }
      }
      guard case .mapping(let slot, _, _) = line, list.mapping(row) != nil else { continue }
      slots.append(slot)
      rows[slot] = row
    }
    let found = MappingSelection(list.context).filtered(slots, by: filters)
    let matches = found.compactMap { rows[$0] }
    return groups.isEmpty ? matches : (matches + groups).sorted()
  }
}
