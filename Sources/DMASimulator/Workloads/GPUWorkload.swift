// SPDX-License-Identifier: MIT
import DMADebugCore

/// A graphics card: it renders surfaces that another device shows, and evicts some of them.
///
/// The card's driver exports its surfaces and may move them; the display is a dynamic importer, which
/// pins a surface while it is on the screen.
final class GPUWorkload: SharingDriver, Workload {
  private final class Surface {
    var memory: BufferMemory
    /// The card's own mapping.
    var list: ScatterList
    var buffer: SharedBuffer?
    var descriptor = -1
    var scanout: BufferAttachment?
    /// The display's mapping, while it is shown.
    var shown: ScatterList?
    var isPinned = false
    /// Whether it holds an image that was not shown yet.
    var isRendered = false
    var pattern = Pattern(tag: 0)

    init(_ memory: BufferMemory) {
      self.memory = memory
      list = ScatterList(memory.entries)
    }
  }

  private static let surfaceSize: UInt64 = 256 << 10
  private static let framesPerScreenshot = 16
  private static let framesPerEviction = 24
  /// Frames after which the window changes its size: new surfaces.
  private static let framesPerWindow = 240

  private lazy var display = partner(options.display)
  private var render: FenceTimeline?
  private var copy: FenceTimeline?
  private var flip: FenceTimeline?
  private var surfaces: [Surface] = []
  private var frame = 0
  private lazy var createSite = site("gem_create_ioctl", ["drm_ioctl_kernel", "drm_ioctl"])
  private lazy var exportSite = site("gem_prime_export", ["drm_gem_prime_handle_to_fd"])
  private lazy var submitSite = site("cs_ioctl", ["drm_ioctl_kernel", "drm_ioctl"])
  private lazy var renderDone = site("fence_process", ["irq_handler", "handle_irq_event"])
  private lazy var evictSite = site("bo_move", ["ttm_bo_evict", "ttm_bo_mem_space"])
  private lazy var importSite = site(
    display,
    "gem_prime_import",
    ["drm_gem_prime_fd_to_handle", "drm_ioctl"]
  )
  private lazy var flipSite = site(display, "prepare_plane_fb", ["drm_atomic_helper_commit"])
  private lazy var flipDone = site(display, "pipe_vblank", ["handle_irq_event"])

  private var bytes: UInt64 { options.size > 0 ? (options.size + 4095) & ~4095 : Self.surfaceSize }

  func start() {
    enter("systemd-udevd", pid: 402)
    machine.setMasks(device)
  }

  private func client() { enter("glxgears", pid: 2201) }
  private func compositor() { enter("gnome-shell", pid: 1312, cpu: 1) }

  // MARK: Surfaces

  /// What the driver does as an exporter.
  private func operations(_ surface: Surface) -> DMABufOperations {
    var operations = DMABufOperations()
    operations.pin = { _ in
      surface.isPinned = true
      return 0
    }
    operations.unpin = { _ in surface.isPinned = false }
    operations.mapDMABuf = { [unowned self] attachment, direction in
      // What the card wrote has to be in memory before another device maps it.
      machine.dmaSyncSGTableForCPU(device, surface.list, .bidirectional)
      let list = ScatterList(surface.memory.entries)
      guard machine.dmaMapSGTable(attachment.device, list, direction) == 0 else {
        return .failure(KernelError.io)
      }
      return .success(list)
    }
    operations.unmapDMABuf = { [unowned self] attachment, list, direction in
      machine.dmaUnmapSGTable(attachment.device, list, direction)
    }
    operations.release = { [unowned self] _ in
      machine.dmaUnmapSGTable(device, surface.list, .bidirectional)
      machine.giveBack(surface.memory)
    }
    operations.beginCPUAccess = { [unowned self] _, _ in
      machine.dmaSyncSGTableForCPU(device, surface.list, .bidirectional)
      return 0
    }
    operations.endCPUAccess = { [unowned self] _, _ in
      machine.dmaSyncSGTableForDevice(device, surface.list, .bidirectional)
      return 0
    }
    operations.vmap = { [unowned self] _ in
      .success(machine.space.map(surface.memory.pages, .vmalloc))
    }
    operations.vunmap = { [unowned self] buffer, address in
      machine.space.unmap(address, pages: buffer.size / 4096)
    }
    return operations
  }

  private func open() {
    for device in [device, display] { allowLargeSegments(device) }
    if render == nil {
      render = machine.makeTimeline(device.options.driver, "gfx_0.0.0")
      copy = machine.makeTimeline(device.options.driver, "sdma0")
      flip = machine.makeTimeline(display.options.driver, "pipe A")
    }
    for _ in 0..<max(2, min(options.depth, 16)) {
      client()
      machine.site = createSite
      guard let memory = machine.takeMemory(.system, bytes) else { return }
      let surface = Surface(memory)
      injector?.opportunity(device, 4096)
      guard machine.dmaMapSGTable(device, surface.list, .bidirectional) == 0 else {
        machine.giveBack(memory)
        return
      }
      machine.site = exportSite
      let name = device.options.driver
      guard let buffer = machine.dmaBufExport(name, operations(surface), bytes).value else {
        return
      }
      surface.buffer = buffer
      surface.descriptor = machine.dmaBufFD(buffer)
      compositor()
      machine.site = importSite
      if let imported = machine.dmaBufGet(surface.descriptor).value {
        surface.scanout = machine.dmaBufDynamicAttach(imported, display) { _ in }.value
      }
      surfaces.append(surface)
    }
  }

  private func close() {
    for surface in surfaces {
      guard let buffer = surface.buffer else { continue }
      compositor()
      machine.site = importSite
      wait(buffer, .bookkeep)
      takeDown(surface)
      if let scanout = surface.scanout {
        machine.dmaBufDetach(buffer, scanout)
        machine.dmaBufPut(buffer)
      }
      client()
      machine.close(surface.descriptor)
    }
    surfaces = []
  }

  // MARK: Frames

  func run() -> UInt64 {
    if surfaces.isEmpty { open() }
    // What is on the screen gives way to what was rendered meanwhile.
    if let next = surfaces.first(where: { $0.isRendered }) {
      for surface in surfaces where surface.shown != nil { takeDown(surface) }
      show(next)
    }
    if let surface = surfaces.first(where: { !$0.isRendered && $0.shown == nil }) {
      if frame % Self.framesPerEviction == Self.framesPerEviction - 1 { evict(surface) }
      draw(surface)
      if let index = surfaces.firstIndex(where: { $0 === surface }) {
        surfaces.append(surfaces.remove(at: index))
      }
    }
    frame += 1
    if frame % Self.framesPerScreenshot == 0,
      let surface = surfaces.first(where: { $0.shown != nil })
    {
      screenshot(surface)
    }
    if frame % Self.framesPerWindow == 0 { close() }
    return interval
  }

  /// The card renders into a surface: implicit synchronisation waits for whoever reads it.
  private func draw(_ surface: Surface) {
    guard let buffer = surface.buffer, let render else { return }
    client()
    machine.site = submitSite
    injector?.opportunity(device, 4096)
    wait(buffer, .read)
    surface.pattern = machine.nextPattern(device)
    surface.isRendered = true
    // Now and then an image takes longer than there is time, and who shows it has to wait.
    let isLate = frame % 8 == 7
    let delay = share(4, atMost: 6) + (isLate ? interval : 0)
    begin(render, on: buffer, .write, after: delay, site: renderDone) {
      [unowned self] in
      machine.deviceWrite(buffer, device, surface.list, surface.pattern)
    }
  }

  /// The compositor waits for the image with a sync file and shows it.
  private func show(_ surface: Surface) {
    guard let buffer = surface.buffer, let scanout = surface.scanout, let flip else { return }
    compositor()
    machine.site = flipSite
    let descriptor = machine.dmaBufExportSyncFile(buffer, isWriter: false)
    if let fence = machine.syncFileGetFence(descriptor) {
      machine.dmaFenceWaitTimeout(fence, timeout: Self.patience)
      machine.dmaFencePut(fence)
    }
    machine.close(descriptor)
    surface.isRendered = false
    injector?.opportunity(display, 4096)
    machine.dmaResvLock(buffer.reservation)
    machine.dmaBufPin(scanout)
    let result = machine.dmaBufMapAttachment(scanout, .toDevice)
    if result.value == nil { machine.dmaBufUnpin(scanout) }
    machine.dmaResvUnlock(buffer.reservation)
    guard let list = result.value else { return }
    surface.shown = list
    begin(flip, on: buffer, .read, after: share(2, atMost: 8), site: flipDone) {
      [unowned self] in
      machine.deviceCheck(buffer, display, list, surface.pattern)
    }
  }

  /// The display is done with a surface.
  private func takeDown(_ surface: Surface) {
    guard let buffer = surface.buffer, let scanout = surface.scanout, let list = surface.shown
    else {
      return
    }
    compositor()
    machine.site = flipSite
    machine.dmaResvLock(buffer.reservation)
    machine.dmaResvWaitTimeout(buffer.reservation, .read, timeout: Self.patience)
    machine.dmaBufUnmapAttachment(scanout, list, .toDevice)
    machine.dmaBufUnpin(scanout)
    machine.dmaResvUnlock(buffer.reservation)
    surface.shown = nil
  }

  /// The CPU reads what is shown.
  private func screenshot(_ surface: Surface) {
    guard let buffer = surface.buffer else { return }
    compositor()
    machine.site = flipSite
    guard machine.dmaBufBeginCPUAccess(buffer, .fromDevice) == 0 else { return }
    machine.dmaResvLock(buffer.reservation)
    if let address = machine.dmaBufVmap(buffer).value {
      machine.check(buffer, device, address, min(bytes, 16384), surface.pattern)
      machine.dmaBufVunmap(buffer)
    }
    machine.dmaResvUnlock(buffer.reservation)
    machine.dmaBufEndCPUAccess(buffer, .fromDevice)
  }

  /// Another program needs the memory: the surface moves, and importers have to map it anew.
  private func evict(_ surface: Surface) {
    guard let buffer = surface.buffer, let copy, !surface.isPinned else { return }
    client()
    machine.site = evictSite
    guard let memory = machine.takeMemory(.system, bytes) else { return }
    let list = ScatterList(memory.entries)
    machine.dmaResvLock(buffer.reservation)
    machine.dmaBufMoveNotify(buffer)
    machine.dmaResvWaitTimeout(buffer.reservation, .bookkeep, timeout: Self.patience)
    guard machine.dmaMapSGTable(device, list, .bidirectional) == 0 else {
      machine.dmaResvUnlock(buffer.reservation)
      machine.giveBack(memory)
      return
    }
    let fence = machine.nextFence(copy)
    machine.dmaResvReserveFences(buffer.reservation, 1)
    machine.dmaResvAddFence(buffer.reservation, fence, .kernel)
    machine.dmaFenceEmit(fence)
    let old = (surface.list, surface.memory)
    machine.raise(after: share(8, atMost: 2), cpu: cpu) { [unowned self] in
      machine.site = renderDone
      machine.copy(buffer, device, from: old.0, to: list)
      machine.dmaFenceSignal(fence)
      machine.dmaFencePut(fence)
    }
    machine.dmaResvWaitTimeout(buffer.reservation, .kernel, timeout: Self.patience)
    (surface.list, surface.memory) = (list, memory)
    machine.dmaResvUnlock(buffer.reservation)
    machine.dmaUnmapSGTable(device, old.0, .bidirectional)
    machine.giveBack(old.1)
  }

  func finish() { close() }

  func stop() {}
}
