// SPDX-License-Identifier: MIT

/// What the events that were applied brought up: ``DMADebug/apply(_:in:names:to:)`` adds to it.
///
/// Whoever makes one says what it should hold; the rest is not even put together. It belongs to whoever
/// walks through the events, not to the engine, so that checkpoints hold none of it.
public struct EngineOutput: Sendable {
  /// Kinds of what comes of events.
  public struct Content: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
      self.rawValue = rawValue
    }

    /// What dma-debug says.
    public static let reports = Content(rawValue: 1 << 0)
    /// What is added to and removed from the live mappings.
    public static let changes = Content(rawValue: 1 << 1)
    /// Mistakes in sharing, of which dma-debug knows nothing.
    public static let incidents = Content(rawValue: 1 << 2)
  }

  public let content: Content
  public private(set) var reports: [Report] = []
  public private(set) var changes: [MappingChange] = []
  var incidentLog: IncidentLog

  public init(_ content: Content) {
    self.content = content
    incidentLog = IncidentLog(isKept: content.contains(.incidents))
  }

  /// Mistakes in sharing, at most 4096 between two calls of ``clear()``.
  public var incidents: [SharingIncident] { incidentLog.incidents }

  /// Whether nothing came of the events.
  public var isEmpty: Bool { reports.isEmpty && changes.isEmpty && incidents.isEmpty }

  /// Drops what is there and keeps its memory for what comes next.
  @inline(__always)
  public mutating func clear() {
    if !reports.isEmpty { reports.removeAll(keepingCapacity: true) }
    if !changes.isEmpty { changes.removeAll(keepingCapacity: true) }
    incidentLog.clear()
  }

  /// Adds a report, which the caller has made because reports are wanted.
  mutating func add(_ report: Report) {
    reports.append(report)
  }

  @inline(__always)
  mutating func add(_ change: MappingChange) {
    changes.append(change)
  }
}
