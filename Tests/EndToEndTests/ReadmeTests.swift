// SPDX-License-Identifier: MIT
import Glibc
import TestSupport
import Testing

/// The README says nothing that is not so. After a change that is meant, DMATOP_GOLDEN=update writes its
/// examples anew; look at the difference.
@Suite struct ReadmeTests {
  private struct Block {
    var language: String
    var lines: [String]
  }

  private static func blocks(_ file: String) -> [Block] {
    var blocks: [Block] = []
    var open: Block?
    let text = Fixtures.text(Fixtures.root + "/" + file) ?? ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("```") {
        if let block = open {
          blocks.append(block)
          open = nil
        } else {
          open = Block(language: String(line.dropFirst(3)), lines: [])
        }
      } else {
        open?.lines.append(String(line))
      }
    }
    return blocks
  }

  @Test func everyExampleIsRealOutput() throws {
    let examples = Self.blocks("README.md").filter { $0.language == "console" }
    #expect(examples.count >= 10)
    var text = Fixtures.text(Fixtures.root + "/README.md") ?? ""
    for example in examples {
      var have: [String] = []
      for line in example.lines where line.hasPrefix("$ ") {
        have.append(line)
        let result = try Program.shell(line.dropFirst(2) + " 2>&1")
        have += result.output.split(separator: "\n", omittingEmptySubsequences: false)
          .dropLast().map(String.init)
      }
      if getenv("DMATOP_GOLDEN") != nil {
        let parts = text.split(
          separator: example.lines.joined(separator: "\n"),
          maxSplits: 1,
          omittingEmptySubsequences: false
        )
        text = parts.joined(separator: have.joined(separator: "\n"))
      } else {
        #expect(have == example.lines)
      }
    }
    if getenv("DMATOP_GOLDEN") != nil {
      let file = try #require(fopen(Fixtures.root + "/README.md", "w"))
      fputs(text, file)
      fclose(file)
    }
  }

  @Test func everyOtherCommandIsAtLeastOne() throws {
    let scripts = Self.blocks("README.md").filter { $0.language == "sh" }
    #expect(!scripts.isEmpty)
    for script in scripts {
      let text = script.lines.joined(separator: "\n")
      let file = Fixtures.temporary("script.sh", Array(text.utf8))
      let syntax = try Program.shell("bash -n \(file)")
      #expect(syntax.status == 0, "\(syntax.errors)")
      for line in script.lines where line.hasPrefix("make ") {
        let dry = try Program.shell("make -n \(line.dropFirst(5))")
        #expect(dry.status == 0, "\(dry.errors)")
      }
    }
  }

  @Test func everyCommandOfTheProgramHasAnExampleThatWorks() throws {
    // The help speaks of trace.txt and devices.txt in the working directory, of a log and of dumps.
    let capture = KernelCase.named("7.3", "real-nvme-stack")
    let end = capture.path("end", "dump")
    let log = Fixtures.root + "/fixtures/logs/linux-7.3-bug-unmap-function.txt"
    let others =
      "cp \(log) dmesg.txt && cp \(capture.path("start", "dump")) dump.before"
      + " && cp \(end) dump.after && cp \(end) dump.now"
    let words = [
      "", "replay", "log", "stat", "dump", "lint", "diff", "fs ls", "fs cat", "fs write",
      "fs export",
      "sim",
    ]
    for word in words {
      let help = try Program.shell("dmatop help \(word)")
      #expect(help.status == 0)
      let lines = help.output.split(separator: "\n", omittingEmptySubsequences: false)
      guard let start = lines.firstIndex(where: { $0.hasPrefix("Example") }) else {
        Issue.record("no example in the help of '\(word)'")
        continue
      }
      let examples = lines[(start + 1)...].prefix { !$0.isEmpty }
        .map { $0.drop { $0 == " " } }.filter { $0.hasPrefix("dmatop ") }
      #expect(!examples.isEmpty, "help of '\(word)'")
      for example in examples {
        // What stands behind several blanks is an explanation.
        let parts = example.split(separator: "  ", maxSplits: 1)
        let result = try Program.shell(
          "d=$(mktemp -d) && cd $d && cp \(capture.directory)/*.txt . && \(others) && \(parts[0])"
        )
        #expect([0, 1].contains(result.status), "\(example): \(result.errors)")
      }
    }
  }
}
