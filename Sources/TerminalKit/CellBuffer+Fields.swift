// SPDX-License-Identifier: MIT

extension CellBuffer {
  /// Draws text into exactly `width` columns of one row: padded with spaces, or cut with an
  /// ellipsis where it does not fit.
  public mutating func putField(
    _ text: some StringProtocol,
    x: Int,
    y: Int,
    width: Int,
    alignment: Alignment = .leading,
    truncation: Truncation = .tail,
    ellipsis: String,
    style: Style = .plain,
    clip: Rectangle? = nil
  ) {
    guard width > 0 else { return }
    let field = Rectangle(x: x, y: y, width: width, height: 1)
    let area = clip.map { $0.intersection(field) } ?? field
    fill(area, style: style)
    let textWidth = CellWidth.of(text)
    if textWidth <= width {
      let start = alignment == .leading ? x : x + width - textWidth
      put(text, x: start, y: y, style: style, clip: area)
      return
    }
    let ellipsisWidth = min(CellWidth.of(ellipsis), width)
    let kept = Rectangle(
      x: truncation == .tail ? x : x + ellipsisWidth,
      y: y,
      width: width - ellipsisWidth,
      height: 1
    )
    switch truncation {
    case .tail:
      put(text, x: x, y: y, style: style, clip: kept.intersection(area))
      put(ellipsis, x: kept.maxX, y: y, style: style, clip: area)
    case .head:
      put(text, x: x + width - textWidth, y: y, style: style, clip: kept.intersection(area))
      put(ellipsis, x: x, y: y, style: style, clip: area)
    }
  }
}
