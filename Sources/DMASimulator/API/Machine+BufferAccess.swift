// SPDX-License-Identifier: MIT
import DMADebugCore

/// How the CPU gets at the bytes of a shared buffer, and who touches them.
extension Machine {
  // MARK: Windows of access

  /// `dma_buf_begin_cpu_access()`: the exporter syncs for the CPU, then all fences are waited for that
  /// stand in the way of an access of this direction.
  ///
  /// - Returns: 0, or a negative error.
  @discardableResult
  public func dmaBufBeginCPUAccess(_ buffer: SharedBuffer, _ direction: Direction) -> Int {
    enter(.dmaBufBeginCPUAccess)
    let error = buffer.operations.beginCPUAccess?(buffer, direction) ?? 0
    guard error == 0 else { return error }
    // __dma_buf_begin_cpu_access
    let isWriter = direction == .bidirectional || direction == .toDevice
    let left = wait(buffer.reservation, ReservationObject.Usage(isWriter: isWriter), Self.endless)
    guard left >= 0 else { return left }
    currentFunction = .dmaBufBeginCPUAccess
    var event = event(.bufferBeginAccess, buffer)
    event.direction = direction
    emit(event)
    return 0
  }

  /// `dma_buf_end_cpu_access()`: the exporter syncs for the devices.
  @discardableResult
  public func dmaBufEndCPUAccess(_ buffer: SharedBuffer, _ direction: Direction) -> Int {
    enter(.dmaBufEndCPUAccess)
    let error = buffer.operations.endCPUAccess?(buffer, direction) ?? 0
    guard error == 0 else { return error }
    currentFunction = .dmaBufEndCPUAccess
    var event = event(.bufferEndAccess, buffer)
    event.direction = direction
    emit(event)
    return 0
  }

  // MARK: Mappings of the CPU

  /// `dma_buf_mmap()`: an exporter maps another buffer's memory into a process.
  ///
  /// - Parameters:
  ///   - pages: of the window.
  ///   - offset: pages from the beginning of the buffer.
  /// - Returns: -EINVAL when the exporter cannot, or beyond the buffer; -EOVERFLOW.
  public func dmaBufMmap(
    _ buffer: SharedBuffer,
    pages: UInt64,
    offset: UInt64 = 0
  ) -> KernelResult<UInt64> {
    enter(.dmaBufMmap)
    guard buffer.operations.mmap != nil else { return .failure(KernelError.invalid) }
    let (end, isOverflow) = offset.addingReportingOverflow(pages)
    guard !isOverflow else { return .failure(KernelError.overflow) }
    return mmap(buffer, .bufferMmap, pages, offset, end)
  }

  /// `dma_buf_mmap_internal()`: a process maps a descriptor; arguments and errors as
  /// ``dmaBufMmap(_:pages:offset:)``.
  public func dmaBufMmapInternal(
    _ buffer: SharedBuffer,
    pages: UInt64,
    offset: UInt64 = 0
  ) -> KernelResult<UInt64> {
    enter(.dmaBufMmapInternal)
    guard buffer.operations.mmap != nil else { return .failure(KernelError.invalid) }
    return mmap(buffer, .bufferMmapInternal, pages, offset, offset &+ pages)
  }

  private func mmap(
    _ buffer: SharedBuffer,
    _ kind: DMAEvent.Kind,
    _ pages: UInt64,
    _ offset: UInt64,
    _ end: UInt64
  ) -> KernelResult<UInt64> {
    guard pages > 0, end >= pages, end <= buffer.size >> 12, let mmap = buffer.operations.mmap
    else {
      return .failure(KernelError.invalid)
    }
    if hasBufferTracepoints { emit(event(kind, buffer)) }
    let result = mmap(buffer, offset, pages)
    if let address = result.value { sharing.windows[address] = (pages << 12, buffer) }
    return result
  }

  /// `munmap()` of such a window.
  func munmap(_ buffer: SharedBuffer, _ address: UInt64, pages: UInt64) {
    sharing.windows[address] = nil
    space.unmap(address, pages: pages)
  }

  /// `dma_buf_vmap()`: the buffer in one piece for the kernel; the same address for everybody.
  ///
  /// - Returns: -EINVAL when the exporter cannot.
  public func dmaBufVmap(_ buffer: SharedBuffer) -> KernelResult<UInt64> {
    enter(.dmaBufVmap)
    guard let vmap = buffer.operations.vmap else { return .failure(KernelError.invalid) }
    assertHeld(buffer.reservation, "dma_buf_vmap")
    if buffer.vmapCount == 0 {
      let result = vmap(buffer)
      guard let address = result.value else { return result }
      buffer.vmapAddress = address
      sharing.windows[address] = (buffer.size, buffer)
    }
    buffer.vmapCount += 1
    emit(event(.bufferVmap, buffer))
    return .success(buffer.vmapAddress)
  }

  /// `dma_buf_vunmap()`
  public func dmaBufVunmap(_ buffer: SharedBuffer) {
    enter(.dmaBufVunmap)
    assertHeld(buffer.reservation, "dma_buf_vunmap")
    emit(event(.bufferVunmap, buffer))
    guard buffer.vmapCount > 0 else {
      warn(nil, "kernel BUG at drivers/dma-buf/dma-buf.c: BUG_ON(dmabuf->vmapping_counter == 0)")
      return
    }
    buffer.vmapCount -= 1
    guard buffer.vmapCount == 0 else { return }
    sharing.windows[buffer.vmapAddress] = nil
    buffer.operations.vunmap?(buffer, buffer.vmapAddress)
    buffer.vmapAddress = 0
  }

  /// `dma_buf_kmap()` of kernels before 5.6: address of a page, 0 when there is none.
  public func dmaBufKmap(_ buffer: SharedBuffer, _ page: UInt64) -> UInt64 {
    enter(.dmaBufKmap)
    return kmap(buffer, buffer.operations.kmap?(buffer, page) ?? 0)
  }

  /// `dma_buf_kmap_atomic()` of kernels before 4.19: the same for a moment without sleep.
  public func dmaBufKmapAtomic(_ buffer: SharedBuffer, _ page: UInt64) -> UInt64 {
    enter(.dmaBufKmapAtomic)
    return kmap(buffer, buffer.operations.kmapAtomic?(buffer, page) ?? 0)
  }

  private func kmap(_ buffer: SharedBuffer, _ address: UInt64) -> UInt64 {
    guard address != 0 else { return 0 }
    sharing.windows[address] = (PhysicalMemory.pageSize, buffer)
    emit(event(.bufferKmap, buffer))
    return address
  }

  /// `dma_buf_kunmap()`
  public func dmaBufKunmap(_ buffer: SharedBuffer, _ page: UInt64, _ address: UInt64) {
    enter(.dmaBufKunmap)
    buffer.operations.kunmap?(buffer, page, address)
    kunmap(buffer, address)
  }

  /// `dma_buf_kunmap_atomic()`
  public func dmaBufKunmapAtomic(_ buffer: SharedBuffer, _ page: UInt64, _ address: UInt64) {
    enter(.dmaBufKunmapAtomic)
    buffer.operations.kunmapAtomic?(buffer, page, address)
    kunmap(buffer, address)
  }

  private func kunmap(_ buffer: SharedBuffer, _ address: UInt64) {
    sharing.windows[address] = nil
    emit(event(.bufferKunmap, buffer))
  }

  // MARK: Bytes

  /// The buffer that the CPU sees at an address.
  func buffer(at address: UInt64) -> SharedBuffer? {
    for (start, window) in sharing.windows where address >= start && address - start < window.length
    {
      return window.buffer
    }
    return nil
  }

  /// The attachment of a device whose mapping has a DMA address.
  func attachment(_ device: Device, at address: UInt64) -> BufferAttachment? {
    for buffer in sharing.buffers {
      for attachment in buffer.attachments where attachment.device === device {
        let segments = attachment.list?.liveSegments ?? []
        if segments.contains(where: { address >= $0.address && address - $0.address < $0.length }) {
          return attachment
        }
      }
    }
    return nil
  }

  /// Notes that somebody touches the bytes of a buffer: a device, or the CPU.
  func touch(_ buffer: SharedBuffer, _ device: Device?, writes: Bool) {
    var event = event(.bufferAccess, buffer, device)
    event.direction = writes ? .fromDevice : .toDevice
    emit(event)
  }

  /// The CPU writes a pattern through a window of the buffer.
  func write(_ buffer: SharedBuffer, _ address: UInt64, _ length: UInt64, _ pattern: Pattern) {
    touch(buffer, nil, writes: true)
    write(address, length, pattern)
  }

  /// The CPU reads through a window of the buffer what a device should have written.
  @discardableResult
  func check(
    _ buffer: SharedBuffer,
    _ device: Device,
    _ address: UInt64,
    _ length: UInt64,
    _ pattern: Pattern
  ) -> Bool {
    touch(buffer, nil, writes: false)
    return check(device, address, length, pattern)
  }

  /// The device writes a pattern over all of the buffer, through a mapping of it.
  @discardableResult
  func deviceWrite(
    _ buffer: SharedBuffer,
    _ device: Device,
    _ list: ScatterList,
    _ pattern: Pattern
  ) -> Bool {
    touch(buffer, device, writes: true)
    var offset: UInt64 = 0
    for segment in list.liveSegments {
      guard deviceWrite(device, segment.address, segment.length, pattern, offset: offset) else {
        return false
      }
      offset += segment.length
    }
    return true
  }

  /// The device reads all of the buffer, through a mapping of it.
  @discardableResult
  func deviceCheck(
    _ buffer: SharedBuffer,
    _ device: Device,
    _ list: ScatterList,
    _ pattern: Pattern
  ) -> Bool {
    touch(buffer, device, writes: false)
    var offset: UInt64 = 0
    for segment in list.liveSegments {
      guard deviceCheck(device, segment.address, segment.length, pattern, offset: offset) else {
        return false
      }
      offset += segment.length
    }
    return true
  }

  /// The device copies a buffer from one mapping to another of the same length.
  func copy(
    _ buffer: SharedBuffer,
    _ device: Device,
    from source: ScatterList,
    to target: ScatterList
  ) {
    touch(buffer, device, writes: true)
    var bytes = [UInt8](repeating: 0, count: Int(buffer.size))
    forEach(source, buffer.size) { segment, position in
      bytes.withUnsafeMutableBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        _ = access(by: device, segment.address, segment.length, writes: false) {
          piece,
          offset,
          length in
          (base + Int(position + offset)).copyMemory(from: piece, byteCount: Int(length))
        }
      }
    }
    forEach(target, buffer.size) { segment, position in
      bytes.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        _ = access(by: device, segment.address, segment.length, writes: true) {
          piece,
          offset,
          length in
          piece.copyMemory(from: base + Int(position + offset), byteCount: Int(length))
        }
      }
    }
  }

  /// Each segment with its place in the buffer, no further than the buffer.
  private func forEach(
    _ list: ScatterList,
    _ size: UInt64,
    _ body: (ScatterList.Entry, UInt64) -> Void
  ) {
    var position: UInt64 = 0
    for segment in list.liveSegments where position + segment.length <= size {
      body(segment, position)
      position += segment.length
    }
  }
}
