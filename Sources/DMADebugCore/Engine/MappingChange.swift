// SPDX-License-Identifier: MIT

/// A mapping that came or went.
public struct MappingChange: Sendable, BitwiseCopyable {
  public var isAdded: Bool
  /// It comes from a saved dump: nothing is known of its map.
  public var isAdopted: Bool
  public var device: DeviceID
  /// The call stack of the map, a number into ``TraceNames/stacks``.
  public var stack: UInt32
  /// Bytes.
  public var size: UInt64
  /// When it was mapped.
  public var time: UInt64
  /// Where it is in the table (``DMADebug/withMappings(_:)``). One that went can still be read
  /// there, but for its sequence, until the next one comes.
  public var slot: UInt32
  public var type: MappingType
  public var direction: Direction
  public var attributes: DMAAttributes
  public var dmaAddress: UInt64
  /// `nil` when the trace does not give it.
  public var physicalAddress: UInt64?

  @inline(__always)
  init(isAdded: Bool, _ slot: UInt32, _ mapping: borrowing Mapping, physical: UInt64?) {
    self.isAdded = isAdded
    isAdopted = mapping.isAdopted
    self.slot = slot
    type = mapping.type
    direction = mapping.direction
    attributes = mapping.attributes
    dmaAddress = mapping.dmaAddress
    physicalAddress = physical
    device = mapping.device
    stack = mapping.stack
    size = mapping.size
    time = mapping.time
  }
}
