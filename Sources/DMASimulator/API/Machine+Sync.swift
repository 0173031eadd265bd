// SPDX-License-Identifier: MIT
import DMADebugCore

/// Id: synchronisation, and what it does to caches and bounce buffers.
extension Machine {
  /// `dma_sync_single_for_cpu()`
  public func dmaSyncSingleForCPU(
    _ device: Device,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction
  ) {
    enter(.dmaSyncSingleForCPU)
    syncSingle(device, address, size, direction, forCPU: true)
  }

  /// `dma_sync_single_for_device()`
  public func dmaSyncSingleForDevice(
    _ device: Device,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction
  ) {
    enter(.dmaSyncSingleForDevice)
    syncSingle(device, address, size, direction, forCPU: false)
  }

  /// `dma_sync_single_range_for_cpu()`
  public func dmaSyncSingleRangeForCPU(
    _ device: Device,
    _ address: UInt64,
    _ offset: UInt64,
    _ size: UInt64,
    _ direction: Direction
  ) {
    enter(.dmaSyncSingleRangeForCPU)
    syncSingle(device, address &+ offset, size, direction, forCPU: true)
  }

  /// `dma_sync_single_range_for_device()`
  public func dmaSyncSingleRangeForDevice(
    _ device: Device,
    _ address: UInt64,
    _ offset: UInt64,
    _ size: UInt64,
    _ direction: Direction
  ) {
    enter(.dmaSyncSingleRangeForDevice)
    syncSingle(device, address &+ offset, size, direction, forCPU: false)
  }

  private func syncSingle(
    _ device: Device,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    forCPU: Bool
  ) {
    sync(device, address, size, direction, forCPU: forCPU)
    var event = event(forCPU ? .syncSingleForCPU : .syncSingleForDevice, device)
    event.direction = direction
    event.dmaAddress = address
    event.size = size
    emit(event)
  }

  /// The back end's part of a sync.
  func sync(
    _ device: Device,
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    forCPU: Bool
  ) {
    guard address != Self.mappingError else { return }
    let physical: UInt64
    switch device.backend {
    case .direct: physical = address
    case .iommu(let domain):
      guard !device.options.isCoherent, let target = domain.translate(address) else { return }
      physical = target.physical
    case .ops(let ops):
      guard let target = ops.physical(address) else { return }
      physical = target
    }
    guard memory.holds(physical, size) else { return }
    let inBounce = swiotlb?.contains(physical) == true
    if forCPU {
      syncForCPU(device, physical, size, direction, [])
      if inBounce, direction == .fromDevice || direction == .bidirectional {
        copyForCPU(physical, size)
      }
    } else {
      if inBounce, direction == .toDevice || direction == .bidirectional {
        copyForDevice(physical, size)
      }
      syncForDevice(device, physical, size, direction, [])
    }
  }

  // MARK: Caches

  /// `arch_sync_dma_for_device()`
  @inline(__always)
  func syncForDevice(
    _ device: Device,
    _ physical: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) {
    guard let cache, !device.options.isCoherent, !attributes.contains(.skipCPUSync),
      memory.holds(physical, size)
    else { return }
    // As on arm64 the lines are written back whatever the direction, and stay; and the CPU may read
    // ahead into the buffer at any time until the device is done.
    cache.clean(physical, size)
    if direction != .toDevice { cache.prefetch(physical, size) }
  }

  /// `arch_sync_dma_for_cpu()`
  @inline(__always)
  func syncForCPU(
    _ device: Device,
    _ physical: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) {
    guard let cache, !device.options.isCoherent, !attributes.contains(.skipCPUSync),
      direction != .toDevice, memory.holds(physical, size)
    else { return }
    cache.invalidate(physical, size)
  }

  // MARK: Bounce buffer

  /// `swiotlb_bounce()` towards the device: piece by piece, as each slot knows where it belongs.
  func copyForDevice(_ address: UInt64, _ size: UInt64) {
    bounce(address, size) { slot, original, length in
      if let cache {
        cache.access(original, length, writes: false) { piece, offset, count in
          memory.pointer(slot + offset, count).copyMemory(from: piece, byteCount: Int(count))
        }
      } else {
        memory.copy(from: original, to: slot, length)
      }
    }
  }

  /// `swiotlb_bounce()` towards the CPU.
  func copyForCPU(_ address: UInt64, _ size: UInt64) {
    bounce(address, size) { slot, original, length in
      if let cache {
        cache.access(original, length, writes: true) { piece, offset, count in
          piece.copyMemory(from: memory.pointer(slot + offset, count), byteCount: Int(count))
        }
      } else {
        memory.copy(from: slot, to: original, length)
      }
    }
  }

  private func bounce(
    _ address: UInt64,
    _ size: UInt64,
    _ copy: (_ slot: UInt64, _ original: UInt64, _ length: UInt64) -> Void
  ) {
    guard let swiotlb else { return }
    var done: UInt64 = 0
    var expected: UInt64?
    while done < size, swiotlb.contains(address + done) {
      let position = address + done
      let rest = SWIOTLB.slotSize - (position - swiotlb.start) % SWIOTLB.slotSize
      let length = min(rest, size - done)
      // Never beyond the mapping, whatever the caller says.
      guard let original = swiotlb.original(position), expected == nil || expected == original,
        memory.holds(original, length)
      else { return }
      copy(position, original, length)
      expected = original + length
      done += length
    }
  }
}
