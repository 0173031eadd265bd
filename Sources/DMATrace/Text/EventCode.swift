// SPDX-License-Identifier: MIT
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
    guard rawValue < Self.foreign.rawValue,
      let kind = DMAEvent.Kind(rawValue: UInt8(truncatingIfNeeded: rawValue)), kind.isCall
    else { return nil }
    return kind
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
      if Self.equals(system, "iommu".utf8) {
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

  private static func equals(
    _ name: UnsafeBufferPointer<UInt8>,
    _ known: some Collection<UInt8>
  ) -> Bool {
    known.count == name.count && known.elementsEqual(name)
  }

  /// The names of ``DMAEvent/Kind``, and those of events that are read and are no kind of their own.
  private static let names: [([UInt8], EventCode)] =
    DMAEvent.Kind.allCases.filter(\.isCall).map { (Array($0.name.utf8), EventCode($0)) }
    + probes.flatMap { kind, code in kind.spellings.map { (Array($0.utf8), code) } }
    + others.map { (Array($0.utf8), $1) }

  private static let others: [(String, EventCode)] = [
    ("tracing_mark_write", .markerText), ("print", .print), ("kernel_stack", .kernelStack),
    ("user_stack", .userStack), ("map", .iommu), ("unmap", .iommu),
    ("add_device_to_group", .iommu), ("remove_device_from_group", .iommu),
    ("attach_device_to_domain", .iommu), ("detach_device_from_domain", .iommu),
  ]

  /// Kinds that have lines of their own.
  private static let probes: [(DMAEvent.Kind, EventCode)] = [
    (.swiotlbBounced, .bounced), (.iommuFault, .pageFault), (.mappingError, .mappingErrorProbe),
    (.mapSingleCheck, .mapSingleProbe), (.busNotify, .notifyProbe), (.driverProbe, .bindProbe),
    (.driverUnbind, .unbindProbe),
  ]

  private static let sharing: [([UInt8], DMAEvent.Kind)] =
    DMAEvent.Kind.allCases.filter(\.isSharing)
    .flatMap { kind in kind.spellings.map { (Array($0.utf8), kind) } }
}
