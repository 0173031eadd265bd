import DMADebugCore

/// How bad a finding is.
public enum Severity: String, Sendable, CaseIterable, Comparable {
  case note
  case warning
  case error

  public static func < (a: Severity, b: Severity) -> Bool {
    a.rank < b.rank
  }

  private var rank: Int {
    switch self {
    case .note: 0
    case .warning: 1
    case .error: 2
    }
  }
}

/// A check, known by an id and a name that never change.
public struct Rule: Sendable, Equatable {
  public let id: String
  public let name: String
  public let severity: Severity
  /// One line.
  public let summary: String

  init(_ id: String, _ name: String, _ severity: Severity, _ summary: String) {
    self.id = id
    self.name = name
    self.severity = severity
    self.summary = summary
  }
}

extension Rule {
  /// The rule for a message of the kernel; `nil` for lines that are no finding.
  public init?(_ kind: Report.Kind) {
    switch kind {
    case .freeInvalidAddress:
      self.init("DMA001", kind.name, .error, "unmap of an address that is an error")
    case .freeNotAllocated:
      self.init("DMA002", kind.name, .error, "unmap of something that is not mapped")
    case .freeDifferentSize:
      self.init("DMA003", kind.name, .error, "unmap with another size than mapped")
    case .freeWrongFunction: self.init("DMA004", kind.name, .error, "unmap with the wrong function")
    case .freeDifferentCPUAddress:
      self.init("DMA005", kind.name, .error, "free with another CPU address than allocated")
    case .freeDifferentSGCount:
      self.init("DMA006", kind.name, .error, "unmap of a list with another entry count")
    case .freeDifferentDirection:
      self.init("DMA007", kind.name, .error, "unmap with another direction than mapped")
    case .mapErrorNotChecked:
      self.init("DMA008", kind.name, .error, "dma_mapping_error() was never asked")
    case .freeDifferentAttributes:
      self.init("DMA009", kind.name, .error, "unmap with other attributes than mapped")
    case .syncNotAllocated:
      self.init("DMA010", kind.name, .error, "sync of something that is not mapped")
    case .syncOutsideRange:
      self.init("DMA011", kind.name, .error, "sync beyond the end of the mapping")
    case .syncDifferentDirection:
      self.init("DMA012", kind.name, .error, "sync with another direction than mapped")
    case .syncReadOnlyForCPU:
      self.init("DMA013", kind.name, .error, "sync for the CPU of memory for the device")
    case .syncWriteOnlyToDevice:
      self.init("DMA014", kind.name, .error, "sync for the device of memory for the CPU")
    case .syncDifferentSGCount:
      self.init("DMA015", kind.name, .error, "sync of a list with another entry count")
    case .overlappingCacheline:
      self.init("DMA016", kind.name, .error, "mapping of a cacheline that is mapped")
    case .segmentTooLong:
      self.init("DMA017", kind.name, .error, "sg segment longer than the device takes")
    case .segmentAcrossBoundary:
      self.init("DMA018", kind.name, .error, "sg segment across a boundary")
    case .mapsStack: self.init("DMA023", kind.name, .error, "mapping of memory on a stack")
    case .mapsKernelText:
      self.init("DMA024", kind.name, .error, "mapping of kernel text or read-only data")
    case .mapsVmalloc:
      self.init("DMA025", kind.name, .error, "mapping of vmalloc memory by its CPU address")
    case .mapsInvalidArea:
      self.init("DMA026", kind.name, .error, "mapping of an address that is no memory")
    case .mapsRAMAsResource:
      self.init("DMA027", kind.name, .error, "RAM mapped with dma_map_resource()")
    case .pendingAtUnbind:
      self.init("DMA019", kind.name, .error, "mappings left when the driver was unbound")
    case .exceededOverlap:
      self.init("DMA020", kind.name, .error, "more than 7 mappings share a cacheline")
    case .poolGrown:
      self.init("DMA021", kind.name, .note, "more mappings than dma-debug had entries for")
    case .outOfMemory: self.init("DMA022", kind.name, .warning, "dma-debug ran out of memory")
    case .filterEnabled, .filterDisabled: return nil
    }
  }

  static let lostEvents = Rule(
    "TRC001",
    "lost-events",
    .warning,
    "the tracer lost events"
  )
  static let overwritten = Rule(
    "TRC002",
    "overwritten-events",
    .warning,
    "the oldest events were overwritten"
  )
  static let noDMAEvents = Rule(
    "TRC003",
    "no-dma-events",
    .warning,
    "the trace has no dma events"
  )
  static let malformed = Rule(
    "TRC004",
    "malformed-lines",
    .warning,
    "lines that could not be understood"
  )
  static let cutOff = Rule(
    "TRC005",
    "cut-off",
    .note,
    "the last line is cut off"
  )

  /// Every rule, by id.
  public static let all: [Rule] =
    Report.Kind.allCases.compactMap { Rule($0) }.sorted { $0.id < $1.id }
    + [lostEvents, overwritten, noDMAEvents, malformed, cutOff]
}
