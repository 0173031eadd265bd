// SPDX-License-Identifier: MIT
import DMADebugCore

/// Buffers that devices share (`drivers/dma-buf/dma-buf.c`): life, references, attachments.
extension Machine {
  /// Most bytes of a buffer.
  static let largestBuffer: UInt64 = 64 << 20

  func event(_ kind: DMAEvent.Kind, _ buffer: SharedBuffer, _ device: Device? = nil) -> DMAEvent {
    var event = event(kind, device)
    event.address = buffer.inode
    event.size = buffer.size
    event.site = buffer.exporter
    return event
  }

  /// An event of the tracepoints `dma_buf:*`, which kernels have from 7.0 on.
  private func trace(_ event: DMAEvent) {
    if hasBufferTracepoints { emit(event) }
  }

  private func attachmentEvent(_ kind: DMAEvent.Kind, _ attachment: BufferAttachment) -> DMAEvent {
    var event = event(kind, attachment.buffer, attachment.device)
    event.dmaAddress = attachment.address
    if attachment.isDynamic { event.flags.insert(.dynamic) }
    return event
  }

  // MARK: Life

  /// `dma_buf_export()`
  ///
  /// - Parameters:
  ///   - name: of the exporter.
  ///   - size: bytes, whole pages, at most 64 MiB.
  ///   - reservation: the exporter's own; `nil` for one of the buffer.
  /// - Returns: -EINVAL for an exporter that cannot map, unmap or release, or that has one of pin and
  ///   unpin.
  func dmaBufExport(
    _ name: String,
    _ operations: DMABufOperations,
    _ size: UInt64,
    reservation: ReservationObject? = nil
  ) -> KernelResult<SharedBuffer> {
    enter(.dmaBufExport)
    return export(name, operations, size, reservation)
  }

  /// `dma_buf_export_named()` of old kernels: the same with the name as an argument.
  func dmaBufExportNamed(
    _ operations: DMABufOperations,
    _ size: UInt64,
    _ name: String
  ) -> KernelResult<SharedBuffer> {
    enter(.dmaBufExportNamed)
    return export(name, operations, size, nil)
  }

  private func export(
    _ name: String,
    _ operations: DMABufOperations,
    _ size: UInt64,
    _ reservation: ReservationObject?
  ) -> KernelResult<SharedBuffer> {
    let isWhole = operations.mapDMABuf != nil && operations.unmapDMABuf != nil
    guard isWhole, operations.release != nil,
      (operations.pin == nil) == (operations.unpin == nil)
    else {
      warn(nil, "WARNING: at drivers/dma-buf/dma-buf.c: dma_buf_export")
      return .failure(KernelError.invalid)
    }
    let pages = (min(size, Self.largestBuffer + 1) + 4095) & ~4095
    guard size > 0, pages <= Self.largestBuffer else { return .failure(KernelError.invalid) }
    let buffer = SharedBuffer(
      inode: sharing.nextInode,
      size: pages,
      exporter: names.exporters.intern(name),
      operations: operations,
      reservation: reservation
    )
    sharing.nextInode += 1
    sharing.buffers.append(buffer)
    trace(event(.bufferExport, buffer))
    return .success(buffer)
  }

  /// `dma_heap_buffer_alloc()` and what it gives: a buffer of a heap, `nil` without memory.
  ///
  /// - Parameter size: bytes, at most 64 MiB.
  public func dmaHeapBufferAlloc(_ heap: DMAHeap, _ size: UInt64) -> SharedBuffer? {
    enter(.dmaHeapBufferAlloc)
    guard size > 0, size <= Self.largestBuffer, let memory = takeMemory(heap, (size + 4095) & ~4095)
    else { return nil }
    return export(heap.rawValue, heapOperations(memory), memory.size, nil).value
  }

  /// `dma_buf_fd()`: a descriptor, which takes over the caller's reference.
  @discardableResult
  public func dmaBufFD(_ buffer: SharedBuffer) -> Int {
    enter(.dmaBufFD)
    guard !buffer.isReleased else { return KernelError.invalid }
    let descriptor = sharing.freeDescriptor
    sharing.files[descriptor] = .buffer(buffer)
    var event = event(.bufferFD, buffer)
    event.mappedEntries = UInt32(descriptor)
    trace(event)
    return descriptor
  }

  /// `dma_buf_get()`: the buffer of a descriptor, with a reference; -EBADF, or -EINVAL when it is
  /// something else.
  public func dmaBufGet(_ descriptor: Int) -> KernelResult<SharedBuffer> {
    enter(.dmaBufGet)
    guard let file = sharing.files[descriptor] else { return .failure(KernelError.badDescriptor) }
    guard case .buffer(let buffer) = file else { return .failure(KernelError.invalid) }
    buffer.references += 1
    var event = event(.bufferGet, buffer)
    event.mappedEntries = UInt32(descriptor)
    trace(event)
    return .success(buffer)
  }

  /// `dma_buf_put()`: the last reference releases the buffer.
  public func dmaBufPut(_ buffer: SharedBuffer) {
    enter(.dmaBufPut)
    dropReference(buffer)
    trace(event(.bufferPut, buffer))
  }

  /// `fput()`, of a descriptor that is closed too: the trace does not show that one.
  func dropReference(_ buffer: SharedBuffer) {
    guard buffer.references > 0 else {
      warn(nil, "refcount_t: underflow; use-after-free.")
      return
    }
    buffer.references -= 1
    guard buffer.references == 0 else { return }
    // dma_buf_release
    if buffer.vmapCount > 0 {
      warn(nil, "kernel BUG at drivers/dma-buf/dma-buf.c: BUG_ON(dmabuf->vmapping_counter)")
    }
    buffer.operations.release?(buffer)
    if buffer.reservation.inode == buffer.inode { finish(buffer.reservation) }
    if !buffer.attachments.isEmpty {
      warn(nil, "WARNING: drivers/dma-buf/dma-buf.c: !list_empty(&dmabuf->attachments)")
    }
    buffer.isReleased = true
    sharing.buffers.removeAll { $0 === buffer }
  }

  // MARK: Attachments

  /// `dma_buf_attach()`: static, as the importer cannot follow a move.
  public func dmaBufAttach(_ buffer: SharedBuffer, _ device: Device) -> KernelResult<
    BufferAttachment
  > {
    enter(.dmaBufAttach)
    return attach(buffer, device, nil)
  }

  /// `dma_buf_dynamic_attach()`; without `moveNotify` the same as ``dmaBufAttach(_:_:)``.
  ///
  /// - Parameter moveNotify: `importer_ops->move_notify`: what was mapped is no longer right.
  public func dmaBufDynamicAttach(
    _ buffer: SharedBuffer,
    _ device: Device,
    _ moveNotify: ((BufferAttachment) -> Void)?
  ) -> KernelResult<BufferAttachment> {
    enter(.dmaBufDynamicAttach)
    return attach(buffer, device, moveNotify)
  }

  private func attach(
    _ buffer: SharedBuffer,
    _ device: Device,
    _ moveNotify: ((BufferAttachment) -> Void)?
  ) -> KernelResult<BufferAttachment> {
    guard let address = kmalloc(BufferAttachment.structSize) else {
      return .failure(KernelError.noMemory)
    }
    let attachment = BufferAttachment(
      address: address,
      buffer: buffer,
      device: device,
      moveNotify: moveNotify
    )
    if let attach = buffer.operations.attach {
      let error = attach(attachment)
      guard error == 0 else {
        kfree(address, BufferAttachment.structSize)
        return .failure(error)
      }
    }
    buffer.attachments.append(attachment)
    trace(attachmentEvent(.bufferAttach, attachment))
    return .success(attachment)
  }

  /// `dma_buf_detach()`; what is still mapped stays so, and nobody can unmap it any more.
  public func dmaBufDetach(_ buffer: SharedBuffer, _ attachment: BufferAttachment) {
    enter(.dmaBufDetach)
    guard let index = buffer.attachments.firstIndex(where: { $0 === attachment }) else {
      warn(nil, "WARNING: at drivers/dma-buf/dma-buf.c: dma_buf_detach")
      return
    }
    buffer.attachments.remove(at: index)
    buffer.operations.detach?(attachment)
    trace(attachmentEvent(.bufferDetach, attachment))
    kfree(attachment.address, BufferAttachment.structSize)
  }

  /// `dma_buf_pin()`: the buffer stays where it is; 0 or what the exporter says.
  @discardableResult
  public func dmaBufPin(_ attachment: BufferAttachment) -> Int {
    enter(.dmaBufPin)
    if !attachment.isDynamic {
      warn(attachment.device, "WARNING: at drivers/dma-buf/dma-buf.c: dma_buf_pin")
    }
    assertHeld(attachment.buffer.reservation, "dma_buf_pin")
    let result = attachment.buffer.operations.pin?(attachment) ?? 0
    if result == 0 { emit(attachmentEvent(.bufferPin, attachment)) }
    return result
  }

  /// `dma_buf_unpin()`
  public func dmaBufUnpin(_ attachment: BufferAttachment) {
    enter(.dmaBufUnpin)
    if !attachment.isDynamic {
      warn(attachment.device, "WARNING: at drivers/dma-buf/dma-buf.c: dma_buf_unpin")
    }
    assertHeld(attachment.buffer.reservation, "dma_buf_unpin")
    attachment.buffer.operations.unpin?(attachment)
    emit(attachmentEvent(.bufferUnpin, attachment))
  }

  // MARK: Mapping

  /// `dma_buf_map_attachment()`, with the reservation locked.
  ///
  /// A static importer of a buffer that can move pins it, and waits for the kernel's own fences.
  public func dmaBufMapAttachment(
    _ attachment: BufferAttachment,
    _ direction: Direction
  ) -> KernelResult<ScatterList> {
    enter(.dmaBufMapAttachment)
    return mapAttachment(attachment, direction)
  }

  /// `dma_buf_map_attachment_unlocked()`
  public func dmaBufMapAttachmentUnlocked(
    _ attachment: BufferAttachment,
    _ direction: Direction
  ) -> KernelResult<ScatterList> {
    enter(.dmaBufMapAttachmentUnlocked)
    dmaResvLock(attachment.buffer.reservation)
    defer { dmaResvUnlock(attachment.buffer.reservation) }
    return mapAttachment(attachment, direction)
  }

  private func mapAttachment(
    _ attachment: BufferAttachment,
    _ direction: Direction
  ) -> KernelResult<ScatterList> {
    let buffer = attachment.buffer
    assertHeld(buffer.reservation, "dma_buf_map_attachment")
    let pins = buffer.isDynamic && !attachment.isDynamic
    if pins, let error = buffer.operations.pin?(attachment), error != 0 { return .failure(error) }
    guard let map = buffer.operations.mapDMABuf else { return .failure(KernelError.invalid) }
    let result = map(attachment, direction)
    guard let list = result.value else {
      if pins { buffer.operations.unpin?(attachment) }
      return result
    }
    if !attachment.isDynamic {
      let left = wait(buffer.reservation, .kernel, Self.endless)
      if left < 0 {
        buffer.operations.unmapDMABuf?(attachment, list, direction)
        if pins { buffer.operations.unpin?(attachment) }
        return .failure(left)
      }
    }
    attachment.list = list
    attachment.isMapped = true
    attachment.direction = direction
    currentFunction = .dmaBufMapAttachment
    var event = attachmentEvent(.bufferMapAttachment, attachment)
    event.direction = direction
    emit(event)
    return result
  }

  /// `dma_buf_unmap_attachment()`, with the reservation locked.
  public func dmaBufUnmapAttachment(
    _ attachment: BufferAttachment,
    _ list: ScatterList,
    _ direction: Direction
  ) {
    enter(.dmaBufUnmapAttachment)
    unmapAttachment(attachment, list, direction)
  }

  /// `dma_buf_unmap_attachment_unlocked()`
  public func dmaBufUnmapAttachmentUnlocked(
    _ attachment: BufferAttachment,
    _ list: ScatterList,
    _ direction: Direction
  ) {
    enter(.dmaBufUnmapAttachmentUnlocked)
    dmaResvLock(attachment.buffer.reservation)
    unmapAttachment(attachment, list, direction)
    dmaResvUnlock(attachment.buffer.reservation)
  }

  private func unmapAttachment(
    _ attachment: BufferAttachment,
    _ list: ScatterList,
    _ direction: Direction
  ) {
    let buffer = attachment.buffer
    assertHeld(buffer.reservation, "dma_buf_unmap_attachment")
    buffer.operations.unmapDMABuf?(attachment, list, direction)
    if buffer.isDynamic, !attachment.isDynamic { buffer.operations.unpin?(attachment) }
    attachment.isMapped = false
    currentFunction = .dmaBufUnmapAttachment
    var event = attachmentEvent(.bufferUnmapAttachment, attachment)
    event.direction = direction
    emit(event)
  }

  /// `dma_buf_move_notify()`: the exporter, with the reservation locked, tells dynamic importers that
  /// the buffer moves.
  public func dmaBufMoveNotify(_ buffer: SharedBuffer) {
    enter(.dmaBufMoveNotify)
    assertHeld(buffer.reservation, "dma_buf_move_notify")
    emit(event(.bufferMoveNotify, buffer))
    for attachment in buffer.attachments where attachment.isDynamic {
      attachment.moves += 1
      attachment.moveNotify?(attachment)
    }
  }
}
