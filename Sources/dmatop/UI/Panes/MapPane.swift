import DMADebugCore
import DMATimeline
import TerminalKit

/// A stretch of DMA addresses in which mappings lie close together.
struct AddressRegion {
  var start: UInt64
  var end: UInt64
  var mappings: [Mapping]

  /// Gaps that are larger than this part regions.
  private static let largestGap: UInt64 = 16 << 20

  /// Regions of all live mappings, in the order of addresses.
  static func all(_ engine: DMADebug) -> [AddressRegion] {
    var regions: [AddressRegion] = []
    let sorted = engine.liveMappings().sorted {
      ($0.dmaAddress, $0.sequence) < ($1.dmaAddress, $1.sequence)
    }
    for mapping in sorted {
      let end = mapping.dmaAddress &+ max(mapping.size, 1)
      let stop = end < mapping.dmaAddress ? UInt64.max : end
      if let last = regions.last, mapping.dmaAddress <= last.end &+ largestGap || last.end == .max {
        regions[regions.count - 1].end = max(last.end, stop)
        regions[regions.count - 1].mappings.append(mapping)
      } else {
        regions.append(AddressRegion(start: mapping.dmaAddress, end: stop, mappings: [mapping]))
      }
    }
    return regions
  }

  /// How much of each of `cells` equal parts is mapped, 0 … 1.
  func occupancy(_ cells: Int) -> [Double] {
    var parts = [Double](repeating: 0, count: cells)
    let width = max(1, Double(end - start) / Double(cells))
    for mapping in mappings {
      let from = Double(mapping.dmaAddress - start)
      let to = from + Double(mapping.size)
      var cell = max(0, min(cells - 1, Int(from / width)))
      while cell < cells, Double(cell) * width < to {
        let low = max(from, Double(cell) * width)
        let high = min(to, Double(cell + 1) * width)
        if high > low { parts[cell] += (high - low) / width }
        cell += 1
      }
    }
    return parts
  }
}

/// View 7: the DMA address space as a picture.
extension MonitorView {
  func drawMap(_ buffer: inout CellBuffer, _ state: inout MonitorState, _ area: Rectangle) {
    let regions = AddressRegion.all(state.timeline.engine)
    let names = state.timeline.names
    let (upper, lower) = split(area, lower: min(8, area.height / 3))
    let barWidth = max(8, upper.width - 50)
    let columns = [
      TableColumn(heading: "FROM", width: 14, isTrailing: true),
      TableColumn(heading: "SPAN", width: 9, isTrailing: true, priority: 2),
      TableColumn(heading: "MAPPED", width: 9, isTrailing: true, priority: 1),
      TableColumn(heading: "COUNT", width: 7, isTrailing: true, priority: 3),
      TableColumn(heading: "OCCUPANCY", width: barWidth),
    ]
    drawTable(&buffer, upper, columns, &state, count: regions.count) { index in
      let region = regions[index]
      let bytes = region.mappings.reduce(UInt64(0)) { $0 &+ $1.size }
      let cells = region.occupancy(barWidth).map { part -> String in
        part <= 0 ? glyphs.isASCII ? "." : "·" : glyphs.verticalBar[min(7, Int(part * 7.99))]
      }
      return [
        "0x" + String(region.start, radix: 16), FieldValue.bytes(region.end - region.start),
        FieldValue.bytes(bytes), String(region.mappings.count), cells.joined(),
      ]
    }
    if regions.isEmpty, upper.height > 1 {
      buffer.put("nothing is mapped", x: 1, y: upper.y + 1, style: Self.dimStyle)
    }
    let selected = state.place.selection
    guard lower.height > 1, regions.indices.contains(selected) else { return }
    drawRule(&buffer, lower, "in this region")
    let context = state.context
    for (offset, mapping) in regions[selected].mappings.prefix(lower.height - 1).enumerated() {
      let physical = context.engine.physicalAddress(of: mapping)
      let text =
        "0x\(String(mapping.dmaAddress, radix: 16)) \(glyphs.arrowRight) "
        + (physical.map { "0x" + String($0, radix: 16) } ?? "?")
        + "  \(FieldValue.bytes(mapping.size))  \(mapping.direction.traceName)  "
        + names.devices.string(mapping.device.rawValue)
        + "  " + MappingField.age.value(of: mapping, in: context).display
      buffer.put(text, x: lower.x + 1, y: lower.y + 1 + offset, maxWidth: max(0, lower.width - 1))
    }
  }
}
