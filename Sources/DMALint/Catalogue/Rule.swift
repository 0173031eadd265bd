// SPDX-License-Identifier: MIT
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

/// How sure a finding is.
public enum Precision: String, Sendable {
  /// The trace shows the mistake itself.
  case proved
  /// The trace shows what hardly anything but the mistake explains.
  case strong
  /// Worth a look.
  case hint
}

/// What a capture is.
public enum LintedKind: Sendable {
  case trace, log, dump
}

/// A check, known by an id and a name that never change, with its documentation.
public struct Rule: Sendable, Equatable {
  public let id: String
  public let name: String
  /// Unless the configuration says otherwise.
  public let severity: Severity
  public let precision: Precision
  /// One line.
  public let summary: String
  /// What the kernel says, in the form of its source; `nil` beyond the kernel.
  public let kernelWords: String?
  /// What the mistake does.
  public let why: String
  /// What to do about it.
  public let fix: String
  /// Keys of the configuration that change it, beside the severity.
  public let keys: [String]
  /// The smallest trace that has exactly this finding; `nil` when no short trace can.
  public let bad: RuleExample?
  /// The same done rightly.
  public let good: RuleExample?

  init(
    _ id: String,
    _ name: String,
    _ severity: Severity,
    _ precision: Precision,
    _ summary: String,
    kernelWords: String?,
    why: String,
    fix: String,
    keys: [String] = [],
    bad: RuleExample? = nil,
    good: RuleExample? = nil
  ) {
    self.id = id
    self.name = name
    self.severity = severity
    self.precision = precision
    self.summary = summary
    self.kernelWords = kernelWords
    self.why = why
    self.fix = fix
    self.keys = keys
    self.bad = bad
    self.good = good
  }

  public static func == (a: Rule, b: Rule) -> Bool { a.id == b.id }

  /// The rule of an id or a name.
  public init?(named name: String) {
    guard
      let rule = Self.all.first(where: {
        $0.id.lowercased() == name.lowercased() || $0.name == name.lowercased()
      })
    else { return nil }
    self = rule
  }

  /// Whether the kernel's own dma-debug checks it.
  public var isOfKernel: Bool { id.hasPrefix("DMA0") }

  /// Whether a selector means it: its id, its name, the beginning of its id (`DMA1`), or `ALL`.
  public func matches(_ selector: String) -> Bool {
    selector == "ALL" || selector == name || !selector.isEmpty && id.hasPrefix(selector)
  }
}

/// A short trace that shows a mistake, or how it is done rightly.
public struct RuleExample: Sendable {
  /// A driver binds to the device that the examples use.
  static let probe =
    "driver_probe: (really_probe+0x0/0x2a0) device=\"0000:00:03.0\" driver=\"alpha\""

  /// Where a kernel has its memory, for rules that ask.
  static let layout =
    "tracing_mark_write: dma-api: layout direct=ff11000000000000-ff51000000000000"
    + " vmalloc=ffa0000000000000-ffd2000000000000 text=ff11000001000000-ff11000001200000"
    + " rodata=ff11000001200000-ff11000001300000 stacks=ff11000001400000-ff11000001500000"
    + " ram=0-10000000 ram=100000000-110000000"

  /// Lines without what stands before the name of the event. `raw:` makes a line of the file.
  let setup: [String]
  /// Lines that come `count` times; `{n}` is the number of the turn in hexadecimal.
  let cycle: [String]
  let count: Int
  let end: [String]
  /// The kernel that it needs.
  public let kernel: String
  /// Caches are coherent, as on x86; otherwise dmatop is told with --dma-alignment.
  public let isCoherentMachine: Bool
  public let isComplete: Bool
  /// What the lines are.
  public let kind: LintedKind

  init(
    setup: [String],
    cycle: [String] = [],
    count: Int = 0,
    end: [String] = [],
    kernel: String = "7.3",
    isCoherentMachine: Bool = true,
    isComplete: Bool = false,
    kind: LintedKind = .trace
  ) {
    self.setup = setup
    self.cycle = cycle
    self.count = count
    self.end = end
    self.kernel = kernel
    self.isCoherentMachine = isCoherentMachine
    self.isComplete = isComplete
    self.kind = kind
  }

  /// The trace as the kernel's `trace` file has it; a log or a dump as it is.
  public var trace: String {
    if kind != .trace { return setup.map { $0 + "\n" }.joined() }
    var lines = setup
    for turn in 0..<count {
      let number = String(0x100 + turn, radix: 16)
      lines += cycle.map { line in
        line.split(separator: "{n}", omittingEmptySubsequences: false).joined(separator: number)
      }
    }
    lines += end
    var text = "# tracer: nop\n#\n# linux \(kernel)\n#\n"
    var micro = 0
    for line in lines {
      if line.hasPrefix("raw:") {
        text += line.dropFirst(4) + "\n"
      } else if line.hasPrefix("raw-end:") {
        text += line.dropFirst(8)
      } else {
        micro += 1
        let digits = String(micro)
        let time = "1." + String(repeating: "0", count: 6 - digits.count) + digits
        text += "           alpha-1       [000] .....     \(time): \(line)\n"
      }
    }
    return text
  }

  /// The events as documentation shows them.
  public var excerpt: String {
    func clean(_ line: String) -> String {
      for mark in ["raw:", "raw-end:"] where line.hasPrefix(mark) {
        return String(line.dropFirst(mark.count).drop { $0 == " " })
      }
      return line
    }
    var lines = setup.map(clean)
    if !cycle.isEmpty {
      lines.append("# \(count) times, {n} counting:")
      lines += cycle.map { "  " + clean($0) }
    }
    lines += end.map(clean)
    return lines.joined(separator: "\n")
  }
}

extension RuleExample {
  /// What it is, in a word.
  var kindName: String {
    switch kind {
    case .trace: "trace"
    case .log: "log"
    case .dump: "dump"
    }
  }
}
