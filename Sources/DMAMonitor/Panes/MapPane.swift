// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import TerminalKit

/// View 7: the DMA address space as a picture, and what is in the part that the cursor is on.
extension MonitorView {
  func drawMap(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let (upper, lower) = split(area, lower: max(min(8, area.height / 3), area.height * 2 / 5))
    // What the other columns leave.
    state.mapBarWidth = max(
      8,
      upper.width - (upper.width >= 110 ? 81 : upper.width >= 60 ? 39 : 16)
    )
    if let cell = state.mapCell { state.mapCell = min(cell, state.mapBarWidth - 1) }
    var top = upper
    if let zoom = state.mapZoom.last?.range, upper.height > 3 {
      let rule = Rectangle(x: upper.x, y: upper.y, width: upper.width, height: 1)
      let from = String(zoom.lowerBound, radix: 16)
      let to = String(zoom.upperBound - 1, radix: 16)
      drawRule(&buffer, rule, "0x\(from) to 0x\(to); Esc goes back")
      top = upper.inset(top: 1)
    }
    let list = state.list(glyphs)
    drawList(&buffer, top, list, &state, empty: "nothing is mapped")
    let row = state.place.selection
    guard let identity = list.identity(row),
      let region = state.regions().first(where: { $0.identity == identity })
    else { return }
    let shown = Self.fitting(list.columns, top.width, offset: state.place.columnOffset)
    let y = top.y + 1 + row - state.place.scroll
    if let cell = state.mapCell, shown.last == RegionList.bar {
      let x = top.x + shown.dropLast().reduce(0) { $0 + list.columns[$1].width + 1 }
      let style = theme[.match]
      if y < top.maxY {
        buffer.restyle(Rectangle(x: x + cell, y: y, width: 1, height: 1)) { $0 = style }
      }
    }
    if lower.height > 1 { drawCell(&buffer, lower, region, state) }
  }

  /// The mappings of a region, or of the cell that the cursor is on: DMA and physical addresses side
  /// by side.
  private func drawCell(
    _ buffer: inout CellBuffer,
    _ area: Rectangle,
    _ region: AddressRegion,
    _ state: MonitorState
  ) {
    var range = region.start..<region.end
    var title = "in this region"
    if let cell = state.mapCell {
      range = region.cell(cell, of: state.mapBarWidth)
      let from = String(range.lowerBound, radix: 16)
      title = "in 0x\(from)+\(FieldValue.bytes(range.upperBound - range.lowerBound))"
    }
    let context = state.context
    let found = region.mappings.filter { mapping in
      mapping.dmaAddress < range.upperBound
        && (mapping.dmaAddress >= range.lowerBound
          || mapping.end > range.lowerBound || mapping.end < mapping.dmaAddress)
    }
    drawRule(&buffer, area, "\(found.count) mapping\(found.count == 1 ? "" : "s") \(title)")
    let room = area.height - 1
    for (offset, mapping) in found.prefix(room).enumerated() {
      let isLast = offset == room - 1 && found.count > room
      let physical = context.engine.physicalAddress(of: mapping)
      var text =
        "0x\(String(mapping.dmaAddress, radix: 16)) \(glyphs.arrowRight) "
        + (physical.map { "0x" + String($0, radix: 16) } ?? "?")
        + "  \(FieldValue.bytes(mapping.size))  \(mapping.direction.traceName)  "
        + context.names.devices.string(mapping.device.rawValue)
        + "  " + MappingField.age.value(of: mapping, in: context).display
      if isLast { text = "\(glyphs.ellipsis) \(found.count - offset) more: z lists them" }
      buffer.put(text, x: area.x + 1, y: area.y + 1 + offset, style: theme[.plain], clip: area)
    }
  }
}
