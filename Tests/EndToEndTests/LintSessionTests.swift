// SPDX-License-Identifier: MIT
import DMALint
import TestSupport
import Testing

/// Who lints, lints alike: `lint`, the command that it prints under a finding, and `convert`.
@Suite struct LintSessionTests {
  /// The commands that lint printed.
  private static func commands(_ output: String) -> [String] {
    output.split(separator: "\n").compactMap { line in
      line.hasPrefix("    see: ") ? String(line.dropFirst("    see: ".count)) : nil
    }
  }

  /// Runs a command that lint printed, in the directory where it did.
  private static func open(_ command: String, in directory: String) throws -> String {
    let opened = try Program.shell("cd \(directory) && \(command) --snapshot-screen 200x50")
    #expect(opened.status == 0, "\(command): \(opened.errors)")
    return opened.output
  }

  /// What a command has to show: the moment of the finding, and what no report of dma-debug says.
  private static func expectsFinding(
    _ finding: [Substring],
    _ screen: String,
    _ command: String
  ) {
    #expect(screen.contains("event \(finding[0])/"), "\(command)\n\(screen)")
    if !finding[1].hasPrefix("DMA0") {
      #expect(screen.contains(finding[1]), "\(command)\n\(screen)")
    }
  }

  /// Number of the event, rule and fingerprint of each finding that has a moment.
  private static func findings(_ arguments: String, in directory: String) throws -> [[Substring]] {
    let script =
      "import json,sys\nfor f in json.load(sys.stdin)['findings']:\n"
      + " if f['event']: print(f['event'], f['rule'], f['fingerprint'])"
    let list = try Program.shell(
      "cd \(directory) && dmatop lint -q --format json \(arguments) | python3 -c \"\(script)\""
    )
    return list.output.split(separator: "\n").map { $0.split(separator: " ") }
  }

  @Test(arguments: Rule.all.filter { $0.bad?.kind == .trace && !$0.id.hasPrefix("TRC") }.map(\.id))
  func everyCommandLandsOnItsFinding(_ id: String) throws {
    let example = try #require(Rule(named: id)?.bad)
    let arguments =
      "--kernel \(example.kernel)" + (example.isCoherentMachine ? "" : " --dma-alignment 64")
      + (example.isComplete ? " --complete" : "") + " \(id).bad.txt"
    let directory = Fixtures.root + "/fixtures/rules"
    // A finding that names no device, but a buffer, has its command in reports for machines only.
    let script =
      "import json,sys\nfor r in json.load(sys.stdin)['runs'][0]['results']:\n"
      + " print(r['message']['text'].split(chr(10))[-1])"
    let report = try Program.shell(
      "cd \(directory) && dmatop lint -q --format sarif \(arguments) | python3 -c \"\(script)\""
    )
    let commands = report.output.split(separator: "\n").map(String.init)
    let findings = try Self.findings(arguments, in: directory)
    #expect(!commands.isEmpty)
    #expect(commands.count == findings.count)
    for command in commands {
      let finding = try #require(findings.first { command.contains($0[2]) })
      Self.expectsFinding(finding, try Self.open(command, in: directory), command)
    }
  }

  /// Fewer live mappings than a leak has without settings.
  private static func leak() throws -> [UInt8] {
    var lines = [TraceText.probe]
    for number in 100..<120 {
      lines.append(
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=\(number)000 size=256"
          + " phys_addr=\(number)000 attrs="
      )
    }
    return TraceText.kernel(lines)
  }

  @Test func commandsKeepTheSettings() throws {
    let directory = Fixtures.temporaryDirectory()
    func write(_ name: String, _ bytes: [UInt8]) throws {
      let made = try Program.shell("cp \(Fixtures.temporary(name, bytes)) \(directory)/\(name)")
      #expect(made.status == 0)
    }
    try write("t.txt", try Self.leak())
    try write("other.toml", Array("leak-minimum = 5\n".utf8))
    let asked = try Program.shell("cd \(directory) && dmatop lint --config other.toml t.txt")
    let command = try #require(Self.commands(asked.output).first)
    #expect(command.contains("--lint-config other.toml"))
    #expect(try Self.open(command, in: directory).contains("DMA101"))

    try write("dmatop.toml", Array("leak-minimum = 5\nignore = [\"DMA101\"]\n".utf8))
    let found = try Program.shell("cd \(directory) && dmatop lint --extend-select DMA1 t.txt")
    #expect(Self.commands(found.output).isEmpty)
    try write("dmatop.toml", Array("leak-minimum = 5\n".utf8))
    let printed = try Program.shell("cd \(directory) && dmatop lint t.txt")
    let second = try #require(Self.commands(printed.output).first)
    #expect(try Self.open(second, in: directory).contains("DMA101"))
    // The database is made under the same settings.
    let count = try Program.shell(
      "cd \(directory) && dmatop convert t.txt -o t.sqlite && dmatop convert --isolated t.txt -o"
        + " u.sqlite && for f in t u; do python3 -c \"import sqlite3;"
        + " print(sqlite3.connect('$f.sqlite').execute('select count(*) from findings').fetchone())\""
        + "; done"
    )
    #expect(count.output == "(1,)\n(0,)\n", "\(count.errors)")
  }

  @Test func databasesHaveTheFindingsOfLint() throws {
    let trace = Fixtures.root + "/fixtures/rules/DMA105.bad.txt"
    let database = try SQLTests.database(trace, ["--dma-alignment", "64"])
    #expect(try SQLTests.rows(database, "SELECT rule FROM findings") == [["DMA105"]])
  }

  /// An IOMMU names a page; a mapping in the middle of it was there.
  @Test func aFaultHasOneAnswerInTraceAndLog() throws {
    let mapped = [
      TraceText.probe,
      "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1100 size=256 phys_addr=1000 attrs=",
      "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1100 size=256 attrs=",
    ]
    func fault(_ address: String) -> String {
      "io_page_fault: IOMMU:alpha 0000:00:03.0 iova=0x\(address) flags=0x0000"
    }
    func message(_ address: String) -> [UInt8] {
      Array(
        ("[    0.500000] DMA-API: debugging enabled by kernel config\n"
          + "[    1.000020] DMAR: [DMA Read NO_PASID] Request device [00:03.0] fault addr"
          + " 0x\(address) [fault reason 0x06] PTE Read access is not set\n").utf8
      )
    }
    let trace = Fixtures.temporary("t.txt", TraceText.kernel(mapped))
    // Where the address is that of a byte, what else is in its page was not there.
    for (address, isKnown) in [("1000", true), ("1010", false), ("1180", true)] {
      let whole = Fixtures.temporary("w.txt", TraceText.kernel(mapped + [fault(address)]))
      let one = try Program.run(["lint", whole])
      let log = Fixtures.temporary("dmesg.log", message(address))
      let other = try Program.run(["lint", "--merge", trace, log])
      for output in [one.output, other.output] {
        #expect(output.contains("there was unmapped") == isKnown, "\(output)")
        #expect(output.contains("in line 7") == isKnown, "\(output)")
        #expect(output.contains("nothing was mapped there") == !isKnown, "\(output)")
      }
    }
  }

  @Test func severalCapturesKeepTheirNames() throws {
    let directory = Fixtures.temporaryDirectory()
    let rules = Fixtures.root + "/fixtures/rules"
    let log = Fixtures.temporary(
      "k.log",
      Array("[    0.500000] DMA-API: debugging enabled by kernel config\n".utf8)
    )
    let made = try Program.shell(
      "cp \(rules)/DMA104.bad.txt \(directory)/a.txt && cp \(rules)/DMA003.bad.txt \(directory)/b.txt"
        + " && cp \(log) \(directory)/k.log"
    )
    #expect(made.status == 0)
    let arguments = "--kernel 7.3 --merge a.txt b.txt k.log"
    let text = try Program.shell("cd \(directory) && dmatop lint \(arguments)")
    #expect(text.output.contains("a.txt:7: warning: "), "\(text.output)")
    #expect(text.output.contains("b.txt:7: error: "), "\(text.output)")
    #expect(text.output.contains("in 2 traces, 1 log"))
    let commands = Self.commands(text.output)
    #expect(commands.count >= 2)
    for command in commands {
      #expect(
        command.hasPrefix("dmatop replay a.txt --with b.txt --with k.log --kernel 7.3 --finding ")
      )
      let screen = try Self.open(command, in: directory)
      #expect(screen.contains("event "))
    }
    for format in ReportFormat.allCases {
      let report = try Program.shell(
        "cd \(directory) && dmatop lint \(arguments) --format \(format.rawValue)"
      )
      #expect(!report.output.contains("a.txt+b.txt"), "\(format)")
    }
    // What was mapped in one and freed in the other names both.
    let halves = try Program.shell(
      "cd \(directory) && grep -v dma_unmap b.txt >c.txt && grep -v dma_map b.txt >d.txt"
        + " && dmatop lint -q --kernel 7.3 --merge c.txt d.txt"
    )
    #expect(halves.output.contains("d.txt:"), "\(halves.output)")
    #expect(halves.output.contains("mapped in c.txt:"), "\(halves.output)")
  }
}
