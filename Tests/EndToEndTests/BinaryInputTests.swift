// SPDX-License-Identifier: MIT
import TestSupport
import Testing

/// Text and binary form of one capture: every command says the same of both.
@Suite struct BinaryInputTests {
  private static let captures: [String] = {
    let kernel = Fixtures.root + "/fixtures/kernel"
    return Fixtures.list(kernel).filter { $0.hasPrefix("linux-") }.flatMap { release in
      Fixtures.list("\(kernel)/\(release)").map { "fixtures/kernel/\(release)/\($0)" }
        .filter { Fixtures.list(Fixtures.root + "/" + $0).contains("trace.dat") }
    }
  }()

  @Test func thereAreCaptures() {
    #expect(Self.captures.count >= 7)
  }

  @Test("log, files, totals and findings agree", arguments: captures)
  func sameAnswers(_ directory: String) throws {
    let kernel = directory.contains("linux-7.3") ? "7.3" : "6.12"
    let common = ["--kernel", kernel, "--devices", directory + "/devices.txt"]
    // In hashed text some addresses of allocations are hashes: what depends on them may differ.
    let isHashed = directory.contains("hashed")
    for command in [["log", "--all-errors", "--stacks"], ["fs", "cat", "dma-api/dump"]] {
      guard !isHashed else { continue }
      let text = try Program.run(command + common + [directory + "/trace.txt"])
      let binary = try Program.run(command + common + [directory + "/trace.dat"])
      #expect(binary.output == text.output)
      #expect(binary.status == 0 && text.status == 0)
      #expect(!text.output.isEmpty)
    }
    func counts(_ name: String) throws -> [String] {
      let table = try Program.run(["stat"] + common + [directory + "/" + name]).output
      // Events, pool, errors, and per device what is no time.
      return table.split(separator: "\n").compactMap { line in
        if line.hasPrefix("pool") || line.hasPrefix("errors") { return String(line) }
        let words = line.split(separator: " ")
        guard words.count > 8, words[1].contains(":") else { return nil }
        return words.prefix(4).joined(separator: " ") + " errors \(words.last ?? "")"
      }
    }
    #expect(try counts("trace.dat") == counts("trace.txt"))
    func findings(_ name: String) throws -> [String] {
      let lines = try Program.run(
        ["lint", "--format", "concise", "-q"] + common + [directory + "/" + name]
      ).output.split(separator: "\n")
      // Behind path, line and column.
      return lines.map { line in
        line.split(separator: ":", maxSplits: 3).dropFirst(3).joined()
      }.sorted()
    }
    if !isHashed { #expect(try findings("trace.dat") == findings("trace.txt")) }
  }

  @Test("a pipe and a packed file say the same as the file")
  func containers() throws {
    let path = "fixtures/kernel/linux-7.3/fuzz-02/trace.dat"
    let plain = try Program.run(["log", "--all-errors", path]).output
    #expect(plain.split(separator: "\n").count > 10)
    for command in [
      "cat \(path) | dmatop log --all-errors -", "gzip -c \(path) | dmatop log --all-errors -",
      "gzip -c \(path) >$T/x.gz; dmatop log --all-errors $T/x.gz",
    ] {
      let directory = Fixtures.temporaryDirectory()
      #expect(try Program.shell(command, environment: ["T": directory]).output == plain)
    }
  }

  @Test("findings of a binary capture show the record, not bytes")
  func excerpts() throws {
    let directory = "fixtures/kernel/linux-7.3/fuzz-02"
    let result = try Program.run([
      "lint", "--devices", directory + "/devices.txt", directory + "/trace.dat",
    ])
    #expect(result.output.contains("dma_unmap_phys: 0000:00:0"))
    #expect(result.output.contains("mapped in record "))
    #expect(!result.output.contains("\\x"))
  }

  @Test("a damaged file: what is readable first, then status 2")
  func damage() throws {
    let whole = Fixtures.bytes(Fixtures.root + "/fixtures/formats/synth-v6.dat") ?? []
    let path = Fixtures.temporary("cut.dat", Array(whole.dropLast(4000)))
    for command in [["stat"], ["log"], ["dump"], ["fs", "ls"], ["lint"]] {
      let result = try Program.run(command + [path])
      #expect(result.status == 2, "\(command)")
      #expect(!result.output.isEmpty)
      #expect(result.errors.contains("damaged, read in part: "), "\(result.errors)")
    }
  }
}
