// SPDX-License-Identifier: MIT

/// A scatterlist with its table (`struct sg_table`): areas of memory, and where the device sees them.
public final class ScatterList {
  /// An area of memory.
  public struct Entry: Sendable, Equatable {
    /// Physical address.
    public var address: UInt64
    /// Bytes.
    public var length: UInt64

    public init(address: UInt64, length: UInt64) {
      self.address = address
      self.length = length
    }
  }

  @exclusivity(unchecked) public var entries: [Entry]
  /// What the device sees: as many as there are entries once the list was mapped; those beyond
  /// ``mappedEntries`` hold an invalid address and no length. They stay after an unmap.
  @exclusivity(unchecked) public internal(set) var segments: [Entry] = []
  /// Segments that the last map produced.
  @exclusivity(unchecked) public internal(set) var mappedEntries = 0

  public init(_ entries: [Entry] = []) {
    self.entries = entries
  }

  /// Bytes of all entries.
  public var length: UInt64 { entries.reduce(0) { $0 + $1.length } }

  /// The segments that count.
  var liveSegments: ArraySlice<Entry> { segments.prefix(mappedEntries) }
}
