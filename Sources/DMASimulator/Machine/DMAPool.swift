// SPDX-License-Identifier: MIT
import DMADebugCore

/// Blocks of coherent memory of one size (`mm/dmapool.c`, with CONFIG_DMAPOOL_DEBUG).
public final class DMAPool {
  /// What fills a block that is free, and one that was just handed out.
  static let poisonFreed: UInt8 = 0xa7
  static let poisonAllocated: UInt8 = 0xa9

  /// A piece of coherent memory that is cut into blocks.
  struct Page {
    var allocation: Machine.Allocation
    /// Free blocks by offset, the next one last.
    var free: [UInt64]
    var inUse = 0
  }

  public let name: String
  public let device: Device
  /// Bytes of a block, a multiple of its alignment.
  public let size: UInt64
  /// Blocks do not cross multiples of it.
  public let boundary: UInt64
  /// Bytes of a page.
  let pageSize: UInt64
  @exclusivity(unchecked) var pages: [Page] = []

  init(name: String, device: Device, size: UInt64, boundary: UInt64, pageSize: UInt64) {
    self.name = name
    self.device = device
    self.size = size
    self.boundary = boundary
    self.pageSize = pageSize
  }

  /// Blocks that are handed out.
  public var activeBlocks: Int { pages.reduce(0) { $0 + $1.inUse } }

  /// Offsets of the blocks of a page, none across the boundary.
  func blockOffsets() -> [UInt64] {
    var offsets: [UInt64] = []
    var offset: UInt64 = 0
    while offset + size <= pageSize {
      if offset / boundary != (offset + size - 1) / boundary {
        offset = (offset / boundary + 1) * boundary
        continue
      }
      offsets.append(offset)
      offset += size
    }
    return offsets
  }
}
