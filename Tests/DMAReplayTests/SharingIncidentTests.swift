// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

/// What is a mistake in sharing, and what is so near to one that only a detail tells.
@Suite struct SharingIncidentTests {
  private typealias Play = SharingTests

  private static let base = [
    Play.export, Play.fd, Play.get, Play.attach(), Play.map(), Play.mapAttachment,
  ]
  private static let end = [Play.unmap(), Play.unmapAttachment, Play.detach(), Play.put]

  private static func begin(_ direction: Int) -> String {
    Play.probe("dma_buf_begin_cpu_access", "ino=1 dir=\(direction)")
  }

  private static func finish(_ direction: Int) -> String {
    Play.probe("dma_buf_end_cpu_access", "ino=1 dir=\(direction)")
  }

  private static func access(_ direction: Int, _ device: String? = nil) -> String {
    let by = device.map { " device=\"\($0)\"" } ?? ""
    return Play.probe("dma_buf_access", "ino=1 dir=\(direction)\(by)")
  }

  private func expect(
    _ lines: [String],
    _ kinds: [SharingIncident.Kind],
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let found = try Play.kinds(lines)
    #expect(found == kinds, sourceLocation: location)
  }

  @Test func rightUseIsSilent() throws {
    try expect(Self.base + Self.end, [])
    try expect(Array(Self.base.dropLast()) + [Play.unmap(), Play.detach(), Play.put], [])
    // A buffer that is still in use when the trace ends.
    try expect(Self.base, [])
    try expect(Self.base + [Self.begin(2)], [])
  }

  @Test func attachments() throws {
    // Still attached after the last put.
    try expect([Play.export, Play.attach(), Play.put], [.leakedAttachment])
    // As drm_gem_prime_fd_to_handle() does, with a reference of its own that nothing shows; and the
    // descriptor may be open.
    try expect(Self.base + [Play.put], [])
    try expect(Self.base + [Play.unmap(), Play.unmapAttachment, Play.put, Play.get, Play.put], [])
    // Somebody else still has a reference.
    try expect(
      [Play.export, Play.fd, Play.get, Play.get, Play.attach(), Play.put],
      []
    )
    // Late, but detached.
    try expect(
      Self.base + [Play.put, Play.unmap(), Play.unmapAttachment, Play.detach()],
      []
    )
    try expect(
      Self.base + [Play.detach(), Play.unmap(), Play.put],
      [.detachWhileMapped]
    )
    // Without probes only a list that is never unmapped tells.
    let plain = [Play.export, Play.fd, Play.get, Play.attach(), Play.map(), Play.detach()]
    try expect(plain + [Play.unmap()], [])
    try expect(plain, [.detachWhileMapped])
    try expect(
      Self.base + [Play.unmap(), Play.unmapAttachment, Play.unmapAttachment],
      [.unmapWithoutMap]
    )
    try expect(Self.base + Self.end.dropLast() + [Play.unmapAttachment], [.unmapWithoutMap])
    // Where nothing shows maps, an unmap says nothing.
    try expect([Play.export, Play.fd, Play.attach(), Play.unmapAttachment], [])
    let leave = "bus_notify: (dma_debug_device_change+0x4/0x1d0) action=6 device=\"gpu\""
    try expect([Play.export, Play.fd, Play.attach(), leave], [.unboundWhileAttached])
    try expect([Play.export, Play.fd, Play.attach(), Play.detach(), leave], [])
    try expect([Play.export, Play.fd, Play.attach("1", "other"), leave], [])
  }

  @Test func kernelMappings() throws {
    let map = Play.probe("dma_buf_vmap")
    let unmap = Play.probe("dma_buf_vunmap")
    try expect(Self.base + [map, unmap, unmap] + Self.end, [.unbalancedKernelMapping])
    try expect(Self.base + [map, map, unmap, unmap] + Self.end, [])
    try expect([Play.export, map, Play.put], [.unbalancedKernelMapping])
    try expect(Self.base + [map] + Self.end, [])
    try expect(Self.base + [map], [])
    try expect(Self.base + [unmap], [])
    let kmap = Play.probe("dma_buf_kmap_atomic")
    let kunmap = Play.probe("dma_buf_kunmap")
    try expect(Self.base + [kmap, kunmap] + Self.end, [])
    try expect(Self.base + [kmap, kunmap, kunmap] + Self.end, [.unbalancedKernelMapping])
  }

  @Test func accessWindows() throws {
    try expect(Self.base + [Self.begin(2), Self.finish(2)] + Self.end, [])
    try expect(Self.base + [Self.begin(2), Self.finish(1)] + Self.end, [.unbalancedAccess])
    try expect(
      Self.base + [Self.begin(2), Self.finish(2), Self.finish(2)] + Self.end,
      [.unbalancedAccess]
    )
    try expect([Play.export, Self.begin(2), Play.put], [.unbalancedAccess])
    // The descriptor may be open, and with it the window of a process.
    try expect(Self.base + [Self.begin(2)] + Self.end, [])
    // Readers need FROM_DEVICE, writers TO_DEVICE; both are content with BIDIRECTIONAL.
    for (window, reads, writes) in [(2, true, false), (1, false, true), (0, true, true)] {
      let open = Self.base + [Self.begin(window)]
      let close = [Self.finish(window)] + Self.end
      try expect(open + [Self.access(1)] + close, reads ? [] : [.accessOutsideWindow])
      try expect(open + [Self.access(2)] + close, writes ? [] : [.accessOutsideWindow])
    }
    try expect(
      Self.base + [Self.begin(0), Self.finish(0), Self.access(1)] + Self.end,
      [.accessOutsideWindow]
    )
    // What the CPU reads is what it wrote in the same window.
    let written = Self.base + [Self.begin(1), Self.access(2)]
    try expect(written + [Self.access(1), Self.finish(1)] + Self.end, [])
    try expect(
      written + [Self.finish(1), Self.begin(1), Self.access(1), Self.finish(1)] + Self.end,
      [.accessOutsideWindow]
    )
    // A device needs no window.
    try expect(Self.base + [Self.access(2, "gpu")] + Self.end, [])
  }

  @Test func fencesGuardBytes() throws {
    let fence = [Play.fence("init"), Play.fence("emit")]
    let read = [Self.begin(2), Self.access(1), Self.finish(2)]
    let write = [Self.begin(1), Self.access(2), Self.finish(1)]
    let done = [Play.fence("signaled")]
    // Usage 0 kernel, 1 write: all wait. 2 read: writers wait. 3 bookkeeping: nobody does.
    for (usage, reader, writer) in [
      (0, true, true), (1, true, true), (2, false, true), (3, false, false),
    ] {
      let guarded = Self.base + fence + [Play.guardBuffer(usage)]
      try expect(guarded + read + done + Self.end, reader ? [.accessWithoutFence] : [])
      try expect(guarded + write + done + Self.end, writer ? [.accessWithoutFence] : [])
      try expect(guarded + done + write + Self.end, [])
    }
    // The device whose fence it is works on the buffer; another one has to wait.
    let bind = [
      "driver_probe: (really_probe+0x0/0x2a0) device=\"gpu\" driver=\"gpu\"",
      "driver_probe: (really_probe+0x0/0x2a0) device=\"display\" driver=\"display\"",
    ]
    let guarded = bind + Self.base + fence + [Play.guardBuffer(1)]
    try expect(guarded + [Self.access(2, "gpu")] + done + Self.end, [])
    try expect(
      guarded + [Self.access(1, "display")] + done + Self.end,
      [.accessWithoutFence]
    )
    // What the display wants to read later does not keep the gpu from writing now.
    let later = [
      "dma_fence_init: driver=display timeline=crtc context=9 seqno=1",
      Play.probe(
        "dma_resv_add_fence",
        "ino=1 context=9 seqno=1 usage=2 driver=display timeline=crtc"
      ),
    ]
    try expect(guarded + later + [Self.access(2, "gpu")] + done + Self.end, [])
    // But what it wanted to read before does.
    try expect(
      bind + Self.base + later + fence + [Play.guardBuffer(1), Self.access(2, "gpu")] + done
        + Self.end,
      [.accessWithoutFence]
    )
  }

  @Test func useAfterTheLastPut() throws {
    let vmap = Play.probe("dma_buf_vmap")
    try expect(Self.base + Self.end + [vmap], [.useAfterPut])
    try expect(Self.base + Self.end + [Play.attach()], [.useAfterPut])
    // Through a descriptor everything is right again.
    try expect(Self.base + Self.end + [Play.get, Play.attach(), Play.detach(), Play.put], [])
    try expect(Self.base + Self.end + [Self.begin(2), Self.finish(2)], [])
    // No descriptor was ever made: it is gone for sure.
    try expect([Play.export, Play.put, Self.begin(2)], [.useAfterPut])
    try expect([Play.export, Play.get, Play.put, vmap], [])
  }

  @Test func fencesSignal() throws {
    let fence = [Play.fence("init"), Play.fence("emit")]
    try expect(fence, [])
    try expect(fence + [Play.fence("destroy")], [])
    try expect(
      fence + [Play.fence("enable_signal"), Play.fence("destroy")],
      [.neverSignaled]
    )
    try expect(
      fence + [Play.fence("enable_signal"), Play.fence("signaled"), Play.fence("destroy")],
      []
    )
    // A wait that was interrupted, and the signal after it.
    let wait = [Play.fence("wait_start"), Play.fence("wait_end")]
    try expect(fence + wait + [Play.fence("signaled")], [])
    // It ran into its timeout, or the trace ends within: the signal may come.
    try expect(fence + wait, [])
    try expect(fence + [Play.fence("wait_start")], [])
    try expect(fence + wait + [Play.fence("destroy")], [.neverSignaled])
    // A fence from before the trace says nothing.
    try expect(wait, [])
    // Passed over: later ones of its timeline were signaled.
    let wanted = [Play.export] + fence + [Play.guardBuffer(1), Play.fence("enable_signal")]
    let over = [Play.fence("init", 2), Play.fence("signaled", 2)]
    try expect(wanted, [])
    // One interrupt signals several in any order.
    try expect(wanted + over, [])
    try expect(wanted + over + [Play.late(2, Play.fence("init", 3))], [.neverSignaled])
    // Nobody asked for its signal: many drivers give none then.
    let guarded = [Play.export] + fence + [Play.guardBuffer(1)]
    try expect(guarded + over + [Play.late(2, Play.fence("init", 3))], [])
    try expect(guarded + [Play.fence("destroy")], [])
  }

  @Test func threadsThatWaitForEachOther() throws {
    func lines(_ thread: Int, _ events: [String]) -> [String] { events.map { "@\(thread) \($0)" } }
    let first = lines(11, [Play.fence("init"), Play.fence("signaled"), Play.fence("init", 2)])
    let second = lines(
      12,
      [
        Play.fence("init", context: 4), Play.fence("signaled", context: 4),
        Play.fence("init", 2, context: 4),
      ]
    )
    let start = first + second
    let later = [Play.late(2, Play.fence("init", context: 9))]
    let waits =
      lines(11, [Play.fence("wait_start", 2, context: 4)])
      + lines(12, [Play.fence("wait_start", 2)])
    // Each for the other's, for long; at first nobody can know.
    try expect(start + waits, [])
    try expect(start + waits + later, [.deadlock])
    // Somebody signals later, so they did not hang.
    try expect(
      start + waits + lines(12, [Play.fence("init", 3), Play.fence("signaled", 3)]) + later,
      []
    )
    // An interrupt makes no thread the one that signals.
    for column in ["..h..", "..s..", "..H.."] {
      let hit = first.map { line in
        line.contains("signaled")
          ? "raw:            test-11      [000] \(column)     1.000002: \(Play.fence("signaled"))"
          : line
      }
      try expect(hit + second + waits + later, [])
    }
    let inThread = first.map { line in
      line.contains("signaled")
        ? "raw:            test-11      [000] d..1.     1.000002: \(Play.fence("signaled"))" : line
    }
    try expect(inThread + second + waits + later, [.deadlock])
    // One for its own: whoever asks for the state of a fence signals it.
    try expect(start + lines(11, [Play.fence("wait_start", 2)]) + later, [])
    // One for the other's, who does not wait.
    try expect(start + lines(11, [Play.fence("wait_start", 2, context: 4)]) + later, [])
    // Both went on.
    try expect(
      start + lines(11, [Play.fence("wait_start", 2, context: 4)])
        + lines(12, [Play.fence("signaled", 2, context: 4)])
        + lines(11, [Play.fence("wait_end", 2, context: 4)]),
      []
    )
  }

  @Test func movesAndPins() throws {
    let attach = Play.attach().split(separator: "is_dynamic=0").joined(separator: "is_dynamic=1")
    let base = [Play.export, attach, Play.map(), Play.mapAttachment]
    let move = Play.probe("dma_buf_move_notify")
    let end = [Play.unmap(), Play.unmapAttachment, Play.detach(), Play.put]
    try expect(base + [move, Self.access(1, "gpu"), Self.access(2, "gpu")] + end, [.staleMapping])
    try expect(base + [Self.access(1, "gpu"), move] + end, [])
    try expect(base + [move] + end.prefix(2) + base.suffix(2) + [Self.access(1, "gpu")] + end, [])
    // A static importer is not told, and pins.
    try expect(
      [Play.export, Play.attach()] + base.suffix(2) + [move, Self.access(1, "gpu")] + end,
      []
    )
    let fields = "ino=1 attachment=0xff00000000000001 device=\"gpu\""
    let pin = Play.probe("dma_buf_pin", fields)
    let unpin = Play.probe("dma_buf_unpin", fields)
    try expect(base + [pin] + end, [.detachWhilePinned])
    try expect(base + [pin, unpin] + end, [])
    try expect(base + [pin], [])
  }

  @Test func buffersThatNobodyCanReach() throws {
    let other = [
      "dma_buf_export: exp_name=system size=4096 ino=2",
      "dma_buf_fd: exp_name=system size=4096 ino=2 fd=5",
    ]
    let later = Play.late(2, "dma_buf_get: exp_name=system size=4096 ino=2 fd=5")
    try expect([Play.export] + other + [later], [.lostBuffer])
    try expect([Play.export] + other, [])
    try expect([Play.export, Play.fd] + other + [later], [])
    try expect([Play.export, Play.attach()] + other + [later], [])
    try expect([Play.export, Play.put] + other + [later], [])
    // Where nothing shows descriptors.
    try expect([Play.export, other[0], later], [])
  }

  @Test func rangesOfIOVA() throws {
    let leave = "bus_notify: (dma_debug_device_change+0x4/0x1d0) action=6 device=\"nvme\""
    let other = Play.map("1000", "other")
    let begun = [
      Play.iova("try_alloc", 0x10000, 0x4000), Play.iova("link", 0x10000, 0x2000),
      Play.iova("sync", 0x10000, 0x2000),
    ]
    try expect(begun + [leave, other], [.leakedRange])
    try expect(begun + [Play.iova("destroy", 0x10000, 0x2000), leave, other], [])
    try expect(begun + [other], [])
    try expect(begun + ["raw:CPU:0 [LOST 3 EVENTS]", leave, other], [])
    let alloc = Play.iova("try_alloc", 0x10000, 0x4000)
    let link = Play.iova("link", 0x10000, 0x2000)
    let sync = Play.iova("sync", 0x10000, 0x2000)
    try expect([alloc, link, sync, Play.iova("destroy", 0x10000, 0x2000)], [])
    try expect([alloc, link, sync, Play.iova("destroy", 0x10000, 0x1000)], [.iovaLeftLinked])
    try expect([alloc, link, sync, Play.iova("free", 0x10000, 0)], [.iovaLeftLinked])
    try expect(
      [alloc, link, sync, Play.iova("unlink", 0x10000, 0x2000), Play.iova("free", 0x10000, 0)],
      []
    )
    try expect(
      [
        alloc, link, Play.iova("sync", 0x10000, 0x1000), Play.iova("unlink", 0x10000, 0x2000),
        Play.iova("free", 0x10000, 0),
      ],
      [.iovaNotSynced]
    )
    // Without a probe on syncs nobody knows.
    try expect([alloc, link, Play.iova("destroy", 0x10000, 0x2000)], [])
    try expect([alloc, Play.iova("link", 0x13000, 0x1000)], [])
    try expect([alloc, Play.iova("link", 0x13000, 0x1001)], [.iovaOutside])
    try expect([alloc, Play.iova("link", 0x14000, 0x1000)], [.iovaOutside])
    // Of a range that is older than the trace.
    try expect([alloc, Play.iova("link", 0x90000, 0x1000)], [])
    try expect([alloc, Play.iova("link", .max >> 1, 0x1000)], [])
  }

  @Test func channels() throws {
    let request = Play.channel("dma_request_chan")
    func submit(_ cookie: Int) -> [String] {
      [Play.prepare, Play.channel("dmaengine_submit", "cookie=\(cookie)")]
    }
    func complete(_ cookie: Int) -> String {
      Play.channel("dmaengine_callback", "cookie=\(cookie) residue=0")
    }
    let release = Play.channel("dma_release_channel")
    let first = [request] + submit(1) + [complete(1)]
    try expect(first + [release], [])
    try expect(first + submit(2) + [release], [.releaseInFlight])
    try expect(first + submit(2) + [complete(2), release], [])
    try expect(
      first + submit(2) + [Play.channel("dmaengine_terminate_async"), release],
      []
    )
    // Prepared and not submitted, and submitted in vain.
    try expect(first + [Play.prepare, release], [])
    try expect(first + submit(-22) + [release], [])
    // Where nothing shows completions, nothing is known to be in flight; one that comes after the
    // release shows it.
    try expect([request] + submit(1) + [release], [])
    try expect([request] + submit(1) + [release, complete(1)], [.releaseInFlight])
    // Submitted long ago and never issued; at once is an error path.
    let issue = Play.channel("dma_async_issue_pending")
    let terminate = Play.channel("dmaengine_terminate_sync")
    let issued = [request] + submit(1) + [issue, complete(1)]
    try expect(issued + submit(2) + [Play.late(2, terminate), release], [.neverIssued])
    try expect(issued + submit(2) + [issue, Play.late(2, terminate), release], [])
    try expect(issued + submit(2) + [terminate, release], [])
    try expect(
      issued + submit(2) + ["raw:CPU:0 [LOST 3 EVENTS]", Play.late(2, terminate), release],
      []
    )
    // Where nothing shows it.
    try expect([request] + submit(1) + [complete(1)] + submit(2) + [Play.late(2, terminate)], [])
    try expect(
      first + submit(2) + [Play.channel("dmaengine_tx_status", "cookie=2 residue=0"), release],
      []
    )
  }
}
