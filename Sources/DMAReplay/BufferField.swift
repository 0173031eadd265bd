// SPDX-License-Identifier: MIT
import DMADebugCore

/// A property of a dma-buf: a column and a name in every output.
public enum BufferField: String, Sendable, CaseIterable {
  case inode = "ino"
  case exporter
  case size
  case state
  case age = "age_ns"
  case time = "time_ns"
  case task
  case pid
  case devices
  case attachments
  case mappings
  case mappedBytes = "mapped_bytes"
  case descriptors = "fds"
  case gets
  case puts
  case references = "refs"
  case mmaps
  case vmaps
  case kmaps
  case accesses = "cpu_accesses"
  case fences
  case pendingFences = "pending_fences"
  case moves
  case holders
  case site
  case line

  /// What `dmatop dump --buffers` shows unless told otherwise.
  public static let standard: [BufferField] = [
    .inode, .exporter, .size, .state, .age, .task, .devices, .mappings, .descriptors, .gets,
    .puts, .pendingFences,
  ]

  /// Other names of fields, so that what is asked of one list can be asked of the others.
  private static let aliases: [(name: String, field: BufferField)] = [
    ("age", .age), ("time", .time), ("bytes", .size), ("buffer", .inode), ("device", .devices),
    ("attached", .attachments), ("pending", .pendingFences),
  ]

  /// All names that ``init(name:)`` knows.
  public static var names: [String] { allCases.map(\.rawValue) + aliases.map(\.name) }

  /// The field with this name; `age` and `time` stand for the names with their unit.
  public init?(name: some StringProtocol) {
    if let alias = Self.aliases.first(where: { $0.name == name }) {
      self = alias.field
    } else {
      self.init(rawValue: String(name))
    }
  }

  /// One line for the help.
  public var summary: String {
    switch self {
    case .inode: "inode number, which names the buffer everywhere"
    case .exporter: "who exported it"
    case .size: "bytes"
    case .state: "live, possibly gone (descriptors may still hold it) or gone"
    case .age: "nanoseconds since its first event"
    case .time: "its first event, nanoseconds of the trace clock"
    case .task: "task of its first event, which exported it unless the trace begins later"
    case .pid: "thread of its first event"
    case .devices: "devices that are attached, in order"
    case .attachments: "how many devices are attached"
    case .mappings: "live mappings that are known to be of it"
    case .mappedBytes: "bytes of those"
    case .descriptors: "descriptors made of it; closing them leaves no trace"
    case .gets: "dma_buf_get()"
    case .puts: "dma_buf_put()"
    case .references: "gets and puts as GETS-PUTS"
    case .mmaps: "mappings into user space that were made"
    case .vmaps: "mappings into the kernel"
    case .kmaps: "pages mapped into the kernel"
    case .accesses: "CPU access windows that are open"
    case .fences: "fences of its reservation object"
    case .pendingFences: "those that are not signaled"
    case .moves: "times that its exporter moved it"
    case .holders: "tasks that exported, got, attached or mapped it"
    case .site: "where it was exported"
    case .line: "line or record of its first event"
    }
  }

  /// Whether numbers of this field belong to the right side of a column.
  public var isNumeric: Bool {
    switch self {
    case .exporter, .state, .task, .devices, .references, .holders, .site: false
    default: true
    }
  }

  /// The value of this field for a buffer.
  public func value(of buffer: DMABuf, in context: MappingContext) -> FieldValue {
    let names = context.names
    let sharing = context.engine.sharing
    switch self {
    case .inode: return .number(buffer.inode)
    case .exporter:
      return buffer.exporter == NameTable.unknown
        ? .none : .text(names.exporters.string(buffer.exporter))
    case .size: return buffer.size == 0 ? .none : .number(buffer.size)
    case .state:
      return switch buffer.state {
      case .live: .text("live")
      case .possiblyGone: .text("possibly gone")
      case .gone: .text("gone")
      }
    case .age:
      return .duration(context.now >= buffer.first.time ? context.now - buffer.first.time : 0)
    case .time: return .time(buffer.first.time)
    case .task:
      return buffer.first.task == NameTable.unknown
        ? .none : .text(names.tasks.string(buffer.first.task))
    case .pid: return buffer.first.pid < 0 ? .none : .number(UInt64(buffer.first.pid))
    case .devices:
      let devices = buffer.attachments.compactMap { sharing.attachment($0)?.device }
      if devices.isEmpty, !sharing.showsAttachments(of: buffer) { return .none }
      return .text(devices.map { names.devices.string($0.rawValue) }.joined(separator: " "))
    case .attachments:
      return sharing.showsAttachments(of: buffer)
        ? .number(UInt64(buffer.attachments.count)) : .none
    case .mappings:
      return showsMappings(buffer, sharing) ? .number(UInt64(slots(buffer, context).count)) : .none
    case .mappedBytes:
      guard showsMappings(buffer, sharing) else { return .none }
      return .number(
        slots(buffer, context).reduce(0) { $0 &+ context.engine.mapping(inSlot: $1).size }
      )
    case .descriptors: return count(UInt64(buffer.descriptors), .bufferFD, sharing)
    case .gets: return count(buffer.gets, .bufferGet, sharing)
    case .puts: return count(buffer.puts, .bufferPut, sharing)
    case .references:
      let isShown = sharing.shows(.bufferGet) && sharing.shows(.bufferPut)
      return isShown ? .text("\(buffer.gets)-\(buffer.puts)") : .none
    case .mmaps:
      let isShown = sharing.shows(.bufferMmap) || sharing.shows(.bufferMmapInternal)
      return isShown ? .number(UInt64(buffer.mmaps)) : .none
    case .vmaps: return count(UInt64(buffer.vmaps), .bufferVmap, sharing)
    case .kmaps: return count(UInt64(buffer.kmaps), .bufferKmap, sharing)
    case .accesses: return count(UInt64(buffer.openAccesses), .bufferBeginAccess, sharing)
    case .fences: return .number(UInt64(buffer.fences.count))
    case .pendingFences: return .number(UInt64(sharing.pendingFences(of: buffer)))
    case .moves: return count(buffer.moves, .bufferMoveNotify, sharing)
    case .holders:
      return .text(
        buffer.holders.map { "\(names.tasks.string($0.task))-\($0.pid)" }.joined(separator: " ")
      )
    case .site: return names.callSite(stack: buffer.first.stack).map { .text($0) } ?? .none
    case .line: return .number(buffer.first.line)
    }
  }

  /// How many events there were, where the trace would show them.
  private func count(
    _ count: UInt64,
    _ kind: DMAEvent.Kind,
    _ sharing: SharingTracker
  ) -> FieldValue {
    sharing.shows(kind) ? .number(count) : .none
  }

  /// Mappings are known by their attachments, or where it is seen that an attachment is mapped.
  private func showsMappings(_ buffer: DMABuf, _ sharing: SharingTracker) -> Bool {
    !buffer.attachments.isEmpty || sharing.shows(.bufferAttach)
      || sharing.shows(.bufferMapAttachment)
  }

  private func slots(_ buffer: DMABuf, _ context: MappingContext) -> [UInt32] {
    buffer.attachments.flatMap { id in
      context.engine.sharing.attachment(id).map { context.engine.slots(of: $0) } ?? []
    }
  }
}

/// A buffer as a filter sees it.
public struct BufferRow: FilterExpression.Row {
  let buffer: DMABuf
  let context: MappingContext

  public init(_ buffer: DMABuf, _ context: MappingContext) {
    self.buffer = buffer
    self.context = context
  }

  public func value(_ field: String) -> FieldValue? {
    BufferField(name: field)?.value(of: buffer, in: context)
  }

  public var texts: [String] {
    [BufferField.inode, .exporter, .state, .task, .devices, .holders].map {
      $0.value(of: buffer, in: context).display
    } + Self.fences(of: buffer, context)
  }

  /// Who has to be waited for, as searches and filters without a field find it: driver and timeline
  /// of each fence of a buffer.
  public static func fences(of buffer: DMABuf, _ context: MappingContext) -> [String] {
    buffer.fences.map { reservation in
      let fence = context.engine.sharing.fence(reservation.fence)
      let driver = context.names.drivers.string(fence?.driver.rawValue ?? NameTable.unknown)
      let timeline = context.names.timelines.string(fence?.timeline ?? NameTable.unknown)
      return "\(driver) \(timeline)"
    }
  }
}
