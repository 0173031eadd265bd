// SPDX-License-Identifier: MIT
import DMADebugCore

/// Mapping functions of a device's own (`struct dma_map_ops`).
///
/// Addresses are DMA addresses of the device; ``Machine/mappingError`` stands for a failure.
protocol DMAMapOps: AnyObject {
  /// `map_phys`
  func map(_ device: Device, _ physical: UInt64, _ size: UInt64, _ direction: Direction) -> UInt64
  /// `unmap_phys`
  func unmap(_ device: Device, _ address: UInt64, _ size: UInt64, _ direction: Direction)
  /// What the device's accesses to an address hit; `nil` when nothing.
  func physical(_ address: UInt64) -> UInt64?
  /// `dma_supported`
  func supports(_ device: Device, mask: UInt64) -> Bool
  /// `get_required_mask`
  func requiredMask(_ device: Device) -> UInt64
  /// `max_mapping_size`
  func maximumMapping(_ device: Device) -> UInt64
  /// `opt_mapping_size`
  func optimalMapping(_ device: Device) -> UInt64
  /// `get_merge_boundary`
  func mergeBoundary(_ device: Device) -> UInt64
}

/// A bridge that shows the device memory through a window: DMA addresses begin at an offset.
final class BridgeWindow: DMAMapOps {
  /// Where memory begins for the device.
  static let offset: UInt64 = 0x80_0000_0000
  private unowned let machine: Machine

  init(_ machine: Machine) {
    self.machine = machine
  }

  func map(_ device: Device, _ physical: UInt64, _ size: UInt64, _ direction: Direction) -> UInt64 {
    let address = physical &+ Self.offset
    return device.isCapable(address, size) ? address : Machine.mappingError
  }

  func unmap(_ device: Device, _ address: UInt64, _ size: UInt64, _ direction: Direction) {}

  func physical(_ address: UInt64) -> UInt64? {
    address >= Self.offset ? address - Self.offset : nil
  }

  func supports(_ device: Device, mask: UInt64) -> Bool { mask >= requiredMask(device) }

  func requiredMask(_ device: Device) -> UInt64 {
    let last = Self.offset + machine.memory.end - 1
    return Device.bitMask(64 - last.leadingZeroBitCount)
  }

  func maximumMapping(_ device: Device) -> UInt64 { .max }

  func optimalMapping(_ device: Device) -> UInt64 { 1 << 20 }

  func mergeBoundary(_ device: Device) -> UInt64 { 0 }
}
