// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMATrace

/// Small traces as text: a line is what stands behind the time stamp.
public enum TraceText {
  /// The lines with a header of the kernel's `trace` file, one microsecond apart, on one CPU.
  public static func kernel(_ lines: [String], cpus: [Int] = []) -> [UInt8] {
    var text = "# tracer: nop\n#\n# entries-in-buffer/entries-written: "
    text += "\(lines.count)/\(lines.count)   #P:2\n#\n"
    for (number, line) in lines.enumerated() {
      let cpu = number < cpus.count ? cpus[number] : 0
      let micro = String(number + 1)
      let time = "1." + String(repeating: "0", count: 6 - micro.count) + micro
      text += "            test-1       [00\(cpu)] .....     \(time): \(line)\n"
    }
    return Array(text.utf8)
  }

  /// A probe of a driver on the device that the lines use.
  public static let probe =
    #"driver_probe: (really_probe+0x0/0x2a0) device="0000:00:03.0" driver="alpha""#

  /// A replay of such lines to the end.
  public static func replay(
    _ lines: [String],
    _ change: (inout ReplayOptions) -> Void = { _ in }
  ) throws -> FinishedReplay {
    var options = ReplayOptions()
    options.allErrors = 1
    change(&options)
    return try FinishedReplay(kernel(lines), options)
  }
}

/// A trace that was replayed to its end, and what dma-debug said on the way.
@dynamicMemberLookup
public struct FinishedReplay {
  public private(set) var replay: Replay
  public private(set) var reports: [Report] = []

  public init(_ trace: [UInt8], _ options: ReplayOptions) throws {
    replay = try Replay(reader: TextTraceReader(bytes: trace, name: "test"), options: options)
    replay.collect(.reports)
    var reports: [Report] = []
    _ = try replay.run(to: .end) { replay, _ in reports += replay.output.reports }
    self.reports = reports + replay.output.reports
  }

  public subscript<Value>(dynamicMember member: KeyPath<Replay, Value>) -> Value {
    replay[keyPath: member]
  }

  /// The messages of all reports, without prefix.
  public func messages() -> [String] {
    reports.map { report in
      var text = TextBuffer()
      KernelMessage.append(words: report, replay.engine.configuration.generation, to: &text)
      return text.string
    }
  }
}
