// SPDX-License-Identifier: MIT
import DMADebugCore

/// A property of an event: a column and a name in every output.
public enum EventField: String, Sendable, CaseIterable {
  case number = "event"
  case line
  case time = "time_ns"
  case cpu
  case task
  case pid
  case kind
  case device
  case direction = "dir"
  case dmaAddress = "dma_addr"
  case size
  case physicalAddress = "phys_addr"
  case cpuAddress = "cpu_addr"
  case attributes = "attrs"
  case sgCallEntries = "sg_nents"
  case sgMappedEntries = "sg_ents"
  case driver
  case caller
  case action
  case inode = "ino"
  case attachment
  case subject = "name"
  case context
  case sequence = "seqno"
  case descriptor = "fd"
  case cookie
  case text

  /// What `dmatop dump --events` shows unless told otherwise.
  public static let standard: [EventField] = [
    .number, .time, .cpu, .task, .pid, .kind, .device, .direction, .dmaAddress, .size,
    .physicalAddress, .sgCallEntries, .sgMappedEntries, .attributes, .text,
  ]

  public var isNumeric: Bool {
    switch self {
    case .task, .kind, .device, .direction, .attributes, .driver, .caller, .subject, .text: false
    default: true
    }
  }

  /// One line for the help.
  public var summary: String {
    switch self {
    case .number: "position among the events that dmatop understands, from 1"
    case .line: "line or record"
    case .time: "nanoseconds of the trace clock"
    case .cpu: "CPU"
    case .task: "task"
    case .pid: "thread"
    case .kind: "what happened"
    case .device: "device name"
    case .direction: "TO_DEVICE, FROM_DEVICE, BIDIRECTIONAL"
    case .dmaAddress: "DMA address, of a list its first"
    case .size: "bytes, of a list their sum"
    case .physicalAddress: "physical address, of a list its first"
    case .cpuAddress: "CPU pointer of an allocation, or its hash"
    case .attributes: "DMA_ATTR_… flags"
    case .sgCallEntries: "entries of the list"
    case .sgMappedEntries: "segments that were mapped"
    case .driver: "driver that binds, or that a fence is of"
    case .caller: "who asked for the map error"
    case .action: "number of a bus notification"
    case .inode: "inode of a dma-buf"
    case .attachment: "pointer to an attachment, or its hash"
    case .subject: "exporter, timeline of a fence, or channel"
    case .context: "context of a fence"
    case .sequence: "sequence number of a fence"
    case .descriptor: "file descriptor of a dma-buf"
    case .cookie: "cookie of a descriptor of dmaengine"
    case .text: "text of a trace marker; what is said of a dma-buf, fence or channel"
    }
  }

  /// The value of this field for an event of a batch.
  public func value(
    of event: DMAEvent,
    number: UInt64,
    in batch: EventBatch,
    _ names: TraceNames
  ) -> FieldValue {
    switch rawValue(of: event, number: number, in: batch) {
    case .none: .none
    case .number(let number): .number(number)
    case .address(let address): .address(address)
    case .time(let time): .time(time)
    case .kind(let kind): .text(kind.name)
    case .direction(let direction): .text(direction.traceName.description)
    case .attributes(let attributes): .text(attributes.traceText)
    case .task(let task): .text(names.tasks.string(task))
    case .device(let device): .text(names.devices.string(device))
    case .driver(let driver): .text(names.drivers.string(driver))
    case .symbol(let symbol): .text(names.symbols.string(symbol))
    case .markerText: .text(String(decoding: batch.markerText(event), as: UTF8.self))
    case .subject: Self.subject(event, names).map { .text($0) } ?? .none
    case .sharingText: .text(Self.sharingText(event, names))
    }
  }

  /// The value with numbers in the place of names: nothing is allocated for it.
  public func rawValue(
    of event: DMAEvent,
    number: UInt64,
    in batch: borrowing EventBatch
  ) -> EventValue {
    switch self {
    case .number: return .number(number)
    case .line: return .number(event.line)
    case .time: return .time(event.time)
    case .cpu: return .number(UInt64(event.cpu))
    case .task: return event.task == NameTable.unknown ? .none : .task(event.task)
    case .pid: return event.pid < 0 ? .none : .number(UInt64(event.pid))
    case .kind: return .kind(event.kind)
    case .device: return event.device == .unknown ? .none : .device(event.device.rawValue)
    case .direction:
      return (event.kind.isCall || event.kind.hasSharingDirection)
        && !event.flags.contains(.noDirection)
        ? .direction(event.direction) : .none
    case .dmaAddress: return dmaAddress(event, batch)
    case .size: return size(event, batch)
    case .physicalAddress: return physicalAddress(event, batch)
    case .cpuAddress:
      switch event.kind {
      case .alloc, .free, .allocPages, .freePages, .mapSingleCheck: return .address(event.address)
      default: return .none
      }
    case .attributes:
      return event.kind.isCall || event.kind.isIOVA && event.kind.hasSharingDirection
        ? .attributes(event.attributes) : .none
    case .sgCallEntries:
      switch event.kind {
      case .mapSG: return .number(UInt64(event.requestedEntries))
      case .unmapSG, .mapSGError: return .number(UInt64(event.physicalCount))
      case .syncSGForCPU, .syncSGForDevice: return .number(UInt64(event.segmentCount))
      default: return .none
      }
    case .sgMappedEntries:
      return event.kind == .mapSG ? .number(UInt64(event.mappedEntries)) : .none
    case .driver:
      return event.kind == .driverProbe || event.kind.isFence && event.driver != .unknown
        ? .driver(event.driver.rawValue) : .none
    case .caller:
      return event.kind == .mappingError && event.site != NameTable.unknown
        ? .symbol(event.site) : .none
    case .action: return event.kind == .busNotify ? .number(event.address) : .none
    case .inode:
      if event.kind == .fenceAdd { return .number(event.dmaAddress) }
      return event.kind.isBuffer ? .number(event.address) : .none
    case .attachment:
      return event.kind.isBuffer && event.dmaAddress != 0 ? .address(event.dmaAddress) : .none
    case .subject: return event.kind.isSharing ? .subject : .none
    case .context: return event.kind.isFence ? .number(event.address) : .none
    case .sequence: return event.kind.isFence ? .number(event.size) : .none
    case .descriptor:
      switch event.kind {
      case .bufferFD, .bufferGet: return .number(UInt64(event.mappedEntries))
      default: return .none
      }
    case .cookie:
      switch event.kind {
      case .descriptorSubmit, .descriptorComplete, .channelStatus: return .number(event.address)
      default: return .none
      }
    case .text:
      if event.kind.isSharing { return .sharingText }
      return event.kind == .marker ? .markerText : .none
    }
  }

  /// What the other standard columns do not show of an event of a buffer, fence or channel.
  public static func sharingText(_ event: DMAEvent, _ names: borrowing TraceNames) -> String {
    var words: [String] = []
    for field in [
      .inode, .descriptor, .attachment, .driver, .context, .sequence, .cookie,
    ] as [EventField] {
      switch field.rawValue(of: event, number: 0, in: EventBatch()) {
      case .number(let number): words.append("\(field.rawValue)=\(number)")
      case .address(let address):
        words.append("\(field.rawValue)=\(FieldValue.address(address).display)")
      case .driver(let driver): words.append("\(field.rawValue)=\(names.drivers.string(driver))")
      default: break
      }
    }
    if event.kind == .fenceAdd { words.append("usage=\(event.mappedEntries)") }
    if event.flags.contains(.dynamic) { words.append("dynamic") }
    if let name = names.subject(of: event) { words.append(String(decoding: name, as: UTF8.self)) }
    return words.joined(separator: " ")
  }

  /// Exporter, timeline or channel.
  public static func subject(_ event: DMAEvent, _ names: borrowing TraceNames) -> String? {
    names.subject(of: event).map { String(decoding: $0, as: UTF8.self) }
  }

  private func dmaAddress(_ event: DMAEvent, _ batch: borrowing EventBatch) -> EventValue {
    switch event.kind {
    case .mapSG, .syncSGForCPU, .syncSGForDevice:
      return event.segmentCount > 0 ? .address(batch.segmentAddress(event, 0)) : .none
    case .unmapSG, .mapSGError, .marker, .driverProbe, .busNotify, .driverUnbind, .mapSingleCheck,
      .deviceDescription, .lost, .other:
      return .none
    case .descriptorPrepare: return .address(event.dmaAddress)
    default:
      if event.kind.isSharing, !event.kind.isIOVA { return .none }
      return .address(event.dmaAddress)
    }
  }

  private func size(_ event: DMAEvent, _ batch: borrowing EventBatch) -> EventValue {
    switch event.kind {
    case .mapSG, .syncSGForCPU, .syncSGForDevice:
      var sum: UInt64 = 0
      for index in 0..<Int(event.segmentCount) { sum &+= batch.segmentLength(event, index) }
      return .number(sum)
    case .unmapSG, .mapSGError, .marker, .driverProbe, .busNotify, .driverUnbind, .mappingError,
      .deviceDescription, .iommuFault, .other:
      return .none
    default:
      if event.kind.isFence { return .none }
      return .number(event.size)
    }
  }

  private func physicalAddress(_ event: DMAEvent, _ batch: borrowing EventBatch) -> EventValue {
    switch event.kind {
    case .mapPage, .mapPhys, .mapResource, .iovaLink: return .address(event.address)
    default:
      return event.physicalCount > 0 ? .address(batch.physicalAddress(event, 0)) : .none
    }
  }
}

/// A value of a field of an event, names as numbers into the tables of ``TraceNames``.
public enum EventValue: Sendable, BitwiseCopyable {
  /// Nothing is known, or the field does not apply.
  case none
  case number(UInt64)
  /// An address or a mask, shown in hexadecimal.
  case address(UInt64)
  /// Nanoseconds since the clock's zero.
  case time(UInt64)
  case kind(DMAEvent.Kind)
  case direction(Direction)
  case attributes(DMAAttributes)
  case task(UInt32)
  case device(UInt32)
  case driver(UInt32)
  case symbol(UInt32)
  /// ``EventBatch/markerText(_:)``
  case markerText
  /// ``EventField/subject(_:_:)``
  case subject
  /// ``EventField/sharingText(_:_:)``
  case sharingText
}
