import DMADebugCore

/// What an event name means to the reader: a ``DMAEvent/Kind`` of the tracepoints, or one of the
/// names below.
struct EventCode: Equatable {
  let rawValue: UInt32

  /// No name that the reader knows; a probe may still be recognised by its function.
  static let foreign = EventCode(rawValue: 100)
  static let markerText = EventCode(rawValue: 101)
  static let print = EventCode(rawValue: 102)
  static let bareAddress = EventCode(rawValue: 103)
  static let bounced = EventCode(rawValue: 104)
  static let kernelStack = EventCode(rawValue: 105)
  static let userStack = EventCode(rawValue: 106)
  static let understood = EventCode(rawValue: 107)
  static let iommu = EventCode(rawValue: 108)
  static let mappingErrorProbe = EventCode(rawValue: 109)
  static let notifyProbe = EventCode(rawValue: 110)
  static let bindProbe = EventCode(rawValue: 111)
  static let unbindProbe = EventCode(rawValue: 112)

  static let record = EventCode(rawValue: 113)
  static let mapSingleProbe = EventCode(rawValue: 114)
  static let pageFault = EventCode(rawValue: 115)

  /// The kind of a `dma:*` tracepoint.
  @inline(__always)
  var kind: DMAEvent.Kind? {
    guard rawValue <= UInt32(DMAEvent.Kind.syncSGForDevice.rawValue) else { return nil }
    return DMAEvent.Kind(rawValue: UInt8(truncatingIfNeeded: rawValue))
  }

  /// Where the kinds of ``sharingKind`` begin.
  private static let firstSharing: UInt32 = 256

  /// The kind of an event of a dma-buf, fence, IOVA range or channel.
  var sharingKind: DMAEvent.Kind? {
    guard rawValue >= Self.firstSharing else { return nil }
    return DMAEvent.Kind(rawValue: UInt8(truncatingIfNeeded: rawValue &- Self.firstSharing))
  }

  private init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  private init(sharing kind: DMAEvent.Kind) {
    rawValue = Self.firstSharing + UInt32(kind.rawValue)
  }

  /// The code of a function whose probes show what no tracepoint does, by its name.
  init?(function name: UnsafeBufferPointer<UInt8>) {
    for (known, kind) in Self.sharing where Self.equals(name, known) {
      self.init(sharing: kind)
      return
    }
    return nil
  }

  init(cached: UInt32) {
    rawValue = cached
  }

  private init(_ kind: DMAEvent.Kind) {
    rawValue = UInt32(kind.rawValue)
  }

  /// Looks a name up, with or without the name of its system (`dma:dma_map_page`).
  init(name: UnsafeBufferPointer<UInt8>) {
    var cursor = Cursor(name.baseAddress!, name.baseAddress! + name.count)
    let start = cursor.at
    if cursor.find(UInt8(ascii: ":")) {
      let system = cursor.text(from: start)
      cursor.at += 1
      if Self.equals(system, "iommu") {
        self = cursor.isAt("io_page_fault") ? .pageFault : .understood
        return
      }
    } else {
      cursor.at = start
    }
    let bare = UnsafeBufferPointer(start: cursor.at, count: cursor.count)
    for (known, code) in Self.names where Self.equals(bare, known) {
      self = code
      return
    }
    if let code = EventCode(function: bare) {
      self = code
    } else if cursor.isAt("dma_buf_") || cursor.isAt("dma_fence_") {
      self = .understood
    } else if cursor.isAt("PERF_RECORD_") {
      self = .record
    } else if cursor.skip("0x"), cursor.bareHex() != nil, cursor.isAtEnd {
      self = .bareAddress
    } else {
      self = .foreign
    }
  }

  private static func equals(_ name: UnsafeBufferPointer<UInt8>, _ known: StaticString) -> Bool {
    known.withUTF8Buffer { $0.elementsEqual(name) }
  }

  private static let names: [(StaticString, EventCode)] = [
    ("dma_map_page", EventCode(.mapPage)),
    ("dma_map_resource", EventCode(.mapResource)),
    ("dma_map_phys", EventCode(.mapPhys)),
    ("dma_unmap_page", EventCode(.unmapPage)),
    ("dma_unmap_resource", EventCode(.unmapResource)),
    ("dma_unmap_phys", EventCode(.unmapPhys)),
    ("dma_map_sg", EventCode(.mapSG)),
    ("dma_map_sg_err", EventCode(.mapSGError)),
    ("dma_unmap_sg", EventCode(.unmapSG)),
    ("dma_alloc", EventCode(.alloc)),
    ("dma_free", EventCode(.free)),
    ("dma_alloc_pages", EventCode(.allocPages)),
    ("dma_free_pages", EventCode(.freePages)),
    ("dma_alloc_sgt", EventCode(.allocSGTable)),
    ("dma_alloc_sgt_err", EventCode(.allocSGTableError)),
    ("dma_free_sgt", EventCode(.freeSGTable)),
    ("dma_sync_single_for_cpu", EventCode(.syncSingleForCPU)),
    ("dma_sync_single_for_device", EventCode(.syncSingleForDevice)),
    ("dma_sync_sg_for_cpu", EventCode(.syncSGForCPU)),
    ("dma_sync_sg_for_device", EventCode(.syncSGForDevice)),
    ("tracing_mark_write", .markerText),
    ("print", .print),
    ("swiotlb_bounced", .bounced),
    ("kernel_stack", .kernelStack),
    ("user_stack", .userStack),
    ("map", .iommu),
    ("unmap", .iommu),
    ("io_page_fault", .pageFault),
    ("add_device_to_group", .iommu),
    ("remove_device_from_group", .iommu),
    ("attach_device_to_domain", .iommu),
    ("detach_device_from_domain", .iommu),
    ("dma_mapping_error", .mappingErrorProbe),
    ("debug_dma_mapping_error", .mappingErrorProbe),
    ("dma_map_single", .mapSingleProbe),
    ("debug_dma_map_single", .mapSingleProbe),
    ("bus_notify", .notifyProbe),
    ("dma_debug_device_change", .notifyProbe),
    ("driver_probe", .bindProbe),
    ("really_probe", .bindProbe),
    ("driver_unbind", .unbindProbe),
    ("device_unbind_cleanup", .unbindProbe),
  ]

  private static let sharing: [(StaticString, DMAEvent.Kind)] = [
    ("dma_buf_export", .bufferExport),
    ("dma_buf_fd", .bufferFD),
    ("dma_buf_get", .bufferGet),
    ("dma_buf_put", .bufferPut),
    ("dma_buf_mmap", .bufferMmap),
    ("dma_buf_mmap_internal", .bufferMmapInternal),
    ("dma_buf_dynamic_attach", .bufferAttach),
    ("dma_buf_detach", .bufferDetach),
    ("dma_buf_map_attachment", .bufferMapAttachment),
    ("dma_buf_unmap_attachment", .bufferUnmapAttachment),
    ("dma_buf_pin", .bufferPin),
    ("dma_buf_unpin", .bufferUnpin),
    ("dma_buf_move_notify", .bufferMoveNotify),
    ("dma_buf_invalidate_mappings", .bufferMoveNotify),
    ("dma_buf_begin_cpu_access", .bufferBeginAccess),
    ("dma_buf_end_cpu_access", .bufferEndAccess),
    ("dma_buf_vmap", .bufferVmap),
    ("dma_buf_vunmap", .bufferVunmap),
    ("dma_buf_kmap", .bufferKmap),
    ("dma_buf_kmap_atomic", .bufferKmap),
    ("dma_buf_kunmap", .bufferKunmap),
    ("dma_buf_kunmap_atomic", .bufferKunmap),
    ("dma_buf_access", .bufferAccess),
    ("dma_fence_init", .fenceInit),
    ("dma_fence_emit", .fenceEmit),
    ("dma_fence_enable_signal", .fenceEnableSignal),
    ("dma_fence_signaled", .fenceSignaled),
    ("dma_fence_wait_start", .fenceWaitStart),
    ("dma_fence_wait_end", .fenceWaitEnd),
    ("dma_fence_destroy", .fenceDestroy),
    ("dma_resv_add_fence", .fenceAdd),
    ("dma_iova_try_alloc", .iovaAlloc),
    ("dma_iova_link", .iovaLink),
    ("dma_iova_sync", .iovaSync),
    ("dma_iova_unlink", .iovaUnlink),
    ("dma_iova_destroy", .iovaDestroy),
    ("dma_iova_free", .iovaFree),
    ("dma_request_chan", .channelRequest),
    ("dmaengine_slave_config", .channelConfigure),
    ("dmaengine_prep", .descriptorPrepare),
    ("dmaengine_submit", .descriptorSubmit),
    ("dma_async_issue_pending", .channelIssuePending),
    ("dmaengine_callback", .descriptorComplete),
    ("dmaengine_tx_status", .channelStatus),
    ("dmaengine_terminate", .channelTerminate),
    ("dmaengine_terminate_sync", .channelTerminate),
    ("dmaengine_terminate_async", .channelTerminate),
    ("dma_release_channel", .channelRelease),
  ]
}
