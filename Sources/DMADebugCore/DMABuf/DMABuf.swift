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
    inode = event.kind == .fenceAdd ? event.dmaAddress : event.address
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

/// A fence: what somebody has to wait for (`struct dma_fence`).
public struct DMAFence: Sendable {
  public struct Key: Hashable, Sendable {
    public var context: UInt64
    public var sequence: UInt64
  }

  public let key: Key
  /// A number into ``TraceNames/drivers``.
  public internal(set) var driver: DriverID
  /// A number into ``TraceNames/timelines``.
  public internal(set) var timeline: UInt32
  /// The first event of it.
  public internal(set) var first: DMAEvent
  /// Position in the order of first appearance.
  let order: UInt64
  /// The first event is its beginning.
  public internal(set) var isKnown: Bool
  public internal(set) var isSignaled = false
  /// Somebody waits for it, waited for it or has its signal enabled: it must be signaled, while one
  /// that nobody asks may be destroyed or passed over as it is.
  public internal(set) var isWanted = false
  /// Buffers that it guards.
  var buffers: UInt32 = 0
  /// Those who wait now.
  public internal(set) var waiters: [DMAEvent] = []
}

/// The fences of one context: they signal in order.
public struct DMAReplay: Sendable {
  public let context: UInt64
  public internal(set) var driver = DriverID.unknown
  /// A number into ``TraceNames/timelines``.
  public internal(set) var name = NameTable.unknown
  public internal(set) var emitted: UInt64 = 0
  public internal(set) var signaled: UInt64 = 0
  public internal(set) var lastSignaled: UInt64?
  /// The thread that signaled all of them so far; `nil` when several did, or an interrupt.
  public internal(set) var signaler: Int32?
  var hasSeveralSignalers = false
  /// When the last one was signaled.
  var lastSignalTime: UInt64 = 0
  /// A number up to which fences were signaled some time ago, and one that became so lately.
  var settled: UInt64?
  var settling: (sequence: UInt64, time: UInt64)?

  /// Within this, in nanoseconds, one pass over a timeline may signal its fences in any order.
  private static let passTime: UInt64 = 10_000_000

  mutating func noteSignal(_ sequence: UInt64, at time: UInt64) {
    settle(at: time)
    if settling == nil { settling = (lastSignaled ?? sequence, time) }
  }

  /// Moves ``settled`` up to what was signaled long enough ago.
  mutating func settle(at time: UInt64) {
    guard let settling, time &- settling.time >= Self.passTime, time > settling.time else { return }
    settled = max(settled ?? 0, settling.sequence)
    self.settling = nil
  }
}

/// A range of IOVA that a driver links physical memory into (`struct dma_iova_state`).
public struct IOVARange: Sendable {
  /// What was linked into it.
  public struct Link: Sendable {
    public var address: UInt64
    public var size: UInt64
    public var physical: UInt64
    public var direction: Direction
    public internal(set) var isSynced: Bool
    var event: DMAEvent

    var end: UInt64 { address &+ size }
  }

  static let maximumLinks = 4096

  public let device: DeviceID
  public let address: UInt64
  public let size: UInt64
  /// The event that allocated it.
  public let event: DMAEvent
  /// By address.
  public internal(set) var links: [Link] = []

  /// Bytes that are linked.
  public var linkedBytes: UInt64 { links.reduce(0) { $0 &+ $1.size } }
}

/// A channel of dmaengine (`struct dma_chan`).
public struct DMAChannel: Sendable {
  /// A descriptor that was prepared and is not complete.
  public struct Descriptor: Sendable {
    public internal(set) var cookie: UInt64?
    public internal(set) var isIssued = false
    /// The event that submitted it.
    var submitted: DMAEvent?
    /// Events were lost since: it may be issued, or over.
    var isDoubtful = false
    /// 0 slave_sg, 1 memcpy, 2 cyclic.
    public internal(set) var type: UInt32
    public internal(set) var address: UInt64
    public internal(set) var size: UInt64
    public internal(set) var direction: Direction
    public internal(set) var residue: UInt64?
    public internal(set) var event: DMAEvent
    /// The slot of the mapping that it uses, while it is known to.
    public internal(set) var slot: UInt32?
  }

  static let maximumDescriptors = 4096

  /// A number into ``TraceNames/channels``.
  public let name: UInt32
  /// Who uses it.
  public internal(set) var client: DeviceID
  public internal(set) var isRequested = false
  public internal(set) var isConfigured = false
  public internal(set) var event: DMAEvent
  public internal(set) var submitted: UInt64 = 0
  public internal(set) var completed: UInt64 = 0
  public internal(set) var descriptors: [Descriptor] = []

  /// Descriptors between submit and completion.
  public var inFlight: Int { descriptors.count { $0.cookie != nil } }
}

/// A mistake in sharing that the events show.
public struct SharingIncident: Sendable {
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// A buffer's last known reference was put while a device is attached.
    case leakedAttachment
    /// A driver left its device while it is attached.
    case unboundWhileAttached
    case detachWhileMapped
    case unmapWithoutMap
    /// `dma_buf_vunmap` or `dma_buf_kunmap` too many, or the last put with a mapping left.
    case unbalancedKernelMapping
    /// An end of CPU access without its begin, or the last put within.
    case unbalancedAccess
    case accessOutsideWindow
    case accessWithoutFence
    case useAfterPut
    case neverSignaled
    case deadlock
    case iovaLeftLinked
    case iovaNotSynced
    case iovaOutside
    case releaseInFlight
    case unmapInFlight
    /// A device looks through a mapping from before the buffer moved.
    case staleMapping
    case detachWhilePinned
    /// Exported, and nobody can reach it.
    case lostBuffer
    /// A driver left its device and its ranges.
    case leakedRange
    /// Submitted and terminated or released without having been issued.
    case neverIssued
  }

  public var kind: Kind
  /// Where it shows; its device is the one that did it.
  public var event: DMAEvent
  /// The other side: where the attachment, mapping, fence or descriptor began.
  public var origin: DMAEvent?
  /// Inode, when it is about a buffer.
  public var inode: UInt64?
  public var fence: DMAFence.Key?
  /// How many, or how many bytes.
  public var value: UInt64 = 0
  /// Sub-kind, as the message needs it.
  public var detail: UInt64 = 0
}
