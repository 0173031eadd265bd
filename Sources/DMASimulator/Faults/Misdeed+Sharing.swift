// SPDX-License-Identifier: MIT
import DMADebugCore

/// Mistakes with shared buffers and fences.
extension Misdeed {
  private static let bytes: UInt64 = 4096

  /// A buffer of a page with an exporter of its own.
  private func makeBuffer(
    _ memory: BufferMemory,
    _ change: (inout DMABufOperations) -> Void = { _ in }
  ) -> SharedBuffer? {
    var operations = machine.heapOperations(memory)
    change(&operations)
    return machine.dmaBufExport("system", operations, memory.size).value
  }

  private func takeMemory() -> BufferMemory? { machine.takeMemory(.system, Self.bytes) }

  /// A buffer of a page with an attachment of the device, given to `body`.
  private func withAttachment(
    _ body: (_ buffer: SharedBuffer, _ attachment: BufferAttachment) -> Void
  ) {
    guard let memory = takeMemory() else { return }
    guard let buffer = makeBuffer(memory) else { return machine.giveBack(memory) }
    if let attachment = machine.dmaBufAttach(buffer, device).value { body(buffer, attachment) }
  }

  private func map(_ attachment: BufferAttachment, _ direction: Direction) -> ScatterList? {
    machine.dmaBufMapAttachmentUnlocked(attachment, direction).value
  }

  private func unmap(
    _ attachment: BufferAttachment,
    _ list: ScatterList,
    _ direction: Direction
  ) {
    machine.dmaBufUnmapAttachmentUnlocked(attachment, list, direction)
  }

  /// Detaches and puts, as one should.
  private func leave(_ attachment: BufferAttachment) {
    machine.dmaBufDetach(attachment.buffer, attachment)
    machine.dmaBufPut(attachment.buffer)
  }

  private func locked<Result>(_ buffer: SharedBuffer, _ body: () -> Result) -> Result {
    machine.dmaResvLock(buffer.reservation)
    defer { machine.dmaResvUnlock(buffer.reservation) }
    return body()
  }

  // MARK: Calls that are missing or too many

  mutating func misuse(_ fault: Fault) {
    text = fault.summary
    switch fault {
    case .leakedAttachment:
      withAttachment { buffer, _ in machine.dmaBufPut(buffer) }
    case .leakedBuffer:
      if let memory = takeMemory() { _ = makeBuffer(memory) }
      leaksResources = true
    case .detachWhileMapped:
      guard let memory = takeMemory(),
        // The mapping stays, so its memory must not become somebody else's.
        let buffer = makeBuffer(memory, { $0.release = { _ in } }),
        let attachment = machine.dmaBufAttach(buffer, device).value
      else { return }
      if let list = map(attachment, .toDevice) {
        text += " at \(hex(list.segments[0].address))"
        leaksMapping = true
        leaksResources = true
      }
      leave(attachment)
    case .unmapAttachmentTwice:
      withAttachment { _, attachment in
        if let list = map(attachment, .toDevice) {
          unmap(attachment, list, .toDevice)
          unmap(attachment, list, .toDevice)
        }
        leave(attachment)
      }
    case .unbalancedVmap:
      withAttachment { buffer, attachment in
        locked(buffer) { _ = machine.dmaBufVmap(buffer) }
        leave(attachment)
      }
    case .unbalancedKmap:
      withAttachment { buffer, attachment in
        _ = machine.dmaBufKmap(buffer, 0)
        leave(attachment)
      }
    default: leavePinned()
    }
  }

  private func leavePinned() {
    guard let memory = takeMemory() else { return }
    let operations = machine.movableOperations(memory)
    guard let buffer = machine.dmaBufExport("movable", operations, memory.size).value else {
      return machine.giveBack(memory)
    }
    guard let attachment = machine.dmaBufDynamicAttach(buffer, device, { _ in }).value else {
      return
    }
    locked(buffer) { _ = machine.dmaBufPin(attachment) }
    leave(attachment)
  }

  // MARK: Bytes at the wrong time

  mutating func misread(_ fault: Fault) {
    text = fault.summary
    switch fault {
    case .unendedCPUAccess: withAttachment(writeWithoutEnd)
    case .cpuAccessOutside: withAttachment(readWithoutBegin)
    case .accessBeforeFence: withAttachment(readBeforeFence)
    case .useAfterPut: useAfterPut()
    default: ignoreMove()
    }
  }

  private func writeWithoutEnd(_ buffer: SharedBuffer, _ attachment: BufferAttachment) {
    if let list = map(attachment, .toDevice) {
      machine.dmaBufBeginCPUAccess(buffer, .toDevice)
      let pattern = machine.nextPattern(device)
      if let address = locked(buffer, { machine.dmaBufVmap(buffer).value }) {
        machine.write(buffer, address, buffer.size, pattern)
        locked(buffer) { machine.dmaBufVunmap(buffer) }
      }
      machine.deviceCheck(buffer, device, list, pattern)
      unmap(attachment, list, .toDevice)
    }
    leave(attachment)
  }

  private func readWithoutBegin(_ buffer: SharedBuffer, _ attachment: BufferAttachment) {
    if let address = locked(buffer, { machine.dmaBufVmap(buffer).value }) {
      machine.dmaBufBeginCPUAccess(buffer, .toDevice)
      machine.write(buffer, address, buffer.size, machine.nextPattern(device))
      machine.dmaBufEndCPUAccess(buffer, .toDevice)
      if let list = map(attachment, .fromDevice) {
        let pattern = machine.nextPattern(device)
        machine.deviceWrite(buffer, device, list, pattern)
        machine.check(buffer, device, address, buffer.size, pattern)
        unmap(attachment, list, .fromDevice)
      }
      locked(buffer) { machine.dmaBufVunmap(buffer) }
    }
    leave(attachment)
  }

  /// The device reads what another one has not written yet.
  private func readBeforeFence(_ buffer: SharedBuffer, _ reader: BufferAttachment) {
    guard let other = Fault.accessBeforeFence.peer(machine, device),
      let writer = machine.dmaBufAttach(buffer, other).value
    else { return leave(reader) }
    if let target = map(writer, .fromDevice) {
      let pattern = machine.nextPattern(device)
      let timeline = machine.makeTimeline(other.options.driver, "job")
      let fence = machine.nextFence(timeline)
      locked(buffer) {
        machine.dmaResvReserveFences(buffer.reservation, 1)
        machine.dmaResvAddFence(buffer.reservation, fence, .write)
      }
      machine.dmaFenceEmit(fence)
      machine.raise(after: 50_000, cpu: machine.cpu) { [unowned machine] in
        machine.deviceWrite(buffer, other, target, pattern)
        machine.dmaFenceSignal(fence)
      }
      if let source = map(reader, .toDevice) {
        machine.deviceCheck(buffer, device, source, pattern)
        machine.sleep(100_000)
        unmap(reader, source, .toDevice)
      } else {
        machine.sleep(100_000)
      }
      machine.dmaFencePut(fence)
      unmap(writer, target, .fromDevice)
    }
    machine.dmaBufDetach(buffer, writer)
    leave(reader)
  }

  private func useAfterPut() {
    guard let memory = takeMemory() else { return }
    guard let buffer = makeBuffer(memory) else { return machine.giveBack(memory) }
    let address = machine.dmaBufKmap(buffer, 0)
    machine.dmaBufKunmap(buffer, 0, address)
    machine.dmaBufPut(buffer)
    // Whoever has the memory next.
    let owners = machine.nextPattern(device)
    machine.write(address, Self.bytes, owners)
    // The driver has kept the address.
    machine.write(buffer, address, Self.bytes, machine.nextPattern(device))
    machine.check(device, address, Self.bytes, owners)
  }

  private func ignoreMove() {
    guard let memory = takeMemory(), let other = takeMemory() else { return }
    let operations = machine.movableOperations(memory)
    guard let buffer = machine.dmaBufExport("movable", operations, memory.size).value else {
      machine.giveBack(memory)
      return machine.giveBack(other)
    }
    guard let attachment = machine.dmaBufDynamicAttach(buffer, device, { _ in }).value else {
      return machine.giveBack(other)
    }
    machine.write(AddressSpace.direct(memory.pages[0]), Self.bytes, machine.nextPattern(device))
    if let list = map(attachment, .toDevice) {
      locked(buffer) { machine.dmaBufMoveNotify(buffer) }
      swap(&memory.blocks, &other.blocks)
      let pattern = machine.nextPattern(device)
      machine.write(AddressSpace.direct(memory.pages[0]), Self.bytes, pattern)
      machine.deviceCheck(buffer, device, list, pattern)
      unmap(attachment, list, .toDevice)
    }
    leave(attachment)
    machine.giveBack(other)
  }

  // MARK: Fences

  private static let patience: UInt64 = 500_000

  mutating func neverSignal() {
    let timeline = machine.makeTimeline(device.options.driver, "lost")
    let fence = machine.nextFence(timeline)
    withAttachment { buffer, attachment in
      locked(buffer) {
        machine.dmaResvReserveFences(buffer.reservation, 1)
        machine.dmaResvAddFence(buffer.reservation, fence, .write)
      }
      machine.dmaFenceEmit(fence)
      machine.dmaResvWaitTimeout(buffer.reservation, .write, timeout: Self.patience)
      leave(attachment)
    }
    // The job is given up, and its fence with it.
    machine.dmaFencePut(fence)
    text = "never signalled fence \(fence.context):\(fence.seqno)"
  }

  /// Each thread would signal its own fence once the other's is signalled.
  mutating func deadlock() {
    let before = (machine.task, machine.pid, machine.cpu)
    defer { (machine.task, machine.pid, machine.cpu) = before }
    let cpus = UInt32(max(1, machine.options.cpus))
    let first = Int32(truncatingIfNeeded: 5000 + 2 * (machine.currentFault ?? 0))
    let threads = ["compute", "transfer"].enumerated().map { number, name in
      (
        timeline: machine.makeTimeline(device.options.driver, name),
        task: "sched-" + name,
        pid: first + Int32(number),
        cpu: UInt32(number) % cpus
      )
    }
    var fences: [Fence] = []
    for thread in threads {
      machine.switchTask(thread.task, pid: thread.pid, cpu: thread.cpu)
      // That went well.
      let done = machine.nextFence(thread.timeline)
      machine.dmaFenceEmit(done)
      machine.dmaFenceSignal(done)
      machine.dmaFencePut(done)
      let fence = machine.nextFence(thread.timeline)
      machine.dmaFenceEmit(fence)
      fences.append(fence)
    }
    for (thread, fence) in zip(threads, fences.reversed()) {
      machine.switchTask(thread.task, pid: thread.pid, cpu: thread.cpu)
      machine.hang(fence)
    }
    text = "fences \(fences[0].context):2 and \(fences[1].context):2 wait for each other"
  }
}
