// SPDX-License-Identifier: MIT
import TestSupport
import Testing

/// `dmatop sim`, run as a process.
@Suite struct SimCommandTests {
  /// What was asked for and not made is said.
  @Test func mistakesThatNobodyCanMakeAreNamed() throws {
    let never = try Program.run([
      "sim", "dmaengine", "--fault", "leaked-attachment@once", "--headless", "--duration", "20ms",
    ])
    #expect(never.status == 0)
    #expect(
      never.errors.contains(
        "leaked-attachment was not made: no driver of 'dmaengine' can make this mistake"
      )
    )
    let made = try Program.run([
      "sim", "camera", "--fault", "leaked-attachment@once", "--headless", "--duration", "200ms",
    ])
    #expect(made.errors.isEmpty, "\(made.errors)")
    let early = try Program.run([
      "sim", "camera", "--fault", "leaked-attachment@once", "--headless", "--duration", "40ms",
    ])
    #expect(early.errors.contains("leaked-attachment was not made: the run ended before its turn"))
  }

  /// Since 6.17 the kernel has no names of a signalled fence for its last events.
  @Test(arguments: [("6.12", false), ("6.16", false), ("6.17", true), ("7.3", true)])
  func signaledFencesHaveNoNames(_ kernel: String, _ areHidden: Bool) throws {
    let run = try Program.run([
      "sim", "camera", "--kernel", kernel, "--duration", "100ms", "--record", "-",
    ])
    let lines = run.output.split(separator: "\n")
    let destroyed = lines.filter { $0.contains(": dma_fence_destroy: ") }
    #expect(!destroyed.isEmpty)
    let hidden = "driver=detached-driver timeline=signaled-timeline "
    #expect(destroyed.allSatisfy { $0.contains(hidden) == areHidden })
    #expect(!lines.contains { $0.contains(": dma_fence_signaled: ") && $0.contains(hidden) })
  }

  @Test func listsAndDescribes() throws {
    let list = try Program.run(["sim", "--list"])
    #expect(list.status == 0)
    let names = list.output.split(separator: "\n").map { String($0.prefix { $0 != " " }) }
    #expect(names.count >= 30)
    for name in names {
      let about = try Program.run(["sim", "--describe", name])
      #expect(about.status == 0)
      #expect(about.output.hasPrefix(name + ": "))
    }
    let text = try Program.run(["sim", "--print", "nvme"])
    #expect(text.output.contains("workload  nvme device=nvme0"))
    let faults = try Program.run(["sim", "--list-faults"])
    #expect(faults.output.contains("unmap-size"))
  }

  @Test(arguments: ["6.12", "7.3"])
  func aRecordingIsTheSimulation(_ kernel: String) throws {
    let result = try Program.shell(
      """
      d=$(mktemp -d) && cd $d
      dmatop sim faulty-desktop --events 20000 --kernel \(kernel) --record t.txt >summary || exit 1
      s=sim:faulty-desktop,events=20000,kernel=\(kernel)
      for c in log "log --all-errors" "dump --format csv --fields device,dma_addr,size,type" \
        "fs cat dma-api/dump" "fs cat dma-api/error_count" "fs cat --at snapshot:work dma-api/dump"; do
        dmatop $c t.txt >a 2>/dev/null; dmatop $c $s >b 2>/dev/null
        cmp a b || exit 2
        test -s a || exit 3
      done
      dmatop sim faulty-desktop --events 20000 --kernel \(kernel) --record - 2>/dev/null | cmp - t.txt || exit 4
      dmatop sim faulty-desktop --events 20000 --kernel \(kernel) --headless --seed 5 --record u.txt >/dev/null
      cmp -s t.txt u.txt && exit 5
      grep -q '^verdict     all that' summary
      """
    )
    #expect(result.status == 0, "\(result.output) \(result.errors)")
  }

  @Test func theVerdictIsTheExitStatus() throws {
    let wrong = "device d\ncalls\n  dma_unmap_single(d, 4096, 64, DMA_TO_DEVICE)\nend\n"
    let path = Fixtures.temporary("wrong.scenario", Array(wrong.utf8))
    let failed = try Program.run(["sim", path, "--headless"])
    #expect(failed.status == 1)
    #expect(failed.output.contains("not expected: free-not-allocated"))
    let right = Fixtures.temporary(
      "right.scenario",
      Array((wrong + "expect free-not-allocated d\n").utf8)
    )
    #expect(try Program.run(["sim", right, "--headless"]).status == 0)
    let json = try Program.shell(
      "dmatop sim nic --duration 20ms --fault all@once --format json --headless | python3 -c '"
        + "import json,sys; d=json.load(sys.stdin); assert len(d[\"faults\"]) > 10; "
        + "assert d[\"problems\"] == []'"
    )
    #expect(json.status == 0, "\(json.errors)")
  }

  @Test func usageErrorsAreStatusTwo() throws {
    let broken = Fixtures.temporary("broken.scenario", Array("device d\n  bogus\n".utf8))
    for arguments in [
      ["sim", "no-such-scenario"], ["sim", "/does/not/exist.scenario"], ["sim", broken],
      ["sim", "nic", "--fault", "nonsense"], ["sim", "nic", "--duration", "soon"],
      ["sim", "nic", "--rate", "0"], ["sim", "nic", "--speed", "0"],
      ["sim", "--describe", "nothing"], ["log", "sim:nothing"], ["log", "sim:nic,colour=red"],
      ["sim", "nic", "--record", "/does/not/exist/file"],
    ] {
      let result = try Program.run(arguments)
      #expect(result.status == 2, "\(arguments)")
      #expect(!result.errors.isEmpty, "\(arguments)")
    }
    let message = try Program.run(["sim", broken]).errors
    #expect(message.contains("broken.scenario:2:3: 'bogus' is none of"))
  }

  @Test func aloneItShowsAScreen() throws {
    let result = try Program.run([])
    #expect(result.status == 0)
    #expect(result.output.contains("pool ["))
    #expect(result.output.contains("nvme"))
  }

  @Test func theTableOfTheAPIIsUpToDate() throws {
    let table = try Program.run(["sim", "--api-table"])
    #expect(table.output == Fixtures.text(Fixtures.root + "/docs/API.md"))
  }

  @Test func theExampleInTheDocumentationRuns() throws {
    let lines = Fixtures.lines(Fixtures.root + "/docs/SCENARIOS.md")
    let start = try #require(lines.firstIndex { $0.hasPrefix("device    dev0 driver=example") })
    let text = lines[start...].prefix { $0 != "```" }.joined(separator: "\n")
    let path = Fixtures.temporary("documented.scenario", Array(text.utf8))
    let result = try Program.run(["sim", path, "--headless"])
    #expect(result.status == 0, "\(result.output)")
  }
}
