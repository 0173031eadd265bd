// SPDX-License-Identifier: MIT

/// One thing that happened to the DMA-API, read from a trace or made by a simulator.
///
/// A plain value of fixed size, so that a batch of events is one block of memory. Lists of an sg
/// event are in ``EventBatch/payload`` and texts in ``EventBatch/text``.
public struct DMAEvent: Sendable, BitwiseCopyable {
  /// CPUs have numbers below this one. Memory is given by them, so readers take no others; the
  /// largest kernels know 8192.
  public static let cpuLimit: UInt32 = 1 << 16

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
    /// An event of a kind that is understood but moves nothing in the engine (iommu, cma…).
    case other

    // dma-buf tracepoints. ``DMAEvent/address`` is the inode number of the buffer,
    // ``DMAEvent/size`` its bytes, ``DMAEvent/site`` the exporter in ``TraceNames/exporters``.
    /// `dma_buf_export`
    case bufferExport
    /// `dma_buf_fd`: ``DMAEvent/mappedEntries`` is the descriptor.
    case bufferFD
    /// `dma_buf_get`: ``DMAEvent/mappedEntries`` is the descriptor.
    case bufferGet
    /// `dma_buf_put`
    case bufferPut
    /// `dma_buf_mmap`, called by an exporter for another buffer's memory.
    case bufferMmap
    /// `dma_buf_mmap_internal`: user space maps a descriptor.
    case bufferMmapInternal
    /// `dma_buf_dynamic_attach`: ``DMAEvent/dmaAddress`` is the attachment's pointer (or its hash),
    /// ``Flags/dynamic`` when the importer moves along.
    case bufferAttach
    /// `dma_buf_detach`
    case bufferDetach

    // dma-buf functions without a tracepoint: probes named after the function, with fields as
    // above (`dma_buf_vmap: (dma_buf_vmap+0x0/0x1d0) ino=1`).
    /// `dma_buf_map_attachment`: attachment, device and direction. The `dma_map_sg` that it causes
    /// stands before it.
    case bufferMapAttachment
    /// `dma_buf_unmap_attachment`; its `dma_unmap_sg` stands before it.
    case bufferUnmapAttachment
    case bufferPin, bufferUnpin
    /// `dma_buf_move_notify`
    case bufferMoveNotify
    /// `dma_buf_begin_cpu_access` and `dma_buf_end_cpu_access`, with the direction.
    case bufferBeginAccess, bufferEndAccess
    case bufferVmap, bufferVunmap
    /// `dma_buf_kmap` and `dma_buf_kunmap`, and their atomic kin, of older kernels.
    case bufferKmap, bufferKunmap
    /// `dma_buf_access`, of a simulated machine: somebody touches the bytes. The direction is
    /// `toDevice` for a reader and `fromDevice` for a writer; with a device the device does,
    /// without one the CPU.
    case bufferAccess

    // Fences. ``DMAEvent/driver`` and, in ``TraceNames/timelines``, ``DMAEvent/site`` are the
    // names of driver and timeline, ``DMAEvent/address`` the context, ``DMAEvent/size`` the seqno.
    case fenceInit, fenceEmit, fenceEnableSignal, fenceSignaled
    case fenceWaitStart, fenceWaitEnd, fenceDestroy
    /// `dma_resv_add_fence`, a probe: ``DMAEvent/dmaAddress`` is the inode number of the buffer,
    /// ``DMAEvent/mappedEntries`` the usage: 0 kernel, 1 write, 2 read, 3 bookkeeping.
    case fenceAdd

    // IOVA-based mappings: probes named after the function. ``DMAEvent/dmaAddress`` and
    // ``DMAEvent/size`` are the range, ``DMAEvent/address`` the physical address of a link.
    /// `dma_iova_try_alloc`; a size of 0 when it failed.
    case iovaAlloc
    /// `dma_iova_link`, `dma_iova_sync`, `dma_iova_unlink`
    case iovaLink, iovaSync, iovaUnlink
    /// `dma_iova_destroy` (unlink everything and free), `dma_iova_free`
    case iovaDestroy, iovaFree

    // dmaengine: probes named after the function. ``DMAEvent/site`` is the channel in
    // ``TraceNames/channels``, ``DMAEvent/device`` the client, ``DMAEvent/address`` the cookie.
    /// `dma_request_chan`, `dmaengine_slave_config`
    case channelRequest, channelConfigure
    /// `dmaengine_prep_slave_sg`, `_memcpy`, `_cyclic`: DMA address, bytes and direction of the
    /// first piece; ``DMAEvent/requestedEntries`` how many pieces or periods,
    /// ``DMAEvent/mappedEntries`` 0 slave_sg, 1 memcpy, 2 cyclic.
    case descriptorPrepare
    /// `dmaengine_submit`: the cookie.
    case descriptorSubmit
    /// `dma_async_issue_pending`
    case channelIssuePending
    /// The callback of a descriptor: ``DMAEvent/size`` is the residue in bytes.
    case descriptorComplete
    /// `dmaengine_tx_status`: cookie and residue.
    case channelStatus
    /// `dmaengine_terminate_sync` and `_async`, `dma_release_channel`
    case channelTerminate, channelRelease
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
    /// A dynamic attachment, whose importer is told when the exporter moves the buffer.
    public static let dynamic = Flags(rawValue: 1 << 4)
    /// A fence was signaled in an interrupt: the thread that ran has nothing to do with it.
    public static let interrupt = Flags(rawValue: 1 << 5)
    /// A probe on the function stands in for a tracepoint that kernels before 7.0 lack
    /// (``Kind/hasBufferTracepoint``).
    public static let probe = Flags(rawValue: 1 << 6)
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
  /// ``Kind/mappingError``: the caller, a number into ``TraceNames/symbols``. Of buffers, fences
  /// and channels: exporter, timeline or channel, a number into the table of that name.
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
  /// Of several captures that are read as one, the one that ``line`` is in.
  public var capture: UInt16 = 0
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

  /// Bytes that it takes, spare room included.
  package var storageBytes: Int { events.storageBytes + payload.storageBytes + text.storageBytes }

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
