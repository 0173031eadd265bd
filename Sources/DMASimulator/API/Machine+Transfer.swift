// SPDX-License-Identifier: MIT
import DMADebugCore

/// The DMA controller: it moves bytes at its own pace, and raises an interrupt when it is done.
extension Machine {
  /// Nanoseconds before the first byte, and for a burst of copying.
  private static let setup: UInt64 = 5000
  private static let copyPace: UInt64 = 250
  private static let burst: UInt64 = 64

  /// Nanoseconds for a burst: a slave's device sets the pace.
  private func pace(_ descriptor: DMADescriptor) -> UInt64 {
    guard descriptor.kind != .memcpy else { return Self.copyPace }
    return max(1, descriptor.channel.configuration?.pace ?? Self.copyPace)
  }

  /// Begins with the next descriptor of a channel, when it has nothing to do.
  func startNext(_ channel: EngineChannel) {
    guard let next = channel.issued.first, !next.isRunning else { return }
    next.isRunning = true
    next.start = now
    raiseNext(next)
  }

  /// The interrupt at the end of the descriptor, or of the period.
  private func raiseNext(_ descriptor: DMADescriptor) {
    let channel = descriptor.channel
    let epoch = channel.epoch
    let total = descriptor.length
    let end: UInt64
    if descriptor.kind == .cyclic {
      let period = descriptor.segments[0].length
      end = (descriptor.moved / period + 1) * period
    } else {
      end = total
    }
    let due = descriptor.start + Self.setup + (end + Self.burst - 1) / Self.burst * pace(descriptor)
    let cpu = UInt32(channel.controller.index % max(1, options.cpus))
    raise(after: due > now ? due - now : 0, cpu: cpu) { [unowned self] in
      // Terminated meanwhile. A channel that was only released goes on.
      guard channel.epoch == epoch else { return }
      advance(descriptor, to: end)
      complete(descriptor)
    }
  }

  /// Moves the bytes that the controller has got to by now.
  func advance(_ descriptor: DMADescriptor) {
    guard descriptor.isRunning, descriptor.status == .inProgress else { return }
    let elapsed = now > descriptor.start + Self.setup ? now - descriptor.start - Self.setup : 0
    var bytes = elapsed / pace(descriptor) * Self.burst
    if descriptor.kind == .cyclic {
      // Not beyond the end of the period: its interrupt comes first.
      let period = descriptor.segments[0].length
      bytes = min(bytes, (descriptor.moved / period + 1) * period - 1)
      bytes = bytes / Self.burst * Self.burst
    } else {
      bytes = min(bytes, descriptor.length)
    }
    advance(descriptor, to: bytes)
  }

  private func advance(_ descriptor: DMADescriptor, to end: UInt64) {
    let total = descriptor.length
    while descriptor.moved < end, descriptor.status == .inProgress, total > 0 {
      var position = descriptor.moved % total
      guard
        let segment = descriptor.segments.first(where: { segment in
          if position < segment.length { return true }
          position -= segment.length
          return false
        })
      else { return }
      let count = min(segment.length - position, end - descriptor.moved)
      let isMoved = move(descriptor, segment.address + position, count)
      if !isMoved { descriptor.status = .error }
      descriptor.moved += count
    }
  }

  private func move(_ descriptor: DMADescriptor, _ address: UInt64, _ count: UInt64) -> Bool {
    let controller = descriptor.channel.controller
    switch descriptor.kind {
    case .memcpy:
      let source = descriptor.sourceAddress + descriptor.moved
      let bytes = UnsafeMutableRawPointer.allocate(byteCount: Int(count), alignment: 8)
      defer { bytes.deallocate() }
      let isRead = access(by: controller, source, count, writes: false) { piece, offset, length in
        (bytes + Int(offset)).copyMemory(from: piece, byteCount: Int(length))
      }
      return isRead
        && access(by: controller, address, count, writes: true) { piece, offset, length in
          piece.copyMemory(from: bytes + Int(offset), byteCount: Int(length))
        }
    case .slaveSG, .cyclic:
      guard let pattern = descriptor.pattern else {
        // Nobody looks at what the FIFO has; the memory must be there all the same.
        let writes = descriptor.direction == .fromDevice
        return access(by: controller, address, count, writes: writes) { _, _, _ in }
      }
      let offset = descriptor.moved % max(1, descriptor.length)
      guard descriptor.direction == .fromDevice else {
        deviceCheck(controller, address, count, pattern, offset: offset)
        return true
      }
      return deviceWrite(controller, address, count, pattern, offset: offset)
    }
  }

  /// The interrupt: the callback is called, and the next one begins.
  private func complete(_ descriptor: DMADescriptor) {
    let channel = descriptor.channel
    if descriptor.kind == .cyclic, descriptor.status == .inProgress {
      raiseNext(descriptor)
      finish(descriptor)
      return
    }
    if descriptor.status == .inProgress { descriptor.status = .complete }
    descriptor.isRunning = false
    channel.issued.removeAll { $0 === descriptor }
    channel.completedCookie = max(channel.completedCookie, descriptor.cookie)
    finish(descriptor)
    startNext(channel)
  }

  /// The end of a descriptor, or of a period: the client's callback.
  private func finish(_ descriptor: DMADescriptor) {
    currentFunction = .dmaAsyncIssuePending
    var event = event(.descriptorComplete, descriptor.channel)
    event.address = descriptor.cookie
    event.size =
      descriptor.kind == .cyclic ? descriptor.residue % descriptor.length : descriptor.residue
    emit(event)
    descriptor.completions += 1
    descriptor.callback?(descriptor)
  }

  func event(_ kind: DMAEvent.Kind, _ channel: EngineChannel) -> DMAEvent {
    var event = event(kind, channel.client)
    event.site = channel.id
    return event
  }
}
