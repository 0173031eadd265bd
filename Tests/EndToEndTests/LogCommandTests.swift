// SPDX-License-Identifier: MIT
import DMADebugCore
import DMALint
import DMAReplay
import DMATrace
import TestSupport
import Testing

@testable import DMAExport
@testable import DMAMonitor
@testable import dmatop

/// Kernel logs and saved dumps on the command line.
@Suite struct LogCommandTests {
  private static let logs = "fixtures/logs"
  private static let kernels = "fixtures/kernel"

  // MARK: log, stat

  @Test func logPrintsTheLinesOfTheNewestForm() throws {
    let path = "\(Self.logs)/linux-6.1-bug-unmap-function"
    let result = try Program.run(["log", path + ".txt"])
    #expect(result.status == 0)
    let want = try #require(Fixtures.text("\(Fixtures.root)/\(path).log.txt"))
    // The kernel's own spelling.
    #expect(result.output == want.split(separator: "scather").joined(separator: "scatter"))
    let stacks = try Program.run(["log", "--stacks", path + ".txt"])
    #expect(stacks.output.contains("DMA-API: Mapped at:\n debug_dma_map_page+0x5a/0x110\n"))
    let at = try Program.run(["log", "--at", "event:3", path + ".txt"])
    #expect(at.status == 2 && at.errors.contains("is a kernel log"))
    // What it prints is a log again, and the same one.
    let again = try Program.run(["log", "-"], input: Array(result.output.utf8))
    #expect(again.output == result.output)
  }

  /// What the kernel said of a run and what dmatop says of its trace are the same lines.
  @Test func aLogAndItsTraceAreEqual() throws {
    let directory = "\(Self.kernels)/linux-6.12/bug-sync-direction"
    let log = try Program.run(["log", "\(Self.logs)/linux-6.12-bug-sync-direction.txt"])
    let trace = try Program.run([
      "log", "--devices", directory + "/devices.txt", directory + "/trace.txt",
    ])
    #expect(log.output == trace.output)
    #expect(log.output.split(separator: "\n").count == 12)
  }

  @Test func statCountsByRuleAndDevice() throws {
    let path = "\(Self.logs)/linux-6.12-bug-sync-direction.txt"
    let text = try Program.run(["stat", path])
    #expect(text.status == 0)
    #expect(text.output.contains("kernel    6.12.117-dmatest\n"))
    #expect(text.output.contains("    6  DMA012  sync-direction "))
    #expect(
      text.output.contains("dmax_edu  0000:00:03.0     10  DMA012 x6, DMA013 x2, DMA014 x2\n")
    )
    let json = try Program.shell(
      "dmatop stat --format json \(path) | python3 -m json.tool --compact"
    )
    #expect(json.status == 0)
    #expect(json.output.contains(#""schema":"dmatop.logstat/1""#))
    #expect(json.output.contains(#"{"rule":"DMA012","name":"sync-direction","count":6}"#))
  }

  // MARK: lint

  @Test func lintKnowsLogsByTheirContent() throws {
    let path = "\(Self.logs)/linux-7.3-bug-unmap-function.txt"
    let result = try Program.run(["lint", path])
    #expect(result.status == 1)
    #expect(result.output.contains("error: dmax_edu 0000:00:03.0: device driver frees DMA memory"))
    #expect(result.output.contains(" by init-1 on CPU 0 in run_line+0x"))
    #expect(result.output.contains("    mapped in run_line+0x"))
    #expect(result.output.contains("see: dmatop explain DMA004\n"))
    #expect(result.output.contains("in 1 log (7 events, 0 lost, 0 undecided)\n"))
    // A directory of both, and standard input.
    let mixed = try Program.shell(
      "d=$(mktemp -d) && cp \(path) \(Self.kernels)/linux-7.3/bug-unmap-size/trace.txt $d"
        + " && dmatop lint --format concise $d; s=$?; rm -r $d; exit $s"
    )
    #expect(mixed.status == 1)
    #expect(mixed.errors.contains(" in 1 trace, 1 log ("))
    let bytes = try #require(Fixtures.bytes("\(Fixtures.root)/\(path)"))
    let piped = try Program.run(["lint", "--stdin-name", "x.log", "-"], input: bytes)
    #expect(piped.status == 1 && piped.output.contains("x.log:"))
  }

  @Test(arguments: ReportFormat.allCases)
  func everyFormatTakesALog(_ format: ReportFormat) throws {
    let path = "\(Self.logs)/linux-6.12-bug-leak-on-unbind.txt"
    let result = try Program.run(["lint", "--format", format.rawValue, path])
    #expect(result.status == 1)
    #expect(!result.output.isEmpty)
    if [.json, .sarif, .gitlab].contains(format) {
      let checked = try Program.shell(
        "dmatop lint --format \(format.rawValue) \(path) | python3 -m json.tool >/dev/null"
      )
      #expect(checked.status == 0)
    }
  }

  @Test func baselinesAndRulesTakeALog() throws {
    let path = "\(Self.logs)/linux-6.12-bug-leak-on-unbind.txt"
    let directory = Fixtures.temporaryDirectory()
    let baseline = directory + "/baseline.json"
    #expect(try Program.run(["lint", "--write-baseline", baseline, path]).status == 0)
    #expect(try Program.run(["lint", "--baseline", baseline, path]).status == 0)
    #expect(try Program.run(["lint", "--ignore", "DMA019", path]).status == 0)
    let strict = try Program.run([
      "lint", "--baseline", baseline, "--strict-baseline",
      "\(Self.logs)/linux-7.3-bug-unmap-function.txt",
    ])
    #expect(strict.status == 1)
  }

  /// One mistake that is made again and again is one finding.
  @Test func repeatsAreOneFinding() throws {
    var log = "[    0.500000] DMA-API: debugging enabled by kernel config\n"
    for turn in 0..<1000 {
      let time = "[    1.\(String(100_000 + turn))]"
      log += "\(time) ------------[ cut here ]------------\n"
      log +=
        "\(time) DMA-API: alpha 0000:00:03.0: device driver tries to free DMA memory it has not"
      log += " allocated [device address=0x00000000000\(10_000 + turn)] [size=8 bytes]\n"
      log += "\(time) Call Trace:\n\(time)  debug_dma_unmap_page+0x5b/0x60\n"
      log += "\(time)  \(turn % 2 == 0 ? "even" : "odd")+0x1/0x20\n"
      log += "\(time) ---[ end trace 0000000000000000 ]---\n"
    }
    let result = try Program.run(["lint", "--format", "jsonl", "-"], input: Array(log.utf8))
    let lines = result.output.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines.allSatisfy { $0.contains(#""count":500"#) && $0.contains("DMA002") })
    #expect(lines.map { $0.contains(#""site":"even+0x1/0x20""#) } == [true, false])
  }

  @Test func faultsAndBounceBuffers() throws {
    let log = """
      [    0.500000] DMA-API: debugging enabled by kernel config
      [    1.000000] DMAR: [DMA Write NO_PASID] Request device [00:03.0] fault addr 0xbdf5f000 [fault reason 0x05] PTE Write access is not set
      [    1.000001] DMAR: [DMA Write NO_PASID] Request device [00:03.0] fault addr 0xbdf60000 [fault reason 0x05] PTE Write access is not set
      [    1.000002] dmar_fault: 7 callbacks suppressed
      [    2.000000] nvme 0000:00:06.0: swiotlb buffer is full (sz: 65536 bytes), total 32768 (slots), used 32760 (slots)
      """
    let result = try Program.run(["lint", "--format", "concise", "-"], input: Array(log.utf8))
    #expect(result.status == 1)
    let lines = result.output.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(result.output.contains("0000:00:03.0: IOMMU fault: DMA write at 0x00000000bdf5f000"))
    #expect(result.output.contains("[DMA117]") && result.output.contains("[DMA150]"))
    #expect(result.output.contains("the kernel kept back 7 messages"))
    let silent = try Program.run(
      ["lint", "-"],
      input: Array("[    1.0] x\n[    1.000000] y\n".utf8)
    )
    #expect(
      silent.output.contains("TRC003") && silent.output.contains("was CONFIG_DMA_API_DEBUG on")
    )
  }

  /// A log of any length takes no more memory than its findings.
  @Test func noTerminalSequencesGetThrough() throws {
    let log =
      "DMA-API: a\u{1b}[2J b\u{7}: device driver maps memory from stack [addr=\u{1b}]0;x\u{7}]\n"
    for command in [["log", "-"], ["lint", "-"], ["stat", "-"]] {
      let result = try Program.run(command, input: Array(log.utf8))
      #expect(!result.output.utf8.contains(0x1b) && !result.output.utf8.contains(7), "\(command)")
      #expect(result.output.contains("\\x1b"), "\(command)")
    }
  }

  // MARK: lint --merge

  private static func trace(_ lines: [(String, String)]) -> String {
    "# tracer: nop\n#\n"
      + lines.map { "           alpha-1       [000] .....     \($0.0): \($0.1)\n" }.joined()
  }

  private static func merge(_ trace: String, _ log: String, _ more: [String] = []) throws
    -> Program.Result
  {
    try Program.run(
      [
        "lint", "--merge", "--format", "jsonl", Fixtures.temporary("trace.txt", Array(trace.utf8)),
        Fixtures.temporary("dmesg.txt", Array(log.utf8)),
      ] + more
    )
  }

  private static func fault(_ time: String, _ address: String, _ access: String = "Write") -> String
  {
    "[    \(time)] DMAR: [DMA \(access) NO_PASID] Request device [00:03.0] fault addr 0x\(address)"
      + " [fault reason 0x05] PTE Write access is not set\n"
  }

  private static let busy = trace([
    ("1.000000", RuleProbe.line),
    (
      "1.000001",
      "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=fff00100 size=256 phys_addr=1100 attrs="
    ),
    (
      "1.000002",
      "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ffe00000 size=4096 phys_addr=8000 attrs="
    ),
    ("1.500000", "dma_unmap_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr=fff00100 size=256 attrs="),
    (
      "3.000000",
      "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ffd00000 size=4096 phys_addr=8000 attrs="
    ),
  ])

  @Test(arguments: [
    ("2.000000", "fff00000", "Write", "there was unmapped 500000 µs before, in line 6", true),
    (
      "1.500100", "fff00000", "Write", "unmapped 100 µs before, in line 6; the access may have",
      true
    ),
    ("1.200000", "fff00000", "Write", "inside a live FROM_DEVICE mapping of 256 bytes", true),
    ("2.000000", "ffe00000", "Write", "the device wrote into a live TO_DEVICE mapping", true),
    ("2.000000", "ffe00000", "Read", "inside a live TO_DEVICE mapping of 4096 bytes", true),
    ("2.000000", "ff000000", "Write", "nothing was mapped there, as far as", false),
    ("9.000000", "ffe00000", "Write", "printed outside of the time of", false),
  ])
  func faultsNameTheirMapping(
    _ time: String,
    _ address: String,
    _ access: String,
    _ words: String,
    _ hasOrigin: Bool
  ) throws {
    let result = try Self.merge(Self.busy, Self.fault(time, address, access))
    #expect(result.status == 1)
    let line = try #require(result.output.split(separator: "\n").first { $0.contains("DMA117") })
    #expect(line.contains(words), "\(line)")
    #expect(line.contains(#""driver":"alpha""#))
    #expect(line.contains(#""mapped":{"line":"#) == hasOrigin)
    if hasOrigin { #expect(line.contains(#"trace.txt","site":"#)) }
  }

  @Test func faultsOfOneMappingAreOneFinding() throws {
    let log =
      Self.fault("2.000000", "ffe00000") + Self.fault("2.000100", "ffe00800")
      + Self.fault("2.000200", "fff00000") + Self.fault("2.000300", "fff00000")
    let result = try Self.merge(Self.busy, log)
    let lines = result.output.split(separator: "\n").filter { $0.contains("DMA117") }
    #expect(lines.count == 2)
    #expect(lines.allSatisfy { $0.contains(#""count":2"#) })
  }

  @Test func clocksThatDoNotMeetAreSaid() throws {
    let result = try Self.merge(Self.busy, Self.fault("900.000000", "ffe00000"))
    #expect(result.errors.contains("do not meet"))
    let odd = try Program.run(["lint", "--merge", "\(Self.logs)/linux-7.3-bug-unmap-function.txt"])
    #expect(odd.status == 2 && odd.errors.contains("--merge takes captures of one run"))
  }

  /// What the trace shows by itself and the log says too is one finding, with the log's stacks.
  @Test func messagesThatATraceRepeatsAreOne() throws {
    let directory = "\(Self.kernels)/linux-6.12/bug-sync-direction"
    let arguments = [
      "--format", "json", "--devices", directory + "/devices.txt", directory + "/trace.txt",
    ]
    let alone = try Program.run(["lint"] + arguments)
    let both = try Program.run(
      ["lint", "--merge", "\(Self.logs)/linux-6.12-bug-sync-direction.txt"] + arguments
    )
    func count(_ result: Program.Result, _ word: String) -> Int {
      result.output.split(separator: "\n").count { $0.contains(word) }
    }
    #expect(count(alone, #""rule": "DMA01"#) == 10)
    #expect(count(both, #""rule": "DMA01"#) == 10)
    #expect(count(both, #"full_proxy_write+0x"#) > 10, "stacks of the log")
    #expect(both.errors.contains("10 errors in 1 trace, 1 log"))
    #expect(!both.errors.contains("clocks differ"))
  }

  // MARK: Dumps

  @Test func fsPrintsADumpBack() throws {
    var count = 0
    for capture in KernelCase.all {
      for snapshot in capture.snapshots {
        let path = "\(capture.directory) \(snapshot)"
        let bytes = capture.bytes(snapshot, "dump")
        guard !bytes.isEmpty else { continue }
        var options = ReplayOptions()
        let dump = try MappingDump(bytes: bytes, name: path)
        options.startDump = dump
        var replay = try Replay(reader: DumpReader(dump), options: options)
        _ = try replay.run(to: .end) { _, _ in }
        #expect(replay.engine.read(.dump, names: replay.names) == bytes, "\(path)")
        count += 1
      }
    }
    #expect(count > 300)
    let path = KernelCase.named("7.3", "fuzz-01").path("end", "dump")
    let shell = try Program.shell("dmatop fs cat dma-api/dump \(path) | cmp - \(path)")
    #expect(shell.status == 0 && shell.output.isEmpty && shell.errors.isEmpty)
  }

  @Test func dumpsInEveryCommand() throws {
    let path = KernelCase.named("7.3", "fuzz-01").path("end", "dump")
    let entries = Fixtures.lines(path).count
    let stat = try Program.run(["stat", path])
    #expect(stat.status == 0 && stat.errors.isEmpty)
    #expect(stat.output.contains("kernel    7.3 (recognised by the dump)"))
    let dump = try Program.run(["dump", "--format", "jsonl", path])
    #expect(dump.output.split(separator: "\n").count == entries)
    #expect(dump.output.contains(#""age_ns":null"#) || dump.output.contains(#""age":null"#))
    let screen = try Program.run([path])
    #expect(screen.status == 0 && screen.output.contains("live \(entries)"))
    let log = try Program.run(["log", path])
    #expect(log.status == 2 && log.errors.contains("is a dma-api/dump"))
    let two = try Program.run(["stat", "--start-dump", path, path])
    #expect(two.status == 2 && two.errors.contains("dmatop diff"))
    let monitor = try Program.run(["\(Self.logs)/linux-7.3-bug-unmap-function.txt"])
    #expect(monitor.status == 2 && monitor.errors.contains("is a kernel log"))
  }

  @Test func lintOfADump() throws {
    let tail = "dma map error checked attrs=0x0\n"
    func entry(_ device: String, _ address: String, _ size: String, _ direction: String) -> String {
      "alpha \(device) phy idx 0 P=0x000000000000\(address) D=\(address) L=\(size)"
        + " cln=0x0000000000000000 \(direction) " + tail
    }
    func lint(_ text: String) throws -> [String] {
      let result = try Program.run(["lint", "--format", "concise", "-"], input: Array(text.utf8))
      return result.output.split(separator: "\n").map(String.init)
    }
    let apart =
      entry("a", "1000", "40", "DMA_FROM_DEVICE") + entry("a", "1040", "40", "DMA_TO_DEVICE")
    #expect(try lint(apart).isEmpty)
    let both = entry("a", "1000", "40", "DMA_TO_DEVICE") + entry("b", "1000", "40", "DMA_TO_DEVICE")
    #expect(try lint(both).isEmpty, "nobody writes")
    let line =
      entry("a", "1000", "20", "DMA_FROM_DEVICE") + entry("b", "1020", "20", "DMA_TO_DEVICE")
    #expect(try lint(line).first?.contains("share a cacheline with a live FROM_DEVICE") == true)
    let overlap =
      entry("a", "1000", "1000", "DMA_TO_DEVICE") + entry("b", "1800", "8", "DMA_FROM_DEVICE")
      + entry("c", "1900", "8", "DMA_TO_DEVICE")
    let found = try lint(overlap)
    #expect(found.count == 1)
    #expect(found.first?.contains("[DMA104]") == true && found.first?.contains(" of a ") == true)
    let unasked = try Program.run([
      "lint", "--format", "concise", "fixtures/dumps/linux-6.1-bug-map-error-unchecked-mid",
    ])
    #expect(unasked.status == 0)
    #expect(unasked.output.split(separator: "\n").count == 3)
    #expect(unasked.output.split(separator: "\n").allSatisfy { $0.contains("[DMA151]") })
  }

  @Test func startDumpMakesUnmapsKnown() throws {
    let dump = Fixtures.temporary(
      "dump",
      Array(
        ("alpha 0000:00:03.0 phy idx 0 P=0x0000000000001000 D=1000 L=100 cln=0x0000000000000040 "
          + "DMA_TO_DEVICE dma map error checked attrs=0x0\n").utf8
      )
    )
    let trace = Fixtures.temporary(
      "trace.txt",
      Array(
        Self.trace([
          ("1.000000", "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=255 attrs="),
          ("1.000001", "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs="),
        ]).utf8
      )
    )
    let without = try Program.run(["lint", trace])
    #expect(without.status == 0 && without.output.contains("2 undecided"))
    let with = try Program.run(["lint", "--start-dump", dump, trace])
    #expect(with.status == 1)
    #expect(
      with.output.contains("alpha 0000:00:03.0: device driver frees DMA memory with different")
    )
    #expect(with.output.contains("mapped before the trace began\n"))
    #expect(with.output.contains("DMA002") && with.output.contains("0 undecided"))
    let stat = try Program.run(["stat", "--start-dump", dump, trace])
    #expect(stat.output.contains("(recognised by the dump)"))
    let broken = try Program.run(["stat", "--start-dump", trace, trace])
    #expect(broken.status == 2 && broken.errors.contains("is not a dma-api/dump"))
  }

  // MARK: diff

  @Test func diffOfDumpsAndMoments() throws {
    let directory = "\(Self.kernels)/linux-6.12/fuzz-01"
    func diff(_ a: String, _ b: String, _ more: [String] = []) throws -> Program.Result {
      try Program.run(["diff", "--devices", directory + "/devices.txt", a, b] + more)
    }
    let capture = KernelCase.named("6.12", "fuzz-01")
    let (before, after) = (capture.path("p001", "dump"), capture.path("p003", "dump"))
    let dumps = try diff(before, after)
    #expect(dumps.status == 1)
    #expect(dumps.output.contains("   39 new, 3 gone, 10 stayed\n"))
    let moments = try diff(
      "\(directory)/trace.txt@snapshot:p001",
      "\(directory)/trace.txt@snapshot:p003"
    )
    #expect(moments.status == 1)
    #expect(moments.output.contains("   39 new, 3 gone, 10 stayed\n"))
    #expect(moments.output.contains("MAP SITE"))
    // The same state, of a trace and of the kernel.
    let same = try diff("\(directory)/trace.txt@snapshot:p003", after)
    #expect(same.status == 0 && same.output.hasSuffix("no difference\n"))
    let json = try Program.shell(
      "dmatop diff --format json \(before) \(after)"
        + " | python3 -m json.tool --compact"
    )
    #expect(json.output.contains(#""total":{"a":13,"a_bytes":"#))
    #expect(json.output.contains(#""differ":true"#))
    let lines = try diff(
      before,
      after,
      ["--format", "jsonl"]
    )
    #expect(lines.output.split(separator: "\n").count { $0.contains(#""kind":"new""#) } == 39)
    #expect(lines.output.split(separator: "\n").count { $0.contains(#""kind":"gone""#) } == 3)
  }

  @Test func diffOfDifferentKernels() throws {
    let old =
      "0000:00:03.0 alpha single idx 0 P=1000 N=1 D=1000 L=100 DMA_TO_DEVICE dma map error checked\n"
      + "0000:00:03.0 alpha single idx 0 P=1000 N=1 D=1000 L=100 DMA_TO_DEVICE dma map error checked\n"
    let new =
      "alpha 0000:00:03.0 phy idx 0 P=0x0000000000001000 D=1000 L=100 cln=0x0000000000000040 "
      + "DMA_TO_DEVICE dma map error checked attrs=0x0\n"
    func run(_ a: String, _ b: String) throws -> Program.Result {
      try Program.run([
        "diff", Fixtures.temporary("a", Array(a.utf8)), Fixtures.temporary("b", Array(b.utf8)),
      ])
    }
    #expect(try run(old, new + new).status == 0)
    let fewer = try run(old, new)
    #expect(fewer.status == 1 && fewer.output.contains("   0 new, 1 gone, 1 stayed\n"))
    let none = try run(old, "")
    #expect(none.status == 1 && none.output.contains("2 gone"))
  }

  @Test func diffOfWhatIsNotThere() throws {
    let path = "\(Self.kernels)/linux-6.12/fuzz-01/trace.txt"
    for (a, words) in [
      ("nothing", "no such file"), (path + "@nonsense", "is no moment"),
      (path + "@snapshot:nonsense", "no such marker"),
      (
        "\(KernelCase.named("6.12", "fuzz-01").path("p001", "dump"))@event:3",
        "a dump has no moments"
      ),
      ("\(Self.logs)/linux-7.3-bug-unmap-function.txt", "is a kernel log"),
    ] {
      let result = try Program.run(["diff", a, path])
      #expect(result.status == 2, "\(a)")
      #expect(result.errors.contains(words), "\(result.errors)")
    }
  }
}

/// The probe by which a trace knows that nothing was mapped before.
private enum RuleProbe {
  static let line =
    "driver_probe: (really_probe+0x0/0x2a0) device=\"0000:00:03.0\" driver=\"alpha\""
}
