// SPDX-License-Identifier: MIT
import DMADebugCore

/// Fences as descriptors (`drivers/dma-buf/sync_file.c`): explicit synchronisation.
extension Machine {
  /// `sync_file_create()` and a descriptor for it; the file takes a reference of its own.
  public func syncFileCreate(_ fence: Fence) -> Int {
    enter(.syncFileCreate)
    dmaFenceGet(fence)
    let descriptor = sharing.freeDescriptor
    sharing.files[descriptor] = .syncFile(fence)
    return descriptor
  }

  /// `sync_file_get_fence()`: with a reference; `nil` when the descriptor is none of a sync file.
  public func syncFileGetFence(_ descriptor: Int) -> Fence? {
    enter(.syncFileGetFence)
    guard case .syncFile(let fence) = sharing.files[descriptor] else { return nil }
    return dmaFenceGet(fence)
  }

  /// `DMA_BUF_IOCTL_EXPORT_SYNC_FILE`: what a reader, or a writer, of the buffer has to wait for.
  ///
  /// - Returns: A descriptor. A buffer that nobody uses gives a fence that is signalled.
  public func dmaBufExportSyncFile(_ buffer: SharedBuffer, isWriter: Bool) -> Int {
    enter(.dmaBufExportSyncFile)
    let usage = ReservationObject.Usage(isWriter: isWriter)
    let fence = dmaResvGetSingleton(buffer.reservation, usage) ?? stubFence()
    let descriptor = syncFileCreate(fence)
    dmaFencePut(fence)
    return descriptor
  }

  /// `DMA_BUF_IOCTL_IMPORT_SYNC_FILE`: adds the fence of a sync file to a buffer.
  ///
  /// - Returns: 0, or -EINVAL when the descriptor is none of a sync file.
  @discardableResult
  public func dmaBufImportSyncFile(_ buffer: SharedBuffer, _ descriptor: Int, isWriter: Bool) -> Int
  {
    enter(.dmaBufImportSyncFile)
    guard let fence = syncFileGetFence(descriptor) else { return KernelError.invalid }
    // dma_fence_unwrap_for_each: the object holds no containers.
    let parts = fence.parts.isEmpty ? [fence] : fence.parts
    let pending = parts.filter { !$0.isSignaled }
    if !pending.isEmpty {
      dmaResvLock(buffer.reservation)
      dmaResvReserveFences(buffer.reservation, pending.count)
      for part in pending { dmaResvAddFence(buffer.reservation, part, isWriter ? .write : .read) }
      dmaResvUnlock(buffer.reservation)
    }
    dmaFencePut(fence)
    return 0
  }

  /// `dma_fence_get_stub()`
  private func stubFence() -> Fence {
    let fence = Fence(
      driver: DriverID(rawValue: names.drivers.intern("stub")),
      timeline: names.timelines.intern("stub"),
      context: 0,
      seqno: 0,
      enableSignaling: nil
    )
    fence.isSignaled = true
    // The kernel keeps one for ever.
    fence.references = 2
    return fence
  }

  /// `close()`: the last reference of what is behind the descriptor goes with it.
  ///
  /// - Returns: 0, or -EBADF.
  @discardableResult
  func close(_ descriptor: Int) -> Int {
    guard let file = sharing.files.removeValue(forKey: descriptor) else {
      return KernelError.badDescriptor
    }
    switch file {
    case .buffer(let buffer): dropReference(buffer)
    case .syncFile(let fence): dmaFencePut(fence)
    }
    return 0
  }
}
