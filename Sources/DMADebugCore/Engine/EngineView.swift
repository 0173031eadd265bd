// SPDX-License-Identifier: MIT

/// A look at an engine where it stands, for as long as somebody lends it.
///
/// The engine is a value of more than a kilobyte. Asking it through a property of another value makes the
/// compiler copy all of it for each question; asking here reads only what the question is about.
public struct EngineView {
  private let address: UnsafePointer<DMADebug>

  /// - Parameter address: Of an engine that stays where it is, and is not changed, while this is used.
  @inline(__always)
  public init(_ address: UnsafePointer<DMADebug>) {
    self.address = address
  }

  /// Events applied so far.
  public var eventCount: UInt64 { address.pointee.eventCount }

  /// What the stream of events could not decide.
  public var undecided: Undecided { address.pointee.undecided }

  /// What dma-debug knows nothing of. Lent as a whole: for rare questions.
  public var sharing: SharingTracker {
    _read { yield address.pointee.sharing }
  }

  /// ``SharingTracker/watchesMappings``
  public var watchesMappings: Bool { address.pointee.sharing.watchesMappings }

  /// ``DMADebug/driver(of:)``
  public func driver(of device: DeviceID) -> DriverID { address.pointee.driver(of: device) }

  /// ``DMADebug/isDirect(_:)``
  public func isDirect(_ device: DeviceID) -> Bool { address.pointee.isDirect(device) }

  /// ``DMADebug/mask(of:)``
  public func mask(of device: DeviceID) -> UInt64? { address.pointee.mask(of: device) }

  /// ``DMADebug/mapping(inSlot:)``
  public func mapping(inSlot slot: UInt32) -> Mapping { address.pointee.table[slot] }

  /// ``DMADebug/slot(of:at:)``
  public func slot(of device: DeviceID, at dmaAddress: UInt64) -> UInt32? {
    address.pointee.table.last(device, dmaAddress)
  }

  /// ``DMADebug/physicalAddress(of:)``
  public func physicalAddress(of mapping: Mapping) -> UInt64? {
    address.pointee.physicalAddress(of: mapping)
  }

  /// ``DMADebug/earlierMapping(onCachelineOf:)``
  public func earlierMapping(onCachelineOf mapping: Mapping) -> Mapping? {
    address.pointee.earlierMapping(onCachelineOf: mapping)
  }

  /// ``DMADebug/forEachLiveMapping(_:)``
  public func forEachLiveMapping(_ body: (Mapping) -> Void) {
    address.pointee.forEachLiveMapping(body)
  }

  /// ``DMADebug/withMappings(_:)``
  public func withMappings<Result>(
    _ body: (UnsafeBufferPointer<Mapping>) throws -> Result
  ) rethrows -> Result {
    try address.pointee.withMappings(body)
  }
}
