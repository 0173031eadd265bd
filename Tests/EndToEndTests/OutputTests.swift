// SPDX-License-Identifier: MIT
import Glibc
import TestSupport
import Testing

/// Files that commands write: what they may replace, and what is left of them.
@Suite struct OutputTests {
  private static let trace = "fixtures/kernel/linux-6.12/bug-unmap-size/trace.txt"

  /// A directory with a trace `t.txt`, a second one, a table, a dump, settings and a baseline.
  private static func directory() throws -> String {
    let directory = Fixtures.temporaryDirectory()
    let made = try Program.shell(
      """
      cp \(trace) \(directory)/t.txt && cp \(trace) \(directory)/u.txt
      cp fixtures/kernel/linux-6.12/bug-unmap-size/devices.txt \(directory)/devices
      cp \(KernelCase.named("6.12", "bug-unmap-size").path("start", "dump")) \(directory)/dump
      dmatop sim --print nic >\(directory)/my.scenario
      cd \(directory) && dmatop lint --write-baseline b t.txt && echo 'fail-on = "error"' >c.toml
      ln -s t.txt link; ln t.txt hard; mkdir -p d e/dma-api; cp t.txt d/; ln t.txt e/dma-api/dump
      """
    )
    #expect(made.status == 0, "\(made.errors)")
    return directory
  }

  private static func run(_ directory: String, _ command: String) throws -> Program.Result {
    try Program.shell("cd \(directory) || exit 99\n\(command)")
  }

  /// All names and sums of a directory.
  private static func sums(_ directory: String) throws -> String {
    try Program.shell("cd \(directory) && find . -type f -print0 | sort -z | xargs -0 md5sum")
      .output
  }

  // MARK: Inputs

  @Test(arguments: [
    "lint --report json=t.txt t.txt", "lint --report json=./t.txt t.txt",
    "lint --report json=link t.txt", "lint --report json=t.txt link",
    "lint --report json=hard t.txt", "lint --report json=u.txt --merge t.txt u.txt",
    "lint --report json=u.txt --with u.txt t.txt",
    "lint --report json=devices --devices devices t.txt",
    "lint --report json=dump --start-dump dump t.txt",
    "lint --report json=c.toml --config c.toml t.txt",
    "lint --report json=b --baseline b t.txt", "lint --write-baseline t.txt t.txt",
    "lint --write-baseline b --report text=b t.txt",
    "lint --write-baseline devices --devices devices t.txt",
    "lint --baseline t.txt --write-baseline t.txt t.txt", "lint --report json=d/t.txt d",
    "lint --report json=x --report text=x t.txt", "lint --report json=x --report text=d/../x t.txt",
    "lint --report json=t.txt - <t.txt", "convert t.txt -o t.txt", "convert t.txt -o hard --to dat",
    "convert t.txt -o link --to csv", "convert t.txt --with u.txt -o u.txt",
    "convert t.txt --devices devices -o devices --to sqlite",
    "convert t.txt --start-dump dump -o dump --to sqlite", "convert - -o t.txt <t.txt",
    "convert sim:./my.scenario -o my.scenario --to text", "sim ./my.scenario --record my.scenario",
    "sim nic --devices devices --record devices", "sim nic --with t.txt --record t.txt",
    "fs export e t.txt", "fs export e --start-dump e/dma-api/dump u.txt", "stat t.txt >>t.txt",
    "log t.txt >>t.txt", "dump t.txt >>t.txt", "dump --with u.txt t.txt >>u.txt",
    "lint t.txt >>t.txt", "fs cat dump t.txt >>t.txt", "fs ls t.txt >>t.txt",
    "fs write all_errors 1 t.txt >>t.txt", "diff t.txt u.txt >>u.txt",
    "diff t.txt@event:3 u.txt >>t.txt",
    "replay t.txt >>t.txt", "replay --config c.toml t.txt >>c.toml",
    "convert t.txt --to text -o - >>t.txt",
    "stat - <t.txt >>t.txt", "sim ./my.scenario --headless >>my.scenario",
    "stat sim:./my.scenario,duration=1ms >>my.scenario", "lint --report json=x t.txt >>x",
    "sim nic --record x >>x",
  ])
  func whatIsReadIsNotWrittenOver(_ command: String) throws {
    let directory = try Self.directory()
    if command.hasSuffix(">>x") { Fixtures.write([], to: directory + "/x") }
    let before = try Self.sums(directory)
    let result = try Self.run(directory, "dmatop \(command)")
    #expect(result.status == 2)
    let isSaid =
      result.errors.contains("is what is read") || result.errors.contains("is written twice")
    #expect(isSaid, "\(result.errors)")
    #expect(try Self.sums(directory) == before)
  }

  @Test(arguments: [
    "lint --baseline b --write-baseline b t.txt", "lint --baseline b --prune-baseline t.txt",
    "lint --exit-zero --report json=x t.txt", "lint --exit-zero --report json=d/r.json d",
    "lint --exit-zero --report json=/dev/null --report text=/dev/null t.txt >/dev/null",
    "convert t.txt -o u.txt", "sim nic --duration 1ms --record u.txt", "fs export x t.txt",
    "fs export x t.txt && dmatop fs export x t.txt", "dump t.txt >x",
    "stat - <t.txt >x",
    "sim nic --duration 1ms --record - >x",
  ])
  func whatIsNotReadMayBe(_ command: String) throws {
    let result = try Self.run(try Self.directory(), "dmatop \(command)")
    #expect(result.status == 0, "\(result.errors)")
  }

  /// Settings that are found name a baseline.
  @Test func theBaselineOfTheSettingsIsAnInput() throws {
    let directory = try Self.directory()
    Fixtures.write(Array("baseline = \"b\"\n".utf8), to: directory + "/dmatop.toml")
    for output in ["b", "dmatop.toml"] {
      let result = try Self.run(directory, "dmatop lint --report json=\(output) t.txt")
      #expect(result.status == 2 && result.errors.contains("is what is read"), "\(output)")
    }
    #expect(try Self.run(directory, "dmatop lint --write-baseline b t.txt").status == 0)
  }

  // MARK: Permissions and links

  @Test func reportsAndBaselinesHonourTheUmask() throws {
    let result = try Self.run(
      try Self.directory(),
      """
      umask 077
      dmatop lint -q --report json=r --report text=s t.txt >/dev/null
      dmatop lint --write-baseline n t.txt 2>/dev/null
      dmatop sim nic --duration 1ms --record rec >/dev/null
      chmod 640 b; dmatop lint --baseline b --write-baseline b t.txt 2>/dev/null
      stat -c %a r s n rec b
      """
    )
    #expect(result.output == "600\n600\n600\n600\n640\n", "\(result.errors)")
  }

  @Test(arguments: [
    "lint -q --exit-zero --report json=l t.txt", "lint --write-baseline l t.txt",
    "convert t.txt -o l --to text", "sim nic --duration 1ms --record l",
  ])
  func outputsGoThroughLinks(_ command: String) throws {
    let directory = try Self.directory()
    for target in ["d/new", "d/new", "\(directory)/e/other"] {
      let result = try Self.run(
        directory,
        "ln -sfn \(target) m && ln -sfn m l && dmatop \(command) && test -L l -a -L m -a -f \(target)"
      )
      #expect(result.status == 0, "\(target): \(result.errors)")
    }
    let loop = try Self.run(directory, "ln -sfn m l && ln -sfn l m && dmatop \(command)")
    #expect(loop.status == 2)
    #expect(loop.errors.contains("symbolic links"), "\(loop.errors)")
  }

  @Test func exportFollowsNoLink() throws {
    let directory = try Self.directory()
    let before = try Self.sums(directory + "/d")
    // The directory itself may be one.
    #expect(try Self.run(directory, "mkdir x && ln -s x y && dmatop fs export y t.txt").status == 0)
    #expect(Fixtures.bytes(directory + "/x/dma-api/dump") != nil)
    for (setUp, name) in [
      ("ln -sfn ../../d/t.txt x/dma-api/dump", "x/dma-api/dump"),
      ("ln -sfn ../../d/new x/dma-api/dump", "x/dma-api/dump"),
      ("rm -r x/dma-api && ln -s ../d x/dma-api", "x/dma-api"),
      ("rm x/dma-api && ln -s ../nowhere x/dma-api", "x/dma-api"),
      ("rm x/dma-api && ln -sfn ../../d/new x/dma_buf/bufinfo", "x/dma_buf/bufinfo"),
      ("rm x/dma_buf/bufinfo && mkfifo x/dma_buf/bufinfo", "x/dma_buf/bufinfo"),
    ] {
      let result = try Self.run(directory, "\(setUp) && timeout 20 dmatop fs export x t.txt")
      #expect(result.status == 2, "\(setUp)")
      #expect(result.errors.hasPrefix("dmatop: \(name): is "), "\(setUp): \(result.errors)")
      #expect(try Self.sums(directory + "/d") == before)
    }
    // A second name of a file elsewhere is not written through either.
    let hard = try Self.run(
      directory,
      "rm x/dma_buf/bufinfo && ln d/t.txt x/dma_buf/bufinfo && dmatop fs export x u.txt"
    )
    #expect(hard.status == 0)
    #expect(try Self.sums(directory + "/d") == before)
  }

  // MARK: Drafts

  private static let slow = "sim nic --live-pace --duration 60s --record r.txt"

  /// What is being recorded is not there before it is complete.
  @Test func aRecordingIsThereAsAWholeOrNotAtAll() throws {
    let directory = try Self.directory()
    let result = try Self.run(
      directory,
      """
      echo old >r.txt; dmatop \(Self.slow) & process=$!
      until ls | grep -q draft; do sleep 0.1; done
      kill -KILL $process; wait; cat r.txt; ls | grep -c draft
      """
    )
    #expect(result.output == "old\n1\n", "\(result.errors)")
    // The next run for the same file removes what is left, and nothing else.
    let next = try Self.run(
      directory,
      """
      touch r.txt.dmatop-draft-mine r.txt.dmatop-draft-ABCDEF r2.txt.dmatop-draft-abcdef
      mkdir r.txt.dmatop-draft-folder; ln -s t.txt r.txt.dmatop-draft-a1a1a1
      dmatop sim nic --duration 1ms --record r.txt >/dev/null && head -c 9 r.txt; ls | grep draft
      """
    )
    #expect(
      next.output == """
        # tracer:r.txt.dmatop-draft-ABCDEF
        r.txt.dmatop-draft-a1a1a1
        r.txt.dmatop-draft-folder
        r.txt.dmatop-draft-mine
        r2.txt.dmatop-draft-abcdef

        """
    )
  }

  @Test(arguments: ["txt", "dat", "csv", "sqlite"])
  func theNextRunRemovesWhatAKilledOneLeft(_ format: String) throws {
    let directory = try Self.directory()
    let result = try Self.run(
      directory,
      """
      mkfifo go; (cat t.txt; read -r _ <go) | dmatop convert - -o x.\(format) & process=$!
      until ls | grep -q draft; do sleep 0.1; done
      kill -KILL $process; echo >go; wait
      ls | grep -c draft; dmatop convert t.txt -o x.\(format); ls | grep -c draft; ls x.\(format)
      """
    )
    #expect(result.output == "1\n0\nx.\(format)\n", "\(result.errors)")
  }

  /// Two that write the same file do not disturb each other.
  @Test func theDraftOfALiveProcessStays() throws {
    let directory = try Self.directory()
    let result = try Self.run(
      directory,
      """
      mkfifo go; (cat t.txt; read -r _ <go) | dmatop convert - -o x.txt &
      until ls | grep -q draft; do sleep 0.1; done
      ls | grep -c draft; dmatop convert t.txt -o x.txt; ls | grep -c draft
      echo >go; wait; ls | grep -c draft; cmp <(dmatop convert t.txt -o - --to text) x.txt && echo whole
      """
    )
    #expect(result.output == "1\n1\n0\nwhole\n", "\(result.errors)")
  }

  @Test func longNamesHaveDraftsToo() throws {
    let name = String(repeating: "é", count: 125) + ".txt"
    let result = try Self.run(try Self.directory(), "dmatop convert t.txt -o \(name) && ls *é.txt")
    #expect(result.output == name + "\n", "\(result.errors)")
  }

  // MARK: CSV

  private static let formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "=\"x,y\"", "\u{ff1d}1", "plain"]

  private static func formulaTrace() -> String {
    let lines = formulas.enumerated().flatMap { index, name in
      [
        "dma_map_page: \(name) dir=TO_DEVICE dma_addr=\(index + 1)000 size=64 phys_addr=1000 attrs=",
        "tracing_mark_write: \(name)",
      ]
    }
    return Fixtures.temporary("t.txt", TraceText.kernel(lines))
  }

  /// The cells of a column, read by somebody else's reader.
  private static func column(_ command: String, _ number: Int) throws -> [String] {
    let script =
      "import csv,sys; [print(r[\(number)]) for r in csv.reader(sys.stdin) if r[\(number)]]"
    return try Program.shell("dmatop \(command) | python3 -c '\(script)'").output
      .split(separator: "\n").dropFirst().map(String.init)
  }

  @Test func spreadsheetsCalculateNothing() throws {
    let path = Self.formulaTrace()
    let safe = Self.formulas.map { $0 == "plain" ? $0 : "'" + $0 }
    let raw = Self.formulas
    let mappings = "dump --format csv --fields device,size"
    #expect(Set(try Self.column("\(mappings) \(path)", 0)) == Set(safe))
    #expect(Set(try Self.column("\(mappings) --csv-raw \(path)", 0)) == Set(raw))
    for (command, names) in [("", safe), ("--csv-raw", raw)] {
      let events = "--fields device,text \(command) \(path)"
      #expect(try Self.column("dump --events --format csv \(events)", 0) == names)
      #expect(try Self.column("convert -o - --to csv \(events)", 0) == names)
      #expect(try Self.column("convert -o - --to csv \(events)", 1) == names)
    }
    // Numbers are none of that.
    #expect(try Self.column("\(mappings) \(path)", 1).allSatisfy { $0 == "64" })
    for command in ["dump --csv-raw", "convert -o - --to jsonl --csv-raw"] {
      #expect(try Program.shell("dmatop \(command) \(path)").status == 2)
    }
  }

  @Test func rawCellsAreTheBytesOfTheTrace() throws {
    let lines = ["tracing_mark_write: a\u{1b}[1m\"b\",\\", "tracing_mark_write: \tt"]
    let path = Fixtures.temporary("t.txt", TraceText.kernel(lines))
    let raw = try Program.run(
      ["dump", "--events", "--format", "csv", "--fields", "text", "--csv-raw", path]
    )
    #expect(raw.output.hasPrefix("text\r\n\"a\u{1b}[1m\"\"b\"\",\\\"\r\n"), "\(raw.output)")
    let safe = try Program.run(["dump", "--events", "--format", "csv", "--fields", "text", path])
    #expect(safe.output.hasPrefix("text\r\n\"a\\x1b[1m\"\"b\"\",\\\\\"\r\n"), "\(safe.output)")
  }
}
