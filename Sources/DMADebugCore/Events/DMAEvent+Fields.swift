// SPDX-License-Identifier: MIT

/// What the fields of an event mean for its kind. An event is one block of memory for all kinds, so that
/// a field has several meanings; each has its name here.
extension DMAEvent {
  // MARK: Buffers

  /// The inode number of the buffer that an event of a buffer, or ``Kind/fenceAdd``, is about.
  @inlinable
  public var inode: UInt64 {
    get { kind == .fenceAdd ? dmaAddress : address }
    set { if kind == .fenceAdd { dmaAddress = newValue } else { address = newValue } }
  }

  /// Of a buffer: who exported it, a number into ``TraceNames/exporters``.
  @inlinable
  public var exporter: UInt32 {
    get { site }
    set { site = newValue }
  }

  /// ``Kind/bufferFD``, ``Kind/bufferGet``: the file descriptor.
  @inlinable
  public var descriptor: Int32 {
    get { Int32(bitPattern: mappedEntries) }
    set { mappedEntries = UInt32(bitPattern: newValue) }
  }

  /// Of an attachment: its pointer or the hash of it, 0 when unknown.
  @inlinable
  public var attachmentPointer: UInt64 {
    get { dmaAddress }
    set { dmaAddress = newValue }
  }

  // MARK: Fences

  /// The fence of an event of fences.
  @inlinable
  public var fenceKey: FenceKey {
    get { FenceKey(context: address, sequence: size) }
    set {
      address = newValue.context
      size = newValue.sequence
    }
  }

  /// Of a fence: its timeline, a number into ``TraceNames/timelines``.
  @inlinable
  public var timeline: UInt32 {
    get { site }
    set { site = newValue }
  }

  /// ``Kind/fenceAdd``: 0 kernel, 1 write, 2 read, 3 bookkeeping.
  @inlinable
  public var fenceUsage: UInt32 {
    get { mappedEntries }
    set { mappedEntries = newValue }
  }

  // MARK: Addresses

  /// Of streaming mappings and ``Kind/iovaLink``: the physical address.
  @inlinable
  public var physicalAddress: UInt64 {
    get { address }
    set { address = newValue }
  }

  /// Of allocations and ``Kind/mapSingleCheck``: the CPU pointer, or its hash.
  @inlinable
  public var cpuAddress: UInt64 {
    get { address }
    set { address = newValue }
  }

  // MARK: Channels

  /// Of a channel of dmaengine: which, a number into ``TraceNames/channels``.
  @inlinable
  public var channel: UInt32 {
    get { site }
    set { site = newValue }
  }

  /// Of a descriptor of dmaengine: its cookie; a negative one is an error.
  @inlinable
  public var cookie: UInt64 {
    get { address }
    set { address = newValue }
  }

  /// ``Kind/descriptorComplete``, ``Kind/channelStatus``: the bytes that are left to transfer.
  @inlinable
  public var residue: UInt64 {
    get { size }
    set { size = newValue }
  }

  /// ``Kind/descriptorPrepare``: 0 slave_sg, 1 memcpy, 2 cyclic.
  @inlinable
  public var descriptorType: UInt32 {
    get { mappedEntries }
    set { mappedEntries = newValue }
  }

  // MARK: Devices

  /// ``Kind/busNotify``: the action (`BUS_NOTIFY_…`).
  @inlinable
  public var busAction: UInt64 {
    get { address }
    set { address = newValue }
  }

  /// ``Kind/deviceDescription``: the bus.
  @inlinable
  public var bus: DriverID {
    get { driver }
    set { driver = newValue }
  }

  /// ``Kind/deviceDescription``: the longest segment in bytes, 0 when it does not say.
  @inlinable
  public var maximumSegmentSize: UInt64 {
    get { size }
    set { size = newValue }
  }

  /// ``Kind/deviceDescription``: the segment boundary mask, 0 when it does not say.
  @inlinable
  public var segmentBoundary: UInt64 {
    get { dmaAddress }
    set { dmaAddress = newValue }
  }

  /// ``Kind/deviceDescription``: the bits of the DMA mask, 0 when it does not say.
  @inlinable
  public var maskBits: UInt64 {
    get { address }
    set { address = newValue }
  }

  // MARK: The capture

  /// ``Kind/lost``: how many events, 0 when unknown.
  @inlinable
  public var lostEvents: UInt64 {
    get { size }
    set { size = newValue }
  }
}
