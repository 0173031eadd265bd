// SPDX-License-Identifier: MIT
import DMADebugCore

/// A mistake that a trace proves.
public struct Finding: Sendable {
  /// Where the other side of the mistake is: the event that made the mapping.
  public struct Origin: Sendable {
    /// Line or record; 0 when it was made before the trace, or only a log tells of it.
    public var line: UInt64
    public var time: UInt64
    public var task: String?
    public var pid: Int32
    public var cpu: UInt32?
    /// The driver's function that mapped, when the trace tells.
    public var site: String?
    public var stack: [String]
    /// `nil` for what a kernel log does not say.
    public var dmaAddress: UInt64?
    public var size: UInt64?
    public var direction: Direction?
    public var type: MappingType?
    /// It was in the dump that the trace was begun with.
    public var isAdopted = false
    /// The capture that ``line`` is in, when it is not that of the finding.
    public var path: String?
    /// The mapping was gone when it happened: nanoseconds since its unmap.
    public var endedBefore: UInt64?

    /// What was mapped, in words.
    var words: String {
      let size = size.map { "\($0) bytes mapped" } ?? "mapped"
      let direction = direction.map { " \($0.traceName)" } ?? ""
      return size + direction + (site.map { " in \($0)" } ?? "")
    }
  }

  /// Something that happened between the map and the mistake.
  public struct Step: Sendable {
    public var line: UInt64
    public var text: String

    public init(line: UInt64, text: String) {
      self.line = line
      self.text = text
    }
  }

  public var rule: Rule
  /// As the configuration has it; that of the rule unless it says otherwise.
  public var severity: Severity
  /// The same mistake has the same one in every run.
  public var fingerprint = ""
  /// Which of several with the same fingerprint it is, from 1.
  public var occurrence = 1
  /// Why somebody lives with it.
  public var suppression: String?
  /// It was there before.
  public var isBaselined = false
  /// The capture, as it was named.
  public var path: String
  /// Line or record of the event; 0 for findings about the capture as a whole.
  public var line: UInt64
  public var time: UInt64
  public var task: String?
  public var pid: Int32
  public var cpu: UInt32?
  public var device: String?
  public var driver: String?
  /// The kernel's words, without prefix.
  public var message: String
  /// How often the kernel would have said it about this one call.
  public var count: UInt64 = 1
  /// The driver's function that made the call, when the trace tells.
  public var site: String?
  public var stack: [String] = []
  public var origin: Origin?
  /// What it is about.
  public var subject = Subject.trace
  /// Syncs of the mapping in between, the first and the last few.
  public var syncs: [Step] = []
  /// Whether the monitor can show it: the capture is a trace.
  public var isReplayable = true
  /// Events that had been applied when it came up, its own included; 0 for the capture as a whole.
  public var eventNumber: UInt64 = 0
  /// Which of several captures of one run it is in.
  var capture = 0
  /// How lint was run.
  public var invocation = Invocation()

  /// Where the mapping was made; where the finding is, when no capture shows it.
  func place(of origin: Origin) -> (path: String, line: UInt64) {
    origin.line > 0 ? (origin.path ?? path, origin.line) : (path, line)
  }

  /// Whether it counts: nobody has allowed it.
  public var isOpen: Bool { suppression == nil && !isBaselined }
}

extension Finding.Origin {
  init(_ mapping: Mapping, _ names: TraceNames) {
    self.init(
      line: mapping.line,
      time: mapping.time,
      task: mapping.task == NameTable.unknown ? nil : names.tasks.string(mapping.task),
      pid: mapping.pid,
      cpu: UInt32(mapping.cpu),
      site: names.mapSite(of: mapping),
      stack: names.stacks[mapping.stack].map { names.symbols.string($0) },
      dmaAddress: mapping.dmaAddress,
      size: mapping.size,
      direction: mapping.direction,
      type: mapping.type,
      isAdopted: mapping.isAdopted
    )
  }

  init(_ entry: DumpEntry) {
    self.init(
      line: entry.line,
      time: 0,
      task: nil,
      pid: -1,
      cpu: nil,
      site: nil,
      stack: [],
      dmaAddress: entry.dmaAddress,
      size: entry.size,
      direction: entry.direction,
      type: entry.type
    )
  }
}
