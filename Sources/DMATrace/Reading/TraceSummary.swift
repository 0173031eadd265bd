// SPDX-License-Identifier: MIT

/// What a reader learned about a capture apart from its events.
public struct TraceSummary: Sendable {
  /// What the timestamps count.
  public enum Clock: Sendable {
    case nanoseconds
    /// Ticks of a counter (`counter`, `uptime`, `x86-tsc`).
    case ticks
  }

  /// A line that could not be understood.
  public struct Malformed: Sendable {
    /// From 1.
    public var line: UInt64
    /// Why, without the line's own text.
    public var reason: String
    /// The beginning of the line, control characters escaped.
    public var excerpt: String

    public init(line: UInt64, reason: String, excerpt: String) {
      self.line = line
      self.reason = reason
      self.excerpt = excerpt
    }
  }

  /// The name of the dialect, for people.
  public var dialect = "unknown"
  public var clock = Clock.nanoseconds
  /// The kernel release that the capture states, such as `6.12.117`.
  public var kernelRelease: String?
  /// Lines read.
  public var lines: UInt64 = 0
  /// Events delivered.
  public var events: UInt64 = 0
  /// Events delivered that are of the `dma:` system.
  public var dmaEvents: UInt64 = 0
  /// Well-formed events of other kinds, passed over.
  public var foreignEvents: UInt64 = 0
  /// Lines that are no event and no known decoration, or whose payload is broken.
  public var malformedLines: UInt64 = 0
  /// The first few of them.
  public var malformed: [Malformed] = []
  /// Those of ``malformedLines`` of a text that look like records of events, not like prose between
  /// such.
  public var brokenRecords: UInt64 = 0
  /// Records of a binary capture that could not be decoded, and events in lines that were too long:
  /// each of them is missing for certain.
  public var undecoded: UInt64 = 0
  /// Events that the tracer says it lost; 1 for a loss of unknown size.
  public var lostEvents: UInt64 = 0
  /// Events that were overwritten before the capture was saved (`entries-written` − `in-buffer`).
  public var overwrittenEvents: UInt64 = 0
  /// The last line had no line end and was no complete event.
  public var cutOff = false
  /// What is wrong with the file, and where: something of it could not be read.
  public var damage: String?
  /// What ``lines`` and the numbers of events count: lines of a text or records of a binary trace.
  public var isBinary = false
  /// A `dma_map_phys` or `dma_unmap_phys` event, or such a hook caller, was met.
  public var sawPhysEvents = false
  /// A `dma_map_page`, `dma_map_resource` or one of their unmaps was met.
  public var sawPageEvents = false
  /// A tracepoint of dma-bufs was met, which are there since 7.0; probes on the functions are not.
  public var sawBufferTracepoints = false
  /// It is a saved `dma-api/dump`, a state without events.
  public var isDump = false
  /// Entries of a dump.
  public var entries: UInt64 = 0
  /// The capture has stack traces.
  public var sawStacks = false
  /// The capture has hits of the probe on `debug_dma_mapping_error`.
  public var sawMapErrorHook = false

  /// Of several captures that are read as one: what each says of itself.
  public var captures: [TraceSummary] = []

  public init() {}
}

extension TraceSummary {
  /// Why some of the capture counts as unread; `nil` when all of it could be read, or nearly all
  /// lines of a text.
  ///
  /// - Parameter percent: how many of a hundred lines of a text that look like records of events
  ///   may be impossible to understand. Prose, foreign events and kernel logs are none of them.
  public func damage(maximumMalformed percent: Double) -> String? {
    if let damage { return damage }
    if undecoded > 0 {
      return "\(undecoded) record\(undecoded == 1 ? "" : "s") could not be decoded\(firstMalformed)"
    }
    let records = events &+ foreignEvents &+ entries &+ brokenRecords
    guard Double(brokenRecords) * 100 > percent * Double(records) else { return nil }
    return "\(brokenRecords) of \(records) trace records could not be understood\(firstMalformed)"
  }

  private var firstMalformed: String {
    malformed.first.map { " (first: \(isBinary ? "record" : "line") \($0.line): \($0.reason))" }
      ?? ""
  }

  /// Names the dialect, unless it has a name already.
  mutating func name(dialect name: String) {
    if dialect == "unknown" { dialect = name }
  }
}
