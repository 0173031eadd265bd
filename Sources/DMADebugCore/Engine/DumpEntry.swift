// SPDX-License-Identifier: MIT

/// An entry of a `dma-api/dump` that was saved: a mapping without its past.
public struct DumpEntry: Sendable, Equatable, BitwiseCopyable {
  public var device: DeviceID
  /// The name beside the device: its driver, or its bus when none was bound.
  public var driver: DriverID
  public var type: MappingType
  public var direction: Direction
  public var mapError: MapErrorState
  /// Physical address; `nil` where the dump has `?`.
  public var physicalAddress: UInt64?
  public var dmaAddress: UInt64
  /// Bytes.
  public var size: UInt64
  /// `nil` in dumps of kernels before 7.2, which do not print them.
  public var attributes: DMAAttributes?
  /// The line of the dump, from 1.
  public var line: UInt64

  public init(
    device: DeviceID,
    driver: DriverID,
    type: MappingType,
    direction: Direction,
    mapError: MapErrorState,
    physicalAddress: UInt64?,
    dmaAddress: UInt64,
    size: UInt64,
    attributes: DMAAttributes?,
    line: UInt64
  ) {
    self.device = device
    self.driver = driver
    self.type = type
    self.direction = direction
    self.mapError = mapError
    self.physicalAddress = physicalAddress
    self.dmaAddress = dmaAddress
    self.size = size
    self.attributes = attributes
    self.line = line
  }
}
