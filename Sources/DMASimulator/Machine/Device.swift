// SPDX-License-Identifier: MIT
import DMADebugCore

/// Facts about a device before it exists: what scenarios and workloads ask for.
public struct DeviceOptions: Sendable, Equatable {
  /// Which back end maps for the device.
  public enum Backend: String, Sendable, CaseIterable {
    /// DMA addresses are physical addresses; what does not fit is bounced.
    case direct
    /// Every mapping goes through the bounce buffer, as in a confidential VM.
    case swiotlb
    /// An address space of its own behind an IOMMU.
    case iommu
    /// `dma_map_ops` of its own: a window of a bus bridge.
    case ops
  }

  public var name: String
  public var bus: String
  public var driver: String
  public var backend = Backend.direct
  /// Address lines of the hardware, 24 … 64: what it really can address.
  public var addressBits = 64
  /// `dma_mask` and `coherent_dma_mask` that the driver sets, in bits; `nil` for ``addressBits``.
  public var maskBits: Int?
  public var coherentMaskBits: Int?
  /// `bus_dma_limit`: the highest address that the bus before the device lets through; 0 for none.
  public var busLimit: UInt64 = 0
  /// Whether the device sees the CPU's caches.
  public var isCoherent = true
  /// `max_segment_size` in bytes.
  public var maximumSegmentSize: UInt64 = 65536
  /// `segment_boundary_mask`
  public var segmentBoundary: UInt64 = 0xffff_ffff

  public init(name: String, bus: String = "pci", driver: String) {
    self.name = name
    self.bus = bus
    self.driver = driver
  }
}

/// A device of the simulated machine.
public final class Device {
  enum Backend {
    case direct
    case iommu(IOMMUDomain)
    case ops(any DMAMapOps)
  }

  public let options: DeviceOptions
  /// Position among the devices of the machine.
  public let index: Int
  public let id: DeviceID
  let busID: DriverID
  let driverID: DriverID
  var backend: Backend
  /// `dev->dma_mask`, `dev->coherent_dma_mask`
  public internal(set) var dmaMask: UInt64 = (1 << 32) - 1
  public internal(set) var coherentMask: UInt64 = (1 << 32) - 1
  public internal(set) var maximumSegmentSize: UInt64
  public internal(set) var segmentBoundary: UInt64
  /// `dma_get_min_align_mask`
  public internal(set) var minimumAlignment: UInt64 = 0
  /// Whether a driver is bound.
  public internal(set) var isBound = false
  /// Memory of its own (`dma_declare_coherent_memory`).
  var declared: DeclaredMemory?
  /// What is released when the driver leaves, the last first.
  var resources: [ManagedResource] = []
  /// Coherent allocations alive, by CPU address.
  var coherent: [UInt64: CoherentAllocation] = [:]
  /// Whether its driver shares buffers, or is that of a DMA controller with clients: what mistakes it
  /// may make.
  var sharesBuffers = false
  var isController = false
  /// Memory of `dma_alloc_noncontiguous()`, by DMA address.
  var tables: [UInt64: CoherentAllocation] = [:]

  init(
    _ options: DeviceOptions,
    index: Int,
    id: DeviceID,
    busID: DriverID,
    driverID: DriverID,
    backend: Backend
  ) {
    self.options = options
    self.index = index
    self.id = id
    self.busID = busID
    self.driverID = driverID
    self.backend = backend
    maximumSegmentSize = options.maximumSegmentSize
    segmentBoundary = options.segmentBoundary
  }

  /// `DMA_BIT_MASK(n)`
  static func bitMask(_ bits: Int) -> UInt64 {
    bits >= 64 ? .max : (1 << UInt64(bits)) - 1
  }

  /// `is_swiotlb_force_bounce`
  var forcesBounce: Bool { options.backend == .swiotlb }

  /// Whether a missing sync shows: everything is bounced, or the device does not see the cache.
  var losesSync: Bool { forcesBounce || !options.isCoherent }

  /// The highest address of a streaming mapping, `min_not_zero(dma_mask, bus_dma_limit)`.
  var addressLimit: UInt64 {
    options.busLimit == 0 ? dmaMask : min(dmaMask, options.busLimit)
  }

  var coherentLimit: UInt64 {
    options.busLimit == 0 ? coherentMask : min(coherentMask, options.busLimit)
  }

  /// `dma_capable`
  @inline(__always)
  func isCapable(_ address: UInt64, _ size: UInt64) -> Bool {
    let end = address &+ size &- 1
    return end >= address && end <= addressLimit
  }
}

/// A coherent or non-contiguous allocation, for whoever frees it.
struct CoherentAllocation {
  enum Kind {
    /// Pages of the direct map.
    case pages
    /// Pages that are mapped a second time, without cache.
    case remapped
    /// Pages anywhere, one behind the other for the CPU and the device (IOMMU).
    case scattered
    /// From memory that was declared for the device.
    case declared
  }

  var kind: Kind
  /// Bytes, whole pages.
  var size: UInt64
  var dmaAddress: UInt64
  /// Blocks of memory: address and order.
  var blocks: [(address: UInt64, order: Int)]
}

/// Something that devres releases (`drivers/base/devres.c`).
enum ManagedResource {
  case coherent(cpuAddress: UInt64, dmaAddress: UInt64, size: UInt64, attributes: DMAAttributes)
  case declaredMemory
  case pool(DMAPool)
}

/// Memory that a device brings along, handed out by pages (`kernel/dma/coherent.c`).
final class DeclaredMemory {
  let physical: UInt64
  let deviceBase: UInt64
  let cpuBase: UInt64
  let pages: Int
  private var used: [Bool]

  init(physical: UInt64, deviceBase: UInt64, cpuBase: UInt64, pages: Int) {
    self.physical = physical
    self.deviceBase = deviceBase
    self.cpuBase = cpuBase
    self.pages = pages
    used = Array(repeating: false, count: pages)
  }

  /// `bitmap_find_free_region`: a block of 2^order pages on its natural boundary.
  func allocate(order: Int) -> Int? {
    let count = 1 << order
    var page = 0
    while page + count <= pages {
      if !used[page..<page + count].contains(true) {
        for index in page..<page + count { used[index] = true }
        return page
      }
      page += count
    }
    return nil
  }

  func release(page: Int, order: Int) {
    for index in page..<min(page + 1 << order, pages) { used[index] = false }
  }

  func contains(_ cpuAddress: UInt64) -> Bool {
    cpuAddress >= cpuBase && cpuAddress < cpuBase + UInt64(pages) << 12
  }

  var usedPages: Int { used.reduce(0) { $0 + ($1 ? 1 : 0) } }
}
