import Glibc
import TestSupport
import Testing

/// `dmatop lint` as CI owners use it.
///
/// After a change that is meant DMATOP_GOLDEN=update writes fixtures/golden/lint anew.
@Suite struct LintCommandTests {
  private static let capture = "fixtures/kernel/linux-6.12/bug-sg-count/trace.txt"
  static let formats = [
    "text", "concise", "json", "jsonl", "sarif", "junit", "ktap", "gitlab", "github", "checkstyle",
    "markdown", "html",
  ]

  /// A directory with a trace of two mistakes of two drivers.
  private static func project(_ settings: String? = nil) -> String {
    let lines = [
      TraceText.probe,
      #"driver_probe: (really_probe+0x0/0x2a0) device="0000:00:04.0" driver="beta""#,
      "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 attrs=",
      "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=255 attrs=",
      "dma_map_phys: 0000:00:04.0 dir=TO_DEVICE dma_addr=3000 size=256 phys_addr=3000 attrs=",
      "dma_unmap_phys: 0000:00:04.0 dir=FROM_DEVICE dma_addr=3000 size=256 attrs=",
    ]
    let path = Fixtures.temporary("t.txt", TraceText.kernel(lines))
    let directory = String(path.dropLast("/t.txt".count))
    if let settings {
      let file = fopen(directory + "/dmatop.toml", "w")
      fputs(settings, file)
      fclose(file)
    }
    return directory
  }

  private static func lint(_ directory: String, _ options: String) throws -> Program.Result {
    try Program.shell("cd \(directory) && dmatop lint \(options)")
  }

  // MARK: Formats

  @Test(arguments: formats)
  func everyFormatLooksAsItDid(_ format: String) throws {
    let first = try Program.run(["lint", "--format", format, Self.capture])
    #expect(first.status == 1)
    // The same input, the same bytes.
    let again = try Program.run(["lint", "--format", format, Self.capture])
    #expect(again.output == first.output)
    let path = "\(Fixtures.root)/fixtures/golden/lint/bug-sg-count.\(format)"
    if getenv("DMATOP_GOLDEN") != nil {
      let file = try #require(fopen(path, "w"))
      fputs(first.output, file)
      fclose(file)
    }
    #expect(first.output == Fixtures.text(path))
    let report = Fixtures.temporaryDirectory() + "/report"
    let both = try Program.run(["lint", "-q", "--report", "\(format)=\(report)", Self.capture])
    #expect(both.status == 1)
    let summary = format == "text" ? "3 errors in 1 trace (78 events, 0 lost, 0 undecided)\n" : ""
    #expect(Fixtures.text(report).map { $0 + summary } == first.output)
  }

  @Test func sarifIsWhatItsSchemaSays() throws {
    let check = """
      import json, sys
      import jsonschema
      schema = json.load(open('fixtures/schemas/sarif-2.1.0.json'))
      document = json.load(sys.stdin)
      errors = list(jsonschema.Draft7Validator(schema).iter_errors(document))
      for error in errors[:5]: print(list(error.path), error.message[:300])
      run = document['runs'][0]
      flow = run['results'][0]['codeFlows'][0]['threadFlows'][0]['locations']
      print(len(errors), len(run['results']), len(flow), run['results'][0]['baselineState'])
      """
    let script = Fixtures.temporary("check.py", Array(check.utf8))
    for trace in [Self.capture, "fixtures/kernel/linux-7.3/fuzz-01/trace.txt"] {
      let result = try Program.shell(
        "dmatop lint -q --format sarif \(trace) | python3 \(script)"
      )
      #expect(result.output.hasPrefix("0 "), "\(result.output) \(result.errors)")
      #expect(result.output.hasSuffix("new\n"))
    }
  }

  /// Whatever a trace calls its devices and drivers, each format stays well-formed.
  @Test func hostileNamesBreakNoFormat() throws {
    let names = [
      "\u{1b}[31m\"<&>'", "%0A::error::x", "a#b # SKIP", "日本語\u{202e}🙂", "]]>--><script>",
      String(repeating: "n", count: 4096), "a|b`c`", "\\\\n\u{7f}\u{9b}",
    ]
    var lines: [String] = []
    for (index, name) in names.enumerated() {
      let device = name.filter { $0 != " " && $0 != "\"" }
      lines.append("driver_probe: (really_probe+0x0/0x2a0) device=\"\(device)\" driver=\"\(name)\"")
      let address = String(index + 1) + "000"
      lines.append(
        "dma_map_phys: \(device) dir=TO_DEVICE dma_addr=\(address) size=64 phys_addr=\(address) attrs="
      )
      lines.append("dma_unmap_phys: \(device) dir=TO_DEVICE dma_addr=\(address) size=63 attrs=")
    }
    let path = Fixtures.temporary("<&\">%0A # x.txt", TraceText.kernel(lines))
    let checks = [
      "json": "import json,sys; assert len(json.load(sys.stdin)['findings'])>=8",
      "jsonl": "import json,sys; assert len([json.loads(l) for l in sys.stdin])>=8",
      "sarif": "import json,sys; assert len(json.load(sys.stdin)['runs'][0]['results'])>=8",
      "gitlab":
        "import json,sys; d=json.load(sys.stdin); assert len({x['fingerprint'] for x in d})==len(d)>=8",
      "junit":
        "import sys,xml.etree.ElementTree as e; assert e.parse(sys.stdin).getroot().tag=='testsuites'",
      "checkstyle": "import sys,xml.etree.ElementTree as e; e.parse(sys.stdin)",
      "ktap":
        "import sys,re; t=sys.stdin.read().splitlines(); assert all(re.match(r'( *)(KTAP version 1|1\\.\\.\\d+|(not )?ok \\d+ |# )',l) for l in t); assert not any(re.match(r'not ok.*# SKIP',l) for l in t)",
      "github":
        "import sys; assert all(l.startswith('::') and l.count('::')>=2 for l in sys.stdin)",
      "concise":
        "import sys; assert all(': error: ' in l or ': warning: ' in l for l in sys.stdin)",
      "markdown": "import sys; assert '<script' not in sys.stdin.read()",
      "html":
        "import sys,html.parser; t=sys.stdin.read(); assert '<script' not in t; html.parser.HTMLParser().feed(t)",
      "text": "import sys; sys.stdin.read()",
    ]
    for format in Self.formats {
      let result = try Program.run(["lint", "-q", "--format", format, path])
      #expect(result.status == 1)
      let isClean = result.output.unicodeScalars.allSatisfy {
        $0 == "\n" || $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) && $0.value != 0x202e
      }
      #expect(isClean, "\(format)")
      let script = Fixtures.temporary("check.py", Array((checks[format] ?? "1/0").utf8))
      let output = Fixtures.temporary("output", Array(result.output.utf8))
      let checked = try Program.shell("python3 \(script) <\(output)")
      #expect(checked.status == 0, "\(format): \(checked.errors.suffix(300))")
    }
  }

  /// What is printed after `see:` can be pasted, whatever the file is called.
  @Test(arguments: [
    "-x", "--help", "-", "a b", "it's", "$(touch pwned)", "`touch pwned`", "a;touch pwned", "\"q\"",
    "back\\slash", "*", "~", "=ls", "a\nb", "\u{1b}[31m", "\u{202e}é", "é", "#x", "!!", "a&b|c>d",
  ])
  func theCommandOfAFindingFitsAnyName(_ name: String) throws {
    let directory = Fixtures.temporaryDirectory()
    Fixtures.write(
      Fixtures.bytes(Fixtures.root + "/" + Self.capture) ?? [],
      to: directory + "/" + name
    )
    let list = Fixtures.temporary("name", Array(name.utf8))
    let dash = name == "-" ? "./" : ""
    for format in ["text", "sarif", "html"] {
      // HTML and SARIF are read as their readers do.
      let extract = """
        import sys, json, html, re
        text = sys.stdin.read()
        if '\(format)' == 'text': found = re.search(r'see: (dmatop replay .*)', text).group(1)
        if '\(format)' == 'sarif':
          found = json.loads(text)['runs'][0]['results'][0]['message']['text'].split('\\n')[1]
        if '\(format)' == 'html':
          found = html.unescape(re.search(r'<pre>(dmatop replay .*?)</pre>', text).group(1))
        print(found)
        """
      let script = Fixtures.temporary("extract.py", Array(extract.utf8))
      let result = try Program.shell(
        """
        cd \(directory) && f="\(dash)$(cat \(list); echo x)" && f="${f%x}"
        dmatop lint --format \(format) -- "$f" | python3 \(script) >\(script).sh
        bash \(script).sh
        """
      )
      #expect(result.status == 0, "\(format): \(result.errors)")
      #expect(result.output.contains("Errors"), "\(format): \(result.output)")
      #expect(Fixtures.list(directory).allSatisfy { $0 == name })
    }
  }

  @Test func theCommandOfAFindingOpensItsMoment() throws {
    let text = try Program.run(["lint", Self.capture])
    let command = try #require(
      text.output.split(separator: "\n").first { $0.contains("see: ") }?
        .split(separator: ":", maxSplits: 1).last
    )
    let opened = try Program.shell("\(command) --snapshot-screen 100x30")
    #expect(opened.status == 0)
    #expect(opened.output.contains("event 72/78"))
    let wrong = try Program.run(["replay", "--finding", "0000000000000000", Self.capture])
    #expect(wrong.status == 2)
    #expect(wrong.errors.contains("has no finding"))
  }

  /// dma-debug has no report of it: the finding is a row of its own.
  @Test func theCommandOfAFindingOfSharingShowsIt() throws {
    func open(_ scenario: String, _ fault: String, _ rule: String) throws -> String {
      let recorded = try Program.run([
        "sim", scenario, "--duration", "200ms", "--fault", "\(fault)@once", "--record", "-",
      ])
      let trace = Fixtures.temporary("t.txt", Array(recorded.output.utf8))
      let text = try Program.run(["lint", "--select", rule, trace])
      let command = try #require(
        text.output.split(separator: "\n").first { $0.contains("see: ") }?
          .split(separator: ":", maxSplits: 1).last
      )
      let opened = try Program.shell("\(command) --snapshot-screen 160x40")
      #expect(opened.status == 0)
      return opened.output
    }
    let buffer = try open("camera", "detach-while-mapped", "DMA203")
    #expect(buffer.contains("DMA203 detach-while-mapped: "), "\(buffer)")
    let range = try open("dmaengine", "unsynced-range", "DMA214")
    #expect(range.contains("DMA214 "), "\(range)")
    #expect(range.contains(" lint "))
  }

  @Test func theEnvironmentNamesFormatAndSettings() throws {
    let directory = Self.project()
    let concise = try Program.shell("cd \(directory); DMATOP_FORMAT=concise dmatop lint -q t.txt")
    #expect(concise.output.hasPrefix("t.txt:"))
    #expect(concise.output.split(separator: "\n").count == 2)
    let flag = try Program.shell(
      "cd \(directory); DMATOP_FORMAT=json dmatop lint --format concise -q t.txt"
    )
    #expect(flag.output == concise.output)
    let wrong = try Program.shell("cd \(directory); DMATOP_FORMAT=x dmatop lint t.txt")
    #expect(wrong.status == 2)
    let settings = try Program.shell(
      """
      cd \(directory); mkdir c
      dmatop lint --write-baseline c/known.json t.txt
      echo 'baseline = "known.json"' >c/dmatop.toml
      DMATOP_CONFIG=c/dmatop.toml dmatop lint t.txt
      """
    )
    #expect(settings.status == 0)
    #expect(settings.output.contains("2 baselined"))
  }

  // MARK: Exit status

  @Test func theExitStatusSaysWhatWasFound() throws {
    let directory = Self.project()
    #expect(try Self.lint(directory, "t.txt").status == 1)
    #expect(try Self.lint(directory, "--exit-zero t.txt").status == 0)
    #expect(try Self.lint(directory, "--fail-on never t.txt").status == 0)
    #expect(try Self.lint(directory, "--severity ALL=note t.txt").status == 0)
    #expect(try Self.lint(directory, "--severity ALL=note --fail-on note t.txt").status == 1)
    #expect(try Self.lint(directory, "--select TRC t.txt").status == 0)
    #expect(try Self.lint(directory, "t.txt nowhere.txt").status == 2)
    #expect(try Self.lint(directory, "--exit-zero nowhere.txt").status == 2)
    #expect(try Self.lint(directory, "--select nonsense t.txt").status == 2)
    #expect(try Self.lint(directory, "--bogus t.txt").status == 2)
    #expect(try Self.lint(directory, "").status == 2)
    let tree = try Self.lint(directory, ".")
    #expect(tree.output.contains("2 errors in 1 trace"))
    let input = try Self.lint(directory, "--stdin-name CI -q - <t.txt")
    #expect(input.output.hasPrefix("CI:"))
    let counted = try Self.lint(directory, "--statistics -q t.txt")
    #expect(counted.output.contains("     1  DMA003 free-size\n"))
    #expect(counted.output.contains("     1  driver alpha\n"))
    let unreadable = try Self.lint(directory, "-q --format junit t.txt nowhere.txt")
    #expect(unreadable.output.contains("<error message="))
  }

  @Test func coloursAreForTerminals() throws {
    let directory = Self.project()
    #expect(try !Self.lint(directory, "t.txt").output.contains("\u{1b}"))
    #expect(try Self.lint(directory, "--color always t.txt").output.contains("\u{1b}[1;31merror"))
    #expect(try Self.lint(directory, "--color never t.txt").output.contains(": error:"))
    let forced = try Program.shell("cd \(directory); FORCE_COLOR=1 dmatop lint t.txt")
    #expect(forced.output.contains("\u{1b}[1;31m"))
    let not = try Program.shell("cd \(directory); NO_COLOR=1 FORCE_COLOR=1 dmatop lint t.txt")
    #expect(!not.output.contains("\u{1b}"))
    // Reports in files have none.
    _ = try Self.lint(directory, "--color always --report text=r.txt t.txt")
    #expect(Fixtures.text(directory + "/r.txt")?.contains("\u{1b}") == false)
  }

  // MARK: Settings

  @Test func settingsSelectAndSuppress() throws {
    let suppressed = Self.project(
      """
      [[suppress]]
      rule = "DMA003"
      driver = "al*"
      reason = "known since 2019"
      expires = "2030-01-01"

      [[suppress]]
      rule = "free-direction"
      device = "0000:00:04.?"
      reason = "the firmware does it"
      """
    )
    let clean = try Self.lint(suppressed, "t.txt")
    #expect(clean.status == 0)
    #expect(
      clean.output == "no findings in 1 trace (6 events, 0 lost, 2 undecided, 2 suppressed)\n"
    )
    let later = try Self.lint(suppressed, "--today 2031-01-01 t.txt")
    #expect(later.status == 1)
    #expect(later.output.contains("DMA003"))
    #expect(later.output.contains("[TRC007 expired-suppression]"))
    let isolated = try Self.lint(suppressed, "--isolated t.txt")
    #expect(isolated.output.contains("2 errors in"))
    let sarif = try Self.lint(suppressed, "-q --format sarif t.txt")
    #expect(sarif.output.contains("\"justification\": \"known since 2019\""))
    let ktap = try Self.lint(suppressed, "-q --format ktap t.txt")
    #expect(ktap.output.contains("DMA003 free-size # XFAIL allowed"))

    let unused = Self.project(
      """
      ignore = ["DMA003", "free-direction"]
      [[suppress]]
      rule = "DMA001"
      function = "foo*"
      reason = "x"
      """
    )
    let note = try Self.lint(unused, "t.txt")
    #expect(note.status == 0)
    #expect(note.output.contains("[TRC006 unused-suppression]"))
    let below = try Program.shell("mkdir \(unused)/a && cd \(unused)/a && dmatop lint ../t.txt")
    #expect(below.status == 0)

    let overridden = Self.project(
      """
      fail-on = "warning"
      [severity]
      DMA0 = "note"
      [[override]]
      driver = "beta"
      severity = { DMA007 = "warning" }
      [[override]]
      device = "*03.0"
      ignore = ["DMA003"]
      """
    )
    let levels = try Self.lint(overridden, "t.txt")
    #expect(levels.status == 1)
    #expect(levels.output.contains("1 warning in 1 trace"))
    #expect(!levels.output.contains("DMA003"))
    let shown = try Self.lint(overridden, "--show-settings --ignore DMA007")
    #expect(shown.output.contains("fail-on = \"warning\"  # \(overridden)/dmatop.toml"))
    #expect(shown.output.contains("ignore = [\"DMA007\"]  # command line"))
    #expect(shown.output.contains("DMA007 = \"off\""))
  }

  @Test(arguments: [
    ("selct = []", "dmatop.toml: selct is no setting"),
    ("select = [\"DMA9\"]", "'DMA9' is no rule"),
    ("[[suppress]]\nrule = \"DMA003\"", "suppress 1: a reason is required"),
    ("[[suppress]]\nrule = \"DMA003\"\nreason = \"x\"\nexpires = \"soon\"", "wants a date"),
    ("[severity]\nDMA003 = \"bad\"", "severity.DMA003 is error, warning, note or off"),
    ("a = ", "dmatop.toml:1: "), ("leak-minimum = 1", "leak-minimum wants a number"),
    ("[[override]]\ndrivers = \"x\"", "override 1: there is no key 'drivers'"),
  ])
  func settingsThatMeanNothingAreErrors(_ settings: String, _ message: String) throws {
    let result = try Self.lint(Self.project(settings), "t.txt")
    #expect(result.status == 2)
    #expect(result.errors.contains(message), "\(result.errors)")
    #expect(result.output.isEmpty)
  }

  @Test func aBaselineAllowsWhatWasThere() throws {
    let directory = Self.project()
    let written = try Self.lint(directory, "--write-baseline b.json t.txt")
    #expect(written.status == 0)
    #expect(written.output.isEmpty)
    let known = try Self.lint(directory, "--baseline b.json t.txt")
    #expect(known.status == 0)
    #expect(known.output.contains("2 baselined"))
    // Another run of the same drivers, with other addresses, times, sizes and lines.
    let other = try Program.shell(
      """
      cd \(directory)
      sed -e 's/=1000/=7000/g;s/=3000/=9000/g;s/size=256/size=512/;s/ 1\\.0/ 7.0/' t.txt |
        sed '5i # a line more' >u.txt
      dmatop lint --baseline b.json u.txt
      """
    )
    #expect(other.status == 0, "\(other.output)")
    // One mistake more is one too many.
    let more = try Program.shell(
      "cd \(directory); cat t.txt >v.txt; grep dma_ t.txt | sed 's/ 1\\.0/ 2.0/' >>v.txt;"
        + " dmatop lint --baseline b.json v.txt"
    )
    #expect(more.status == 1)
    #expect(more.output.contains("2 errors in 1 trace"))
    // One mistake less.
    let less = try Program.shell(
      "cd \(directory); grep -v size=255 t.txt >w.txt; dmatop lint --baseline b.json w.txt"
    )
    #expect(less.status == 0)
    #expect(less.output.contains("[TRC008 stale-baseline]"))
    #expect(try Self.lint(directory, "--baseline b.json --strict-baseline w.txt").status == 1)
    #expect(try Self.lint(directory, "--baseline b.json --prune-baseline w.txt").status == 0)
    #expect(try Self.lint(directory, "--baseline b.json --strict-baseline w.txt").status == 0)
    #expect(try Self.lint(directory, "--baseline b.json t.txt").status == 1)
    #expect(try Self.lint(directory, "--baseline nowhere.json t.txt").status == 2)
    #expect(try Self.lint(directory, "--baseline t.txt t.txt").status == 2)
    #expect(try Self.lint(directory, "--prune-baseline t.txt").status == 2)
  }
}
