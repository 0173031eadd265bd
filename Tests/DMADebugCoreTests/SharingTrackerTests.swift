// SPDX-License-Identifier: MIT
import Testing

@testable import DMADebugCore

/// Each tracker of sharing alone, with the evidence that it is given.
private struct Bench {
  var evidence = SharingEvidence()
  var log = IncidentLog(isKept: true)

  /// An event that the evidence has seen.
  mutating func event(_ kind: DMAEvent.Kind, _ change: (inout DMAEvent) -> Void) -> DMAEvent {
    var event = DMAEvent(kind)
    event.time = evidence.lastTime + 1000
    change(&event)
    evidence.note(event)
    return event
  }

  var kinds: [SharingIncident.Kind] { log.incidents.map(\.kind) }
}

@Suite struct BufferTrackerTests {
  private var bench = Bench()
  private var buffers = BufferTracker()

  private mutating func export(_ inode: UInt64) -> DMAEvent {
    let event = bench.event(.bufferExport) {
      $0.inode = inode
      $0.size = 4096
      $0.exporter = 3
    }
    _ = buffers.appear(event, &bench.evidence)
    buffers.describe(event, &bench.evidence)
    return event
  }

  @Test mutating func anExporterHasTheBuffersThatLive() {
    _ = export(1)
    let second = export(2)
    #expect(buffers.exporters[3]?.live == 2 && buffers.exporters[3]?.bytes == 8192)
    buffers.change(2) { $0.puts = 1 }
    #expect(buffers.settle(second, bench.evidence) == nil)
    #expect(buffers[2]?.state == .gone)
    #expect(buffers.exporters[3]?.live == 1 && buffers.exporters[3]?.peak == 2)
  }

  @Test mutating func theOldestDepartureIsForgotten() {
    var forgotten: [UInt64] = []
    for inode in 0...UInt64(BufferTracker.rememberedBuffers) {
      let event = export(inode)
      buffers.change(inode) { $0.puts = 1 }
      if let oldest = buffers.settle(event, bench.evidence) { forgotten.append(oldest.inode) }
    }
    #expect(forgotten == [0])
  }

  @Test mutating func anEndOfAccessNeedsItsBegin() {
    _ = export(1)
    bench.evidence.sightings.insert(.access)
    let end = bench.event(.bufferEndAccess) { $0.inode = 1 }
    buffers.beginAccess(end)
    buffers.endAccess(end, &bench.evidence, &bench.log)
    #expect(bench.kinds.isEmpty)
    buffers.endAccess(end, &bench.evidence, &bench.log)
    #expect(bench.kinds == [.unbalancedAccess])
  }
}

@Suite struct AttachmentLinksTests {
  private var bench = Bench()
  private var buffers = BufferTracker()
  private var links = AttachmentLinks()
  private let device = DeviceID(rawValue: 4)

  private mutating func attach(_ inode: UInt64) {
    let device = device
    let event = bench.event(.bufferAttach) {
      $0.inode = inode
      $0.size = 4096
      $0.device = device
      $0.attachmentPointer = 0x100 + inode
    }
    _ = buffers.appear(event, &bench.evidence)
    buffers.describe(event, &bench.evidence)
    guard var buffer = buffers[inode] else { return }
    links.attach(event, to: &buffer, &bench.evidence)
    buffers.update(buffer)
  }

  private mutating func map(_ list: UInt32) {
    links.mapped(
      AttachmentLinks.RecentMap(
        pid: 1,
        device: device,
        list: list,
        order: UInt64(list),
        size: 4096,
        number: 1
      ),
      buffers,
      &bench.evidence
    )
  }

  @Test mutating func aListIsThatOfTheOnlyAttachmentThatFits() {
    attach(1)
    map(7)
    #expect(links.attachment(ofList: 7)?.inode == 1)
    #expect(links.attachment(ofList: 7)?.isLinkExact == false)
    links.unlink(7, buffers)
    #expect(links.attachment(ofList: 7) == nil)
  }

  @Test mutating func amongSeveralItIsUndecided() {
    attach(1)
    attach(2)
    map(7)
    #expect(links.attachment(ofList: 7) == nil && links.undecidedLinks == 1)
  }

  @Test mutating func detachingForgetsTheAttachment() throws {
    attach(1)
    let device = device
    let event = bench.event(.bufferDetach) {
      $0.inode = 1
      $0.device = device
      $0.attachmentPointer = 0x101
    }
    var buffer = try #require(buffers[1])
    let isDetached = links.detach(event, from: &buffer, SGListTable(), &bench.evidence, &bench.log)
    #expect(isDetached && buffer.attachments.isEmpty && links.count == 0)
    #expect(links.attachments(of: device).isEmpty)
  }
}

@Suite struct FenceTrackerTests {
  private var bench = Bench()
  private var fences = FenceTracker()

  @discardableResult
  private mutating func apply(_ kind: DMAEvent.Kind, _ sequence: UInt64, pid: Int32 = 1) -> Bool {
    let event = bench.event(kind) {
      $0.fenceKey = FenceKey(context: 9, sequence: sequence)
      $0.pid = pid
    }
    return fences.apply(event, &bench.evidence, &bench.log)
  }

  @Test mutating func aSignaledFenceIsForgotten() {
    apply(.fenceInit, 1)
    #expect(fences.pending == 1 && fences.hasFences)
    apply(.fenceSignaled, 1)
    #expect(fences.pending == 0 && fences.all.isEmpty && fences.signaledCount == 1)
    #expect(fences.timeline(9)?.lastSignaled == 1)
  }

  @Test mutating func aFenceThatSomebodyWaitedForMustSignal() {
    apply(.fenceInit, 1)
    apply(.fenceDestroy, 1)
    #expect(bench.kinds.isEmpty)
    apply(.fenceInit, 2)
    apply(.fenceWaitStart, 2)
    apply(.fenceDestroy, 2)
    #expect(bench.kinds == [.neverSignaled])
  }
}

@Suite struct IOVATrackerTests {
  private var bench = Bench()
  private var ranges = IOVATracker()

  private mutating func apply(_ kind: DMAEvent.Kind, _ address: UInt64, _ size: UInt64) {
    let event = bench.event(kind) {
      $0.device = DeviceID(rawValue: 4)
      $0.dmaAddress = address
      $0.size = size
      $0.physicalAddress = address
    }
    ranges.apply(event, &bench.evidence, &bench.log)
  }

  @Test mutating func aRangeEndsSynchronisedAndEmpty() {
    apply(.iovaAlloc, 0x1000, 0x4000)
    apply(.iovaLink, 0x1000, 0x1000)
    apply(.iovaSync, 0x1000, 0x1000)
    apply(.iovaDestroy, 0x1000, 0x1000)
    #expect(ranges.count == 0 && bench.kinds.isEmpty)
    apply(.iovaAlloc, 0x1000, 0x4000)
    apply(.iovaLink, 0x1000, 0x1000)
    apply(.iovaDestroy, 0x1000, 0x1000)
    #expect(bench.kinds == [.iovaNotSynced])
  }

  @Test mutating func whatWasAtAnAddress() {
    apply(.iovaAlloc, 0x1000, 0x4000)
    apply(.iovaLink, 0x1000, 0x1000)
    let device = DeviceID(rawValue: 4)
    guard case .linked = ranges.content(device, at: 0x1800),
      case .empty = ranges.content(device, at: 0x2000)
    else {
      Issue.record("nothing is linked")
      return
    }
    #expect(ranges.content(device, at: 0x8000) == nil)
  }
}

@Suite struct ChannelTrackerTests {
  private var bench = Bench()
  private var channels = ChannelTracker()

  private mutating func apply(_ kind: DMAEvent.Kind, cookie: UInt64 = 0, slot: UInt32? = nil) {
    let event = bench.event(kind) {
      $0.channel = 2
      $0.cookie = cookie
      $0.dmaAddress = kind == .descriptorPrepare ? 0x1000 : 0
    }
    channels.apply(event, slot: slot, &bench.evidence, &bench.log)
  }

  @Test mutating func aDescriptorWorksUntilItCompletes() {
    apply(.channelRequest)
    apply(.descriptorPrepare, slot: 5)
    apply(.descriptorSubmit, cookie: 1)
    apply(.channelIssuePending)
    #expect(channels.watchesMappings)
    #expect(channels.inFlight(slot: 5, address: 0x1000, size: 64)?.descriptor.cookie == 1)
    apply(.descriptorComplete, cookie: 1)
    #expect(!channels.watchesMappings && channels.all.first?.completed == 1)
  }

  @Test mutating func aChannelIsNotReleasedAtWork() {
    apply(.channelRequest)
    apply(.descriptorPrepare)
    apply(.descriptorSubmit, cookie: 1)
    apply(.descriptorComplete, cookie: 1)
    apply(.descriptorPrepare)
    apply(.descriptorSubmit, cookie: 2)
    apply(.channelRelease)
    #expect(bench.kinds == [.releaseInFlight])
  }
}
