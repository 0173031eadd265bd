// SPDX-License-Identifier: MIT
import DMATrace
import Glibc
import TestSupport
import Testing

/// `dmatop convert`
@Suite struct ConvertTests {
  /// Captures with every kind of event, and simulations with everything done wrong.
  private static let traces =
    [
      "linux-6.12/bug-coherent-cpu-address", "linux-6.12/bug-sg-segment", "linux-6.12/hashed-fuzz",
      "linux-6.12/real-nvme-stack", "linux-6.12/real-swiotlb", "linux-6.12/perf-nvme",
      "linux-7.3/fuzz-01", "linux-7.3/iommu-fuzz-01",
      "linux-7.3/bug-leak-on-unbind",
    ].map { "fixtures/kernel/\($0)/trace.txt" } + [
      "sim:nic,duration=5ms,fault=all@once", "sim:usb,duration=5ms,fault=all@once",
      "sim:audio,duration=20ms",
    ]

  /// All that tells one event from another.
  private static let fields = [
    "time_ns", "cpu", "pid", "kind", "device", "dir", "dma_addr", "size", "phys_addr",
    "cpu_addr", "attrs", "sg_nents", "sg_ents", "driver", "action", "text",
  ].joined(separator: ",")

  private static func devices(_ trace: String) -> [String] {
    let table = trace.replacing("trace.txt", with: "devices.txt")
    return Fixtures.text(Fixtures.root + "/" + table) == nil ? [] : ["--devices", table]
  }

  private static func run(_ arguments: [String]) throws -> String {
    let result = try Program.run(arguments)
    #expect(result.status < 2, "\(arguments): \(result.errors)")
    return result.output
  }

  /// Rows of the events of which more than the kind is known.
  private static func events(_ trace: String, tasks: Bool = true) throws -> [String] {
    let fields = fields + (tasks ? ",task" : "")
    return try run(["dump", "--events", trace, "--format", "csv", "--fields", fields])
      .split(separator: "\r\n").map(String.init).filter { !$0.contains(",other,") }
  }

  /// What dmatop says of a trace, without what is not about the events: paths and lines.
  private static func verdict(_ trace: String, _ devices: [String]) throws -> [String] {
    let log = try run(["log", "--all-errors", "--stacks", trace] + devices)
    let dump = try run(["fs", "cat", "dump", trace] + devices)
    let lint = try run(["lint", "--isolated", "-q", "--format", "concise", trace] + devices)
      .split(separator: "\n").map { line in
        // PATH:LINE: TEXT, other lines named in the text.
        var words = line.drop { $0 != " " }.split(separator: " ").map(String.init)
        for index in words.indices.dropFirst() where words[index - 1].hasSuffix("line") {
          words[index] = "N"
        }
        return words.joined(separator: " ")
      }
    return [log, dump] + lint
  }

  // MARK: Several captures

  /// What comes from the events alone has those of all captures.
  @Test(arguments: ["text", "dat", "jsonl", "csv"])
  func capturesBesideItAreConvertedToo(_ format: String) throws {
    let directory = Fixtures.temporaryDirectory()
    let trace = "fixtures/kernel/linux-7.3/bug-leak-on-unbind/trace.txt"
    let other = "fixtures/kernel/linux-7.3/fuzz-01/trace.txt"
    func size(_ more: [String]) throws -> Int {
      let path = "\(directory)/\(more.count)"
      _ = try Self.run(["convert", trace, "--to", format, "-o", path] + more)
      return try #require(Fixtures.bytes(path)).count
    }
    #expect(try size([]) * 2 < size(["--with", other]))
    let cut = directory + "/cut.gz"
    _ = try Program.shell("gzip -c \(other) | head -c 3000 >\(cut)")
    let damaged = try Program.run(
      ["convert", trace, "--with", cut, "--to", format, "-o", directory + "/out"]
    )
    #expect(damaged.status == 2)
    #expect(damaged.errors.contains("cut.gz"))
  }

  // MARK: Text

  @Test(arguments: traces)
  func textReadsBackEqual(_ trace: String) throws {
    let path = Fixtures.temporaryDirectory() + "/t.txt"
    _ = try Self.run(["convert", trace, "-o", path])
    let devices = Self.devices(trace)
    #expect(try Self.events(path) == Self.events(trace))
    #expect(try Self.verdict(path, devices) == Self.verdict(trace, devices))
    // And once more: now the bytes are the same, but for GFP flags, which only simulations tell.
    let again = Fixtures.temporaryDirectory() + "/t.txt"
    _ = try Self.run(["convert", path, "-o", again])
    guard !trace.hasPrefix("sim:") else { return }
    #expect(Fixtures.bytes(again) == Fixtures.bytes(path))
  }

  @Test func lossesAndOtherClocksStay() throws {
    let lines = [
      "# tracer: nop",
      "            test-1       [001] .....            7: dma_map_phys:"
        + " 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 attrs=",
      "CPU:1 [LOST 42 EVENTS]", "CPU:0 [LOST EVENTS]",
      "            test-1       [001] ..... 123456789012: dma_unmap_phys:"
        + " 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
    ]
    let source = Fixtures.temporary("s.txt", Array((lines.joined(separator: "\n") + "\n").utf8))
    let path = Fixtures.temporaryDirectory() + "/t.txt"
    _ = try Self.run(["convert", source, "-o", path])
    #expect(try Self.events(path) == Self.events(source))
    let stat = try Self.run(["stat", "--format", "json", path])
    #expect(stat.contains("43"), "the losses: 42, and one of unknown size")
  }

  /// Prefixes without a thread, a CPU or anything.
  @Test func whoIsUnknownStaysUnknown() throws {
    let map =
      "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 attrs="
    let lines = [
      "# tracer: nop", map, "     1.332513: \(map)", "     [002] .....     1.332514: \(map)",
      "            test     1.332515: \(map)",
      "            test-1       [001] .....     1.332516: \(map)",
      "           <...>-77      [001] .....     1.332517: \(map)",
    ]
    let source = Fixtures.temporary("s.txt", Array((lines.joined(separator: "\n") + "\n").utf8))
    let path = Fixtures.temporaryDirectory() + "/t.txt"
    _ = try Self.run(["convert", source, "-o", path])
    let events = try Self.events(source)
    #expect(events.count == lines.count)
    #expect(try Self.events(path) == events)
  }

  // MARK: trace.dat

  /// What `trace-cmd report` prints of a conversion; `nil` without trace-cmd.
  private static func report(_ trace: String) throws -> String? {
    guard try Program.shell("command -v trace-cmd").status == 0 else { return nil }
    let directory = Fixtures.temporaryDirectory()
    _ = try run(["convert", trace, "-o", directory + "/t.dat"])
    let result = try Program.shell("trace-cmd report -t -i \(directory)/t.dat")
    #expect(result.status == 0)
    #expect(!result.errors.contains("rror"), "\(result.errors.prefix(400))")
    return Fixtures.temporary("report.txt", Array(result.output.utf8))
  }

  private static let hasTraceCmd =
    (try? Program.shell("command -v trace-cmd"))?.status == 0

  @Test(.enabled(if: hasTraceCmd, "trace-cmd is not installed"), arguments: traces)
  func traceCmdReadsTheSameEventsInTheSameOrder(_ trace: String) throws {
    let report = try #require(try Self.report(trace))
    func normal(_ rows: [String]) -> [String] {
      // Nanoseconds that keep the order of CPUs.
      rows.map { row in
        let time = row.prefix { $0 != "," }
        return String(time.dropLast(3)) + String(row.dropFirst(time.count))
      }
    }
    // A thread has one name in a trace.dat, that which it had last.
    let source = try Self.normalLosses(Self.events(trace, tasks: false))
    let found = try Self.normalLosses(Self.events(report, tasks: false))
    #expect(normal(found) == normal(source))
    #expect(source.count > 1)
  }

  /// A report has losses where it likes.
  private static func normalLosses(_ rows: [String]) -> [String] {
    rows.filter { !$0.contains(",lost,") }
  }

  @Test(.enabled(if: hasTraceCmd, "trace-cmd is not installed"))
  func traceCmdFindsStacksAndTasks() throws {
    let report = try #require(
      try Self.report("fixtures/kernel/linux-6.12/real-nvme-stack/trace.txt")
    )
    let text = Fixtures.text(report) ?? ""
    #expect(text.contains("=> dma_map_page_attrs ("))
    #expect(text.contains("=> entry_SYSCALL_64_after_hwframe ("))
    #expect(text.contains("caller=debug_dma_map_page+0x4f"))
    #expect(text.contains("caller=run_line+0x357"))
    #expect(text.contains("kworker/u8:0-10"))
  }

  @Test(.enabled(if: hasTraceCmd, "trace-cmd is not installed"))
  func traceCmdReadsLongListsAndLosses() throws {
    func list(_ count: Int) -> String {
      "{" + (0..<count).map { "0x" + String(0x1000 * ($0 + 1), radix: 16) }.joined(separator: ",")
        + "}"
    }
    let map = "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE"
    let source = Fixtures.temporary(
      "s.txt",
      TraceText.kernel([
        TraceText.probe,
        "\(map) dma_addrs=\(list(1500)) sizes=\(list(1500)) phys_addrs=\(list(1500)) attrs=",
        "dma_unmap_sg: 0000:00:03.0 dir=TO_DEVICE phys_addrs=\(list(1500)) attrs=",
        "\(map) nents=1/200 ents=1/200 [TRUNCATED] dma_addrs={0x1000} sizes={0x1000}"
          + " phys_addrs={0x1000} attrs=SKIP_CPU_SYNC|MMIO",
      ]) + Array("CPU:0 [LOST 42 EVENTS]\n".utf8)
        + TraceText.kernel([
          "dma_sync_single_for_cpu: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=4096"
        ])
    )
    let report = try #require(try Self.report(source))
    let isRaw = Fixtures.text(report)?.contains("FAILED TO PARSE") == true
    let cut = isRaw ? "full_ents=200 truncated=1" : "nents=1/200 ents=1/200 [TRUNCATED] dma_"
    #expect(Fixtures.text(report)?.contains(cut) == true)
    #expect(Fixtures.text(report)?.contains("CPU:0 [42 EVENTS DROPPED]") == true)
    let events = try Self.normalLosses(Self.events(report))
    #expect(events.count == 6)
    #expect(events.contains { $0.contains(",dma_map_sg,") && $0.contains(",1500,1500,") })
    #expect(events.contains { $0.contains(",dma_unmap_sg,") && $0.contains(",1500,") })
  }

  // MARK: Rows

  @Test(arguments: ["jsonl", "csv"])
  func rowsAreThoseOfDump(_ format: String) throws {
    for trace in Self.traces {
      let path = Fixtures.temporaryDirectory() + "/t." + format
      _ = try Self.run(["convert", trace, "-o", path])
      let dump = try Self.run(["dump", "--events", "--format", format, trace])
      #expect(Fixtures.text(path) == dump)
      let few = ["--fields", "event,driver,caller,cpu_addr,line,text"]
      #expect(
        try Self.run(["convert", trace, "-o", "-", "--to", format] + few)
          == Self.run(["dump", "--events", "--format", format, trace] + few)
      )
    }
  }

  // MARK: Names that nobody should have

  private static let hostile: [UInt8] = {
    let names: [[UInt8]] = [
      Array("a\u{1b}[31mb".utf8), Array("quote\"'`,;".utf8), Array("back\\slash".utf8),
      [0x62, 0xff, 0xfe, 0x63], Array("u\u{202e}x".utf8), [0x64, 0x0d, 0x65], [0x66, 0x00, 0x67],
      Array("tab\there".utf8), Array(repeating: 0x78, count: 5000),
    ]
    var text: [UInt8] = Array("# tracer: nop\n".utf8)
    for (index, name) in names.enumerated() {
      let time = "  [000] .....     1.00000\(index): "
      let map = " dir=TO_DEVICE dma_addr=\(index + 1)000 size=256 phys_addr=1000 attrs=\n"
      text += Array("      ".utf8) + name.prefix(15) + Array("-1  \(time)".utf8)
      text += Array("dma_map_phys: ".utf8) + name + Array(map.utf8)
      text += Array("            test-1  \(time)tracing_mark_write: ".utf8) + name + [0x0a]
      text += Array("            test-1  \(time)driver_probe: (really_probe+0x0/0x2a0)".utf8)
      text += Array(" device=\"".utf8) + name + Array("\" driver=\"".utf8) + name + [0x22, 0x0a]
      text += Array("            test-1  \(time)<stack trace>\n => ".utf8) + name + [0x0a]
    }
    return text
  }()

  @Test(arguments: ["txt", "dat", "jsonl", "csv", "pftrace", "sqlite"])
  func hostileNamesDoNoHarm(_ format: String) throws {
    let source = Fixtures.temporary("s.txt", Self.hostile)
    let path = Fixtures.temporaryDirectory() + "/t." + format
    let result = try Program.run(["convert", source, "-o", path])
    #expect(result.status == 0, "\(result.errors)")
    #expect(!result.errors.utf8.contains(0x1b))
    let bytes = try #require(Fixtures.bytes(path))
    switch format {
    case "txt":
      #expect(!bytes.contains { $0 < 0x20 && $0 != 0x0a && $0 != 0x09 })
      #expect(try Self.events(path).count == Self.events(source).count)
    case "jsonl", "csv":
      #expect(!bytes.contains { $0 < 0x20 && $0 != 0x0a && $0 != 0x0d })
      #expect(String(validating: bytes, as: UTF8.self) != nil)
    case "pftrace":
      let trace = try #require(ProtobufFields(bytes))
      #expect(trace.messages(1).count == trace.all(1).count)
    case "sqlite":
      let database = try SQLiteDatabase(path: path)
      let rows = try ["event_list", "mapping_list", "findings", "symbols"].flatMap { table in
        try SQLTests.rows(database, "SELECT * FROM \(table)").joined()
      }
      #expect(rows.count > 100)
      #expect(!rows.contains { $0.utf8.contains { $0 < 0x20 || $0 == 0x7f } })
    default:
      guard Self.hasTraceCmd else { return }
      let report = try Program.shell("trace-cmd report -i \(path)")
      #expect(report.status == 0)
      #expect(!report.output.utf8.contains { $0 < 0x20 && $0 != 0x0a && $0 != 0x09 })
    }
  }

  // MARK: Files

  @Test(arguments: ["text", "dat", "jsonl", "csv", "perfetto", "sqlite"])
  func aTraceWithoutEventsIsOne(_ format: String) throws {
    let source = Fixtures.temporary("s.txt", Array("# tracer: nop\n#\n".utf8))
    let path = Fixtures.temporaryDirectory() + "/t"
    let result = try Program.run(["convert", source, "-o", path, "--to", format])
    #expect(result.status == 0)
    #expect(result.errors.contains("without dma events"))
    if format == "dat", Self.hasTraceCmd {
      #expect(try Program.shell("trace-cmd report -i \(path)").status == 0)
    }
    if format == "text" { #expect(try Self.events(path).count == 1) }
    // An empty file is none.
    let empty = Fixtures.temporary("e.txt", [])
    #expect(try Program.run(["convert", empty, "-o", path + "2", "--to", format]).status == 2)
    #expect(Fixtures.bytes(path + "2") == nil)
  }

  @Test(arguments: ["text", "dat", "jsonl", "csv", "perfetto", "sqlite"])
  func whatCannotBeWrittenIsAnError(_ format: String) throws {
    let trace = "fixtures/kernel/linux-6.12/clean-sg/trace.txt"
    func fails(_ output: String, _ word: String) throws {
      let result = try Program.run(["convert", trace, "-o", output, "--to", format])
      #expect(result.status == 2)
      #expect(result.errors.contains(word), "\(result.errors)")
    }
    try fails("/nowhere/at/all/t", "No such file or directory")
    try fails("/dev/full", format == "sqlite" ? "a file of its own" : "No space left on device")
    try fails(Fixtures.temporaryDirectory(), "directory")
    // A link to the source is the source.
    let directory = Fixtures.temporaryDirectory()
    let source = Fixtures.temporary("s.txt", Fixtures.bytes(Fixtures.root + "/" + trace) ?? [])
    symlink(source, directory + "/link")
    let before = Fixtures.bytes(source)
    for output in [source, directory + "/link"] {
      let result = try Program.run(["convert", source, "-o", output, "--to", format])
      #expect(result.status == 2)
      #expect(result.errors.contains("is what is read"))
    }
    #expect(Fixtures.bytes(source) == before)
  }

  @Test(arguments: ["text", "dat", "jsonl", "csv", "perfetto", "sqlite"])
  func nothingIsLeftOfWhatFailed(_ format: String) throws {
    let directory = Fixtures.temporaryDirectory()
    let broken = Fixtures.temporary("b.txt", Array("no trace at all\n".utf8))
    let old = directory + "/t"
    _ = try Program.shell("echo old >\(old)")
    let result = try Program.run(["convert", broken, "-o", old, "--to", format])
    #expect(result.status == 2)
    #expect(Fixtures.list(directory) == ["t"])
    #expect(Fixtures.text(old) == "old\n")
    // Ended in the middle: the trace comes from a pipe that stays open. What came is completed.
    let ended = try Program.shell(
      "(cat fixtures/kernel/linux-6.12/clean-sg/trace.txt; sleep 3) | "
        + "timeout -s TERM 1 dmatop convert - -o \(old) --to \(format)"
    )
    #expect(ended.status == 124)
    #expect(Fixtures.list(directory) == ["t"])
    let new = directory + "/u"
    _ = try Program.run(
      [
        "convert", "fixtures/kernel/linux-6.12/clean-sg/trace.txt", "-o", new, "--to", format,
      ]
    )
    // The database says where it comes from.
    #expect(format == "sqlite" || Fixtures.bytes(old) == Fixtures.bytes(new))
  }

  @Test(arguments: ["text", "dat", "jsonl", "csv", "perfetto"])
  func whoReadsMayStop(_ format: String) throws {
    let result = try Program.shell(
      "dmatop convert sim:nic,duration=50ms -o - --to \(format) | head -c 100 | wc -c"
    )
    #expect(result.output.contains("100"))
    #expect(result.errors == "")
  }

  @Test func theFormatComesFromTheName() throws {
    let directory = Fixtures.temporaryDirectory()
    let trace = "fixtures/kernel/linux-6.12/clean-sg/trace.txt"
    let beginnings: [(String, [UInt8])] = [
      ("t.txt", Array("# tracer".utf8)), ("t.trace", Array("# tracer".utf8)),
      ("t.dat", [0x17, 0x08, 0x44]), ("t.jsonl", Array("{\"event\":1".utf8)),
      ("t.csv", Array("event,".utf8)), ("t.pftrace", [0x0a]), ("t.perfetto-trace", [0x0a]),
      ("t.sqlite", Array("SQLite format 3".utf8)), ("t.db", Array("SQLite format 3".utf8)),
    ]
    for (name, beginning) in beginnings {
      _ = try Self.run(["convert", trace, "-o", directory + "/" + name])
      #expect(Fixtures.bytes(directory + "/" + name)?.starts(with: beginning) == true, "\(name)")
    }
    for name in ["t.pdf", "t", "-"] {
      let result = try Program.run(["convert", trace, "-o", name])
      #expect(result.status == 2)
      #expect(result.errors.contains("does not tell the format"))
    }
    // Who else may read it is as with any other file.
    let mode = try Program.shell(
      "umask 027; dmatop convert \(trace) -o \(directory)/m.txt; stat -c %a \(directory)/m.txt"
    )
    #expect(mode.output == "640\n")
  }

  @Test("hashed pointers survive", arguments: ["hashed-fuzz", "hashed-coherent"])
  func hashedPointers(_ name: String) throws {
    let trace = "fixtures/kernel/linux-7.3/\(name)/trace.txt"
    let path = Fixtures.temporaryDirectory() + "/t.dat"
    _ = try Self.run(["convert", trace, "-o", path])
    for command in [["log", "--all-errors"], ["fs", "cat", "dma-api/dump"]] {
      let have = try Program.run(command + ["--kernel", "7.3", path]).output
      let want = try Program.run(command + ["--kernel", "7.3", trace]).output
      #expect(have == want)
      #expect(!want.isEmpty)
    }
  }

  @Test("dma-bufs and fences are in a trace.dat")
  func sharing() throws {
    let trace = "fixtures/kernel/linux-7.3/dmabuf-bugs/trace.txt"
    let path = Fixtures.temporaryDirectory() + "/t.dat"
    _ = try Self.run(["convert", trace, "-o", path])
    let command = ["fs", "cat", "dma_buf/bufinfo", "--kernel", "7.3", "--at", "snapshot:2"]
    #expect(try Program.run(command + [path]).output == Program.run(command + [trace]).output)
  }
}
