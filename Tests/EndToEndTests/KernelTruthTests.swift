// SPDX-License-Identifier: MIT
import DMADebugCore
import DMALint
import DMAReplay
import DMATrace
import TestSupport
import Testing

/// Holds dmatop against what real kernels said about the same calls.
@Suite struct KernelTruthTests {
  /// Errors that no trace can show.
  private static let unseen = [
    "maps memory from", "mapping sg segment", "called for RAM address",
  ]

  /// Captures that begin late or lack the probes are not comparable with the kernel's own state.
  private static let comparable = KernelCase.all.filter { capture in
    !["plain-", "real-nvme-plain-late", "perf-", "tracecmd-"].contains {
      capture.name.hasPrefix($0)
    }
  }

  private static func options(_ capture: KernelCase) throws -> ReplayOptions {
    var options = ReplayOptions()
    options.generation = KernelGeneration(version: capture.kernel)
    options.entries = capture.entries
    options.devices = try DeviceTable(path: capture.devices)
    return options
  }

  @Test func thereAreCaptures() {
    #expect(Self.comparable.count >= 60)
    #expect(Set(Self.comparable.map(\.kernel)) == ["6.12", "7.3"])
  }

  @Test("the log is the kernel's", arguments: comparable)
  func log(_ capture: KernelCase) throws {
    var replay = try Replay(
      reader: TextTraceReader(path: capture.trace),
      options: Self.options(capture)
    )
    var text = TextBuffer()
    KernelMessage.startUp(replay.engine.configuration, &text)
    var reports: [Report] = []
    replay.collect(.reports)
    _ = try replay.run(to: .end) { replay, _ in reports += replay.output.reports }
    reports += replay.output.reports
    for report in reports where report.isPrinted {
      KernelMessage.append(
        report,
        replay.names,
        replay.engine.configuration.generation,
        to: &text
      )
    }
    let have = text.string.split(separator: "\n").map(String.init)
    let want = capture.log.filter { line in !Self.unseen.contains { line.contains($0) } }
    #expect(have == want)
  }

  @Test("the files are the kernel's at every snapshot", arguments: comparable)
  func files(_ capture: KernelCase) throws {
    let hasUnseen = capture.log.contains { line in Self.unseen.contains { line.contains($0) } }
    let isTruncated = capture.name.hasPrefix("clean-sg")
    for snapshot in capture.snapshots {
      var replay = try Replay(
        reader: TextTraceReader(path: capture.trace),
        options: Self.options(capture)
      )
      let isMet = try replay.run(to: .snapshot(snapshot)) { _, _ in }
      #expect(isMet)
      for file in VirtualFile.allCases where file != .bufinfo {
        if hasUnseen && (file == .errorCount || file == .numErrors) { continue }
        if isTruncated && file == .dump { continue }
        let have = String(decoding: replay.engine.read(file, names: replay.names), as: UTF8.self)
          .split(separator: "\n").map(String.init)
        let want = capture.file(snapshot, file.rawValue)
        if file == .minFreeEntries, capture.name.hasPrefix("real-") {
          // Two CPUs: the order of a map and an unmap may differ by a moment.
          let difference = abs((Int(have.first ?? "") ?? -99) - (Int(want.first ?? "") ?? 99))
          #expect(difference <= 4, "\(snapshot)/\(file.rawValue)")
        } else {
          let isEqual =
            have.count == want.count && zip(want, have).allSatisfy { Self.agrees($0, $1) }
          #expect(isEqual, "\(snapshot)/\(file.rawValue): want \(want) have \(have)")
        }
      }
    }
  }

  /// A physical address that the trace does not give is `?`, for coherent memory only.
  private static func agrees(_ want: String, _ have: String) -> Bool {
    if want == have { return true }
    guard have.contains("P=?"), have.contains("coherent ") else { return false }
    let wanted = want.split(separator: " ")
    let had = have.split(separator: " ")
    return wanted.count == had.count
      && zip(wanted, had).allSatisfy { word, mine in
        word == mine || mine == "P=?" && word.hasPrefix("P=0x")
          || mine == "cln=?" && word.hasPrefix("cln=0x")
      }
  }

  // MARK: Lint

  /// Rules by the words of EXPECTED.md.
  private static let rules: [String: Set<String>] = [
    "not allocated [free]": ["DMA002"], "overlap": ["DMA016"], "CPU address": ["DMA005"],
    "size": ["DMA003"], "leak at unbind": ["DMA019"], "map error unchecked": ["DMA008"],
    "overlap > 7": ["DMA020"], "sg count": ["DMA006", "DMA015"], "sync direction": ["DMA012"],
    "sync for cpu": ["DMA013"], "sync to device": ["DMA014"], "sync not allocated": ["DMA010"],
    "direction [free]": ["DMA007"], "function": ["DMA004"], "invalid address": ["DMA001"],
    "pool grown": ["DMA021"], "attributes": ["DMA009"],
  ]

  private struct Expectation: Sendable, CustomStringConvertible {
    let capture: KernelCase
    let messages: [String: UInt64]

    var description: String { capture.description }
  }

  /// The table of EXPECTED.md for the captures at hand.
  private static let expectations: [Expectation] = {
    Fixtures.lines(Fixtures.root + "/fixtures/kernel/EXPECTED.md").compactMap { line in
      let cells = line.split(separator: "|").map { $0.trimmingBlanks }
      guard cells.count >= 3,
        let capture = KernelCase.all.first(where: {
          $0.name == cells[0] && $0.kernel == cells[1]
        })
      else { return nil }
      var messages: [String: UInt64] = [:]
      for part in cells[2].split(separator: ",") {
        let words = part.trimmingBlanks.split(separator: " ", maxSplits: 2).map(String.init)
        guard words.count == 3, let count = UInt64(words[0]) else { continue }
        messages[words[2]] = count
      }
      return Expectation(capture: capture, messages: messages)
    }
  }()

  @Test("lint finds what EXPECTED.md lists and nothing else", arguments: expectations)
  private func lint(_ expectation: Expectation) throws {
    let capture = expectation.capture
    var options = ReplayOptions()
    options.entries = capture.entries
    let candidates = ["perf.script.txt", "rec.report.txt", "trace.txt"]
    let trace =
      candidates.map { capture.directory + "/" + $0 }
      .first { Fixtures.bytes($0) != nil } ?? capture.trace
    var replay = try Replay(reader: TextTraceReader(path: trace), options: options)
    var collector = FindingCollector(path: trace)
    var reports: [Report] = []
    replay.collect(.reports)
    _ = try replay.run(to: .end) { replay, _ in reports += replay.output.reports }
    reports += replay.output.reports
    for report in reports {
      collector.add(report, replay.names, replay.engine.configuration.generation)
    }
    collector.add(replay.summary)
    var have: [String: UInt64] = [:]
    for finding in collector.findings {
      let words = Self.rules.first { $0.value.contains(finding.rule.id) }?.key
      have[words ?? finding.rule.id, default: 0] += finding.count
    }
    var want = expectation.messages
    switch capture.name {
    // The kernel printed three of these five mistakes, the gates hid the others.
    case "driver-filter", "num-errors": want = ["size": 5]
    // The check cannot be seen without the probe.
    case "plain-nvme": want["map error unchecked"] = nil
    default: break
    }
    #expect(have == want)
  }
}

extension Substring {
  fileprivate var trimmingBlanks: String {
    var text = self
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
