import DMADebugCore
import DMAReplay
import DMATrace

/// From a row to what stands behind it.
extension Monitor {
  /// Goes to where the selected row came from, or to the view that shows the other side of it.
  mutating func goToRelated() {
    let list = state.list(glyphs)
    guard let row = state.selectedRow(list) else { return }
    if state.difference != nil { return showDifference(list, row) }
    switch state.view {
    case .errors:
      guard let rows = ErrorRows(list), let item = rows.item(row) else { return }
      let event = rows.errors.event(item)
      guard event > 0 else {
        return state.say("it is about the trace as a whole", keeps: false)
      }
      state.isPlaying = false
      state.attempt { timeline throws(TraceError) in try timeline.seek(event: event) }
      state.say("just after the error, event \(event)", keeps: false)
    case .events:
      guard let number = list.identity(row) else { return }
      state.isPlaying = false
      state.attempt { timeline throws(TraceError) in try timeline.seek(event: number) }
      afterTravel()
    case .mappings:
      guard let mapping = (list as? MappingList)?.mapping(row) else { return }
      if let buffer = state.timeline.engine.buffer(of: mapping) {
        return showBuffer(buffer, mapping)
      }
      state.isPlaying = false
      state.attempt { timeline throws(TraceError) in try timeline.seek(time: mapping.time) }
      state.place.followed = mapping.sequence
      state.say("when the mapping was made; the cursor follows it", keeps: false)
    case .devices:
      guard case .text(let device) = list.value(row, 1) else { return }
      if let group = list.branch(row)?.group {
        show(.mappings)
        state.setFilter("driver=\(group.key)")
        state.say("what devices of \(group.key) hold", keeps: false)
        return
      }
      show(.mappings)
      state.setFilter("device=\(device)")
      state.say("what \(device) holds", keeps: false)
    case .stats:
      guard case .text(let site) = list.value(row, 5), let word = site.split(separator: " ").first
      else { return }
      show(.mappings)
      state.setFilter("site:\(word)")
    case .map:
      guard let region = state.regions().first(where: { $0.identity == list.identity(row) }) else {
        return
      }
      var range = region.start..<region.end
      if let cell = state.mapCell { range = region.cell(cell, of: state.mapBarWidth) }
      let from = String(range.lowerBound, radix: 16)
      let to = String(range.upperBound, radix: 16)
      show(.mappings)
      let space = region.space.map { " device=\(state.names.devices.string($0.rawValue))" } ?? ""
      state.setFilter("dma_addr>=0x\(from) dma_addr<0x\(to)\(space)")
    case .buffers: showMappings(of: list, row)
    case .files: break
    }
  }

  /// The row of a mapping among the buffers.
  private mutating func showBuffer(_ buffer: DMABuf, _ mapping: Mapping) {
    let attachment = state.timeline.engine.attachment(of: mapping)
    show(.buffers)
    state.setFilter("")
    state.place.errorsOnly = false
    state.place.isTree = true
    let exporter =
      buffer.exporter == NameTable.unknown ? "?" : state.names.exporters.string(buffer.exporter)
    // Exporters, attachments and mappings are open unless they were closed, buffers the other way.
    state.place.toggled.remove(BufferList.key(exporter: exporter))
    state.place.toggled.insert(BufferList.key(buffer))
    if let attachment { state.place.toggled.remove("a:\(attachment.id)") }
    state.invalidate()
    select(.mapping(mapping.sequence))
    state.say("buffer \(buffer.inode), which it maps; z goes back", keeps: false)
  }

  /// Puts the cursor on the row of the buffers view that stands for something.
  private mutating func select(_ subject: BufferList.Subject) {
    let list = state.list(glyphs)
    guard let row = (0..<list.count).first(where: { BufferList.subject(list, $0) == subject })
    else { return }
    state.moveSelection(to: row)
  }

  /// From a row of the buffers to the mappings of it.
  private mutating func showMappings(of list: any RowList, _ row: Int) {
    let sharing = state.timeline.engine.sharing
    switch BufferList.subject(list, row) {
    case .mapping(let sequence):
      show(.mappings)
      state.setFilter("")
      state.place.errorsOnly = false
      state.place.isTree = false
      let mappings = state.list(glyphs)
      guard let row = (0..<mappings.count).first(where: { mappings.identity($0) == sequence })
      else { return }
      state.moveSelection(to: row)
      state.say("the mapping; z goes back to its buffer", keeps: false)
    case .attachment(let id):
      guard let attachment = sharing.attachment(id) else { return }
      let device = state.names.devices.string(attachment.device.rawValue)
      guard !state.timeline.engine.slots(of: attachment).isEmpty else {
        return state.say("\(device) has buffer \(attachment.inode) not mapped", keeps: false)
      }
      show(.mappings)
      state.setFilter("buffer=\(attachment.inode) device=\(device)")
    case .buffer(let inode):
      let attachments = sharing.buffer(inode)?.attachments.compactMap { sharing.attachment($0) }
      guard attachments?.contains(where: { !state.timeline.engine.slots(of: $0).isEmpty }) == true
      else { return state.say("buffer \(inode) is not mapped", keeps: false) }
      show(.mappings)
      state.setFilter("buffer=\(inode)")
      state.say("mappings of buffer \(inode)", keeps: false)
    case .exporter, .process, nil: break
    }
  }

  /// The mappings that a row of the difference counts as new.
  mutating func showDifference(_ list: any RowList, _ row: Int) {
    guard let difference = state.difference,
      let group = DifferenceList.group(difference, list, row),
      let a = state.markA, let b = state.markB
    else { return }
    let device = state.names.devices.string(group.device.rawValue)
    let site = MapSite(stack: group.stack, symbol: group.site).name(state.names)
    state.isPlaying = false
    state.attempt { timeline throws(TraceError) in try timeline.seek(event: max(a.event, b.event)) }
    show(.mappings)
    let from = a.event < b.event ? a.time : b.time
    let word = site?.split(separator: " ").first.map { " site:\($0)" } ?? ""
    state.setFilter("device=\(device) time>=\(from)ns\(word)")
    state.say("new since the first of the two markers", keeps: false)
  }
}
