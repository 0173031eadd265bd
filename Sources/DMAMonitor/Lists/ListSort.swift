// SPDX-License-Identifier: MIT

/// By which column a list is sorted.
struct ListSort: Hashable {
  /// The column's name, not its heading.
  var column: String
  var isAscending: Bool
}
