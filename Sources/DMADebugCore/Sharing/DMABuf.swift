// SPDX-License-Identifier: MIT

/// A dma-buf: memory that devices and processes share, as far as the trace shows it.
public struct DMABuf: Sendable {
  /// Whether it is still there, as far as anybody can tell.
  public enum State: UInt8, Sendable {
    /// Somebody holds it.
    case live
    /// All references that the trace shows were put and no device is attached; file descriptors, which close without an
    /// event, may still hold it.
    case possiblyGone
    /// Its only reference was put and no descriptor was ever made of it.
    case gone
  }

  /// Who had to do with it: exported, got, attached or mapped it.
  public struct Holder: Sendable, Equatable {
    /// -1 when unknown.
    public var pid: Int32
    /// A number into ``TraceNames/tasks``.
    public var task: UInt32
  }

  /// A fence of its reservation object.
  public struct Reservation: Sendable {
    public var fence: DMAFence.Key
    /// 0 kernel, 1 write, 2 read, 3 bookkeeping.
    public var usage: UInt32
    /// Position in the order in which fences were added to buffers.
    var order: UInt64
  }

  /// The most holders and fences that are remembered of a buffer.
  static let rememberedHolders = 16
  static let rememberedFences = 256
  /// The most attachments of a buffer: each has a device, and no machine has so many.
  static let maximumAttachments = 256

  /// The inode number, by which the kernel tells buffers apart.
  public let inode: UInt64
  /// Bytes, 0 when no event said it yet.
  public internal(set) var size: UInt64 = 0
  /// A number into ``TraceNames/exporters``.
  public internal(set) var exporter = NameTable.unknown
  /// The first event of it: its export, unless the trace begins later.
  public internal(set) var first: DMAEvent
  /// The first event is its export, and no event was lost since.
  public internal(set) var isKnown = false
  /// Position in the order of first appearance.
  public internal(set) var order: UInt64 = 0
  public internal(set) var state = State.live
  /// The last event of it.
  public internal(set) var last: DMAEvent

  /// `dma_buf_fd`: descriptors that were made of it; closing them leaves no trace.
  public internal(set) var descriptors: UInt32 = 0
  /// The number of the last one.
  public internal(set) var lastDescriptor: Int32?
  /// `dma_buf_get` and `dma_buf_put`.
  public internal(set) var gets: UInt64 = 0
  public internal(set) var puts: UInt64 = 0
  /// Mappings into user space that were made; their end leaves no trace.
  public internal(set) var mmaps: UInt32 = 0
  /// Mappings into the kernel.
  public internal(set) var vmaps: UInt32 = 0
  public internal(set) var kmaps: UInt32 = 0
  /// The CPU wrote in a window that is open: what it reads now is its own.
  var isWrittenByCPU = false
  /// Windows in which the CPU may look, by direction.
  public internal(set) var accesses: [UInt32] = [0, 0, 0, 0]
  /// `dma_buf_move_notify`
  public internal(set) var moves: UInt64 = 0
  /// In the order of attaching, see ``SharingTracker/attachment(_:)``.
  public internal(set) var attachments: [UInt64] = []
  /// Attachments that there have been.
  public internal(set) var attached: UInt64 = 0
  public internal(set) var holders: [Holder] = []
  /// The fences of its reservation object as the kernel keeps them.
  public internal(set) var fences: [Reservation] = []
  /// Those that are not signaled yet, also where the kernel keeps a later one in their place.
  var pendingFences: [Reservation] = []

  /// Bytes of its lists.
  var storageBytes: Int {
    accesses.storageBytes + attachments.storageBytes + holders.storageBytes + fences.storageBytes
      + pendingFences.storageBytes
  }

  init(_ event: DMAEvent, order: UInt64) {
    inode = event.inode
    first = event
    last = event
    self.order = order
  }

  /// Whether something that the trace shows holds it for sure.
  public var isHeld: Bool { !attachments.isEmpty || vmaps > 0 || kmaps > 0 || gets > puts }

  /// All references that the trace shows were put. What still holds the buffer then seems to be
  /// forgotten.
  public var outlivesReferences: Bool {
    isKnown && puts > 0 && puts >= gets + (descriptors > 0 ? 0 : 1)
  }

  /// CPU access windows that are open.
  public var openAccesses: UInt32 { accesses.reduce(0, &+) }
}

/// A device's attachment to a dma-buf (`struct dma_buf_attachment`).
public struct DMABufAttachment: Sendable {
  /// A scatterlist that was mapped for it.
  struct Link: Sendable {
    var list: UInt32
    /// The list's order, which changes when it ends.
    var order: UInt64
  }

  /// The number by which ``SharingTracker`` knows it.
  public let id: UInt64
  /// Inode of the buffer.
  public let inode: UInt64
  public internal(set) var device: DeviceID
  /// The pointer or its hash, 0 when unknown.
  public internal(set) var pointer: UInt64
  public internal(set) var isDynamic: Bool
  /// The event that attached.
  public internal(set) var event: DMAEvent
  /// The trace shows that it was attached.
  public internal(set) var isKnown: Bool
  /// `dma_buf_map_attachment` without its unmap, where probes show them.
  public internal(set) var maps: UInt32 = 0
  public internal(set) var pins: UInt32 = 0
  /// The buffer's moves when the mapping was made that is in use.
  var mapMoves: UInt64 = 0
  /// The lists that were mapped for it and live.
  var links: [Link] = []
  /// A probe said so; otherwise device and size did.
  public internal(set) var isLinkExact = false

  /// Whether the device can reach the buffer now.
  public var isMapped: Bool { maps > 0 || !links.isEmpty }
}
