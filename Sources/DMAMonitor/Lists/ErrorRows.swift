/// The errors behind a list that may be arranged.
struct ErrorRows {
  let errors: ErrorList
  let order: [Int]?

  /// The list of errors behind a list, however it is arranged.
  init?(_ list: any RowList) {
    if let errors = list as? ErrorList {
      self.errors = errors
      order = nil
      return
    }
    guard let arranged = list as? ArrangedList, let errors = arranged.base as? ErrorList else {
      return nil
    }
    self.errors = errors
    order = arranged.order
  }

  private func row(_ row: Int) -> Int? {
    guard let order else { return row }
    return order.indices.contains(row) ? order[row] : nil
  }

  /// What a row stands for.
  func item(_ row: Int) -> ErrorList.Item? { self.row(row).flatMap { errors.item($0) } }

  /// All that a row stands for.
  func members(_ row: Int) -> [ErrorList.Item]? {
    self.row(row).map { errors.members($0) }
  }
}
