// SPDX-License-Identifier: MIT

/// A frame in the making: a grid of cells that clips whatever is drawn on it.
///
/// Any text may be drawn. Control characters appear escaped, a wide character is drawn whole or
/// not at all, and no drawing call can fail or write outside.
public struct CellBuffer: Equatable, Sendable {
  public let size: Size
  private var cells: [Cell]

  /// A grid of spaces.
  public init(size: Size, style: Style = .plain) {
    self.size = size
    cells = Array(repeating: .blank(style), count: size.width * size.height)
  }

  public var width: Int { size.width }
  public var height: Int { size.height }
  public var bounds: Rectangle { Rectangle(size) }

  /// The cell at a place of the grid.
  public subscript(x: Int, y: Int) -> Cell {
    precondition(bounds.contains(x: x, y: y), "outside the grid")
    return cells[y * width + x]
  }

  /// The cells of a row, from the left.
  public func row(_ y: Int) -> ArraySlice<Cell> {
    precondition(y >= 0 && y < height, "outside the grid")
    return cells[y * width..<(y + 1) * width]
  }

  // MARK: Drawing

  /// Draws text from a place to the right, at most `maxWidth` columns of it, and only what lies
  /// inside `clip`. Of a wide character at the edge the inner half is left blank.
  ///
  /// - Returns: the columns that the text took, clipped ones to the left included: what to add to
  ///   `x` to draw on behind it.
  @discardableResult
  public mutating func put(
    _ text: some StringProtocol,
    x: Int,
    y: Int,
    style: Style = .plain,
    maxWidth: Int = .max,
    clip: Rectangle? = nil
  ) -> Int {
    let area = clip.map { $0.intersection(bounds) } ?? bounds
    guard !area.isEmpty, y >= area.y, y < area.maxY, maxWidth > 0, x < area.maxX else { return 0 }
    var line = Line(x: x, y: y, limit: maxWidth > Int.max / 2 ? .max : x + maxWidth, area: area)
    for scalar in text.unicodeScalars {
      if Sanitizer.needsEscape(scalar) {
        for escaped in Sanitizer.escape(scalar).unicodeScalars {
          guard place(escaped, width: 1, style, on: &line) else { break }
        }
      } else if scalar.value < 0x7F {
        _ = place(scalar, width: 1, style, on: &line)
      } else {
        _ = place(scalar, width: CellWidth.of(scalar), style, on: &line)
      }
      if line.isFull { break }
    }
    return line.x - x
  }

  /// Fills a rectangle with spaces, or with another narrow character.
  public mutating func fill(
    _ rectangle: Rectangle,
    with character: Unicode.Scalar = " ",
    style: Style = .plain
  ) {
    let area = rectangle.intersection(bounds)
    guard !area.isEmpty else { return }
    let isNarrow = !Sanitizer.needsEscape(character) && CellWidth.of(character) == 1
    let cell = Cell(text: isNarrow ? String(character) : " ", width: 1, style: style)
    for y in area.y..<area.maxY {
      for x in area.x..<area.maxX { set(cell, x: x, y: y) }
    }
  }

  /// Draws a horizontal line of a narrow character.
  public mutating func horizontalLine(
    x: Int,
    y: Int,
    width: Int,
    glyph: String,
    style: Style = .plain
  ) {
    fill(
      Rectangle(x: x, y: y, width: width, height: 1),
      with: glyph.unicodeScalars.first ?? " ",
      style: style
    )
  }

  /// Draws a vertical line of a narrow character.
  public mutating func verticalLine(
    x: Int,
    y: Int,
    height: Int,
    glyph: String,
    style: Style = .plain
  ) {
    fill(
      Rectangle(x: x, y: y, width: 1, height: height),
      with: glyph.unicodeScalars.first ?? " ",
      style: style
    )
  }

  /// Changes the look of what is there, to highlight a row for example.
  public mutating func restyle(_ rectangle: Rectangle, _ change: (inout Style) -> Void) {
    let area = rectangle.intersection(bounds)
    guard !area.isEmpty else { return }
    for y in area.y..<area.maxY {
      for x in area.x..<area.maxX { change(&cells[y * width + x].style) }
    }
  }

  // MARK: Placing

  /// Where `put` stands.
  private struct Line {
    var x: Int
    let y: Int
    /// The first column that `maxWidth` forbids.
    let limit: Int
    let area: Rectangle
    /// The cell that takes combining marks, unless it was clipped.
    var last: Int?
    /// Nothing but combining marks of the last character can follow.
    var isFull = false
  }

  private mutating func place(
    _ scalar: Unicode.Scalar,
    width: Int,
    _ style: Style,
    on line: inout Line
  ) -> Bool {
    if width == 0 {
      // A mark without a character before it has nothing to combine with.
      guard let last = line.last else { return true }
      if cells[last].text.unicodeScalars.count < Cell.maximumScalars {
        cells[last].text.unicodeScalars.append(scalar)
      }
      return true
    }
    let right = min(line.limit, line.area.maxX)
    guard line.x + width <= right else {
      // Half a wide character would fit: a blank stands for it.
      if line.x < right, line.x >= line.area.x {
        set(.blank(style), x: line.x, y: line.y)
        line.x += 1
      }
      line.last = nil
      line.isFull = true
      return false
    }
    let y = line.y
    if line.x >= line.area.x {
      let text = String(scalar)
      if width == 2 {
        set(.blank(style), x: line.x + 1, y: y)
        set(Cell(text: text, width: 2, style: style), x: line.x, y: y)
        cells[y * self.width + line.x + 1] = Cell(text: "", width: 0, style: style)
      } else {
        set(Cell(text: text, width: 1, style: style), x: line.x, y: y)
      }
      line.last = y * self.width + line.x
    } else {
      if width == 2, line.x + 1 >= line.area.x { set(.blank(style), x: line.x + 1, y: y) }
      line.last = nil
    }
    line.x += width
    return true
  }

  /// Writes a cell of width 1 (or the left half of a wide one) and blanks the other half of a wide
  /// character that it destroys.
  private mutating func set(_ cell: Cell, x: Int, y: Int) {
    let index = y * width + x
    switch cells[index].width {
    case 2: cells[index + 1] = .blank(cells[index + 1].style)
    case 0: cells[index - 1] = .blank(cells[index - 1].style)
    default: break
    }
    cells[index] = cell
  }
}
