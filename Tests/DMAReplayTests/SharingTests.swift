// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMATrace
import TestSupport
import Testing

/// What is known of dma-bufs, fences, IOVA ranges and channels after some events.
@Suite struct SharingTests {
  /// Plays lines without what stands before the name of the event; `@n ` sets the thread.
  static func play(
    _ lines: [String],
    kernel: String = "7.3",
    header: Bool = true
  ) throws -> (engine: DMADebug, names: TraceNames, incidents: [SharingIncident]) {
    var text = header ? "# tracer: nop\n" : ""
    for (index, line) in lines.enumerated() {
      var rest = Substring(line)
      var pid = "7"
      if rest.hasPrefix("@") {
        pid = String(rest.dropFirst().prefix { $0 != " " })
        rest = rest.drop { $0 != " " }.dropFirst()
      }
      if rest.hasPrefix("raw:") {
        text += rest.dropFirst(4) + "\n"
        continue
      }
      let micro = String(index + 1)
      let time = "1." + String(repeating: "0", count: 6 - micro.count) + micro
      let id = pid + String(repeating: " ", count: 8 - pid.count)
      text += "            test-\(id)[000] .....     \(time): \(rest)\n"
    }
    var reader = TextTraceReader(bytes: Array(text.utf8), name: "t")
    var engine = DMADebug(
      Configuration(generation: try #require(KernelGeneration(version: kernel)))
    )
    var output = EngineOutput(.incidents)
    var batch = EventBatch()
    while try reader.read(into: &batch) {
      for event in batch.events { engine.apply(event, in: batch, names: reader.names, to: &output) }
    }
    #expect(reader.summary.malformedLines == 0, "\(reader.summary.malformed)")
    let names = reader.names
    engine.finish(names: names, to: &output)
    return (engine, names, output.incidents)
  }

  /// An event at so many seconds, after those at the first second.
  static func late(_ second: Int, _ event: String) -> String {
    "raw:            test-7       [000] .....     \(second).000000: \(event)"
  }

  /// Of a signal the reader keeps whether an interrupt gave it, through a trace.dat too.
  @Test func signalsInInterruptsAreMarked() throws {
    for (columns, isInterrupt) in [
      ("[000] d.h1. ", true), ("[000] ..s.. ", true), ("[000] d.H1  ", true),
      ("[000] d..1. ", false),
      ("[000] d..1  ", false), ("[000]  ", false),
    ] {
      let text =
        "# tracer: nop\n            test-7       \(columns)    1.000002: \(Self.fence("signaled"))\n"
      var reader = TextTraceReader(bytes: Array(text.utf8), name: "t")
      var batch = EventBatch()
      _ = try reader.read(into: &batch)
      #expect(batch.events.map { $0.flags.contains(.interrupt) } == [isInterrupt], "\(columns)")
    }
  }

  static func kinds(_ lines: [String]) throws -> [SharingIncident.Kind] {
    try play(lines).incidents.map(\.kind)
  }

  static let export = "dma_buf_export: exp_name=system size=4096 ino=1"
  static let fd = "dma_buf_fd: exp_name=system size=4096 ino=1 fd=5"
  static let get = "dma_buf_get: exp_name=system size=4096 ino=1 fd=5"
  static let put = "dma_buf_put: exp_name=system size=4096 ino=1"

  static func attach(_ pointer: String = "ff00000000000001", _ device: String = "gpu") -> String {
    "dma_buf_dynamic_attach: exp_name=system size=4096 ino=1 attachment:\(pointer) is_dynamic=0"
      + " dev_name=\(device)"
  }

  static func detach(_ pointer: String = "ff00000000000001", _ device: String = "gpu") -> String {
    "dma_buf_detach: exp_name=system size=4096 ino=1 attachment:\(pointer) is_dynamic=0"
      + " dev_name=\(device)"
  }

  static func map(_ address: String = "1000", _ device: String = "gpu", size: String = "1000")
    -> String
  {
    "dma_map_sg: \(device) dir=TO_DEVICE nents=1/1 ents=1/1 dma_addrs={0x\(address)}"
      + " sizes={0x\(size)} phys_addrs={0x\(address)} attrs="
  }

  static func unmap(_ address: String = "1000", _ device: String = "gpu") -> String {
    "dma_unmap_sg: \(device) dir=TO_DEVICE phys_addrs={0x\(address)} attrs="
  }

  static func probe(_ function: String, _ fields: String = "ino=1") -> String {
    "\(function): (\(function)+0x0/0x10) \(fields)"
  }

  static let mapAttachment = probe(
    "dma_buf_map_attachment",
    "ino=1 attachment=0xff00000000000001 device=\"gpu\" dir=1"
  )
  static let unmapAttachment = probe(
    "dma_buf_unmap_attachment",
    "ino=1 attachment=0xff00000000000001 device=\"gpu\" dir=1"
  )

  // MARK: Buffers

  @Test func countsWhatHoldsABuffer() throws {
    let state = try Self.play([
      Self.export, Self.fd, "dma_buf_mmap_internal: exp_name=system size=4096 ino=1", Self.get,
      Self.attach(), Self.probe("dma_buf_vmap"), Self.probe("dma_buf_pin", "ino=1 device=\"gpu\""),
      Self.probe("dma_buf_begin_cpu_access", "ino=1 dir=2"),
    ])
    let buffer = try #require(state.engine.sharing.buffer(1))
    #expect(buffer.size == 4096 && buffer.isKnown && buffer.state == .live)
    #expect(state.names.exporters.string(buffer.exporter) == "system")
    #expect(buffer.descriptors == 1 && buffer.lastDescriptor == 5 && buffer.mmaps == 1)
    #expect(buffer.gets == 1 && buffer.puts == 0 && buffer.vmaps == 1 && buffer.openAccesses == 1)
    let attachment = try #require(state.engine.sharing.attachment(buffer.attachments[0]))
    #expect(attachment.pins == 1 && !attachment.isMapped && !attachment.isDynamic)
    #expect(buffer.holders.count == 1)
    #expect(state.incidents.isEmpty)
  }

  @Test func aBufferWithDescriptorsIsPossiblyGoneAndNeverLeaked() throws {
    let state = try Self.play([Self.export, Self.fd, Self.get, Self.put])
    #expect(state.engine.sharing.buffer(1)?.state == .possiblyGone)
    #expect(state.incidents.isEmpty)
    let again = try Self.play([Self.export, Self.fd, Self.get, Self.put, Self.get])
    #expect(again.engine.sharing.buffer(1)?.state == .live)
    #expect(again.incidents.isEmpty)
    let gone = try Self.play([Self.export, Self.put])
    #expect(gone.engine.sharing.buffer(1)?.state == .gone)
    let attached = try Self.play([Self.export, Self.fd, Self.get, Self.attach(), Self.put])
    #expect(attached.engine.sharing.buffer(1)?.state == .live)
    let reused = try Self.play([Self.export, Self.fd, Self.get, Self.put, Self.export])
    #expect(reused.engine.sharing.buffer(1)?.gets == 0)
    #expect(reused.engine.sharing.buffers().count == 1)
  }

  @Test func aLateTraceIsUndecided() throws {
    let state = try Self.play([
      Self.unmapAttachment, Self.detach(), Self.probe("dma_buf_vmap", "ino=2"),
      Self.probe("dma_buf_vunmap"), Self.put, Self.probe("dma_buf_end_cpu_access", "ino=1 dir=1"),
    ])
    #expect(state.incidents.isEmpty)
    #expect(state.engine.sharing.undecidedOrigins >= 4)
    #expect(state.engine.sharing.buffer(1)?.isKnown == false)
  }

  @Test func lossesMakeThingsUndecided() throws {
    let state = try Self.play([
      Self.export, Self.attach(), Self.mapAttachment, "raw:CPU:0 [LOST 3 EVENTS]",
      Self.detach(), Self.probe("dma_buf_vmap"), Self.probe("dma_buf_vunmap"),
      Self.probe("dma_buf_vunmap"),
    ])
    #expect(state.incidents.isEmpty)
  }

  // MARK: Attachments and their lists

  static func mapped(_ pointer: String, _ device: String) -> String {
    probe(
      "dma_buf_map_attachment",
      "ino=1 attachment=0x\(pointer) device=\"\(device)\" dir=1 size=4096 exp_name=\"system\""
    )
  }

  /// Kernels before 7.0 have no event of attaching.
  @Test func useProvesAnAttachment() throws {
    let state = try Self.play(
      [
        Self.mapped("ff01", "gpu"), Self.map(), Self.mapped("ff02", "cam"), Self.map("2000", "cam"),
        Self.mapped("ff03", "cam"), Self.map("3000", "cam"),
        Self.probe("dma_buf_pin", "ino=1 attachment=0xff04 device=\"npu\""),
        Self.probe("dma_buf_unmap_attachment", "ino=1 attachment=0xff01 device=\"gpu\" dir=1"),
        Self.unmap(),
      ],
      kernel: "6.12"
    )
    let sharing = state.engine.sharing
    let buffer = try #require(sharing.buffer(1))
    let attachments = buffer.attachments.compactMap { sharing.attachment($0) }
    #expect(
      attachments.map { state.names.devices.string($0.device.rawValue) }
        == ["gpu", "cam", "cam", "npu"]
    )
    #expect(attachments.map(\.maps) == [0, 1, 1, 0] && attachments[3].pins == 1)
    #expect(attachments.map { state.engine.slots(of: $0).count } == [0, 1, 1, 0])
    #expect(attachments.allSatisfy { !$0.isKnown })
    #expect(!sharing.showsAttachments(of: buffer) && !sharing.shows(.bufferGet))
    #expect(state.incidents.isEmpty)
  }

  @Test func whatIsDetachedIsNotProvenByItsUse() throws {
    let state = try Self.play([
      Self.export, Self.attach(), Self.detach(), Self.mapAttachment,
    ])
    #expect(state.engine.sharing.buffer(1)?.attachments.isEmpty == true)
    #expect(state.engine.sharing.shows(.bufferGet) && !state.engine.sharing.shows(.bufferVmap))
  }

  @Test func probesOnTheFunctionsOfTracepointsShowOnlyThemselves() throws {
    let state = try Self.play(
      [
        Self.probe("dma_buf_export", "ino=1 size=4096 exp_name=\"system\""),
        Self.probe("dma_buf_get", "ino=1 fd=5"),
      ],
      kernel: "6.12"
    )
    let sharing = state.engine.sharing
    #expect(
      sharing.shows(.bufferGet) && !sharing.shows(.bufferPut) && !sharing.shows(.bufferAttach)
    )
  }

  @Test func aProbeTakesBackWhatSizeAndDeviceCouldNotDecide() throws {
    let lines = [
      Self.export, Self.attach("ff00000000000001"), Self.attach("ff00000000000002"), Self.map(),
    ]
    #expect(try Self.play(lines).engine.sharing.undecidedLinks == 1)
    let state = try Self.play(lines + [Self.mapAttachment])
    #expect(state.engine.sharing.undecidedLinks == 0)
    let buffer = try #require(state.engine.sharing.buffer(1))
    let first = try #require(state.engine.sharing.attachment(buffer.attachments[0]))
    #expect(state.engine.slots(of: first).count == 1)
  }

  /// Since 6.17 some events of a signaled fence have no names of the driver.
  @Test func namesOfFencesOutliveTheirSignal() throws {
    let fence = "driver=i915 timeline=scanout context=3 seqno=1"
    let gone = "driver=detached-driver timeline=signaled-timeline context=3 seqno=1"
    let state = try Self.play([
      Self.export, "dma_fence_init: \(fence)",
      Self.probe("dma_resv_add_fence", "ino=1 usage=1 \(fence)"), "dma_fence_signaled: \(fence)",
      "dma_fence_wait_start: \(gone)", "dma_fence_wait_end: \(gone)",
    ])
    let timeline = try #require(state.engine.sharing.timeline(3))
    #expect(state.names.drivers.string(timeline.driver.rawValue) == "i915")
    #expect(state.names.timelines.string(timeline.name) == "scanout")
    let kept = try #require(state.engine.sharing.fences().first)
    #expect(state.names.drivers.string(kept.driver.rawValue) == "i915")
  }

  // MARK: The kernel

  /// The tracepoints are there since 7.0; the functions that probes stand on are older.
  @Test func tracepointsOfBuffersTellTheKernel() throws {
    func generation(_ lines: [String]) throws -> (KernelGeneration, GenerationOrigin) {
      let prefix = "            test-7       [000] .....     1.000000: "
      let text = lines.map { prefix + $0 + "\n" }.joined()
      let replay = try Replay(
        reader: TextTraceReader(bytes: Array(text.utf8), name: "t"),
        options: ReplayOptions()
      )
      return (replay.engine.configuration.generation, replay.origin)
    }
    let tracepoints = try generation([Self.export, Self.map()])
    #expect(tracepoints.0 == .linux73 && tracepoints.1.description == "recognised by its events")
    let probes = try generation([
      Self.probe("dma_buf_export", "ino=1 size=4096 exp_name=\"system\""), Self.mapAttachment,
    ])
    #expect(probes.0 == .linux612)
    #expect(probes.1.description == "assumed, nothing in the trace tells")
  }

  @Test func sizeAndDeviceTellWhichListAnAttachmentHas() throws {
    let state = try Self.play([
      Self.export, Self.attach(), Self.map("5000", size: "2000"), Self.map(),
    ])
    let engine = state.engine
    let mapping = try #require(engine.liveMappings().first { $0.dmaAddress == 0x1000 })
    #expect(engine.buffer(of: mapping)?.inode == 1)
    let other = try #require(engine.liveMappings().first { $0.dmaAddress == 0x5000 })
    #expect(engine.buffer(of: other) == nil)
    let attachment = try #require(engine.attachment(of: mapping))
    #expect(!attachment.isLinkExact && attachment.isMapped)
    #expect(engine.slots(of: attachment).map { engine.mapping(inSlot: $0).dmaAddress } == [0x1000])
  }

  @Test func twoAttachmentsOfOneSizeAreUndecided() throws {
    let state = try Self.play([
      Self.export, Self.attach(), "dma_buf_export: exp_name=system size=4096 ino=2",
      "dma_buf_dynamic_attach: exp_name=system size=4096 ino=2 attachment:ff02 is_dynamic=0"
        + " dev_name=gpu",
      Self.map(),
    ])
    #expect(state.engine.sharing.undecidedLinks == 1)
    #expect(state.engine.liveMappings().allSatisfy { state.engine.buffer(of: $0) == nil })
    // A probe decides, before the mapping as behind it.
    for probe in [[Self.mapAttachment, Self.map()], [Self.map(), Self.mapAttachment]] {
      let state = try Self.play(
        [
          Self.export, Self.attach(), "dma_buf_export: exp_name=system size=4096 ino=2",
          "dma_buf_dynamic_attach: exp_name=system size=4096 ino=2 attachment:ff02 is_dynamic=0"
            + " dev_name=gpu",
        ] + probe
      )
      let mapping = try #require(state.engine.liveMappings().first)
      #expect(state.engine.attachment(of: mapping)?.isLinkExact == true)
      #expect(state.engine.buffer(of: mapping)?.inode == 1)
    }
  }

  @Test func unmappingEndsTheLink() throws {
    let state = try Self.play([
      Self.export, Self.attach(), Self.map(), Self.unmap(), Self.map("9000"),
    ])
    let engine = state.engine
    let mapping = try #require(engine.liveMappings().first)
    #expect(engine.buffer(of: mapping)?.inode == 1)
    let attachment = try #require(engine.attachment(of: mapping))
    #expect(engine.slots(of: attachment).count == 1)
    let after = try Self.play([
      Self.export, Self.attach(), Self.map(), Self.unmap(), Self.detach(), Self.map("9000"),
    ])
    #expect(after.engine.liveMappings().allSatisfy { after.engine.buffer(of: $0) == nil })
  }

  // MARK: Fences

  static func fence(_ event: String, _ seqno: Int = 1, context: Int = 3) -> String {
    "dma_fence_\(event): driver=gpu timeline=ring context=\(context) seqno=\(seqno)"
  }

  static func guardBuffer(_ usage: Int, _ seqno: Int = 1, context: Int = 3) -> String {
    probe(
      "dma_resv_add_fence",
      "ino=1 context=\(context) seqno=\(seqno) usage=\(usage) driver=gpu timeline=ring"
    )
  }

  @Test func fencesComeAndGo() throws {
    let state = try Self.play([
      Self.fence("init"), Self.fence("emit"), Self.fence("init", 2), Self.fence("signaled"),
      Self.fence("destroy"),
    ])
    #expect(state.engine.sharing.pendingFences == 1)
    #expect(state.engine.sharing.fencesSignaled == 1)
    #expect(state.engine.sharing.fences().map(\.key.sequence) == [2])
    #expect(state.engine.sharing.timeline(3)?.signaled == 1)
    #expect(state.incidents.isEmpty)
    // A wait for what was signaled long ago is no pending fence.
    let late = try Self.play([
      Self.fence("init"), Self.fence("signaled"), Self.fence("wait_start"),
      Self.fence("wait_end"),
    ])
    #expect(late.engine.sharing.pendingFences == 0)
    #expect(late.engine.sharing.fences().isEmpty)
  }

  @Test func bufinfoListsFencesAsTheKernelKeepsThem() throws {
    let lines = [
      Self.export, Self.attach(), Self.fence("init"), Self.guardBuffer(1), Self.fence("init", 2),
      Self.guardBuffer(1, 2), Self.fence("init", 1, context: 4),
      Self.guardBuffer(2, 1, context: 4), Self.fence("init", 9, context: 5),
      Self.guardBuffer(3, 9, context: 5), Self.fence("signaled", 1, context: 4),
    ]
    let head = """

      Dma-buf Objects:
      size    \tflags   \tmode    \tcount   \texp_name\tino     \tname
      00004096\t?\t?\t?\tsystem\t00000001\t?

      """
    let tail = """
      \tAttached Devices:
      \tgpu
      Total 1 devices attached


      Total 1 objects, 4096 bytes

      """
    let new = try Self.play(lines)
    #expect(
      String(decoding: new.engine.read(.bufinfo, names: new.names), as: UTF8.self)
        == head + "\twrite fence:3:2 ring gpu unsignalled\n\tread fence:4:1   signalled\n" + tail
    )
    let old = try Self.play(lines, kernel: "6.12")
    #expect(
      String(decoding: old.engine.read(.bufinfo, names: old.names), as: UTF8.self)
        == head + "\twrite fence:gpu ring seq 2 unsignalled\n"
        + "\tread fence:gpu ring seq 1 signalled\n" + tail
    )
  }

  // MARK: IOVA and dmaengine

  static func iova(_ function: String, _ address: Int, _ size: Int) -> String {
    let name = "dma_iova_" + function
    return probe(
      name,
      "device=\"nvme\" dma_addr=0x\(String(address, radix: 16)) size=\(size) phys_addr=0x5000 dir=1"
    )
  }

  @Test func rangesHoldWhatIsLinked() throws {
    let state = try Self.play([
      Self.iova("try_alloc", 0x10000, 0x4000), Self.iova("link", 0x10000, 0x1000),
      Self.iova("link", 0x12000, 0x1000), Self.iova("sync", 0x10000, 0x4000),
      Self.iova("try_alloc", 0x20000, 0x1000), Self.iova("unlink", 0x10000, 0x800),
      Self.iova("free", 0x20000, 0),
    ])
    let ranges = state.engine.sharing.ranges()
    #expect(ranges.count == 1)
    #expect(ranges.first?.linkedBytes == 0x1800)
    #expect(ranges.first?.links.allSatisfy(\.isSynced) == true)
    #expect(state.incidents.isEmpty)
    let done = try Self.play([
      Self.iova("try_alloc", 0x10000, 0x4000), Self.iova("link", 0x10000, 0x1000),
      Self.iova("sync", 0x10000, 0x1000), Self.iova("destroy", 0x10000, 0x1000),
    ])
    #expect(done.engine.sharing.ranges().isEmpty && done.incidents.isEmpty)
    let failed = try Self.play([Self.iova("try_alloc", 0, 0)])
    #expect(failed.engine.sharing.ranges().isEmpty)
  }

  static func channel(_ function: String, _ fields: String = "") -> String {
    probe(function, "channel=\"dma0chan1\" device=\"uart\" " + fields)
  }

  static let prepare = channel(
    "dmaengine_prep",
    "type=slave_sg dma_addr=0x1000 size=64 nents=1 dir=1"
  )

  @Test func descriptorsGoTheirWay() throws {
    let lines = [
      Self.channel("dma_request_chan"), Self.channel("dmaengine_slave_config"), Self.prepare,
      Self.channel("dmaengine_submit", "cookie=1"), Self.prepare,
      Self.channel("dmaengine_submit", "cookie=2"), Self.channel("dma_async_issue_pending"),
      Self.channel("dmaengine_tx_status", "cookie=2 residue=32"),
    ]
    let state = try Self.play(lines)
    let channel = try #require(state.engine.sharing.channels().first)
    #expect(channel.isRequested && channel.isConfigured && channel.inFlight == 2)
    #expect(channel.descriptors.last?.residue == 32)
    #expect(channel.descriptors.last?.isIssued == true)
    // Completion is in order.
    let done = try Self.play(lines + [Self.channel("dmaengine_callback", "cookie=2 residue=0")])
    #expect(done.engine.sharing.channels().first?.inFlight == 0)
    #expect(done.engine.sharing.channels().first?.completed == 2)
    let released = try Self.play(
      lines + [Self.channel("dmaengine_terminate_sync"), Self.channel("dma_release_channel")]
    )
    #expect(released.engine.sharing.channels().isEmpty && released.incidents.isEmpty)
  }

  // MARK: Hostile traces

  @Test func memoryIsBounded() throws {
    var names = TraceNames()
    var engine = DMADebug(Configuration(generation: .linux73))
    var output = EngineOutput(.incidents)
    var random = Seeded(state: 3)
    let exporter = names.exporters.intern("x")
    for kind in DMAEvent.Kind.allCases where kind.isSharing {
      for index in 0..<6_000 {
        var event = DMAEvent(kind)
        event.address = index % 3 == 0 ? random.next() : UInt64(index)
        event.size = index % 7 == 0 ? random.next() : 4096
        event.dmaAddress = index % 5 == 0 ? random.next() : UInt64(index) << 12
        event.site = exporter
        event.device = DeviceID(rawValue: UInt32(index % 5))
        event.mappedEntries = UInt32(truncatingIfNeeded: random.next())
        event.direction = Direction(rawValue: UInt8(index % 4))!
        engine.apply(event, in: EventBatch(), names: names, to: &output)
      }
    }
    engine.finish(names: names, to: &output)
    #expect(output.incidents.count <= 4096)
  }

  @Test func fenceStormsAreBounded() throws {
    let names = TraceNames()
    var engine = DMADebug(Configuration(generation: .linux73))
    for index in 0..<300_000 {
      var event = DMAEvent(.fenceInit)
      event.address = UInt64(index % 50_000)
      event.size = UInt64(index)
      engine.apply(event, in: EventBatch(), names: names)
    }
    let sharing = engine.sharing
    #expect(sharing.fences().count <= SharingTracker.maximumFences)
    #expect(sharing.timelines().count <= SharingTracker.maximumTimelines)
    #expect(sharing.pendingFences == sharing.fences().count)
    #expect(sharing.untracked > 0)
    #expect(engine.storageBytes < 128 << 20)
  }

  /// A state is as large as what is alive in it, however many fences there were.
  @Test func signaledFencesTakeNoRoom() {
    var engine = DMADebug(Configuration(generation: .linux73))
    let names = TraceNames()
    func apply(_ kind: DMAEvent.Kind, _ number: UInt64) {
      var event = DMAEvent(kind)
      event.address = 1
      event.size = number
      engine.apply(event, in: EventBatch(), names: names)
    }
    for number in 1...UInt64(50_000) {
      apply(.fenceInit, number)
      apply(.fenceSignaled, number)
    }
    #expect(engine.sharing.fences().isEmpty)
    #expect(engine.storageBytes < 128 << 10)
  }

  @Test func goneBuffersAreForgotten() throws {
    let names = TraceNames()
    var engine = DMADebug(Configuration(generation: .linux73))
    for index in 0..<20_000 {
      for kind in [DMAEvent.Kind.bufferExport, .bufferFD, .bufferGet, .bufferPut] {
        var event = DMAEvent(kind)
        event.address = UInt64(index)
        event.size = 4096
        engine.apply(event, in: EventBatch(), names: names)
      }
    }
    #expect(engine.sharing.bufferCount <= SharingTracker.rememberedBuffers)
    #expect(engine.sharing.bufferTotals.live == 0)
  }

  @Test func repeatedDetachesAndPutsAreHarmless() throws {
    let state = try Self.play(
      [Self.export, Self.fd, Self.attach()]
        + Array(repeating: Self.detach(), count: 50) + Array(repeating: Self.put, count: 50)
    )
    #expect(state.engine.sharing.attachmentCount == 0)
    #expect(state.engine.sharing.exporters.values.allSatisfy { $0.live == 0 })
  }

  /// Losses cost nothing, however many there are and whatever is remembered.
  @Test func lossesAreCheap() throws {
    let names = TraceNames()
    var engine = DMADebug(Configuration(generation: .linux73))
    for index in 0..<40_000 {
      var event = DMAEvent(.bufferExport)
      event.address = UInt64(index)
      event.size = 4096
      engine.apply(event, in: EventBatch(), names: names)
      engine.apply(DMAEvent(.lost), in: EventBatch(), names: names)
    }
    #expect(engine.sharing.bufferCount == 40_000)
    #expect(engine.sharing.buffer(39_999)?.isKnown == false)
  }

  // MARK: Time travel

  /// A copy is a checkpoint: playing on from it gives the same.
  @Test func copiesAreCheckpoints() throws {
    let trace = Fixtures.root + "/fixtures/kernel/linux-7.3/dmabuf-clean/trace.txt"
    var replay = try Replay(reader: TextTraceReader(path: trace), options: ReplayOptions())
    var engines: [DMADebug] = []
    var events: [DMAEvent] = []
    var batches: [EventBatch] = []
    _ = try replay.run(to: .end) { replay, event in
      engines.append(replay.engine)
      events.append(event)
      batches.append(replay.batch)
    }
    let names = replay.names
    for start in stride(from: 0, to: engines.count - 1, by: 7) {
      var engine = engines[start]
      for index in (start + 1)..<engines.count {
        engine.apply(events[index], in: batches[index], names: names)
      }
      #expect(engine.read(.bufinfo, names: names) == engines.last?.read(.bufinfo, names: names))
    }
  }
}

/// A generator with a seed, so that a failure can be repeated (SplitMix64).
private struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }
}
