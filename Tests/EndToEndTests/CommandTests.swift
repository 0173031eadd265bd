// SPDX-License-Identifier: MIT
import TestSupport
import Testing

/// The commands, run as processes: output, messages and exit status.
@Suite struct CommandTests {
  private static let bug = "fixtures/kernel/linux-7.3/bug-unmap-size"

  @Test(arguments: ["log", "stat", "dump", "lint", "replay"])
  func badInputIsRefusedWithAMessage(_ command: String) throws {
    let cases: [(path: String, words: String)] = [
      ("/does/not/exist", "no such file"),
      // Lint takes directories of traces.
      (
        Fixtures.temporaryDirectory(), command == "lint" ? "no files that end in" : "is a directory"
      ),
      (Fixtures.temporary("empty", []), "is empty"), ("LICENSE", "text without trace events"),
      (Fixtures.temporary("x.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), "cut off at byte 8"),
    ]
    for (path, words) in cases {
      let result = try Program.run([command, path])
      #expect(result.status == 2, "\(path)")
      #expect(result.errors.contains(words), "\(path): \(result.errors)")
      #expect(result.errors.hasPrefix("dmatop: "))
    }
  }

  @Test func noPermission() throws {
    let path = Fixtures.temporary("secret", Array("x".utf8))
    // Root may read everything, so ask as somebody else where that is possible.
    let result = try Program.shell(
      "chmod 000 \(path); chmod 755 $(dirname \(path));"
        + " setpriv --reuid=65534 --clear-groups dmatop log \(path)"
    )
    #expect(result.status == 2 || result.errors.contains("setpriv"))
    #expect(result.errors.contains("ermission") || result.errors.contains("setpriv"))
  }

  @Test func usageErrorsAreStatusTwo() throws {
    for arguments in [
      ["log"], ["log", "--no-such-option", "x"], ["log", "--kernel", "6.1", "x"],
      ["log", "--at", "sometime", "x"], ["dump", "--fields", "colour", Self.bug + "/trace.txt"],
      ["dump", "--filter", "colour:red", Self.bug + "/trace.txt"],
      ["dump", "--events", "--sort", "size", Self.bug + "/trace.txt"],
      ["log", "--dma-debug-entries", "0", "x"], ["fs", "cat", "nothing", Self.bug + "/trace.txt"],
      ["stat", "--devices", "/does/not/exist", Self.bug + "/trace.txt"],
      ["log", "--at", "snapshot:nowhere", Self.bug + "/trace.txt"],
    ] {
      let result = try Program.run(arguments)
      #expect(result.status == 2, "\(arguments)")
      #expect(!result.errors.isEmpty, "\(arguments)")
    }
    #expect(try Program.run(["--help"]).status == 0)
    let version = try Program.run(["--version"]).output
    #expect(version.wholeMatch(of: /dmatop \d+\.\d+\.\d+ \([0-9a-z-]+\)\n/) != nil, "\(version)")
  }

  @Test func readsFilesPipesAndFIFOs() throws {
    let trace = Self.bug + "/trace.txt"
    let file = try Program.run(["log", "--all-errors", trace])
    #expect(file.status == 0)
    let bytes = Fixtures.bytes(Fixtures.root + "/" + trace) ?? []
    let input = try Program.run(["log", "--all-errors", "-"], input: bytes)
    #expect(input.output == file.output)
    let pipe = try Program.shell("cat \(trace) | dmatop log --all-errors -")
    #expect(pipe.output == file.output)
    let fifo = try Program.shell(
      "d=$(mktemp -d); mkfifo $d/f; cat \(trace) >$d/f & dmatop log --all-errors $d/f; wait"
    )
    #expect(fifo.output == file.output)
    let windows = try Program.shell("sed 's/$/\\r/' \(trace) | dmatop log --all-errors -")
    #expect(windows.output == file.output)
  }

  @Test func lintSaysByItsStatusWhatItFound() throws {
    #expect(try Program.run(["lint", Self.bug + "/trace.txt"]).status == 1)
    #expect(try Program.run(["lint", "--fail-on", "never", Self.bug + "/trace.txt"]).status == 0)
    let clean = "fixtures/kernel/linux-7.3/clean-streaming/trace.txt"
    #expect(try Program.run(["lint", clean]).status == 0)
    let both = try Program.run(["lint", clean, "/does/not/exist", Self.bug + "/trace.txt"])
    #expect(both.status == 2)
    #expect(both.output.contains("DMA003"))
    let json = try Program.run(["lint", "--format", "json", Self.bug + "/trace.txt"])
    #expect(json.output.hasPrefix("{"))
    #expect(
      json.output
        == (try Program.run(["lint", "--format", "json", Self.bug + "/trace.txt"])).output
    )
  }

  @Test func aTraceWithoutDMAEventsSaysHowToRecordOne() throws {
    let trace = TraceText.kernel(["sched_switch: prev_comm=a prev_pid=1 ==> next_comm=b next_pid=2"]
    )
    let result = try Program.run(["log", "-"], input: trace)
    #expect(result.status == 0)
    #expect(result.errors.contains("trace-cmd record -e dma"))
  }

  @Test func malformedLinesAreCountedAndShownOnRequest() throws {
    let lines = [
      "dma_map_page: 0000:00:03.0 dir=TO_DEVICE dma_addr=99999999999999999 size=64 phys_addr=0 attrs=",
      "dma_map_page: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=-4 phys_addr=0 attrs=",
    ]
    let brief = try Program.run(["log", "-"], input: TraceText.kernel(lines))
    #expect(brief.status == 2)
    #expect(brief.errors.contains("2 lines could not be understood"))
    #expect(!brief.errors.contains("line 6:"))
    let long = try Program.run(["log", "-v", "-"], input: TraceText.kernel(lines))
    #expect(long.errors.contains("line 5:"))
    #expect(long.errors.contains("line 6:"))
  }

  @Test func hostileNamesReachNoTerminal() throws {
    let name = "a\u{1b}]0;gotcha\u{7}\u{9b}2J\u{202e}"
    let trace = TraceText.kernel([
      #"driver_probe: (really_probe+0x0/0x2a0) device="\#(name)" driver="\#(name)""#,
      "dma_map_page: \(name) dir=TO_DEVICE dma_addr=1000 size=64 phys_addr=1000 attrs=",
      "dma_unmap_page: \(name) dir=TO_DEVICE dma_addr=1000 size=32 attrs=",
      "dma_map_page: \(name) dir=TO_DEVICE dma_addr=1000 size=64 phys_addr=1000 attrs=",
      "tracing_mark_write: \(name)",
    ])
    for arguments in [
      ["log", "--all-errors"], ["lint"], ["lint", "--format", "json"], ["stat"], ["dump"],
      ["stat", "--format", "json"], ["dump", "--events"], ["dump", "--format", "csv"],
      ["dump", "--format", "jsonl"], ["dump", "--events", "--format", "csv"],
      ["fs", "cat", "dump"], ["log", "--at", "marker:nowhere"], ["replay"],
    ] {
      let result = try Program.run(arguments + ["-"], input: trace)
      for text in [result.output, result.errors] {
        let harmful: Set<Unicode.Scalar> = ["\u{1b}", "\u{7}", "\u{9b}", "\u{202e}"]
        #expect(!text.unicodeScalars.contains { harmful.contains($0) }, "\(arguments)")
      }
    }
  }

  @Test func bootParametersAreThoseOfTheKernel() throws {
    let trace = Self.bug + "/trace.txt"
    let off = try Program.run(["log", "--dma-debug", "off", trace])
    #expect(off.output == "DMA-API: debugging disabled on kernel command line\n")
    let disabled = try Program.run(["fs", "cat", "disabled", "--dma-debug", "off", trace])
    #expect(disabled.output == "Y\n")
    let small = try Program.run([
      "log", "--dma-debug-entries", "5", "--at", "snapshot:start", trace,
    ])
    #expect(small.output.contains("preallocated 32 debug entries"))
    let filtered = try Program.run(["log", "--all-errors", "--dma-debug-driver", "nobody", trace])
    #expect(
      filtered.output == """
        DMA-API: enable driver filter for driver [nobody]
        DMA-API: preallocated 65536 debug entries
        DMA-API: debugging enabled by kernel config

        """
    )
  }

  @Test("a full disk is no success", arguments: ["dump", "stat", "log", "lint"])
  func fullDisk(_ command: String) throws {
    let trace = "fixtures/kernel/linux-6.12/bug-unmap-size/trace.txt"
    let result = try Program.shell("dmatop \(command) \(trace) >/dev/full")
    #expect(result.status == 2)
    #expect(result.errors.contains("standard output: No space left on device"))
  }

  @Test("stat at a moment counts what was until then")
  func statAtAMoment() throws {
    let trace = "fixtures/kernel/linux-6.12/real-nvme/trace.txt"
    let result = try Program.run(["stat", "--at", "event:100", "--format", "json", trace])
    let events = try #require(result.output.firstRange(of: "\"events\": 100"))
    _ = events
    let text = result.output
    let place = try #require(text.firstRange(of: "\"dma_events\": "))
    let count = Int(text[place.upperBound...].prefix { $0.isNumber }) ?? 1000
    #expect(count > 0 && count < 100)
  }

  @Test("an overlap names the mapping that is in the way")
  func overlapNamesTheOther() throws {
    let directory = "fixtures/kernel/linux-6.12/bug-overlap-cacheline"
    let result = try Program.run([
      "lint", "--devices", directory + "/devices.txt", directory + "/trace.txt",
    ])
    let lines = result.output.split(separator: "\n")
    let first = try #require(lines.firstIndex { $0.contains("[DMA016") })
    let mapped = try #require(lines[first...].first { $0.contains("mapped in line ") })
    let number = lines[first].split(separator: ":")[1]
    #expect(!mapped.contains("mapped in line \(number) "), "\(mapped)")
  }

  @Test("a leak at unbind is the driver's, not the bus's")
  func leakAtUnbind() throws {
    let result = try Program.run([
      "lint", "fixtures/kernel/linux-6.12/bug-leak-on-unbind/trace.txt",
    ])
    #expect(result.output.contains("error: dmax_edu 0000:00:03.0: device driver has pending"))
    #expect(!result.output.contains("error: pci "))
  }
}
