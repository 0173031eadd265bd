// SPDX-License-Identifier: MIT
import TestSupport
import Testing

/// The table of exit statuses in README.md: it holds for every command.
@Suite struct ExitStatusTests {
  /// Every command that takes a trace, ready for its path.
  private static let commands: [[String]] = [
    ["log"], ["stat"], ["dump"], ["dump", "--events"], ["dump", "--buffers"], ["lint", "-q"],
    ["lint", "--exit-zero"], ["fs", "ls"], ["fs", "cat", "dma-api/dump"],
    ["fs", "write", "dma-api/num_errors", "5"], ["fs", "export", "DIR"],
    ["replay", "--snapshot-screen", "20x5"], ["replay", "--snapshot-screen", "100x30"],
    ["convert", "-o", "DIR/x.txt"], ["convert", "-o", "DIR/x.dat"],
    ["convert", "-o", "DIR/x.jsonl"],
    ["convert", "-o", "DIR/x.csv"], ["convert", "-o", "DIR/x.pftrace"],
    ["convert", "-o", "DIR/x.sqlite"], ["diff", "SAME"],
  ]

  private static func bytes(_ name: String) -> [UInt8] {
    Fixtures.bytes(Fixtures.root + "/fixtures/" + name) ?? []
  }

  private static let text = "kernel/linux-7.3/clean-sg/trace.txt"

  private static func run(
    _ command: [String],
    _ path: String,
    _ options: [String] = []
  ) throws -> Program.Result {
    let directory = Fixtures.temporaryDirectory()
    var words = command.map { word in
      word == "SAME" ? path : word.hasPrefix("DIR") ? directory + word.dropFirst(3) : word
    }
    words += options + [path]
    return try Program.run(words)
  }

  /// Runs all commands on an input.
  private static func expect(
    _ status: Int32,
    _ input: String,
    says: String? = nil,
    _ options: [String] = []
  ) throws {
    for command in commands {
      let result = try run(command, input, options)
      #expect(result.status == status, "\(command) \(input) \(options): \(result.errors)")
      if let says { #expect(result.errors.contains(says), "\(command): \(result.errors)") }
    }
  }

  @Test func wholeCapturesAreNoDamage() throws {
    try Self.expect(0, Fixtures.root + "/fixtures/" + Self.text)
    try Self.expect(0, Fixtures.root + "/fixtures/formats/synth-perf.data")
  }

  @Test func damageIsSaidAndTwo() throws {
    let dat = Self.bytes("formats/synth-v6.dat")
    let gzip = Self.packed(Self.text)
    for (name, bytes) in [
      ("cut.dat", Array(dat.dropLast(4000))), ("before-a-cpu.dat", Array(dat[..<20_000])),
      ("cut.gz", Array(gzip.dropLast(40))),
      ("cut.data", Array(Self.bytes("formats/synth-perf-pipe.data").dropLast(100))),
    ] {
      try Self.expect(2, Fixtures.temporary(name, bytes), says: name + ": damaged, read in part: ")
    }
  }

  /// A fixture as gzip packs it.
  private static func packed(_ name: String) -> [UInt8] {
    let path = Fixtures.temporaryDirectory() + "/x.gz"
    _ = try? Program.shell("gzip -c fixtures/\(name) >\(path)")
    return Fixtures.bytes(path) ?? []
  }

  @Test func aShareOfATextMayBeBroken() throws {
    let lines = Fixtures.lines(Fixtures.root + "/fixtures/" + Self.text)
    var count = 0
    let broken = lines.map { line -> String in
      guard line.contains(": dma_"), count < 3 else { return line }
      count += 1
      return String(line.prefix(80))
    }
    #expect(count == 3)
    let path = Fixtures.temporary("broken.txt", Array((broken.joined(separator: "\n") + "\n").utf8))
    try Self.expect(2, path, says: "3 of ")
    let lenient = try Self.run(["stat"], path, ["--max-malformed", "90"])
    #expect(lenient.status == 0)
    #expect(try Self.run(["stat"], path, ["--max-malformed", "101"]).status == 2)
    let prose = lines.map { $0 + "\nprose between the lines\n" }.joined()
    try Self.expect(0, Fixtures.temporary("prose.txt", Array(prose.utf8)))
  }

  @Test func inputsThatAreNoneAreRefused() throws {
    let random = (0..<4000).map { UInt8(truncatingIfNeeded: $0 &* 7919 >> 3) }
    for (name, bytes) in [
      ("empty", []), ("random", [1, 2, 0, 3] + random), ("prose.md", Array("only words\n".utf8)),
      ("wide.txt", [0xff, 0xfe] + Array("a\0b\0".utf8)),
    ] {
      let path = Fixtures.temporary(name, bytes)
      for command in Self.commands {
        let result = try Self.run(command, path)
        // An empty file is also a dump of a machine that has nothing mapped.
        let isDump = name == "empty" && command.first == "diff"
        #expect(result.status == (isDump ? 0 : 2), "\(command) \(name): \(result.errors)")
        #expect(isDump || !result.errors.isEmpty)
      }
    }
    try Self.expect(2, "/no/such/file", says: "/no/such/file: no such file")
  }

  @Test func whatStandsBesideATraceHasToBeRight() throws {
    let trace = Fixtures.root + "/fixtures/" + Self.text
    let log = Fixtures.root + "/fixtures/logs/linux-7.3-bug-unmap-function.txt"
    for garbage in [trace, log, Fixtures.temporary("words", Array("<a> b\n".utf8))] {
      for option in ["--start-dump", "--devices"] {
        if garbage == log { try Self.expect(2, trace, [option, garbage]) }
        #expect(try Self.run(["log"], trace, [option, garbage]).status == 2)
        for command in [["log"], ["stat"], ["lint", "-q"]] {
          #expect(try Self.run(command, log, [option, garbage]).status == 2)
        }
      }
    }
    let others = Fixtures.temporary("devices.txt", Array("pci 0000:ff:1f.7 other\n".utf8))
    let result = try Self.run(["log"], trace, ["--devices", others])
    #expect(result.status == 0)
    #expect(result.errors.contains("devices.txt: none of its devices is in the trace"))
    let screen = try Self.run(
      ["replay", "--snapshot-screen", "80x9"],
      trace,
      ["--devices", others]
    )
    #expect(screen.errors.contains("none of its devices is in the trace"))
    let table = String(trace.dropLast("trace.txt".count)) + "devices.txt"
    #expect(
      try !Self.run(["log"], trace, ["--devices", table]).errors.contains("none of its devices")
    )
  }

  @Test func damagedLogsAndDumpsGiveWhatCanBeRead() throws {
    for (name, commands) in [
      ("logs/linux-7.3-bug-unmap-function.txt", [["log"], ["stat"], ["lint", "-q"]]),
      (
        "dumps/linux-6.1-bug-map-error-unchecked-mid",
        [["stat"], ["lint"], ["dump"], ["replay", "--snapshot-screen", "80x9"], ["diff", "SAME"]]
      ),
    ] {
      let whole = Self.packed(name)
      let path = Fixtures.temporary("cut.gz", Array(whole.prefix(whole.count * 2 / 3)))
      for command in commands {
        let result = try Self.run(command, path)
        #expect(result.status == 2 && !result.output.isEmpty, "\(command) \(name)")
        #expect(result.errors.contains("damaged, read in part: "), "\(result.errors)")
      }
    }
  }

  @Test func findingsAndDifferences() throws {
    let bug = Fixtures.root + "/fixtures/kernel/linux-7.3/bug-unmap-size/"
    #expect(try Program.run(["lint", bug + "trace.txt"]).status == 1)
    #expect(try Program.run(["lint", "--exit-zero", bug + "trace.txt"]).status == 0)
    #expect(try Program.run(["lint", "--fail-on", "never", bug + "trace.txt"]).status == 0)
    let dump = KernelCase.named("7.3", "bug-unmap-size").path("start", "dump")
    #expect(try Program.run(["diff", dump, bug + "trace.txt@event:0"]).status == 1)
    // Damage goes before findings.
    let packed = Self.packed("kernel/linux-7.3/bug-unmap-size/trace.txt")
    let cut = Fixtures.temporary("cut.gz", Array(packed.dropLast(40)))
    #expect(try Program.run(["lint", cut]).status == 2)
    #expect(try Program.run(["lint", "--exit-zero", cut]).status == 2)
    let baseline = Fixtures.temporaryDirectory() + "/baseline.json"
    #expect(try Program.run(["lint", "--write-baseline", baseline, cut]).status == 2)
  }

  @Test func commandsWithoutATrace() throws {
    for command in [
      ["rules"], ["explain", "DMA003"], ["sim", "--list"], ["--help"], ["--version"],
    ] {
      #expect(try Program.run(command).status == 0, "\(command)")
    }
    for command in [
      ["explain", "XYZ"], ["sim", "no-such-scenario"], ["nonsense", "x"], ["stat"],
    ] {
      #expect(try Program.run(command).status == 2, "\(command)")
    }
  }

  @Test func temporaryFilesAreBounded() throws {
    let packed = Self.packed("formats/synth-v6.dat")
    let path = Fixtures.temporary("x.gz", packed)
    let result = try Self.run(["stat"], path, ["--spool-limit", "16k"])
    #expect(result.status == 2)
    #expect(
      result.errors.contains("x.gz: needs more than 16 KiB of temporary files")
        && result.errors.contains("--spool-limit")
    )
    #expect(try Self.run(["stat"], path, ["--spool-limit", "1M"]).status == 0)
    let pages = try Program.run(
      [
        "convert", "--spool-limit", "1k", "-o", Fixtures.temporaryDirectory() + "/x.dat",
        "sim:nvme",
      ]
    )
    #expect(pages.status == 2 && pages.errors.contains("1 KiB of temporary files"))
  }
}
