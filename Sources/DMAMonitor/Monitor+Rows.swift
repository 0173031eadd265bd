// SPDX-License-Identifier: MIT
import DMAReplay

/// The cursor, groups, marks and the map.
extension Monitor {
  mutating func openRow() {
    let list = state.list(glyphs)
    guard let row = state.selectedRow(list) else {
      state.showsDetail = false
      return
    }
    if let group = list.branch(row)?.group {
      toggle(group.key)
      return
    }
    if state.view == .map, state.difference == nil {
      zoomMap(list, row)
      return
    }
    if state.difference != nil { return showDifference(list, row) }
    state.showsDetail.toggle()
    state.detailScroll = 0
  }

  /// Takes the row of the map, or the cell of it that is picked, for the whole picture.
  private mutating func zoomMap(_ list: any RowList, _ row: Int) {
    guard let identity = list.identity(row),
      let region = state.regions().first(where: { $0.identity == identity })
    else { return }
    var range = region.start..<region.end
    if let cell = state.mapCell {
      range = region.cell(min(cell, state.mapBarWidth - 1), of: state.mapBarWidth)
    }
    guard range.upperBound - range.lowerBound > 64, state.mapZoom.count < 12 else {
      state.say("one cacheline is as close as it gets", keeps: false)
      return
    }
    state.mapZoom.append((range, region.space))
    state.mapCell = nil
    state.place.selection = 0
    state.invalidate()
  }

  mutating func sideways(_ step: Int) {
    if state.view == .map, state.difference == nil {
      let cell = (state.mapCell ?? (step > 0 ? -1 : state.mapBarWidth)) + step
      state.mapCell = cell < 0 || cell >= state.mapBarWidth ? nil : cell
      return
    }
    let list = state.list(glyphs)
    if state.place.isTree, let row = state.selectedRow(list), let branch = list.branch(row) {
      if let group = branch.group {
        if group.isOpen != (step > 0) { toggle(group.key) }
      } else if step < 0 {
        // From a row of a group to its head.
        var head = row
        while head > 0, list.branch(head)?.group == nil { head -= 1 }
        state.moveSelection(to: head)
      }
      return
    }
    state.place.columnOffset = max(0, min(state.place.columnOffset + step, list.columns.count - 1))
  }

  private mutating func toggle(_ key: String) {
    if state.place.toggled.remove(key) == nil { state.place.toggled.insert(key) }
    state.invalidate()
  }

  mutating func changeTree(_ action: MonitorAction) {
    guard state.view.hasTree, state.difference == nil else {
      state.say("this view has no groups", keeps: false)
      return
    }
    if action == .tree {
      state.place.isTree.toggle()
      return
    }
    let list = state.list(glyphs)
    if action == .toggleAll {
      let groups = (0..<list.count).compactMap { list.branch($0)?.group }
      let opens = groups.contains { !$0.isOpen }
      for group in groups where group.isOpen != opens { toggle(group.key) }
      return
    }
    guard let row = state.selectedRow(list), let group = list.branch(row)?.group else { return }
    if group.isOpen != (action == .expand) { toggle(group.key) }
  }

  mutating func markRow() {
    let list = state.list(glyphs)
    guard let row = state.selectedRow(list), let identity = list.identity(row) else { return }
    if state.place.marked.remove(identity) == nil { state.place.marked.insert(identity) }
    state.moveSelection(to: min(row + 1, list.count - 1))
  }

  mutating func markRange() {
    let list = state.list(glyphs)
    guard let row = state.selectedRow(list) else { return }
    // The marked row that is nearest above, or below when there is none.
    let marked = state.place.marked
    let above = (0..<row).last { list.isRow($0, among: marked) }
    let below = (row..<list.count).first { list.isRow($0, among: marked) }
    guard let other = above ?? below else { return markRow() }
    let identities = (min(row, other)...max(row, other)).compactMap { list.identity($0) }
    state.place.marked.formUnion(identities)
  }

  mutating func follow() {
    let list = state.list(glyphs)
    guard let row = state.selectedRow(list) else { return }
    state.place.followed = state.place.followed == nil ? list.identity(row) : nil
    state.say(
      state.place.followed == nil ? "the cursor stays where it is" : "the cursor follows this row",
      keeps: false
    )
  }

  /// Moves the cursor from where it is, which may have been left beyond the end of the list.
  mutating func moveSelection(by rows: Int) {
    let list = state.list(glyphs)
    guard let row = state.selectedRow(list) else { return }
    state.moveSelection(to: min(row + rows, list.count - 1))
  }
}
