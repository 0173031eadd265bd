// SPDX-License-Identifier: MIT
import DMADebugCore

/// A buffer that devices share (`struct dma_buf`).
public final class SharedBuffer {
  /// The number by which everybody knows it.
  public let inode: UInt64
  /// Bytes, whole pages.
  public let size: UInt64
  /// `exp_name`, a number into the table of exporters.
  let exporter: UInt32
  let operations: DMABufOperations
  public let reservation: ReservationObject
  /// References of its file: descriptors and whoever has got it.
  public internal(set) var references = 1
  /// In the order of attaching.
  public internal(set) var attachments: [BufferAttachment] = []
  /// `vmapping_counter` and `vmap_ptr`
  public internal(set) var vmapCount = 0
  var vmapAddress: UInt64 = 0
  public internal(set) var isReleased = false

  init(
    inode: UInt64,
    size: UInt64,
    exporter: UInt32,
    operations: DMABufOperations,
    reservation: ReservationObject?
  ) {
    self.inode = inode
    self.size = size
    self.exporter = exporter
    self.operations = operations
    self.reservation = reservation ?? ReservationObject()
    self.reservation.inode = inode
  }

  /// `dma_buf_is_dynamic()`: the exporter may move it.
  var isDynamic: Bool { operations.pin != nil }
}

/// A device that uses a buffer (`struct dma_buf_attachment`).
public final class BufferAttachment {
  /// Its address in the kernel's memory, by which a trace knows it.
  let address: UInt64
  public let buffer: SharedBuffer
  public let device: Device
  /// `importer_ops->move_notify`; an importer with it is dynamic: it maps anew after a move.
  let moveNotify: ((BufferAttachment) -> Void)?
  /// The exporter's list for this device, once it has one.
  public internal(set) var list: ScatterList?
  /// Whether the exporter's list is mapped, and how.
  public internal(set) var isMapped = false
  var direction = Direction.bidirectional
  public internal(set) var pinCount = 0
  /// How often the exporter has said that the buffer moves.
  public internal(set) var moves = 0

  init(
    address: UInt64,
    buffer: SharedBuffer,
    device: Device,
    moveNotify: ((BufferAttachment) -> Void)?
  ) {
    self.address = address
    self.buffer = buffer
    self.device = device
    self.moveNotify = moveNotify
  }

  public var isDynamic: Bool { moveNotify != nil }

  /// Bytes of the structure.
  static let structSize: UInt64 = 112
}

/// A buffer, a list or an address, or the negative error that there is instead (`ERR_PTR`).
public enum KernelResult<Success> {
  case success(Success)
  case failure(Int)

  public var value: Success? {
    if case .success(let value) = self { return value }
    return nil
  }

  /// 0 or the error.
  public var error: Int {
    if case .failure(let error) = self { return error }
    return 0
  }
}

/// What an exporter does (`struct dma_buf_ops`). What it lacks is `nil`, as in the kernel; functions
/// return 0 or a negative error.
struct DMABufOperations {
  var attach: ((BufferAttachment) -> Int)?
  var detach: ((BufferAttachment) -> Void)?
  var pin: ((BufferAttachment) -> Int)?
  var unpin: ((BufferAttachment) -> Void)?
  var mapDMABuf: ((BufferAttachment, Direction) -> KernelResult<ScatterList>)?
  var unmapDMABuf: ((BufferAttachment, ScatterList, Direction) -> Void)?
  var release: ((SharedBuffer) -> Void)?
  var beginCPUAccess: ((SharedBuffer, Direction) -> Int)?
  var endCPUAccess: ((SharedBuffer, Direction) -> Int)?
  /// The pages, from an offset on, in a process.
  var mmap: ((SharedBuffer, _ firstPage: UInt64, _ pages: UInt64) -> KernelResult<UInt64>)?
  var vmap: ((SharedBuffer) -> KernelResult<UInt64>)?
  var vunmap: ((SharedBuffer, UInt64) -> Void)?
  /// `map` and `map_atomic` of kernels before 5.6: a page.
  var kmap: ((SharedBuffer, _ page: UInt64) -> UInt64)?
  var kunmap: ((SharedBuffer, _ page: UInt64, _ address: UInt64) -> Void)?
  var kmapAtomic: ((SharedBuffer, _ page: UInt64) -> UInt64)?
  var kunmapAtomic: ((SharedBuffer, _ page: UInt64, _ address: UInt64) -> Void)?

  /// Takes away the operations that are not named, as the kernel names them.
  ///
  /// - Returns: `nil` when a name is none.
  func only(_ names: some Sequence<Substring>) -> DMABufOperations? {
    var result = DMABufOperations()
    for name in names {
      switch name {
      case "attach": result.attach = attach
      case "detach": result.detach = detach
      case "pin": result.pin = pin
      case "unpin": result.unpin = unpin
      case "map_dma_buf": result.mapDMABuf = mapDMABuf
      case "unmap_dma_buf": result.unmapDMABuf = unmapDMABuf
      case "release": result.release = release
      case "begin_cpu_access": result.beginCPUAccess = beginCPUAccess
      case "end_cpu_access": result.endCPUAccess = endCPUAccess
      case "mmap": result.mmap = mmap
      case "vmap": result.vmap = vmap
      case "vunmap": result.vunmap = vunmap
      case "map": (result.kmap, result.kunmap) = (kmap, kunmap)
      case "map_atomic": (result.kmapAtomic, result.kunmapAtomic) = (kmapAtomic, kunmapAtomic)
      case "all": result = self
      default: return nil
      }
    }
    return result
  }
}
