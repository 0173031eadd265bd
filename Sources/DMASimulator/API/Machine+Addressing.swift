// SPDX-License-Identifier: MIT
import DMADebugCore

/// Ic: what a device can address.
extension Machine {
  /// `dma_set_mask()`: 0, or -EIO (-5) when the device could not work with it.
  @discardableResult
  public func dmaSetMask(_ device: Device, _ mask: UInt64) -> Int {
    enter(.dmaSetMask)
    guard isSupported(device, mask) else {
      observe(.maskRejected, device, mask)
      return -5
    }
    device.dmaMask = mask
    return 0
  }

  /// `dma_set_coherent_mask()`
  @discardableResult
  public func dmaSetCoherentMask(_ device: Device, _ mask: UInt64) -> Int {
    enter(.dmaSetCoherentMask)
    guard isSupported(device, mask) else {
      observe(.maskRejected, device, mask)
      return -5
    }
    device.coherentMask = mask
    return 0
  }

  /// `dma_set_mask_and_coherent()`
  @discardableResult
  public func dmaSetMaskAndCoherent(_ device: Device, _ mask: UInt64) -> Int {
    enter(.dmaSetMaskAndCoherent)
    guard isSupported(device, mask) else {
      observe(.maskRejected, device, mask)
      return -5
    }
    device.dmaMask = mask
    device.coherentMask = mask
    return 0
  }

  /// `dma_supported()`
  private func isSupported(_ device: Device, _ mask: UInt64) -> Bool {
    switch device.backend {
    case .direct:
      // Zones below 4 GiB are there; without memory above, less will do.
      let needed = min(
        Device.bitMask(32),
        Device.bitMask(64 - (memory.end - 1).leadingZeroBitCount)
      )
      return mask >= min(needed, Device.bitMask(24)) && mask >= 1 << 24 - 1
    case .iommu: return mask >= 1 << 24 - 1
    case .ops(let ops): return ops.supports(device, mask: mask)
    }
  }

  /// `dma_get_required_mask()`: the mask with which all memory can be reached.
  public func dmaGetRequiredMask(_ device: Device) -> UInt64 {
    enter(.dmaGetRequiredMask)
    return requiredMask(device)
  }

  private func requiredMask(_ device: Device) -> UInt64 {
    switch device.backend {
    case .direct: return Device.bitMask(64 - (memory.end - 1).leadingZeroBitCount)
    // An IOMMU brings all memory below 4 GiB.
    case .iommu: return Device.bitMask(32)
    case .ops(let ops): return ops.requiredMask(device)
    }
  }

  /// `dma_addressing_limited()`: whether some memory is out of reach.
  public func dmaAddressingLimited(_ device: Device) -> Bool {
    enter(.dmaAddressingLimited)
    return isLimited(device)
  }

  private func isLimited(_ device: Device) -> Bool { device.addressLimit < requiredMask(device) }

  /// `dma_max_mapping_size()` in bytes; all ones when nothing limits it.
  public func dmaMaxMappingSize(_ device: Device) -> UInt64 {
    enter(.dmaMaxMappingSize)
    return maximumMapping(device)
  }

  private func maximumMapping(_ device: Device) -> UInt64 {
    switch device.backend {
    case .direct:
      guard swiotlb != nil, device.forcesBounce || isLimited(device) else { return .max }
      return SWIOTLB.maximumMapping(minimumAlignment: device.minimumAlignment)
    case .iommu: return .max
    case .ops(let ops): return ops.maximumMapping(device)
    }
  }

  /// `dma_opt_mapping_size()` in bytes: up to there a mapping is cheap.
  public func dmaOptMappingSize(_ device: Device) -> UInt64 {
    enter(.dmaOptMappingSize)
    let largest = maximumMapping(device)
    switch device.backend {
    case .direct: return largest
    // iova_rcache_range(): what the caches of freed ranges hold.
    case .iommu: return min(largest, PhysicalMemory.pageSize << 5)
    case .ops(let ops): return min(largest, ops.optimalMapping(device))
    }
  }

  /// `dma_need_sync()`: whether a mapping has to be synchronised at all.
  public func dmaNeedSync(_ device: Device, _ address: UInt64) -> Bool {
    enter(.dmaNeedSync)
    if !device.options.isCoherent { return true }
    if case .direct = device.backend { return swiotlb?.contains(address) == true }
    return false
  }

  /// `dma_get_merge_boundary()`: a mask at whose multiples entries of a list are merged, 0 for never.
  public func dmaGetMergeBoundary(_ device: Device) -> UInt64 {
    enter(.dmaGetMergeBoundary)
    switch device.backend {
    case .direct: return 0
    case .iommu: return IOVAAllocator.granule - 1
    case .ops(let ops): return ops.mergeBoundary(device)
    }
  }

  /// `dma_set_max_seg_size()`
  public func dmaSetMaxSegSize(_ device: Device, _ size: UInt64) {
    enter(.dmaSetMaxSegSize)
    device.maximumSegmentSize = size
    describe(device)
  }

  /// `dma_set_seg_boundary()`
  public func dmaSetSegBoundary(_ device: Device, _ mask: UInt64) {
    enter(.dmaSetSegBoundary)
    device.segmentBoundary = mask
    describe(device)
  }
}
