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
    switch self {
    case .number: return .number(number)
    case .line: return .number(event.line)
    case .time: return .time(event.time)
    case .cpu: return .number(UInt64(event.cpu))
    case .task:
      return event.task == NameTable.unknown ? .none : .text(names.tasks.string(event.task))
    case .pid: return event.pid < 0 ? .none : .number(UInt64(event.pid))
    case .kind: return .text(event.kind.name)
    case .device:
      return event.device == .unknown
        ? .none : .text(names.devices.string(event.device.rawValue))
    case .direction:
      return (event.kind.isCall || event.kind.hasSharingDirection)
        && !event.flags.contains(.noDirection)
        ? .text(event.direction.traceName.description) : .none
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
        ? .text(event.attributes.traceText) : .none
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
        ? .text(names.drivers.string(event.driver.rawValue)) : .none
    case .caller:
      return event.kind == .mappingError && event.site != NameTable.unknown
        ? .text(names.symbols.string(event.site)) : .none
    case .action: return event.kind == .busNotify ? .number(event.address) : .none
    case .inode:
      if event.kind == .fenceAdd { return .number(event.dmaAddress) }
      return event.kind.isBuffer ? .number(event.address) : .none
    case .attachment:
      return event.kind.isBuffer && event.dmaAddress != 0 ? .address(event.dmaAddress) : .none
    case .subject:
      guard event.kind.isSharing, let name = names.subject(of: event) else { return .none }
      return .text(String(decoding: name, as: UTF8.self))
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
      if event.kind.isSharing { return .text(sharingText(event, names)) }
      return event.kind == .marker
        ? .text(String(decoding: batch.markerText(event), as: UTF8.self)) : .none
    }
  }

  /// What the other standard columns do not show of an event of a buffer, fence or channel.
  private func sharingText(_ event: DMAEvent, _ names: TraceNames) -> String {
    var words: [String] = []
    func add(_ field: EventField) {
      let value = field.value(of: event, number: 0, in: EventBatch(), names)
      if case .none = value { return }
      words.append("\(field.rawValue)=\(value.display)")
    }
    for field in [
      .inode, .descriptor, .attachment, .driver, .context, .sequence, .cookie,
    ] as [EventField] { add(field) }
    if event.kind == .fenceAdd { words.append("usage=\(event.mappedEntries)") }
    if event.flags.contains(.dynamic) { words.append("dynamic") }
    if let name = names.subject(of: event) { words.append(String(decoding: name, as: UTF8.self)) }
    return words.joined(separator: " ")
  }

  private func dmaAddress(_ event: DMAEvent, _ batch: EventBatch) -> FieldValue {
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

  private func size(_ event: DMAEvent, _ batch: EventBatch) -> FieldValue {
    switch event.kind {
    case .mapSG, .syncSGForCPU, .syncSGForDevice:
      return .number(
        (0..<Int(event.segmentCount)).reduce(0) { $0 &+ batch.segmentLength(event, $1) }
      )
    case .unmapSG, .mapSGError, .marker, .driverProbe, .busNotify, .driverUnbind, .mappingError,
      .deviceDescription, .iommuFault, .other:
      return .none
    default:
      if event.kind.isFence { return .none }
      return .number(event.size)
    }
  }

  private func physicalAddress(_ event: DMAEvent, _ batch: EventBatch) -> FieldValue {
    switch event.kind {
    case .mapPage, .mapPhys, .mapResource, .iovaLink: return .address(event.address)
    default:
      return event.physicalCount > 0 ? .address(batch.physicalAddress(event, 0)) : .none
    }
  }
}

extension DMAEvent.Kind {
  /// Whether it is a call of the DMA-API with direction and attributes.
  var isCall: Bool { rawValue <= Self.syncSGForDevice.rawValue }
}
