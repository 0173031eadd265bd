// SPDX-License-Identifier: MIT
import DMADebugCore

/// A camera: the sensor fills frames, an encoder and a display read them, a process looks at some.
///
/// Each frame is a buffer of the system heap with three attachments, which are mapped while the device
/// uses it, as video4linux does. Fences tell who has to wait for whom.
final class CameraWorkload: SharingDriver, Workload {
  private final class Frame {
    enum State {
      case free
      case capturing
      case shown
    }

    let buffer: SharedBuffer
    let descriptor: Int
    /// Where the process sees it.
    let window: UInt64
    /// Sensor, encoder, display.
    let attachments: [BufferAttachment]
    var lists: [ScatterList?] = [nil, nil, nil]
    var state = State.free
    var pattern = Pattern(tag: 0)

    init(
      _ buffer: SharedBuffer,
      _ descriptor: Int,
      _ window: UInt64,
      _ attachments: [BufferAttachment]
    ) {
      self.buffer = buffer
      self.descriptor = descriptor
      self.window = window
      self.attachments = attachments
    }
  }

  private static let frameSize: UInt64 = 256 << 10
  /// Bytes that the process looks at.
  private static let glance: UInt64 = 8192
  /// Frames between two streams: buffers are allocated anew.
  private static let framesPerStream = 150

  private lazy var encoder = partner(options.encoder)
  private lazy var display = partner(options.display)
  private var timelines: [FenceTimeline] = []
  private var frames: [Frame] = []
  private var captured = 0
  private lazy var allocateSite = machine.makeSite(
    "dma_heap_ioctl",
    module: "",
    callers: ["__x64_sys_ioctl", "do_syscall_64"]
  )
  private lazy var captureSite = site("isys_qbuf", ["vb2_core_qbuf", "vb2_ioctl_qbuf"])
  private lazy var releaseSite = site("isys_dqbuf", ["vb2_core_dqbuf", "vb2_ioctl_dqbuf"])
  private lazy var captureDone = site(
    "isys_isr",
    ["__handle_irq_event_percpu", "handle_irq_event"]
  )
  private lazy var encodeSite = site(encoder, "enc_qbuf", ["vb2_core_qbuf", "vb2_ioctl_qbuf"])
  private lazy var encodeDone = site(encoder, "enc_isr", ["__handle_irq_event_percpu"])
  private lazy var showSite = site(display, "atomic_prepare_fb", ["drm_atomic_helper_commit"])
  private lazy var showDone = site(display, "vblank_isr", ["__handle_irq_event_percpu"])

  private var bytes: UInt64 { options.size > 0 ? (options.size + 4095) & ~4095 : Self.frameSize }

  func start() {
    enter("systemd-udevd", pid: 402)
    machine.setMasks(device)
  }

  private func process() { enter("pipewire", pid: 1105) }

  private func open() {
    process()
    for device in [device, encoder, display] { allowLargeSegments(device) }
    if timelines.isEmpty {
      timelines = [
        machine.makeTimeline(device.options.driver, "capture"),
        machine.makeTimeline(encoder.options.driver, "encode"),
        machine.makeTimeline(display.options.driver, "scanout"),
      ]
    }
    for _ in 0..<max(3, min(options.depth, 32)) {
      machine.site = allocateSite
      guard let buffer = machine.dmaHeapBufferAlloc(.system, bytes) else { break }
      let descriptor = machine.dmaBufFD(buffer)
      let window = machine.dmaBufMmapInternal(buffer, pages: bytes / 4096).value ?? 0
      var attachments: [BufferAttachment] = []
      for (device, site) in [
        (device, captureSite), (encoder, encodeSite), (display, showSite),
      ] {
        machine.site = site
        guard let imported = machine.dmaBufGet(descriptor).value,
          let attachment = machine.dmaBufAttach(imported, device).value
        else { break }
        attachments.append(attachment)
      }
      let frame = Frame(buffer, descriptor, window, attachments)
      frames.append(frame)
    }
  }

  func run() -> UInt64 {
    if frames.isEmpty { open() }
    for frame in frames where frame.state == .shown { retire(frame) }
    for frame in frames where frame.state == .capturing { deliver(frame) }
    if captured >= Self.framesPerStream {
      close()
      captured = 0
    } else if let frame = frames.first(where: { $0.state == .free }) {
      capture(frame)
      // The next one takes another.
      if let index = frames.firstIndex(where: { $0 === frame }) {
        frames.append(frames.remove(at: index))
      }
    }
    return interval
  }

  /// The sensor fills a frame.
  private func capture(_ frame: Frame) {
    process()
    machine.site = captureSite
    guard frame.attachments.count == 3,
      let list = mapAttachment(frame.attachments[0], .fromDevice)
    else { return }
    captured += 1
    frame.lists[0] = list
    frame.state = .capturing
    frame.pattern = machine.nextPattern(device)
    // In the dark the exposure is longer than there is time, and the process has to wait.
    let isDark = captured % 16 == 0
    let exposure = share(4, atMost: 8) + (isDark ? interval : 0)
    begin(timelines[0], on: frame.buffer, .write, after: exposure, site: captureDone) {
      [unowned self] in
      machine.deviceWrite(frame.buffer, device, list, frame.pattern)
    }
  }

  /// The process has the frame, looks at it and gives it to encoder and display.
  private func deliver(_ frame: Frame) {
    process()
    machine.site = releaseSite
    wait(frame.buffer, .write)
    glance(frame)
    unmap(frame, 0, .fromDevice)
    frame.state = .shown
    read(frame, 1, encoder, encodeSite, encodeDone, share(3, atMost: 10))
    read(frame, 2, display, showSite, showDone, share(2, atMost: 16))
  }

  /// Exposure and white balance are reckoned from what the CPU reads.
  private func glance(_ frame: Frame) {
    guard frame.window != 0, machine.dmaBufBeginCPUAccess(frame.buffer, .fromDevice) == 0 else {
      return
    }
    let length = min(bytes, Self.glance)
    machine.check(frame.buffer, device, frame.window, length, frame.pattern)
    machine.dmaBufEndCPUAccess(frame.buffer, .fromDevice)
  }

  /// A device reads the frame.
  private func read(
    _ frame: Frame,
    _ index: Int,
    _ reader: Device,
    _ site: Site,
    _ done: Site,
    _ delay: UInt64
  ) {
    process()
    machine.site = site
    guard let list = mapAttachment(frame.attachments[index], .toDevice) else { return }
    frame.lists[index] = list
    begin(timelines[index], on: frame.buffer, .read, after: delay, site: done) {
      [unowned self] in
      machine.deviceCheck(frame.buffer, reader, list, frame.pattern)
    }
  }

  private func unmap(_ frame: Frame, _ index: Int, _ direction: Direction) {
    guard let list = frame.lists[index] else { return }
    machine.dmaBufUnmapAttachmentUnlocked(frame.attachments[index], list, direction)
    frame.lists[index] = nil
  }

  /// Nobody reads the frame any more.
  private func retire(_ frame: Frame) {
    process()
    machine.site = releaseSite
    wait(frame.buffer, .read)
    unmap(frame, 1, .toDevice)
    unmap(frame, 2, .toDevice)
    frame.state = .free
  }

  private func close() {
    for frame in frames {
      process()
      machine.site = releaseSite
      wait(frame.buffer, .read)
      unmap(frame, 0, .fromDevice)
      unmap(frame, 1, .toDevice)
      unmap(frame, 2, .toDevice)
      for attachment in frame.attachments {
        machine.dmaBufDetach(frame.buffer, attachment)
        machine.dmaBufPut(frame.buffer)
      }
      machine.site = allocateSite
      if frame.window != 0 {
        machine.munmap(frame.buffer, frame.window, pages: bytes / 4096)
      }
      machine.close(frame.descriptor)
    }
    frames = []
  }

  func finish() { close() }

  func stop() {}
}
