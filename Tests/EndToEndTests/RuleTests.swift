// SPDX-License-Identifier: MIT
import DMADebugCore
import DMALint
import DMAReplay
import DMASimulator
import DMATrace
import Glibc
import TestSupport
import Testing

@testable import DMAExport
@testable import DMAMonitor
@testable import dmatop

/// Every rule against its own examples, the captures and the simulator's faults.
///
/// The examples stand in fixtures/rules too, so that people can try them; after a change that is
/// meant DMATOP_GOLDEN=update writes them anew.
@Suite struct RuleTests {
  /// What the kernel says about the same call.
  private static let companions: [String: Set<String>] = [
    "DMA103": ["DMA010"], "DMA113": ["DMA002"], "DMA115": ["DMA010"], "DMA116": ["DMA010"],
    "DMA117": [], "DMA102": [], "DMA013": ["DMA012"], "DMA014": ["DMA012"],
    "DMA025": ["DMA026"],
  ]

  static func lint(_ reader: any TraceReader, _ options: ReplayOptions) throws -> LintResult {
    var replay = try Replay(reader: reader, options: options)
    var session = LintSession(&replay, captures: ["t"], LintConfiguration())
    _ = try replay.run(to: .end) { replay, event in session.observe(&replay, event) }
    return session.finish(&replay).traces[0]
  }

  private static func lint(_ example: RuleExample) throws -> LintResult {
    switch try Capture.open(Array(example.trace.utf8), name: "t") {
    case .log(var reader): return try LintResult.linted(&reader, name: "t")
    case .dump(let dump): return LintResult.linted(dump, name: "t")
    case .trace: break
    }
    var options = ReplayOptions()
    options.generation = KernelGeneration(version: example.kernel)
    options.dmaAlignment = example.isCoherentMachine ? 1 : 64
    options.isComplete = example.isComplete
    return try lint(TextTraceReader(bytes: Array(example.trace.utf8), name: "t"), options)
  }

  @Test(arguments: Rule.all.map(\.id))
  func theBadExampleIsFoundAndTheGoodOneIsNot(_ id: String) throws {
    let rule = try #require(Rule(named: id))
    guard let bad = rule.bad, let good = rule.good else {
      // No short trace can show these.
      #expect(["DMA021", "DMA022", "TRC006", "TRC007", "TRC008"].contains(id))
      return
    }
    let allowed = (Self.companions[id] ?? []).union([id])
    let found = try Self.lint(bad).findings
    #expect(found.contains { $0.rule.id == id }, "\(found.map(\.rule.id))")
    #expect(found.count { $0.rule.id == id } == 1)
    #expect(Set(found.map(\.rule.id)).isSubset(of: allowed), "\(found.map(\.message))")
    let clean = try Self.lint(good).findings
    #expect(clean.isEmpty, "\(clean.map(\.message))")
    for (kind, example) in [("bad", bad), ("good", good)] {
      let path = "\(Fixtures.root)/fixtures/rules/\(id).\(kind).txt"
      if getenv("DMATOP_GOLDEN") != nil {
        let file = try #require(fopen(path, "w"))
        fputs(example.trace, file)
        fclose(file)
      }
      #expect(Fixtures.text(path) == example.trace)
    }
  }

  /// What is made of the rule files is made of these.
  @Test func theListOfRulesIsFresh() throws {
    let check = try Program.shell("\(Fixtures.root)/scripts/generate-rules --check")
    #expect(check.status == 0, "\(check.errors)")
    // Every file of a rule is in it, and every rule has its file.
    let files = Fixtures.list(Fixtures.root + "/Sources/DMALint/Rules")
      .filter { $0.hasPrefix("DMA") || $0.hasPrefix("TRC") }
    #expect(Rule.all.map { $0.id + ".swift" } == files.sorted())
  }

  @Test func idsAndNamesAreUnique() {
    #expect(Set(Rule.all.map(\.id)).count == Rule.all.count)
    #expect(Set(Rule.all.map(\.name)).count == Rule.all.count)
    #expect(Rule.all.map(\.id) == Rule.all.map(\.id).sorted())
    for kind in Report.Kind.allCases {
      let isNote = kind == .filterEnabled || kind == .filterDisabled
      #expect((Rule(kind) == nil) == isNote)
      if let rule = Rule(kind) { #expect(rule.name == kind.name) }
    }
    for rule in Rule.all {
      #expect(!rule.why.isEmpty && !rule.fix.isEmpty && rule.summary.count < 80)
      #expect(rule.why.hasSuffix(".") && rule.fix.hasSuffix("."), "\(rule.id)")
    }
  }

  @Test func theDocumentIsUpToDate() throws {
    let document = try Program.run(["rules", "--format", "markdown"])
    #expect(document.output == Fixtures.text(Fixtures.root + "/docs/RULES.md"))
    let list = try Program.run(["rules"])
    #expect(list.output.split(separator: "\n").count == Rule.all.count)
    let text = try Program.run(["explain", "DMA003", "map-churn"])
    #expect(text.status == 0)
    #expect(text.output.contains("DMA003 free-size: unmap with another size than mapped"))
    #expect(text.output.contains("# 600 times"))
    let json = try Program.shell("dmatop explain --format json DMA003 | python3 -m json.tool")
    #expect(json.status == 0)
    let unknown = try Program.run(["explain", "DMA999"])
    #expect(unknown.status == 2)
    #expect(unknown.errors.contains("there is no rule 'DMA999'"))
  }

  /// Beyond the kernel nothing is said about captures of drivers that do it right.
  @Test(
    arguments: KernelCase.all.filter { $0.name.hasPrefix("clean") || $0.name.hasPrefix("real") }
  )
  func captureOfRightUseHaveNoFindingBeyondTheKernel(_ capture: KernelCase) throws {
    var options = ReplayOptions()
    options.generation = KernelGeneration(version: capture.kernel)
    options.devices = try? DeviceTable(path: capture.devices)
    let result = try Self.lint(TextTraceReader(path: capture.trace), options)
    #expect(
      result.findings.allSatisfy { !$0.rule.id.hasPrefix("DMA1") && !$0.rule.id.hasPrefix("DMA2") }
    )
  }

  /// What a rule says of each mistake that the simulator can make; of the others no trace can tell.
  private static let rulesOfFaults: [Fault: Set<String>] = [
    .unmapInvalid: ["DMA001"], .doubleUnmap: ["DMA002"], .unmapSize: ["DMA003"],
    .unmapFunction: ["DMA004"], .unmapDirection: ["DMA007"],
    .unmapAttributes: ["DMA009", "DMA106"],
    .unmapOtherDevice: ["DMA002"], .unmapSGCount: ["DMA006"], .freeCPUAddress: ["DMA005"],
    .freeCoherentSize: ["DMA003"], .unchecked: ["DMA008"], .failedMapUsed: ["DMA001", "DMA117"],
    .syncUnallocated: ["DMA010"], .syncTooLong: ["DMA010"], .syncOutside: ["DMA011"],
    .syncDirection: ["DMA012"], .syncReadOnlyForCPU: ["DMA013"],
    .syncWriteOnlyToDevice: ["DMA014"], .syncSGCount: ["DMA015"],
    .segmentTooLong: ["DMA017"], .segmentBoundary: ["DMA018"], .mapStack: ["DMA023"],
    .mapText: ["DMA024"], .mapInvalid: ["DMA026"], .mapRAMAsResource: ["DMA027"],
    .forgottenUnmap: ["DMA019"], .forgottenFree: ["DMA019"], .leakedIOVA: ["DMA003"],
    .leakedAttachment: ["DMA201"], .detachWhileMapped: ["DMA203"],
    .unmapAttachmentTwice: ["DMA204"], .unbalancedVmap: ["DMA205"], .unbalancedKmap: ["DMA205"],
    .unendedCPUAccess: ["DMA206"], .cpuAccessOutside: ["DMA207"], .accessBeforeFence: ["DMA208"],
    .useAfterPut: ["DMA209"], .fenceNeverSignaled: ["DMA210"], .fenceDeadlock: ["DMA211"],
    .unsyncedRange: ["DMA214"], .useAfterUnlink: ["DMA117"], .releaseInFlight: ["DMA216"],
    .unmapInFlight: ["DMA217"], .ignoredMove: ["DMA218"], .unbalancedPin: ["DMA219"],
    .leakedBuffer: ["DMA220"], .leakedRange: ["DMA221"], .neverIssued: ["DMA222"],
  ]
  /// Those that come with shared buffers, ranges and channels: seen at work where there are many.
  private static let sharing = Fault.allCases.filter {
    $0.rawValue >= Fault.leakedAttachment.rawValue
  }

  @Test(arguments: Fault.allCases)
  func everyFaultThatATraceShowsHasItsRule(_ fault: Fault) throws {
    guard let expected = Self.rulesOfFaults[fault] else {
      // Said in docs/ARCHITECTURE.md: the machine sees these, a trace does not, or only where an
      // IOMMU stops them or caches are not coherent.
      let unseen: Set<Fault> = [
        .overlap, .overlapOverflow, .mapVmalloc, .poolBusy, .poolDoubleFree, .poolUseAfterFree,
        .missingSyncForCPU, .missingSyncForDevice, .useAfterUnmap, .freeWhileMapped, .deviceOverrun,
        .wrongMapDirection, .sharedCacheline, .wrongMask,
      ]
      #expect(unseen.contains(fault))
      return
    }
    let isSharing = Self.sharing.contains(fault)
    let reader = try SimulatedRun.reader(
      isSharing ? "sharing" : "desktop",
      events: 6_000,
      faults: "\(fault.name)@\(isSharing ? "2%" : "0.5%")"
    )
    let result = try Self.lint(reader, ReplayOptions())
    let made = reader.simulation.injector?.counts[fault.rawValue] ?? 0
    if isSharing { #expect(made > 0) }
    guard made > 0 else { return }
    let found = Set(result.findings.filter { $0.severity != .note }.map(\.rule.id))
    // What is forgotten shows when the driver leaves, which the end of these events may come before.
    if expected == ["DMA019"], found.isEmpty { return }
    #expect(!found.isDisjoint(with: expected), "\(made) made, found \(found)")
  }

  /// What is said of a fault in a range tells what the range had there, not what was mapped before it.
  @Test func faultsInRangesNameTheLink() throws {
    let device = "0000:00:03.0"
    func range(_ function: String) -> String {
      "dma_iova_\(function): (dma_iova_\(function)+0x0/0x100) device=\"\(device)\" dma_addr=0x10000"
        + " size=4096 phys_addr=0x5000 dir=1"
    }
    let ordinary = [
      "dma_map_phys: \(device) dir=TO_DEVICE dma_addr=10000 size=4096 phys_addr=5000 attrs=",
      "dma_unmap_phys: \(device) dir=TO_DEVICE dma_addr=10000 size=4096 attrs=",
    ]
    let fault = "io_page_fault: IOMMU:alpha \(device) iova=0x0000000000010010 flags=0x0000"
    let begun = ordinary + [range("try_alloc")]
    for (lines, words) in [
      (ordinary + [fault], "the mapping there was unmapped 1 µs before, in line 3"),
      (begun + [fault], "nothing is linked there, in a range that was allocated in line 4"),
      (
        begun + [range("link"), fault], "linked in line 5 and not synced, as far as the trace shows"
      ),
      (
        begun + [range("link"), range("sync"), fault],
        "linked as TO_DEVICE in line 5 and synced"
      ),
      (
        begun + [range("link"), range("sync"), range("unlink"), fault],
        "unlinked 1 µs before, in line 7"
      ),
      (begun + [range("link"), range("sync"), range("destroy"), fault], "unlinked 1 µs before"),
      (
        begun + [range("link"), range("sync"), range("destroy")] + ordinary + [fault],
        "the mapping there was unmapped 1 µs before, in line 9"
      ),
    ] {
      var text = "# tracer: nop\n"
      for (number, line) in lines.enumerated() {
        text += "           alpha-1       [000] .....     1.00000\(number): \(line)\n"
      }
      let reader = TextTraceReader(bytes: Array(text.utf8), name: "t")
      let found = try Self.lint(reader, ReplayOptions()).findings.filter { $0.rule.id == "DMA117" }
      #expect(found.count == 1)
      #expect(found.first?.message.contains(words) == true, "\(found.map(\.message))")
    }
  }

  /// All mistakes in one run: most of them are made, and each has its rule.
  @Test func allFaultsTogetherHaveTheirRules() throws {
    let reader = try SimulatedRun.reader("desktop", events: 30_000, faults: "all@1%")
    let result = try Self.lint(reader, ReplayOptions())
    let found = Set(result.findings.map(\.rule.id))
    let counts = try #require(reader.simulation.injector?.counts)
    let made = Self.rulesOfFaults.filter { counts[$0.key.rawValue] > 0 }
    #expect(made.count >= 20)
    for (fault, rules) in made where rules != ["DMA019"] && !Self.sharing.contains(fault) {
      #expect(!found.isDisjoint(with: rules), "\(fault.name)")
    }
  }

  /// Right use in the simulator has no findings, whatever the machine is like.
  @Test(
    arguments: [
      "desktop", "nic", "nvme", "usb", "audio", "virtio", "camera", "gpu", "dmaengine", "sharing",
      "sharing-board",
    ]
  )
  func rightUseInTheSimulatorHasNoErrors(_ name: String) throws {
    let result = try Self.lint(
      SimulatedRun.reader(name, events: 5_000),
      ReplayOptions()
    )
    let wrong = result.findings.filter { $0.rule.severity != .note }
    #expect(wrong.isEmpty, "\(wrong.map { ($0.rule.id, $0.message) })")
  }
}
