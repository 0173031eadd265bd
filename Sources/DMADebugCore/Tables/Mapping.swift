// SPDX-License-Identifier: MIT

/// One live mapping: an entry of dma-debug, with what the trace adds to it.
///
/// 128 bytes, its links included, like the kernel's `struct dma_debug_entry`.
public struct Mapping: Sendable, BitwiseCopyable {
  struct Flags: OptionSet, Sendable, BitwiseCopyable {
    let rawValue: UInt8

    /// ``physicalAddress`` holds.
    static let physicalKnown = Flags(rawValue: 1 << 0)
    /// The cacheline tracker counts it.
    static let tracked = Flags(rawValue: 1 << 1)
    /// A missing map-error check would show in the trace.
    static let hookWitnessed = Flags(rawValue: 1 << 2)
    /// The kernel's own hit of the map-error hook, without caller, is still to come.
    static let ownHitPending = Flags(rawValue: 1 << 3)
    /// ``cpuAddress`` is a hash.
    static let hashedPointer = Flags(rawValue: 1 << 4)
    /// The index of containing searches has it.
    static let indexed = Flags(rawValue: 1 << 5)
    /// It comes from a saved dump.
    static let adopted = Flags(rawValue: 1 << 6)
    /// ``attributes`` were not in that dump.
    static let attributesUnknown = Flags(rawValue: 1 << 7)
  }

  /// The number of "no entry".
  static let none = UInt32.max

  // What finding, comparing and freeing look at comes first, close together.

  public internal(set) var dmaAddress: UInt64 = 0
  /// Bytes.
  public internal(set) var size: UInt64 = 0
  /// Valid when the flag says so; ask ``DMADebug/physicalAddress(of:)``.
  var physicalAddress: UInt64 = 0
  /// The CPU pointer of an allocation, or its hash; 0 for others.
  public internal(set) var cpuAddress: UInt64 = 0
  public internal(set) var device = DeviceID.unknown
  public internal(set) var attributes: DMAAttributes = []
  /// Entries of the list that the driver passed to `dma_map_sg`, 0 for other types.
  public internal(set) var sgCallEntries: UInt32 = 0
  /// Segments that `dma_map_sg` produced, 0 for other types.
  public internal(set) var sgMappedEntries: UInt32 = 0
  /// Circular list of the entries with this device and DMA address, in the order of adding.
  var groupNext = Mapping.none
  var groupPrevious = Mapping.none
  /// The scatterlist that it belongs to.
  var sgList = Mapping.none
  public internal(set) var type = MappingType.single
  public internal(set) var direction = Direction.bidirectional
  public internal(set) var mapError = MapErrorState.notApplicable
  var flags: Flags = []

  /// Position in the order of adding, unique and increasing.
  public internal(set) var sequence: UInt64 = 0
  /// The line (or record) of the event that made it.
  public internal(set) var line: UInt64 = 0
  /// The time of that event.
  public internal(set) var time: UInt64 = 0
  /// The call stack of the map, a number into ``TraceNames/stacks``.
  public internal(set) var stack = StackTable.none
  /// The task that mapped, a number into ``TraceNames/tasks``.
  public internal(set) var task = NameTable.unknown
  /// The thread that mapped, -1 when unknown.
  public internal(set) var pid: Int32 = -1
  /// Where the driver asked for the map error, a number into ``TraceNames/symbols``.
  public internal(set) var site = NameTable.unknown
  /// Of the first entry of a group of several: the first one that is not checked.
  var firstUnchecked = Mapping.none
  /// Circular list of the entries of a group that are equal in all that a search compares.
  var equalNext = Mapping.none
  var equalPrevious = Mapping.none
  /// Circular list of the entries in one cell of the index of containing searches.
  var cellNext = Mapping.none
  var cellPrevious = Mapping.none
  /// The CPU that mapped, 65535 for larger numbers.
  public internal(set) var cpu: UInt16 = 0
  /// The capture that ``line`` is in, as ``DMAEvent/capture``.
  public internal(set) var capture: UInt16 = 0

  init() {}

  /// The first byte behind it, modulo 2^64.
  public var end: UInt64 { dmaAddress &+ size }

  /// The hash bucket of the kernel, 0 … 16383.
  public var bucket: Int { Bucket.index(dmaAddress) }

  /// Whether a missing map-error check of this mapping could be seen in the trace at all.
  ///
  /// Of a mapping from a saved dump the dump has shown it.
  public var showsMapErrorCheck: Bool { !flags.isDisjoint(with: [.hookWitnessed, .adopted]) }

  /// Whether it comes from a saved dump: who made it, when and where is not known.
  public var isAdopted: Bool { flags.contains(.adopted) }
}

/// The kernel's hash function (`HASH_FN_SHIFT`, `HASH_FN_MASK`).
enum Bucket {
  static let count = 16384
  static let shift: UInt64 = 13

  @inline(__always)
  static func index(_ address: UInt64) -> Int {
    Int(truncatingIfNeeded: (address >> shift) & UInt64(count - 1))
  }
}
