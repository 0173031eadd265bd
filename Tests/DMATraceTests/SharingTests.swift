// SPDX-License-Identifier: MIT
import DMADebugCore
import TestSupport
import Testing

@testable import DMATrace

/// Events of dma-bufs, fences, IOVA ranges and channels, as text and back.
@Suite struct SharingTests {
  private static let prefix = "            dbuf-291     [000] ...1.     3.190061: "

  private func one(_ line: String) -> Seen? {
    let reading = Reading(Self.prefix + line + "\n")
    #expect(reading.events.count == 1, "\(line): \(reading.summary.malformed)")
    return reading.events.first
  }

  static let kinds = DMAEvent.Kind.allCases.filter(\.isSharing)

  /// An event with whatever its kind can say.
  private func random(
    _ kind: DMAEvent.Kind,
    _ names: inout TraceNames,
    _ random: inout Seeded
  ) -> DMAEvent {
    var event = DMAEvent(kind)
    func number() -> UInt64 { random.next() >> (random.next() % 64) }
    event.cpu = UInt32(random.next() % 8)
    event.pid = Int32(random.next() % 1000)
    event.task = names.tasks.intern("task\(random.next() % 3)")
    event.time = number() % 1_000_000_000_000 / 1000 * 1000
    let device = DeviceID(rawValue: names.devices.intern("0000:00:0\(random.next() % 5).0"))
    let sometimes = random.next() % 2 == 0
    let direction = Direction(rawValue: UInt8(random.next() % 4))!
    if kind.hasSharingDirection { event.direction = direction }
    if kind.isBuffer {
      event.address = number()
      event.size = number()
      event.site = names.exporters.intern(sometimes ? "system" : "i915 \"x\" y")
      switch kind {
      case .bufferFD, .bufferGet: event.mappedEntries = UInt32(random.next() % 100) &- 2
      case .bufferAttach, .bufferDetach:
        event.device = device
        event.dmaAddress = number()
        if sometimes { event.flags.insert(.dynamic) }
      case .bufferMapAttachment, .bufferUnmapAttachment, .bufferPin, .bufferUnpin,
        .bufferMoveNotify:
        event.device = device
        event.dmaAddress = number()
        if sometimes {
          event.size = 0
          event.site = NameTable.unknown
        }
      case .bufferAccess: if sometimes { event.device = device }
      default: break
      }
    } else if kind.isFence {
      event.driver = DriverID(rawValue: names.drivers.intern("drm sched"))
      event.site = names.timelines.intern(sometimes ? "ring 0" : "gfx_0.0.0")
      event.address = number()
      event.size = number()
      if kind == .fenceAdd {
        event.dmaAddress = number()
        event.mappedEntries = UInt32(random.next() % 4)
      }
    } else if kind.isIOVA {
      event.device = device
      event.dmaAddress = number()
      event.size = number()
      if kind == .iovaLink || kind == .iovaAlloc { event.address = number() }
      if kind.hasSharingDirection { event.attributes = [.mmio, .skipCPUSync] }
    } else {
      event.site = names.channels.intern("dma0chan\(random.next() % 4)")
      if sometimes { event.device = device }
      switch kind {
      case .descriptorPrepare:
        event.dmaAddress = number()
        event.size = number()
        event.address = number()
        event.requestedEntries = UInt32(random.next() % 9)
        event.mappedEntries = UInt32(random.next() % 3)
      case .descriptorSubmit: event.address = sometimes ? 0 &- 22 : number()
      case .descriptorComplete, .channelStatus:
        event.address = number()
        event.size = number()
      default: break
      }
    }
    return event
  }

  @Test(arguments: kinds) func readsBackEqual(_ kind: DMAEvent.Kind) throws {
    var generator = Seeded(state: UInt64(kind.rawValue))
    var names = TraceNames()
    var batch = EventBatch()
    for _ in 0..<200 { batch.events.append(random(kind, &names, &generator)) }
    var writer = FtraceWriter()
    writer.write(batch, names: names)
    let reading = Reading(bytes: Array(writer.bytes))
    #expect(reading.summary.malformedLines == 0, "\(reading.summary.malformed)")
    try #require(reading.events.count == batch.events.count)
    for (event, seen) in zip(batch.events, reading.events) {
      let want = Seen(
        event: event,
        device: names.devices.string(event.device.rawValue),
        driver: names.drivers.string(event.driver.rawValue),
        task: names.tasks.string(event.task),
        site: names.subject(of: event).map { String(decoding: $0, as: UTF8.self) } ?? "?",
        text: "",
        addresses: [],
        lengths: [],
        physical: [],
        stack: []
      )
      #expect(want.meaning == seen.meaning)
      #expect(want.event.time == seen.event.time && want.event.pid == seen.event.pid)
    }
  }

  @Test func tracepoints() {
    let fd = one("dma_buf_fd: exp_name=system size=1048576 ino=7 fd=5")
    #expect(fd?.kind == .bufferFD)
    #expect(fd?.site == "system")
    #expect(fd?.event.size == 1_048_576)
    #expect(fd?.event.address == 7)
    #expect(fd?.event.mappedEntries == 5)
    let attach = one(
      "dma_buf_dynamic_attach: exp_name=my heap size=65536 ino=1 attachment:ff11000005d919c0 "
        + "is_dynamic=1 dev_name=0000:00:03.0"
    )
    #expect(attach?.kind == .bufferAttach)
    #expect(attach?.site == "my heap")
    #expect(attach?.device == "0000:00:03.0")
    #expect(attach?.event.dmaAddress == 0xff11_0000_05d9_19c0)
    #expect(attach?.event.flags == .dynamic)
    let fence = one("dma_fence_signaled: driver=drm sched timeline=ring 0 context=3 seqno=9")
    #expect(fence?.kind == .fenceSignaled)
    #expect(fence?.driver == "drm sched")
    #expect(fence?.site == "ring 0")
    #expect(fence?.event.address == 3)
    #expect(fence?.event.size == 9)
  }

  @Test func otherDialects() {
    // trace-cmd report -R, perf script, a pointer whose hash was not ready.
    let lines = [
      "dma_buf_detach: exp_name=system size=0x10000 ino=0x1 attach=0xffff000012345678 is_dynamic=0 "
        + "dev_name=vdma0",
      "dma_buf:dma_buf_detach: [FAILED TO PARSE] dev_name=vdma0 exp_name=system size=65536 ino=1 "
        + "attach=0xffff000012345678 is_dynamic=0",
    ]
    for line in lines {
      let seen = one(line)
      #expect(seen?.kind == .bufferDetach)
      #expect(seen?.event.address == 1)
      #expect(seen?.event.size == 65536)
      #expect(seen?.event.dmaAddress == 0xffff_0000_1234_5678)
      #expect(seen?.device == "vdma0")
      #expect(seen?.site == "system")
    }
    let early = one(
      "dma_buf_detach: exp_name=system size=1 ino=1 attachment:(____ptrval____) is_dynamic=0 "
        + "dev_name=x"
    )
    #expect(early?.event.dmaAddress == 0)
    #expect(early?.device == "x")
  }

  @Test func probes() {
    let vmap = one("dma_buf_vmap: (dma_buf_vmap+0x0/0x1d0) ino=1")
    #expect(vmap?.kind == .bufferVmap)
    #expect(vmap?.event.address == 1)
    // A probe of any name is known by its function.
    let mine = one("mine: (dma_buf_begin_cpu_access+0x0/0x60) ino=0x10 dir=2")
    #expect(mine?.kind == .bufferBeginAccess)
    #expect(mine?.event.address == 16)
    #expect(mine?.event.direction == .fromDevice)
    let link = one(
      "dma_iova_link: (dma_iova_link+0x0/0x1) device=\"nvme\" dma_addr=0x10000 offset=4096 "
        + "size=8192 phys_addr=0x5000 dir=1 attrs=32"
    )
    #expect(link?.kind == .iovaLink)
    #expect(link?.event.dmaAddress == 0x11000)
    #expect(link?.event.size == 8192)
    #expect(link?.event.address == 0x5000)
    #expect(link?.event.attributes == .skipCPUSync)
    let failed = one(
      "dma_iova_try_alloc: (f+0x1/0x2 <- dma_iova_try_alloc) device=\"n\" dma_addr=0x0 "
        + "size=9 ret=0x0"
    )
    #expect(failed?.kind == .iovaAlloc)
    #expect(failed?.event.size == 0)
    let unknown = one("dma_buf_begin_cpu_access: (dma_buf_begin_cpu_access+0x0/0x60) ino=1")
    #expect(unknown?.event.flags == .noDirection)
    let submit = one(
      "dmaengine_submit: (x+0x0/0x10) channel=\"dma0chan3\" device=\"uart\" cookie=-22"
    )
    #expect(submit?.site == "dma0chan3")
    #expect(submit.map { Int64(bitPattern: $0.event.address) } == -22)
  }

  @Test func whatIsNoSuchEvent() {
    // A probe on the return that shows something else, and a longer name.
    for line in [
      "dma_buf_vmap: (foo+0x1/0x2 <- dma_buf_vmap) arg1=0",
      "mine: (dma_buf_vmapped+0x0/0x10) ino=1",
    ] {
      let reading = Reading(Self.prefix + line + "\n")
      #expect(reading.events.isEmpty)
      #expect(reading.summary.foreignEvents == 1, "\(line)")
    }
    #expect(one("dma_buf_new_event: exp_name=system size=1 ino=1")?.kind == .other)
  }

  @Test(arguments: [
    "dma_buf_export: exp_name=system size=1",
    "dma_buf_export: exp_name=system size=1 ino=x",
    "dma_buf_export: exp_name=system size=1 ino=99999999999999999999",
    "dma_buf_fd: exp_name=system size=1 ino=1",
    "dma_buf_dynamic_attach: exp_name=system size=1 ino=1 attachment:zz is_dynamic=0 dev_name=x",
    "dma_buf_dynamic_attach: exp_name=system size=1 ino=1 attachment:1 is_dynamic=0",
    "dma_buf_vmap: (dma_buf_vmap+0x0/0x1d0",
    "dma_buf_vmap: (dma_buf_vmap+0x0/0x1d0)",
    "dma_buf_begin_cpu_access: (dma_buf_begin_cpu_access+0x0/0x1) ino=1 dir=up",
    "dma_fence_init: driver=a timeline=b context=1",
    "dma_resv_add_fence: (dma_resv_add_fence+0x0/0x1) context=1 seqno=1 usage=1",
    "dma_iova_link: (dma_iova_link+0x0/0x1) dma_addr=0x1 size=1",
    "dma_iova_link: (dma_iova_link+0x0/0x1) device=\"x dma_addr=0x1 size=1",
    "dmaengine_submit: (x+0x0/0x1) channel=\"a\"",
    "dmaengine_prep: (x+0x0/0x1) channel=\"a\" type=foo dma_addr=0x1 size=1",
  ])
  func broken(_ line: String) {
    let reading = Reading(Self.prefix + line + "\n")
    #expect(reading.events.isEmpty)
    #expect(reading.summary.malformedLines == 1)
    #expect(reading.summary.malformed.first?.reason.isEmpty == false)
  }

  /// However a line is cut off, and whatever stands in it, reading goes on.
  @Test func anyBytes() {
    var generator = Seeded(state: 7)
    let lines = [
      "dma_buf_dynamic_attach: exp_name=my heap size=65536 ino=1 attachment:ff11000005d919c0 "
        + "is_dynamic=1 dev_name=0000:00:03.0",
      "dma_iova_link: (dma_iova_link+0x0/0x1) device=\"nvme\" dma_addr=0x10000 size=8192 dir=1",
      "dma_fence_signaled: driver=drm sched timeline=ring 0 context=3 seqno=9",
    ]
    for line in lines {
      let bytes = Array((Self.prefix + line).utf8)
      for end in Self.prefix.utf8.count...bytes.count {
        _ = Reading(bytes: Array(bytes[..<end]))
        _ = Reading(bytes: Array(bytes[..<end]) + [0x0a])
        var changed = bytes
        changed[end % bytes.count] = UInt8(truncatingIfNeeded: generator.next())
        _ = Reading(bytes: changed + [0x0a])
      }
    }
  }
}
