/// One thing that happened to the DMA-API, read from a trace or made by a simulator.
///
/// A plain value of fixed size, so that a batch of events is one block of memory. Lists of an sg
/// event are in ``EventBatch/payload`` and texts in ``EventBatch/text``.
public struct DMAEvent: Sendable, BitwiseCopyable {
  /// What happened. Names are those of the tracepoints, page/phys/resource kept apart.
  public enum Kind: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    // Streaming mappings of one area.
    case mapPage, mapResource, mapPhys
    case unmapPage, unmapResource, unmapPhys
    // Scatterlists.
    case mapSG, mapSGError, unmapSG
    // Allocations.
    case alloc, free
    case allocPages, freePages
    case allocSGTable, allocSGTableError, freeSGTable
    // Synchronisation.
    case syncSingleForCPU, syncSingleForDevice
    case syncSGForCPU, syncSGForDevice
    // Probes.
    /// A hit on `debug_dma_mapping_error`.
    case mappingError
    /// A driver begins to bind to a device (`really_probe`).
    case driverProbe
    /// A bus notification; ``DMAEvent/address`` is the action, 6 = driver unbound.
    case busNotify
    /// A driver has left a device (`device_unbind_cleanup`).
    case driverUnbind
    /// A hit on `debug_dma_map_single`: ``DMAEvent/address`` is the CPU address, ``DMAEvent/size``
    /// the length that a driver is about to map.
    case mapSingleCheck
    // The rest.
    /// Text that user space wrote to `trace_marker`.
    case marker
    /// A marker `dma-api: device …`, a line of a device table: ``DMAEvent/driver`` is the bus,
    /// ``DMAEvent/size`` the longest segment in bytes, ``DMAEvent/dmaAddress`` the segment
    /// boundary mask and ``DMAEvent/address`` the bits of the DMA mask, 0 when it does not say.
    case deviceDescription
    /// `swiotlb:swiotlb_bounced`: ``DMAEvent/address`` is the DMA mask of the device, 0 when the
    /// line does not say; ``Flags/forced`` when every mapping is bounced.
    case swiotlbBounced
    /// `iommu:io_page_fault`: ``DMAEvent/dmaAddress`` is the IOVA, ``DMAEvent/address`` the flags,
    /// ``DMAEvent/driver`` who reported it.
    case iommuFault
    /// The tracer lost events here; ``DMAEvent/size`` is how many, 0 when unknown.
    case lost
    /// An event of a kind that is understood but moves nothing in the engine (dma_fence, dma_buf…).
    case other
  }

  /// Who called `dma_mapping_error()`.
  public enum HookCaller: UInt8, Sendable, BitwiseCopyable {
    /// The probe has no `caller` field.
    case absent
    /// dma-debug itself, while it adds a mapping (`debug_dma_map_page`, `debug_dma_map_phys`).
    case mapping
    /// dma-debug itself, after an unmap for which it found nothing (`check_unmap`).
    case failedUnmap
    /// A driver, or a helper on behalf of one.
    case driver
  }

  /// Facts about the line that the numbers do not show.
  public struct Flags: OptionSet, Sendable, BitwiseCopyable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
      self.rawValue = rawValue
    }

    /// The tracer cut the lists off (`[TRUNCATED]`).
    public static let truncated = Flags(rawValue: 1 << 0)
    /// ``DMAEvent/address`` of an allocation is a hash, not a pointer.
    public static let hashedPointer = Flags(rawValue: 1 << 1)
    /// The line did not name the direction.
    public static let noDirection = Flags(rawValue: 1 << 2)
    /// A bounce that was forced upon the device (`swiotlb=force`, a confidential VM).
    public static let forced = Flags(rawValue: 1 << 3)
  }

  public var kind: Kind
  public var direction: Direction = .bidirectional
  public var flags: Flags = []
  public var caller: HookCaller = .absent
  /// The CPU on which it happened.
  public var cpu: UInt32 = 0
  /// The thread that ran, 0 for idle, -1 when unknown.
  public var pid: Int32 = -1
  /// `comm` of that thread, a number into ``TraceNames/tasks``.
  public var task: UInt32 = NameTable.unknown
  public var device: DeviceID = .unknown
  /// ``Kind/driverProbe``: the driver.
  public var driver: DriverID = .unknown
  /// ``Kind/mappingError``: the caller, a number into ``TraceNames/symbols``.
  public var site: UInt32 = NameTable.unknown
  /// The call stack, a number into ``TraceNames/stacks``.
  public var stack: UInt32 = StackTable.none
  public var attributes: DMAAttributes = []
  /// Nanoseconds of the trace clock, or ticks of a clock that counts something else.
  public var time: UInt64 = 0
  /// The DMA address; of an sg event that of the first segment, when there is one.
  public var dmaAddress: UInt64 = 0
  /// Bytes.
  public var size: UInt64 = 0
  /// Physical address of a streaming mapping, CPU pointer (or its hash) of an allocation,
  /// action of a bus notification.
  public var address: UInt64 = 0
  /// Where it stands: line of a text (from 1), record of a binary trace (from 1).
  public var line: UInt64 = 0
  /// Index of the first word of the lists in ``EventBatch/payload``; or of the text of a marker in
  /// ``EventBatch/text``.
  public var payload: UInt32 = 0
  /// DMA segments in the lists; bytes of a marker's text.
  public var segmentCount: UInt32 = 0
  /// Physical addresses in the lists.
  public var physicalCount: UInt32 = 0
  /// Entries of the list that the driver passed (`nents`), more than listed when truncated.
  public var requestedEntries: UInt32 = 0
  /// Segments that the mapping produced (`ents`), more than listed when truncated.
  public var mappedEntries: UInt32 = 0

  public init(_ kind: Kind) {
    self.kind = kind
  }
}

/// Events in the order of the trace, with the lists and texts that belong to them.
///
/// A batch is filled by a reader, consumed, and filled again: its memory is reused.
public struct EventBatch: Sendable {
  public var events: [DMAEvent] = []
  /// Lists of sg events. Of one event: `segmentCount` DMA addresses, then `segmentCount` lengths,
  /// then `physicalCount` physical addresses.
  public var payload: [UInt64] = []
  /// Texts of markers.
  public var text: [UInt8] = []

  public init() {}

  /// Empties the batch and keeps its memory.
  public mutating func removeAll() {
    events.removeAll(keepingCapacity: true)
    payload.removeAll(keepingCapacity: true)
    text.removeAll(keepingCapacity: true)
  }

  /// The DMA address of segment `index` of an sg event.
  @inlinable
  public func segmentAddress(_ event: DMAEvent, _ index: Int) -> UInt64 {
    payload[Int(event.payload) + index]
  }

  /// The length in bytes of segment `index` of an sg event.
  @inlinable
  public func segmentLength(_ event: DMAEvent, _ index: Int) -> UInt64 {
    payload[Int(event.payload) + Int(event.segmentCount) + index]
  }

  /// Physical address `index` of an sg event.
  @inlinable
  public func physicalAddress(_ event: DMAEvent, _ index: Int) -> UInt64 {
    payload[Int(event.payload) + 2 * Int(event.segmentCount) + index]
  }

  /// The text of a ``DMAEvent/Kind/marker``.
  public func markerText(_ event: DMAEvent) -> ArraySlice<UInt8> {
    let start = Int(event.payload)
    return text[start..<start + Int(event.segmentCount)]
  }
}
