// SPDX-License-Identifier: MIT
import DMADebugCore
import DMALint
import DMAReplay
import DMATrace
import TestSupport
import Testing

@Suite struct LintTests {
  private func lint(_ lines: [String]) throws -> LintResult {
    var replay = try Replay(
      reader: TextTraceReader(bytes: TraceText.kernel(lines), name: "t.txt"),
      options: ReplayOptions()
    )
    replay.collect(.reports)
    var collector = FindingCollector(path: "t.txt")
    _ = try replay.run(to: .end) { replay, _ in
      for report in replay.output.reports {
        collector.add(report, replay.names, replay.engine.configuration.generation)
      }
    }
    collector.add(replay.summary)
    return LintResult(
      path: "t.txt",
      findings: collector.sorted,
      eventCount: replay.engine.eventCount,
      summary: replay.summary,
      kernel: "6.12",
      kernelOrigin: "",
      undecided: replay.engine.undecided
    )
  }

  @Test func aMistakeIsOneFindingHoweverOftenTheKernelSaysIt() throws {
    let result = try lint([
      TraceText.probe,
      "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=3/3 ents=3/3 dma_addrs={0x1000,0x3000,0x5000}"
        + " sizes={0x1000,0x1000,0x1000} phys_addrs={0x1000,0x3000,0x5000} attrs=",
      "dma_unmap_sg: 0000:00:03.0 dir=TO_DEVICE phys_addrs={0x1000,0x3000} attrs=",
    ])
    #expect(result.findings.map(\.rule.id) == ["DMA006"])
    #expect(result.findings.first?.count == 2)
    #expect(result.findings.first?.line == 7)
    #expect(result.findings.first?.origin?.line == 6)
    #expect(result.findings.first?.driver == "alpha")
  }

  @Test func theTextNamesLineDeviceRuleAndBothSites() throws {
    var result = try lint([
      TraceText.probe,
      "dma_alloc: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=2000 size=64"
        + " virt_addr=ffff888000002000 flags=GFP_KERNEL attrs=",
      "dma_free: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=2000 size=32"
        + " virt_addr=ffff888000002000 attrs=",
    ])
    result.findings[0].fingerprint = "0123"
    let text = ReportFormat.text([result]).text
    #expect(
      text.string == """
        t.txt:7: error: alpha 0000:00:03.0: device driver frees DMA memory with different size \
        [device address=0x0000000000002000] [map size=64 bytes] [unmap size=32 bytes] \
        [DMA003 free-size]
            at 1.000003000 by test-1 on CPU 0
            mapped in line 6 at 1.000002000 by test-1 on CPU 0
            hint: Keep the size beside the dma_addr_t (dma_unmap_len_set) instead of computing it \
        anew.
            see: dmatop replay t.txt --finding 0123

        """
    )
    #expect(
      LintResult.summary([result]) == "1 error in 1 trace (3 events, 0 lost, 0 undecided)"
    )
  }

  @Test func hostileNamesStayOnTheirLine() throws {
    let name = "a\u{1b}[2J\"<&>"
    let result = try lint([
      #"driver_probe: (really_probe+0x0/0x2a0) device="\#(name)" driver="d""#,
      "dma_unmap_page: \(name) dir=TO_DEVICE dma_addr=1000 size=64 attrs=",
    ])
    let text = ReportFormat.text([result]).text
    #expect(!text.bytes.contains(0x1b))
    let json = String(decoding: LintResult.json([result]), as: UTF8.self)
    #expect(!json.utf8.contains(0x1b))
  }

  @Test func ruleIDsAreUnique() {
    #expect(Set(Rule.all.map(\.id)).count == Rule.all.count)
    #expect(Set(Rule.all.map(\.name)).count == Rule.all.count)
  }

  @Test func aTraceWithoutDMAEventsIsSaidToBeOne() throws {
    let result = try lint(["tracing_mark_write: hello"])
    #expect(result.findings.map(\.rule.id) == ["TRC003"])
  }
}
