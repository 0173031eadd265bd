// SPDX-License-Identifier: MIT
import Glibc
import TestSupport
import Testing

/// Nothing that a file or an argument says reaches a terminal as a control character.
@Suite struct TerminalSafetyTests {
  /// ESC, OSC 52, BEL, C1, CR, backspace, DEL, a mark that reverses the text, the same as raw bytes.
  private static let hostile =
    "x\u{1b}[31m\u{1b}]52;c;eA==\u{7}\u{9b}2J\r\u{8}\u{7f}\u{202e}y"

  /// That as a string of TOML or JSON.
  private static let escaped =
    #"x\u001b[31m\u001b]52;c;eA==\u0007\u009b2J\r\n\u0008\u007f\u202ey"#

  private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x0a, 0x09: false
    case 0..<0x20, 0x7f..<0xa0, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f: true
    default: false
    }
  }

  /// Standard output and error of a command; the line ends of CSV are fine.
  private static func expectSafe(
    _ result: Program.Result,
    _ what: String,
    location: SourceLocation = #_sourceLocation
  ) {
    for text in [result.output, result.errors] {
      let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
      let bad = lines.joined(separator: "\n").unicodeScalars.filter(isHarmful)
      #expect(bad.isEmpty, "\(what): \(bad.map(\.value))", sourceLocation: location)
    }
    // Neither did it crash.
    #expect(result.status <= 2, "\(what): \(result.errors.suffix(300))", sourceLocation: location)
  }

  // MARK: Arguments

  @Test func noOptionValueGetsThrough() throws {
    let bad = Self.hostile
    let trace = "fixtures/kernel/linux-6.12/bug-unmap-size/trace.txt"
    let commands: [[String]] = [
      ["--\(bad)"], [bad], ["lint", "--\(bad)", trace], ["lint", "--format", bad, trace],
      ["lint", "--report", bad, trace], ["lint", "--report", "json=/\(bad)/x", trace],
      ["lint", "--select", bad, trace], ["lint", "--ignore", bad, trace],
      ["lint", "--severity", bad, trace], ["lint", "--config", bad, trace],
      ["lint", "--baseline", bad, trace], ["lint", "--fail-on", bad, trace],
      ["lint", "--write-baseline", "/\(bad)/x", trace], ["lint", "--color", bad, trace],
      ["lint", "--devices", bad, trace],
      ["lint", "--path-prefix", bad, "--format", "junit", trace],
      ["lint", "--path-prefix", bad, "--format", "github", trace],
      ["lint", "--path-prefix", bad, "--format", "ktap", trace],
      ["lint", "--category", bad, "--format", "sarif", trace], ["lint", "--kernel", bad, trace],
      ["log", "--at", bad, trace], ["log", "--at", "marker:\(bad)", trace],
      ["log", "--num-errors", bad, trace], ["log", "--dma-debug-driver", bad, trace],
      ["log", "--dma-debug", bad, trace], ["stat", "--sites", bad, trace],
      ["stat", "--start-dump", bad, trace], ["stat", "--with", bad, trace],
      ["dump", "--fields", bad, trace], ["dump", "--sort", bad, trace],
      ["dump", "--filter", bad, trace], ["dump", "--filter", "\(bad):x", trace],
      ["dump", "--filter", "~[\(bad)", trace], ["dump", "--buffers", "--sort", bad, trace],
      ["dump", "--events", "--fields", bad, trace], ["fs", "cat", bad, trace],
      ["fs", "write", bad, "1", trace], ["fs", "write", "driver_filter", bad, trace],
      ["fs", "write", "all_errors", bad, trace], ["fs", "export", "/\(bad)/x", trace],
      ["fs", bad], ["convert", trace, "-o", bad], ["convert", trace, "-o", "/\(bad)/x.txt"],
      ["convert", trace, "-o", "-", "--to", bad], ["diff", bad, trace],
      ["diff", "\(trace)@\(bad)", trace], ["diff", "\(trace)@marker:\(bad)", trace],
      ["rules", bad], ["rules", "--format", bad], ["explain", bad], ["sim", bad],
      ["sim", "./\(bad)"], ["sim", "--describe", bad], ["sim", "--print", bad],
      ["sim", "--fault", bad], ["sim", "--duration", bad], ["sim", "--mode", bad],
      ["sim", "--seed", bad], ["sim", "nic", "--record", "/\(bad)/x"], ["stat", "sim:\(bad)"],
      ["stat", "sim:nic,\(bad)=1"], ["stat", "sim:nic,fault=\(bad)"], ["stat", "sim:nic,\(bad)"],
      ["replay", "--finding", bad, trace], ["replay", "--theme", bad, trace],
      ["replay", "--view", bad, trace], ["replay", "--filter", "size>\(bad)", trace],
      ["replay", "--config", bad, trace], ["replay", "--snapshot-screen", bad, trace],
    ]
    for command in commands {
      Self.expectSafe(try Program.run(command), "\(command)")
    }
    let variable = try Program.run(["lint", trace], environment: ["DMATOP_FORMAT": bad])
    Self.expectSafe(variable, "DMATOP_FORMAT")
    Self.expectSafe(
      try Program.run(["lint", trace], environment: ["DMATOP_CONFIG": bad]),
      "DMATOP_CONFIG"
    )
  }

  // MARK: Settings

  /// A clone of somebody's repository brings its `dmatop.toml` along.
  @Test func noSettingOfAProjectGetsThrough() throws {
    let bad = Self.escaped
    let tables = [
      "\"\(bad)\" = 1", "select = [\"\(bad)\"]", "extend-select = [\"\(bad)\"]",
      "ignore = [\"\(bad)\"]", "[severity]\n\"\(bad)\" = \"error\"",
      "[severity]\nDMA003 = \"\(bad)\"", "fail-on = \"\(bad)\"", "leak-minimum = \"\(bad)\"",
      "baseline = \"\(bad)\"", "[[override]]\n\"\(bad)\" = 1",
      "[[override]]\nignore = [\"\(bad)\"]", "[[override]]\nseverity = { \"\(bad)\" = \"off\" }",
      "[[override]]\ndriver = \"\(bad)\"\nseverity = { DMA003 = \"note\" }",
      "[[suppress]]\n\"\(bad)\" = 1", "[[suppress]]\nrule = \"\(bad)\"\nreason = \"x\"",
      "[[suppress]]\nrule = \"DMA003\"\nreason = \"\(bad)\"\ndriver = \"\(bad)\"",
      "[[suppress]]\nrule = \"DMA003\"\nreason = \"x\"\nexpires = \"\(bad)\"",
      "[[suppress]]\nrule = \"DMA003\"\nreason = \"\(bad)\"\nexpires = \"2000-01-01\"",
      "\(Self.hostile) = ", "x = \(Self.hostile)", "\"\(Self.hostile)",
    ]
    let trace = Fixtures.root + "/fixtures/kernel/linux-6.12/bug-unmap-size/trace.txt"
    for table in tables {
      let file = Fixtures.temporary("dmatop.toml", Array(table.utf8))
      let directory = file.dropLast("/dmatop.toml".count)
      for options in ["--show-settings", "-q", "--format sarif"] {
        let result = try Program.shell("cd \(directory) && dmatop lint \(options) \(trace)")
        Self.expectSafe(result, "\(table.debugDescription) \(options)")
      }
    }
    // A key cannot pretend to be a message of its own.
    let forged = Fixtures.temporary("s.toml", Array(#""a\ndmatop: all is well" = 1"#.utf8))
    let result = try Program.run(["lint", "--config", forged, trace])
    #expect(result.errors.split(separator: "\n").count == 1)
    // What is shown can be read again.
    let quoted = Fixtures.temporary("s.toml", Array("baseline = \"\(bad)\"".utf8))
    let shown = try Program.run(["lint", "--config", quoted, "--show-settings"])
    let again = Fixtures.temporary("s.toml", Array(shown.output.utf8))
    let second = try Program.run(["lint", "--config", again, "--show-settings"])
    #expect(second.status == 0, "\(second.errors)")
  }

  @Test func noSettingOfTheMonitorGetsThrough() throws {
    let bad = Self.escaped
    let tables = [
      "\"\(bad)\" = 1", "theme = \"\(bad)\"", "checkpoint_megabytes = \"\(bad)\"",
      "[keys]\n\"\(bad)\" = \"x\"", "[keys]\ntree = \"\(bad)\"", "[keys]\ntree = [\"\\u202e\"]",
      "[keys]\ntree = \"\\u009b\"", "[keys]\npreset = \"\(bad)\"", "[columns]\n\"\(bad)\" = []",
      "[columns]\nmappings = [\"\(bad)\"]", "keys = \"\(bad)\"", "\(Self.hostile) = ",
      "\"\(Self.hostile)",
    ]
    for table in tables {
      let file = Fixtures.temporary("config.toml", Array(table.utf8))
      for options in [["--print-config"], ["sim:nic,duration=1ms"]] {
        let result = try Program.run(["replay", "--config", file] + options)
        Self.expectSafe(result, "\(table.debugDescription) \(options)")
      }
    }
  }

  // MARK: Files

  private static let commands: [[String]] =
    [
      ["log", "--all-errors", "--stacks"], ["log", "-v"], ["lint", "-v"],
      ["lint", "--statistics", "--color", "never"], ["stat"], ["stat", "--format", "json"],
      ["dump"],
      ["dump", "--events"], ["dump", "--buffers"], ["dump", "--format", "json"],
      ["dump", "--format", "csv"], ["dump", "--events", "--format", "csv"],
      ["dump", "--events", "--format", "jsonl"], ["fs", "ls"], ["fs", "cat", "dump"],
      ["fs", "cat", "dma_buf/bufinfo"], ["log", "--at", "marker:nowhere"], ["replay"],
      ["replay", "--view", "errors"], ["replay", "--view", "events"],
      ["replay", "--view", "files"],
    ] + LintCommandTests.formats.map { ["lint", "--format", $0] }

  private static let trace: [UInt8] = {
    let bad = hostile.filter { $0 != "\r" }
    return TraceText.kernel([
      #"driver_probe: (really_probe+0x0/0x2a0) device="\#(bad)" driver="\#(bad)""#,
      "dma_map_page: \(bad) dir=TO_DEVICE dma_addr=1000 size=64 phys_addr=1000 attrs=",
      "<stack trace>\n => \(bad)\n => \(bad)",
      "dma_unmap_page: \(bad) dir=TO_DEVICE dma_addr=1000 size=32 attrs=",
      "dma_map_page: \(bad) dir=TO_DEVICE dma_addr=1000 size=64 phys_addr=1000 attrs=",
      "dma_buf_export: exp_name=\(bad) size=4096 ino=1",
      "dma_map_page: \(bad) dir=\(bad) dma_addr=1000 size=64 phys_addr=1000 attrs=",
      "tracing_mark_write: \(bad)", "tracing_mark_write: dma-api: write driver_filter \(bad)",
    ])
  }()

  @Test func noTraceAndNoNameOfOneGetsThrough() throws {
    let path = Fixtures.temporary(Self.hostile + ".txt", Self.trace)
    for command in Self.commands {
      Self.expectSafe(try Program.run(command + [path]), "\(command)")
      Self.expectSafe(try Program.run(command + [path + "-"]), "\(command)")
    }
    let difference = try Program.run(["diff", path + "@event:2", path])
    Self.expectSafe(difference, "diff")
    #expect(difference.output.contains("\\x1b"))
    for format in ["txt", "jsonl", "csv", "dat", "pftrace", "sqlite"] {
      let output = Fixtures.temporaryDirectory() + "/\(Self.hostile).\(format)"
      Self.expectSafe(try Program.run(["convert", path, "-o", output, "-v"]), format)
    }
    let merged = try Program.run(["lint", "--merge", path, path])
    Self.expectSafe(merged, "--merge")
  }

  @Test func noLogDumpTableBaselineOrScenarioGetsThrough() throws {
    let bad = Self.hostile
    let log = Fixtures.temporary(
      "log",
      Array(
        "[    1.000000] DMA-API: \(bad) \(bad): device driver maps memory from stack [addr=\(bad)]\n"
          .utf8
      )
    )
    let line =
      "\(bad) \(bad) single idx 0 P=1000 N=1 D=1000 L=40 DMA_TO_DEVICE dma map error not checked\n"
    let dump = Fixtures.temporary("dump", Array((line + bad + "\n").utf8))
    for file in [log, dump] {
      for command in Self.commands {
        Self.expectSafe(try Program.run(command + [file]), "\(command) \(file.suffix(4))")
      }
    }
    Self.expectSafe(try Program.run(["diff", dump, dump]), "diff")
    let trace = Fixtures.temporary("t.txt", Self.trace)
    let mixed = try Program.run(["stat", "-v", "--start-dump", dump, trace])
    Self.expectSafe(mixed, "--start-dump")
    for table in ["pci \(bad) \(bad)\n", "\(bad)\n", "pci 0000:00:03.0 alpha \(bad)=\(bad)\n"] {
      let file = Fixtures.temporary("devices", Array(table.utf8))
      Self.expectSafe(try Program.run(["stat", "--devices", file, trace]), "devices")
    }
    for document in [
      bad, #"{"schema": "\#(Self.escaped)", "findings": []}"#,
      #"{"schema": "dmatop.baseline/1", "findings": [{"fingerprint": "\#(Self.escaped)", "#
        + #""count": 1, "rule": "\#(Self.escaped)", "text": "\#(Self.escaped)"}]}"#,
    ] {
      let file = Fixtures.temporary("baseline", Array(document.utf8))
      Self.expectSafe(try Program.run(["lint", "--baseline", file, trace]), "baseline")
    }
    let scenario = try Program.run(["sim", "--print", "nic"]).output
    for text in [
      scenario.split(separator: "\n", maxSplits: 1).map { "\($0)\n" }
        .joined(separator: "title \(bad)\nabout \(bad)\n"),
      "scenario \(bad)\n" + scenario, scenario + "\n\(bad)\n", scenario.replacing("nic", with: bad),
    ] {
      let file = Fixtures.temporary("s.scenario", Array(text.utf8))
      for command in [["sim", file, "--headless", "-v"], ["sim", "--describe", file]] {
        Self.expectSafe(try Program.run(command + ["--duration", "1ms"]), "\(command)")
      }
      Self.expectSafe(try Program.run(["stat", "sim:\(file),duration=1ms"]), "sim:")
    }
  }

  // MARK: Terminals

  /// What a command prints on a terminal, without its CR at line ends.
  private static func onTerminal(_ command: String) throws -> String {
    let script = Fixtures.temporary(
      "terminal.py",
      Array("import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)".utf8)
    )
    let result = try Program.shell("python3 \(script) bash -c '\(command)' </dev/null")
    // The terminal adds a CR, also to a line that ends with one.
    return result.output.split(separator: "\r\n", omittingEmptySubsequences: false)
      .map { $0.last == "\r" ? $0.dropLast() : $0 }.joined(separator: "\n")
  }

  /// Files are written as they are, but not to a terminal.
  @Test func bytesForProgramsAreEscapedOnATerminal() throws {
    let path = Fixtures.temporary("t.txt", Self.trace)
    for command in [
      "convert \(path) -o - --to text", "convert \(path) -o - --to csv --csv-raw",
      "convert \(path) -o - --to dat", "convert \(path) -o /dev/tty --to perfetto",
      "dump --events --format csv --csv-raw \(path)",
      "lint --color never --report text=/dev/tty -q \(path)",
      "sim nic --duration 1ms --record -",
    ] {
      let text = try Self.onTerminal("dmatop \(command)")
      #expect(!text.isEmpty)
      let bad = text.unicodeScalars.filter(Self.isHarmful)
      #expect(bad.isEmpty, "\(command): \(bad.map(\.value))")
    }
  }

  /// The colours of the report and the line of progress are dmatop's own.
  @Test func coloursGetThrough() throws {
    let path = Fixtures.temporary("t.txt", Self.trace)
    let text = try Self.onTerminal("dmatop lint -q \(path)")
    #expect(text.contains("\u{1b}[1;31merror\u{1b}[0m: "))
    let own = ["[1;31m", "[1;33m", "[1;36m", "[2m", "[0m"]
    let parts = text.split(separator: "\u{1b}", omittingEmptySubsequences: false)
    #expect(parts.count > 2)
    for part in parts.dropFirst() {
      let isOwn = own.contains { part.hasPrefix($0) } || part.hasPrefix("[K")
      #expect(isOwn, "\(part.prefix(12).debugDescription)")
    }
    #expect(!text.contains("\u{1b}[31m"))
    #expect(text.contains("\\x1b[31m"))
  }

  // MARK: Sources

  /// Whoever writes to a descriptor goes around the sinks.
  @Test func onlyTheSinksWrite() {
    let sinks = ["BufferedOutput.swift", "OutputFile.swift", "TemporaryFile.swift"]
    func files(_ directory: String) -> [String] {
      Fixtures.list(directory).flatMap { name -> [String] in
        name.hasSuffix(".swift")
          ? [directory + "/" + name]
          : name.contains(".") ? [] : files(directory + "/" + name)
      }
    }
    let sources = files(Fixtures.root + "/Sources").filter {
      // The screen of the monitor has cells, each of which is one character that was looked at.
      !$0.contains("/TerminalKit/") && !sinks.contains(String($0.split(separator: "/").last ?? ""))
    }
    #expect(sources.count > 200)
    for file in sources {
      let text = Fixtures.text(file) ?? ""
      for word in ["Glibc.write(", "fputs(", "fwrite(", "STDERR_FILENO", "Swift.print(", "fdopen("]
      {
        #expect(!text.contains(word), "\(file) has \(word)")
      }
    }
  }
}
