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
      self.init("DMA001", "free-invalid-address", .error, "unmap of an address that is an error")
    case .freeNotAllocated:
      self.init("DMA002", "free-not-allocated", .error, "unmap of something that is not mapped")
    case .freeDifferentSize:
      self.init("DMA003", "free-size", .error, "unmap with another size than mapped")
    case .freeWrongFunction:
      self.init("DMA004", "free-function", .error, "unmap with the wrong function")
    case .freeDifferentCPUAddress:
      self.init(
        "DMA005",
        "free-cpu-address",
        .error,
        "free with another CPU address than allocated"
      )
    case .freeDifferentSGCount:
      self.init("DMA006", "free-sg-count", .error, "unmap of a list with another entry count")
    case .freeDifferentDirection:
      self.init("DMA007", "free-direction", .error, "unmap with another direction than mapped")
    case .mapErrorNotChecked:
      self.init("DMA008", "map-error-unchecked", .error, "dma_mapping_error() was never asked")
    case .freeDifferentAttributes:
      self.init("DMA009", "free-attributes", .error, "unmap with other attributes than mapped")
    case .syncNotAllocated:
      self.init("DMA010", "sync-not-allocated", .error, "sync of something that is not mapped")
    case .syncOutsideRange:
      self.init("DMA011", "sync-outside-range", .error, "sync beyond the end of the mapping")
    case .syncDifferentDirection:
      self.init("DMA012", "sync-direction", .error, "sync with another direction than mapped")
    case .syncReadOnlyForCPU:
      self.init(
        "DMA013",
        "sync-read-only-for-cpu",
        .error,
        "sync for the CPU of memory for the device"
      )
    case .syncWriteOnlyToDevice:
      self.init(
        "DMA014",
        "sync-write-only-to-device",
        .error,
        "sync for the device of memory for the CPU"
      )
    case .syncDifferentSGCount:
      self.init("DMA015", "sync-sg-count", .error, "sync of a list with another entry count")
    case .overlappingCacheline:
      self.init("DMA016", "cacheline-overlap", .error, "mapping of a cacheline that is mapped")
    case .segmentTooLong:
      self.init("DMA017", "sg-segment-length", .error, "sg segment longer than the device takes")
    case .segmentAcrossBoundary:
      self.init("DMA018", "sg-segment-boundary", .error, "sg segment across a boundary")
    case .pendingAtUnbind:
      self.init("DMA019", "leak-at-unbind", .error, "mappings left when the driver was unbound")
    case .exceededOverlap:
      self.init(
        "DMA020",
        "cacheline-overflow",
        .error,
        "more than 7 mappings share a cacheline"
      )
    case .poolGrown:
      self.init("DMA021", "pool-grown", .note, "more mappings than dma-debug had entries for")
    case .outOfMemory:
      self.init("DMA022", "debug-disabled", .warning, "dma-debug ran out of memory")
    case .filterEnabled, .filterDisabled:
      return nil
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
