// SPDX-License-Identifier: MIT
import DMADebugCore

/// A property of a live mapping: a column, a sort key, a filter word and a name in every output.
public enum MappingField: String, Sendable, CaseIterable {
  case driver
  case device
  case type
  case dmaAddress = "dma_addr"
  case size
  case direction = "dir"
  case physicalAddress = "phys_addr"
  case mapError = "map_error"
  case attributes = "attrs"
  case age = "age_ns"
  case time = "time_ns"
  case task
  case pid
  case cpu
  case sgCallEntries = "sg_nents"
  case sgMappedEntries = "sg_ents"
  case bucket
  case cacheline
  case cpuAddress = "cpu_addr"
  case site
  case line
  case buffer
  case sequence = "seq"

  /// What `dmatop dump` shows unless told otherwise.
  public static let standard: [MappingField] = [
    .driver, .device, .type, .dmaAddress, .size, .direction, .physicalAddress, .mapError, .age,
    .task, .pid,
  ]

  /// The field with this name; `age` and `time` stand for the names with their unit.
  public init?(name: some StringProtocol) {
    switch name {
    case "age": self = .age
    case "time": self = .time
    case "direction": self = .direction
    default: self.init(rawValue: String(name))
    }
  }

  /// One line for the help.
  public var summary: String {
    switch self {
    case .driver: "bound driver, or the bus when none is bound"
    case .device: "device name"
    case .type: "how it was mapped: single, scatter-gather, coherent …"
    case .dmaAddress: "DMA address"
    case .size: "bytes"
    case .direction: "TO_DEVICE, FROM_DEVICE, BIDIRECTIONAL"
    case .physicalAddress: "physical address, unknown where the trace does not give it"
    case .mapError: "dma_mapping_error() state: unchecked, checked, n/a, unknown"
    case .attributes: "DMA_ATTR_… flags"
    case .age: "nanoseconds since it was mapped"
    case .time: "when it was mapped, nanoseconds of the trace clock"
    case .task: "task that mapped it"
    case .pid: "thread that mapped it"
    case .cpu: "CPU that mapped it"
    case .sgCallEntries: "entries of the list passed to dma_map_sg()"
    case .sgMappedEntries: "segments that dma_map_sg() made"
    case .bucket: "hash bucket of dma-debug"
    case .cacheline: "number of its first cacheline"
    case .cpuAddress: "CPU pointer of an allocation, or its hash"
    case .site: "where it was mapped, or where its map error was checked"
    case .line: "line or record of the map event"
    case .sequence: "position in the order of mapping"
    case .buffer: "inode of the dma-buf that it maps, as far as the trace tells"
    }
  }

  /// Whether numbers of this field belong to the right side of a column.
  public var isNumeric: Bool {
    switch self {
    case .driver, .device, .type, .direction, .mapError, .attributes, .task, .site: false
    default: true
    }
  }

  /// The value of this field for a mapping.
  public func value(of mapping: Mapping, in context: MappingContext) -> FieldValue {
    switch self {
    case .driver: return .text(context.driver(mapping.device))
    case .device: return .text(context.names.devices.string(mapping.device.rawValue))
    case .type: return .text(mapping.type.kernelName.description)
    case .dmaAddress: return .address(mapping.dmaAddress)
    case .size: return .number(mapping.size)
    case .direction: return .text(mapping.direction.traceName.description)
    case .physicalAddress:
      return context.engine.physicalAddress(of: mapping).map { .address($0) } ?? .none
    case .mapError: return .text(Self.mapErrorWord(mapping))
    case .attributes: return .text(mapping.attributes.traceText)
    case .age where mapping.isAdopted, .time where mapping.isAdopted,
      .line where mapping.isAdopted:
      return .none
    case .age: return .duration(context.now >= mapping.time ? context.now - mapping.time : 0)
    case .time: return .time(mapping.time)
    case .task:
      return mapping.task == NameTable.unknown
        ? .none : .text(context.names.tasks.string(mapping.task))
    case .pid: return mapping.pid < 0 ? .none : .number(UInt64(mapping.pid))
    case .cpu: return .number(UInt64(mapping.cpu))
    case .sgCallEntries:
      return mapping.type == .scatterGather ? .number(UInt64(mapping.sgCallEntries)) : .none
    case .sgMappedEntries:
      return mapping.type == .scatterGather ? .number(UInt64(mapping.sgMappedEntries)) : .none
    case .bucket: return .number(UInt64(mapping.bucket))
    case .cacheline:
      return context.engine.physicalAddress(of: mapping).map { .address($0 >> 6) } ?? .none
    case .cpuAddress: return mapping.cpuAddress == 0 ? .none : .address(mapping.cpuAddress)
    case .site: return context.site(of: mapping).map { .text($0) } ?? .none
    case .line: return .number(mapping.line)
    case .sequence: return .number(mapping.sequence)
    case .buffer: return context.engine.buffer(of: mapping).map { .number($0.inode) } ?? .none
    }
  }

  /// The state of the map-error check in a word.
  public static func mapErrorWord(_ mapping: Mapping) -> String {
    switch mapping.mapError {
    case .notApplicable: "n/a"
    case .checked: "checked"
    case .notChecked: mapping.showsMapErrorCheck ? "unchecked" : "unknown"
    }
  }
}

/// What a field needs beside the mapping.
public struct MappingContext {
  public let engine: DMADebug
  public let names: TraceNames
  /// The present moment, on the clock of the trace.
  public let now: UInt64

  public init(engine: DMADebug, names: TraceNames, now: UInt64) {
    self.engine = engine
    self.names = names
    self.now = now
  }

  func driver(_ device: DeviceID) -> String {
    names.drivers.string(engine.driver(of: device).rawValue)
  }

  /// The driver's function that mapped, as far as the trace tells.
  public func site(of mapping: Mapping) -> String? {
    names.mapSite(of: mapping)
  }
}
