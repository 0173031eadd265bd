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

  private init(rawValue: UInt32) {
    self.rawValue = rawValue
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
      for known in Self.understoodSystems where Self.equals(system, known) {
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
    if cursor.isAt("dma_buf_") || cursor.isAt("dma_fence_") {
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

  private static let understoodSystems: [StaticString] = ["dma_buf", "dma_fence", "iommu"]

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
}
