// SPDX-License-Identifier: MIT
import DMADebugCore
import DMALint
import DMAReplay
import DMATrace
import TestSupport
import Testing

/// dma-bufs of real captures.
@Suite struct BufferTests {
  private static let captures = KernelCase.all.filter { $0.name.hasPrefix("dmabuf-") }

  /// Where dmatop says `?` anything may stand.
  private static func agrees(_ want: [String], _ have: [String]) -> Bool {
    want.count == have.count
      && zip(want, have).allSatisfy { line, mine in
        let wanted = line.split(separator: "\t", omittingEmptySubsequences: false)
        let had = mine.split(separator: "\t", omittingEmptySubsequences: false)
        return wanted.count == had.count && zip(wanted, had).allSatisfy { $0 == $1 || $1 == "?" }
      }
  }

  @Test(arguments: captures.filter { $0.kernel == "7.3" }, [1, 2])
  func bufinfoIsTheKernelsInAllThatATraceShows(_ capture: KernelCase, _ number: Int) throws {
    let want = try #require(Fixtures.text("\(capture.directory)/bufinfo.\(number)"))
    let have = try Program.run([
      "fs", "cat", "dma_buf/bufinfo", "--at", "snapshot:\(number)", capture.trace,
    ])
    #expect(have.status == 0 && have.errors.isEmpty)
    let lines = want.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let mine = have.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(Self.agrees(lines, mine), "\(have.output)")
    // Size, exporter and inode are always known.
    let buffers = mine.filter { $0.hasPrefix("0") }
    #expect(buffers.allSatisfy { $0.split(separator: "\t").count { $0 == "?" } == 4 })
  }

  @Test(arguments: captures.filter { $0.kernel == "6.12" })
  func tracesWithoutSuchEventsSaySo(_ capture: KernelCase) throws {
    for arguments in [["fs", "cat", "dma_buf/bufinfo"], ["dump", "--buffers"]] {
      let program = try Program.run(arguments + [capture.trace])
      #expect(program.status == 0)
      #expect(program.errors.contains("the trace has no dma_buf events; kernels before 7.0"))
    }
    let stat = try Program.run(["stat", capture.trace])
    #expect(!stat.output.contains("buffers "))
  }

  /// In dmabuf-clean each of the two devices maps the whole buffer; in dmabuf-bugs one never unmaps.
  @Test func theMappingsOfAttachmentsAreLinked() throws {
    for (name, linked) in [("dmabuf-clean", 2), ("dmabuf-bugs", 1)] {
      let capture = try #require(
        Self.captures.first { $0.kernel == "7.3" && $0.name == name }
      )
      var replay = try Replay(
        reader: TextTraceReader(path: capture.trace),
        options: ReplayOptions()
      )
      var seen: [String] = []
      _ = try replay.run(to: .end) { replay, event in
        guard event.kind == .mapSG, replay.engine.sharing.attachmentCount > 0 else { return }
        let engine = replay.engine
        for mapping in engine.liveMappings() where mapping.line == event.line {
          guard let attachment = engine.attachment(of: mapping) else { continue }
          #expect(attachment.device == mapping.device && attachment.inode == 1)
          #expect(engine.slots(of: attachment).count == 1)
          seen.append(replay.names.devices.string(mapping.device.rawValue))
        }
      }
      #expect(seen.count == linked, "\(name): \(seen)")
      #expect(replay.engine.sharing.undecidedLinks == 0)
    }
  }

  /// Later in the trace there are some.
  @Test func aMomentBeforeTheFirstBufferIsNoTraceWithoutThem() throws {
    let capture = try #require(
      Self.captures.first { $0.kernel == "7.3" && $0.name == "dmabuf-bugs" }
    )
    for arguments in [["fs", "cat", "dma_buf/bufinfo"], ["dump", "--buffers"]] {
      let program = try Program.run(arguments + ["--at", "event:1", capture.trace])
      #expect(program.status == 0)
      #expect(program.errors.contains("no buffer exists yet; the first dma_buf event is line 84"))
    }
  }

  /// Kernels before 7.0 have no tracepoints: what no probe shows is unknown.
  @Test func zerosAreSaidOnlyWhereTheTraceWouldShowMore() throws {
    let recorded = try Program.run([
      "sim", "camera", "--kernel", "6.12", "--duration", "100ms", "--record", "-",
    ])
    let trace = Fixtures.temporary("old.txt", Array(recorded.output.utf8))
    let at = ["--at", "snapshot:work", trace]
    let csv = try Program.run(
      [
        "dump", "--buffers", "--format", "csv", "--fields",
        "ino,gets,puts,fds,attachments,mappings",
      ]
        + at
    )
    #expect(csv.output.hasSuffix("\r\n1,,,,,5\r\n2,,,,,1\r\n3,,,,,0\r\n"), "\(csv.output)")
    let bufinfo = try Program.run(["fs", "cat", "dma_buf/bufinfo"] + at)
    #expect(bufinfo.output.contains("Attached Devices:\n\t0000:01:00.0\nTotal ? devices attached"))
    let stat = try Program.run(["stat"] + at)
    #expect(stat.output.contains("3 live, 768 KiB; 7 attachments at least\n"))
    let mappings = try Program.run(["dump", "--fields", "buffer"] + at)
    #expect(!mappings.output.contains("?"))
  }

  @Test func commandsKnowBuffers() throws {
    let capture = try #require(
      Self.captures.first { $0.kernel == "7.3" && $0.name == "dmabuf-bugs" }
    )
    let csv = try Program.run([
      "dump", "--buffers", "--format", "csv", "--fields",
      "ino,exporter,size,devices,mappings,state",
      "--sort=-size", capture.trace,
    ])
    #expect(
      csv.output
        == "ino,exporter,size,devices,mappings,state\r\n2,system,131072,0000:00:05.0,0,live\r\n"
        + "1,system,65536,0000:00:03.0,1,live\r\n"
    )
    let filtered = try Program.run([
      "dump", "--buffers", "--fields", "ino", "--filter", "size>100k", capture.trace,
    ])
    #expect(filtered.output == "ino\n  2\n")
    let mapping = try Program.run([
      "dump", "--filter", "buffer=1", "--fields", "device,buffer", capture.trace,
    ])
    #expect(mapping.output.contains("0000:00:03.0       1"))
    let stat = try Program.run(["stat", capture.trace])
    #expect(stat.output.contains("buffers   2 live, 192 KiB; 2 attachments"))
    let events = try Program.run([
      "dump", "--events", "--filter", "kind=dma_buf_fd", "--fields", "kind,ino,fd,name,size",
      "--format", "csv", capture.trace,
    ])
    #expect(
      events.output == "kind,ino,fd,name,size\r\ndma_buf_fd,1,5,system,65536\r\n"
        + "dma_buf_fd,2,6,system,131072\r\n"
    )
    let both = try Program.run(["dump", "--buffers", "--events", capture.trace])
    #expect(both.status == 2)
    let missing = try Program.run(["dump", "--buffers", "--fields", "nothing", capture.trace])
    #expect(missing.status == 2)
    let refused = try Program.run(["fs", "write", "dma_buf/bufinfo", "1", capture.trace])
    #expect(refused.status == 2 && refused.errors.contains("Invalid argument"))
  }

  /// Who signaled a fence, a thread or an interrupt, is kept on the way through a trace.dat.
  @Test func interruptsSurviveConversion() throws {
    let text = try Program.shell(
      """
      d=$(mktemp -d) && printf '# tracer: nop\\n            test-7       [000] d.h1.     1.000002: \
      dma_fence_signaled: driver=a timeline=b context=3 seqno=1\\n' >$d/a.txt \
      && dmatop convert $d/a.txt -o $d/a.dat && dmatop convert $d/a.dat -o - --to text; rm -r $d
      """
    )
    #expect(text.output.contains("[000] ..h..     1.000002: dma_fence_signaled: driver=a"))
  }

  /// No capture proves a mistake in sharing: the attachment that is left in dmabuf-bugs is of a buffer
  /// with a descriptor, which may hold it.
  @Test(arguments: KernelCase.all)
  func sharingIsRightInAllCaptures(_ capture: KernelCase) throws {
    guard Fixtures.bytes(capture.trace) != nil else { return }
    let result = try RuleTests.lint(TextTraceReader(path: capture.trace), ReplayOptions())
    let found = result.findings.filter { $0.rule.id.hasPrefix("DMA2") }
    #expect(found.isEmpty, "\(found.map(\.message))")
  }
}
