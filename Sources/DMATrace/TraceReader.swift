import DMADebugCore

/// Something that turns the bytes of a capture into events.
///
/// A reader streams: it holds one piece of its input, whatever the length of the capture.
public protocol TraceReader {
  /// The names met so far. Names of a table beside the trace may be added before reading.
  var names: TraceNames { get set }

  /// What the reader has learned about the capture so far.
  var summary: TraceSummary { get }

  /// How many bytes were read, and how many there are when that is known.
  var progress: (read: UInt64, total: UInt64?) { get }

  /// The descriptor of a pipe or terminal, on which a read may have to wait; `nil` for a file.
  var liveDescriptor: Int32? { get }

  /// Milliseconds after which to look for more events, for a source that makes them as time
  /// passes; `nil` for one that has them.
  var pace: Int? { get }

  /// Empties `batch` and fills it with the next events.
  ///
  /// - Returns: `false` when the input has ended; the batch is empty then. It may also be empty with
  ///   more to come, when nothing of interest was met for a long while.
  /// - Throws: ``TraceError`` when the input cannot be read or is not a capture.
  mutating func read(into batch: inout EventBatch) throws(TraceError) -> Bool
}

extension TraceReader {
  public var pace: Int? { nil }
}

/// A capture that cannot be read. Its description says what is wrong and what to do.
public struct TraceError: Error, Sendable, CustomStringConvertible {
  /// The input as the user named it, control characters escaped.
  public var path: String
  /// What is wrong, a sentence without a final full stop.
  public var problem: String
  /// What to do about it, or nothing.
  public var advice: String
  /// Nothing is wrong with the input: its end was requested too early. See ``InputEnd``.
  public var isInterruption: Bool

  public init(path: String, problem: String, advice: String = "", isInterruption: Bool = false) {
    self.path = path
    self.problem = problem
    self.advice = advice
    self.isInterruption = isInterruption
  }

  /// The problem in the words of ``TraceSummary/damage``.
  var damage: String {
    problem.hasPrefix("is damaged: ") ? String(problem.dropFirst("is damaged: ".count)) : problem
  }

  public var description: String {
    advice.isEmpty ? "\(path): \(problem)" : "\(path): \(problem)\n  \(advice)"
  }
}

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
