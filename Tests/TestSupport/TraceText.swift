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
  ) throws -> Replay {
    var options = ReplayOptions()
    options.allErrors = 1
    change(&options)
    var replay = try Replay(
      reader: TextTraceReader(bytes: kernel(lines), name: "test"),
      options: options
    )
    _ = try replay.run(to: .end) { _, _ in }
    return replay
  }
}

extension Replay {
  /// The messages of all reports so far, without prefix.
  public mutating func messages() -> [String] {
    var reports: [Report] = []
    takeReports(&reports)
    return reports.map { report in
      var text = TextBuffer()
      KernelMessage.append(words: report, engine.configuration.generation, to: &text)
      return text.string
    }
  }
}
