// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import TerminalKit

/// Exporters, their dma-bufs, the attachments of those, their mappings, and who made them.
enum BufferList {
  static let columns = [
    ListColumn(name: "buffer", heading: "BUFFER", width: 26),
    ListColumn(name: "size", heading: "BYTES", width: 9, isTrailing: true),
    ListColumn(name: "state", heading: "STATE", width: 13, priority: 1),
    ListColumn(name: "age_ns", heading: "AGE", width: 8, isTrailing: true, priority: 2),
    ListColumn(name: "attachments", heading: "ATTACHED", width: 8, isTrailing: true, priority: 3),
    ListColumn(name: "mappings", heading: "MAPPINGS", width: 8, isTrailing: true, priority: 4),
    ListColumn(name: "pending_fences", heading: "PENDING", width: 7, isTrailing: true, priority: 5),
    ListColumn(name: "growth", heading: "BYTES OVER TIME", width: 20, priority: 6),
    ListColumn(name: "task", heading: "TASK", width: 15, priority: 7),
    ListColumn(name: "devices", heading: "DEVICE", width: 16, priority: 8),
    ListColumn(name: "refs", heading: "GET-PUT", width: 7, isTrailing: true, priority: 9),
    ListColumn(name: "fds", heading: "FDS", width: 4, isTrailing: true, priority: 10),
    ListColumn(name: "exporter", heading: "EXPORTER", width: 14, priority: 11),
    ListColumn(name: "ino", heading: "INO", width: 8, isTrailing: true, priority: 12),
  ]
  /// Cells of the column with bytes over time.
  static let sparkline = 20

  /// What a row stands for, told by its identity.
  enum Subject: Equatable {
    case exporter(UInt32)
    case buffer(inode: UInt64)
    case attachment(UInt64)
    /// By the mapping's sequence.
    case mapping(UInt64)
    /// Somebody who has to do with what is above.
    case process
  }

  /// Rows, and what each of them stands for.
  struct Content: RowList {
    var list: FixedList
    var subjects: [Subject]
    /// The state, for what has no column; it is not kept with the list, which would make every step
    /// copy it.
    var context: MappingContext?

    var columns: [ListColumn] { list.columns }
    var count: Int { list.count }
    func value(_ row: RowIndex, _ column: Int) -> FieldValue { list.value(row, column) }
    func text(_ row: RowIndex, _ column: Int) -> String { list.text(row, column) }
    func role(_ row: RowIndex) -> Theme.Role { list.role(row) }
    func identity(_ row: RowIndex) -> UInt64 { list.identity(row) }
    func isError(_ row: RowIndex) -> Bool { list.isError(row) }
    func branch(_ row: RowIndex) -> Branch? { list.branch(row) }

    private func buffer(_ row: RowIndex) -> DMABuf? {
      guard let context, case .buffer(let inode) = subjects[row.position] else { return nil }
      return context.engine.sharing.buffer(inode)
    }

    /// All fields of buffers, by the names that `dmatop dump --buffers` has for them.
    func hiddenValue(_ row: RowIndex, _ field: String) -> FieldValue? {
      guard let field = BufferField(name: field) else { return nil }
      if let column = columns.firstIndex(where: { $0.name == field.rawValue }) {
        return value(row, column)
      }
      guard let context, let buffer = buffer(row) else { return FieldValue.none }
      return field.value(of: buffer, in: context)
    }

    func hiddenTexts(_ row: RowIndex) -> [String] {
      guard let context, let buffer = buffer(row) else { return [] }
      return BufferRow.fences(of: buffer, context)
    }
  }

  /// The names by which groups are remembered.
  static func key(exporter: String) -> String { "e:" + exporter }
  static func key(_ buffer: DMABuf) -> String { "b:\(buffer.order)" }

  /// What a row of a list stands for, however it is arranged.
  static func subject(_ list: any RowList, _ row: Int) -> Subject? {
    if let content = list as? Content {
      return content.subjects.indices.contains(row) ? content.subjects[row] : nil
    }
    guard let arranged = list as? ArrangedList, arranged.order.indices.contains(row) else {
      return nil
    }
    return subject(arranged.base, arranged.order[row])
  }

  /// Buffers by exporter, or plainly.
  ///
  /// - Parameters:
  ///   - toggled: groups that are not as they begin: buffers are closed, the others are open.
  static func make(
    _ context: MappingContext,
    _ glyphs: Glyphs,
    isTree: Bool,
    toggled: Set<String>,
    sort: ListSort?
  ) -> Content {
    var builder = Builder(context: context, glyphs: glyphs, toggled: toggled)
    builder.add(isTree: isTree, sort: sort)
    return Content(
      list: FixedList(columns: columns, rows: builder.rows),
      subjects: builder.subjects
    )
  }

  private struct Builder {
    let context: MappingContext
    let glyphs: Glyphs
    let toggled: Set<String>
    var rows: [FixedList.Row] = []
    var subjects: [Subject] = []

    init(context: MappingContext, glyphs: Glyphs, toggled: Set<String>) {
      self.context = context
      self.glyphs = glyphs
      self.toggled = toggled
    }

    private var sharing: SharingTracker { context.engine.sharing }

    mutating func add(isTree: Bool, sort: ListSort?) {
      let buffers = Array(sharing.buffers().reversed())
      guard isTree else {
        for buffer in buffers { add(buffer, depth: nil) }
        return
      }
      var byExporter: [UInt32: [DMABuf]] = [:]
      for buffer in buffers { byExporter[buffer.exporter, default: []].append(buffer) }
      let exporters = byExporter.map { (name: name($0.key), number: $0.key, buffers: $0.value) }
        .sorted { a, b in
          let x = a.buffers.reduce(0 as UInt64) { $0 &+ $1.size }
          let y = b.buffers.reduce(0 as UInt64) { $0 &+ $1.size }
          return x == y ? (a.name, a.number) < (b.name, b.number) : x > y
        }
      for exporter in exporters {
        let group = key(exporter: exporter.name)
        let isOpen = !toggled.contains(group)
        add(exporter.number, exporter.buffers, group, isOpen: isOpen)
        guard isOpen else { continue }
        for buffer in sorted(exporter.buffers, sort) { add(buffer, depth: 1) }
      }
    }

    private func name(_ exporter: UInt32) -> String {
      exporter == NameTable.unknown ? "?" : context.names.exporters.string(exporter)
    }

    /// The order within an exporter: the oldest first, unless the person wants another.
    private func sorted(_ buffers: [DMABuf], _ sort: ListSort?) -> [DMABuf] {
      guard let sort, let column = columns.firstIndex(where: { $0.name == sort.column }) else {
        return buffers
      }
      let keys = buffers.map { values($0)[column] }
      let order = buffers.indices.sorted { a, b in
        let (x, y) = (keys[a], keys[b])
        if x == y { return a < b }
        if x == .none || y == .none { return y == .none }
        return sort.isAscending ? x.precedes(y) : y.precedes(x)
      }
      return order.map { buffers[$0] }
    }

    private mutating func append(
      _ values: [FieldValue],
      _ subject: Subject,
      identity: UInt64,
      branch: Branch?,
      role: Theme.Role = .plain,
      isError: Bool = false,
      texts: [Int: String] = [:]
    ) {
      var row = FixedList.Row(values: values, identity: identity, role: role, isError: isError)
      row.branch = branch
      row.texts = texts
      if case .number(let bytes) = values[1] { row.texts[1] = FieldValue.bytes(bytes) }
      rows.append(row)
      subjects.append(subject)
    }

    private mutating func add(
      _ number: UInt32,
      _ buffers: [DMABuf],
      _ group: String,
      isOpen: Bool
    ) {
      let live = buffers.filter { $0.state == .live }
      var values = [FieldValue](repeating: .none, count: columns.count)
      values[0] = .text(name(number))
      values[1] = .number(live.reduce(0) { $0 &+ $1.size })
      let peak = sharing.exporters[number]?.peak ?? 0
      values[2] = .text("\(live.count), peak \(peak)")
      values[3] = age(buffers.map(\.first.time).min() ?? context.now)
      let attachments = buffers.reduce(0) { $0 + $1.attachments.count }
      let areShown = buffers.allSatisfy { sharing.showsAttachments(of: $0) }
      if areShown { values[4] = .number(UInt64(attachments)) }
      values[5] = .number(UInt64(buffers.reduce(0) { $0 + mappings($1) }))
      values[6] = .number(UInt64(buffers.reduce(0) { $0 + sharing.pendingFences(of: $1) }))
      values[12] = values[0]
      append(
        values,
        .exporter(number),
        identity: 1 << 63 | UInt64(number),
        branch: Branch(depth: 0, group: (group, isOpen)),
        role: .label,
        isError: buffers.contains { isSuspect($0) },
        texts: areShown
          ? [7: sparkline(number)] : [4: proven(attachments), 7: sparkline(number)]
      )
    }

    /// So many devices are attached for sure, and perhaps others.
    private func proven(_ attachments: Int) -> String {
      attachments == 0 ? "?" : "\(attachments)+"
    }

    private func age(_ time: UInt64) -> FieldValue {
      .duration(context.now >= time ? context.now - time : 0)
    }

    private func mappings(_ buffer: DMABuf) -> Int {
      buffer.attachments.reduce(0) { count, id in
        count + (sharing.attachment(id).map { context.engine.slots(of: $0).count } ?? 0)
      }
    }

    /// Something that seems to be forgotten holds it.
    private func isSuspect(_ buffer: DMABuf) -> Bool {
      buffer.outlivesReferences && buffer.isHeld
    }

    /// Bytes of an exporter's buffers in equal stretches of time until now.
    private func sparkline(_ exporter: UInt32) -> String {
      guard let samples = sharing.exporters[exporter]?.samples, let first = samples.first else {
        return ""
      }
      // From when there were buffers at all.
      let from = sharing.exporters.values.compactMap { $0.samples.first?.time }.min() ?? first.time
      let span = context.now > from ? context.now - from : 0
      guard span > 0 else { return "" }
      var values: [UInt64] = []
      var next = 0
      var bytes: UInt64 = 0
      let cells = BufferList.sparkline
      for cell in 1...cells {
        let end = from &+ span.share(Double(cell) / Double(cells))
        var most = bytes
        while next < samples.count, samples[next].time <= end || cell == cells {
          bytes = samples[next].bytes
          most = max(most, bytes)
          next += 1
        }
        values.append(end < first.time ? 0 : most)
      }
      let top = Double(max(values.max() ?? 1, 1))
      return values.map { glyphs.level(Double($0) / top) }.joined()
    }

    private func values(_ buffer: DMABuf) -> [FieldValue] {
      func field(_ field: BufferField) -> FieldValue { field.value(of: buffer, in: context) }
      return [
        .text("buffer \(buffer.inode)"), field(.size), field(.state), field(.age),
        field(.attachments), field(.mappings), field(.pendingFences), .none, field(.task),
        field(.devices), field(.references), field(.descriptors),
        field(.exporter), field(.inode),
      ]
    }

    private mutating func add(_ buffer: DMABuf, depth: Int?) {
      let group = key(buffer)
      let isOpen = depth != nil && toggled.contains(group)
      let hasChildren = !buffer.attachments.isEmpty || !buffer.holders.isEmpty
      append(
        values(buffer),
        .buffer(inode: buffer.inode),
        identity: buffer.order,
        branch: depth.map { Branch(depth: $0, group: hasChildren ? (group, isOpen) : nil) },
        role: isSuspect(buffer) ? .warning : buffer.state == .live ? .plain : .faint,
        isError: isSuspect(buffer),
        texts: sharing.showsAttachments(of: buffer)
          ? [:] : [4: proven(buffer.attachments.count)]
      )
      guard isOpen, let depth else { return }
      for id in buffer.attachments {
        if let attachment = sharing.attachment(id) { add(attachment, buffer, depth: depth + 1) }
      }
      for holder in buffer.holders {
        var values = child(buffer)
        values[0] = .text(process(holder.task, holder.pid))
        values[2] = .text("user")
        values[8] = task(holder.task)
        append(
          values,
          .process,
          identity: 1 << 62 | buffer.order << 16 | UInt64(UInt16(truncatingIfNeeded: holder.pid)),
          branch: Branch(depth: depth + 1),
          role: .label
        )
      }
    }

    /// What rows below a buffer have of it, so that filters find them.
    private func child(_ buffer: DMABuf) -> [FieldValue] {
      var values = [FieldValue](repeating: .none, count: columns.count)
      values[12] = BufferField.exporter.value(of: buffer, in: context)
      values[13] = .number(buffer.inode)
      return values
    }

    private func task(_ number: UInt32) -> FieldValue {
      number == NameTable.unknown ? .none : .text(context.names.tasks.string(number))
    }

    private func process(_ number: UInt32, _ pid: Int32) -> String {
      (number == NameTable.unknown ? "?" : context.names.tasks.string(number)) + "-\(pid)"
    }

    private mutating func add(_ attachment: DMABufAttachment, _ buffer: DMABuf, depth: Int) {
      let slots = context.engine.slots(of: attachment)
      let device = context.names.devices.string(attachment.device.rawValue)
      var values = child(buffer)
      values[0] = .text(device)
      let isMapped = attachment.isMapped
      // Only dynamic attachments are pinned: the column has room for what matters.
      let state =
        attachment.pins > 0
        ? (isMapped ? "pinned mapped" : "pinned")
        : (isMapped ? "mapped" : "attached") + (attachment.isDynamic ? " dyn" : "")
      values[2] = .text(state)
      values[3] = age(attachment.event.time)
      values[5] = .number(UInt64(slots.count))
      values[8] = task(attachment.event.task)
      values[9] = .text(device)
      let bytes = slots.reduce(0 as UInt64) {
        $0 &+ context.engine.mapping(inSlot: $1).size
      }
      if !slots.isEmpty { values[1] = .number(bytes) }
      let group = "a:\(attachment.id)"
      let isOpen = !toggled.contains(group)
      append(
        values,
        .attachment(attachment.id),
        identity: attachment.id,
        branch: Branch(depth: depth, group: slots.isEmpty ? nil : (group, isOpen)),
        role: isSuspect(buffer) ? .warning : .plain,
        isError: isSuspect(buffer)
      )
      guard isOpen else { return }
      for slot in slots { add(context.engine.mapping(inSlot: slot), buffer, depth: depth + 1) }
    }

    private mutating func add(_ mapping: Mapping, _ buffer: DMABuf, depth: Int) {
      var values = child(buffer)
      values[0] = .text("0x" + String(mapping.dmaAddress, radix: 16))
      values[1] = .number(mapping.size)
      values[2] = .text(mapping.direction.traceName.description)
      values[3] = age(mapping.time)
      values[8] = task(mapping.task)
      values[9] = .text(context.names.devices.string(mapping.device.rawValue))
      let group = "m:\(mapping.sequence)"
      let isOpen = !toggled.contains(group)
      append(
        values,
        .mapping(mapping.sequence),
        identity: 1 << 61 | mapping.sequence,
        branch: Branch(depth: depth, group: mapping.pid >= 0 ? (group, isOpen) : nil)
      )
      guard isOpen, mapping.pid >= 0 else { return }
      var process = child(buffer)
      process[0] = .text(self.process(mapping.task, mapping.pid))
      process[2] = .text("mapped it")
      process[8] = task(mapping.task)
      append(
        process,
        .process,
        identity: 1 << 60 | mapping.sequence,
        branch: Branch(depth: depth + 1),
        role: .label
      )
    }
  }
}
