/// A picture of the screen, made of cells. Drawing outside of it does nothing.
public struct CellBuffer: Sendable {
  /// Marks on one character that are kept, as many as curses takes in one cell.
  private static let maximumMarks = 4

  public let width: Int
  public let height: Int
  public private(set) var cells: [Cell]

  public init(width: Int, height: Int) {
    self.width = max(width, 0)
    self.height = max(height, 0)
    cells = Array(repeating: .blank, count: self.width * self.height)
  }

  public subscript(x: Int, y: Int) -> Cell { cells[y * width + x] }

  /// Draws text from a place to the right, at most `limit` columns of it.
  ///
  /// Control characters, and marks that would reorder the line, are shown escaped. A wide character
  /// that does not fit is replaced by a blank.
  ///
  /// - Returns: The columns that were used, also those beyond the edge.
  @discardableResult
  public mutating func put(
    _ text: some StringProtocol,
    x: Int,
    y: Int,
    style: Style = .plain,
    limit: Int = .max
  ) -> Int {
    guard y >= 0, y < height else { return 0 }
    var used = 0
    let end = limit > width - x ? width : x + limit
    for scalar in text.unicodeScalars {
      if Self.isHarmful(scalar) {
        for character in Self.escape(scalar).unicodeScalars {
          set(character, 1, x + used, y, style, end)
          used += 1
        }
        continue
      }
      let columns = CellWidth.columns(of: scalar)
      if columns == 0 {
        addMark(scalar, x + used - 1, y, end)
      } else {
        set(scalar, columns, x + used, y, style, end)
        used += columns
      }
      if x + used >= end { break }
    }
    return used
  }

  /// Gives a rectangle of cells a style and blanks.
  public mutating func fill(x: Int, y: Int, width: Int, height: Int, style: Style) {
    for line in max(y, 0)..<max(max(y, 0), min(y + height, self.height)) {
      for column in max(x, 0)..<max(max(x, 0), min(x + width, self.width)) {
        cells[line * self.width + column] = Cell(scalars: [" "], style: style)
      }
    }
  }

  private mutating func set(
    _ scalar: Unicode.Scalar,
    _ columns: Int,
    _ x: Int,
    _ y: Int,
    _ style: Style,
    _ end: Int
  ) {
    guard x >= 0, x < min(end, width) else { return }
    clearHalves(x, y)
    if columns == 2 {
      guard x + 1 < min(end, width) else {
        cells[y * width + x] = Cell(scalars: [" "], style: style)
        return
      }
      clearHalves(x + 1, y)
      cells[y * width + x + 1] = Cell(scalars: [], style: style)
    }
    cells[y * width + x] = Cell(scalars: [scalar], style: style)
  }

  /// Overwriting half of a wide character removes the other half.
  private mutating func clearHalves(_ x: Int, _ y: Int) {
    let position = y * width + x
    if cells[position].scalars.isEmpty, x > 0 { cells[position - 1].scalars = [" "] }
    if x + 1 < width, cells[position + 1].scalars.isEmpty { cells[position + 1].scalars = [" "] }
  }

  private mutating func addMark(_ scalar: Unicode.Scalar, _ x: Int, _ y: Int, _ end: Int) {
    guard x >= 0, x < min(end, width) else { return }
    var position = y * width + x
    if cells[position].scalars.isEmpty, x > 0 { position -= 1 }
    guard cells[position].scalars.count <= Self.maximumMarks else { return }
    cells[position].scalars.append(scalar)
  }

  private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7f..<0xa0: true
    case 0x61c, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff, 0xfff9...0xfffb: true
    case 0xe0000...0xe0fff: true
    default: false
    }
  }

  private static func escape(_ scalar: Unicode.Scalar) -> String {
    let hex = String(scalar.value, radix: 16)
    return scalar.value < 0x100
      ? "\\x" + (hex.count < 2 ? "0" : "") + hex : "\\u{" + hex + "}"
  }

  /// The picture as text, a string a line, blanks at the end removed.
  public var lines: [String] {
    (0..<height).map { y in
      var line = String.UnicodeScalarView()
      for x in 0..<width { line.append(contentsOf: self[x, y].scalars) }
      while line.last == " " { line.removeLast() }
      return String(line)
    }
  }
}
