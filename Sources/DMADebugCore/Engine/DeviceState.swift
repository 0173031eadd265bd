// SPDX-License-Identifier: MIT

/// What the engine knows of one device.
///
/// There may be a million of them: what few devices have is in ``DeviceDetails``.
struct DeviceState: Sendable {
  /// The driver, as far as anything has told.
  enum Binding: Sendable {
    case unknown
    case bound(DriverID)
    case unbound
  }

  var binding = Binding.unknown
  /// A mapping was seen whose DMA address is its physical address.
  var seenDirect = false
  /// A mapping was seen whose DMA address is not.
  var seenIndirect = false
  var bus = DriverID.unknown
  /// The loss count at which a probe was seen: from there all its mappings are in the trace.
  var bornAtLoss: UInt32?
  /// Its entries in the table.
  var live: UInt32 = 0
  /// Entries that the trace did not list.
  var hidden: UInt32 = 0
  /// Which of ``DMADebug/details`` are its own; 0 are those of all others.
  var details: UInt32 = 0

  /// DMA addresses are physical addresses, as far as the trace shows.
  var isDirect: Bool { seenDirect && !seenIndirect }
}

/// What few devices have.
struct DeviceDetails: Sendable {
  /// Pointer and DMA address of its first allocation with a raw pointer.
  var sample: (pointer: UInt64, dmaAddress: UInt64)?
  /// Allocations that are not in the cacheline tracker because their physical address was unknown.
  var untracked: [(index: UInt32, sequence: UInt64)] = []
  /// `dma_get_max_seg_size`, when somebody told.
  var maximumSegmentSize: UInt64?
  /// `dma_get_seg_boundary`, when somebody told.
  var segmentBoundary: UInt64?
  /// The largest address that it can drive, when somebody told.
  var mask: UInt64?
}

/// Facts about a device that come from a table beside the trace.
public struct DeviceDescription: Sendable {
  public var bus: DriverID
  /// `nil` when no driver is bound.
  public var driver: DriverID?
  /// Bytes; `nil` when unknown, then segments are not held against it.
  public var maximumSegmentSize: UInt64?
  /// A mask; `nil` when unknown.
  public var segmentBoundary: UInt64?
  /// The largest DMA address that it can use; `nil` when unknown.
  public var mask: UInt64?

  public init(
    bus: DriverID,
    driver: DriverID?,
    maximumSegmentSize: UInt64? = nil,
    segmentBoundary: UInt64? = nil,
    mask: UInt64? = nil
  ) {
    self.bus = bus
    self.driver = driver
    self.maximumSegmentSize = maximumSegmentSize
    self.segmentBoundary = segmentBoundary
    self.mask = mask
  }
}
