// SPDX-License-Identifier: MIT

/// The CPU's cache on a machine whose devices do not look into it.
///
/// Direct mapped and write-back, so what is evicted when depends only on the addresses. Without the
/// right synchronisation the CPU reads what it has cached and the device what is in memory.
final class CPUCache {
  static let lineSize: UInt64 = 64
  private static let lines = 1 << 14

  private let memory: PhysicalMemory
  /// Number of the line that a slot holds, plus one; 0 for none.
  @exclusivity(unchecked) private var tags = [UInt64](repeating: 0, count: lines)
  @exclusivity(unchecked) private var isDirty = [Bool](repeating: false, count: lines)
  private let data: UnsafeMutableRawPointer

  init(_ memory: PhysicalMemory) {
    self.memory = memory
    data = .allocate(byteCount: Self.lines * Int(Self.lineSize), alignment: 64)
  }

  deinit {
    data.deallocate()
  }

  private func slot(_ line: UInt64) -> Int { Int(truncatingIfNeeded: line) & (Self.lines - 1) }

  private func bytes(_ slot: Int) -> UnsafeMutableRawPointer { data + slot * Int(Self.lineSize) }

  private func writeBack(_ slot: Int) {
    guard isDirty[slot] else { return }
    let address = (tags[slot] - 1) * Self.lineSize
    memory.pointer(address, Self.lineSize).copyMemory(from: bytes(slot), byteCount: 64)
    isDirty[slot] = false
  }

  /// Brings a line into the cache.
  private func load(_ line: UInt64) -> Int {
    let slot = slot(line)
    if tags[slot] == line + 1 { return slot }
    writeBack(slot)
    bytes(slot).copyMemory(
      from: memory.pointer(line * Self.lineSize, Self.lineSize),
      byteCount: 64
    )
    tags[slot] = line + 1
    return slot
  }

  /// Calls `body` with each piece of a range of memory as the CPU sees it.
  ///
  /// - Parameter writes: The pieces are written to.
  func access(
    _ address: UInt64,
    _ length: UInt64,
    writes: Bool,
    _ body: (_ piece: UnsafeMutableRawPointer, _ offset: UInt64, _ length: UInt64) -> Void
  ) {
    var offset: UInt64 = 0
    while offset < length {
      let position = address + offset
      let inLine = position % Self.lineSize
      let count = min(Self.lineSize - inLine, length - offset)
      let slot = load(position / Self.lineSize)
      if writes { isDirty[slot] = true }
      body(bytes(slot) + Int(inLine), offset, count)
      offset += count
    }
  }

  /// Writes dirty lines of a range back and keeps them (`arch_sync_dma_for_device`).
  func clean(_ address: UInt64, _ length: UInt64) {
    forEachLine(address, length) { slot in writeBack(slot) }
  }

  /// Drops the lines of a range (`arch_sync_dma_for_cpu`). Lines that the range covers in part are
  /// written back first, as hardware does, so that their other bytes survive.
  func invalidate(_ address: UInt64, _ length: UInt64) {
    let end = address + length
    forEachLine(address, length) { slot in
      let start = (tags[slot] - 1) * Self.lineSize
      if start < address || start + Self.lineSize > end { writeBack(slot) }
      tags[slot] = 0
      isDirty[slot] = false
    }
  }

  /// What the CPU does on its own while it may: it reads ahead into the lines of a range.
  func prefetch(_ address: UInt64, _ length: UInt64) {
    _ = load(address / Self.lineSize)
    if length > PhysicalMemory.pageSize {
      var page = (address / PhysicalMemory.pageSize + 1) * PhysicalMemory.pageSize
      while page < address + length {
        _ = load(page / Self.lineSize)
        page += PhysicalMemory.pageSize
      }
    }
  }

  private func forEachLine(_ address: UInt64, _ length: UInt64, _ body: (Int) -> Void) {
    guard length > 0 else { return }
    for line in address / Self.lineSize...(address + length - 1) / Self.lineSize {
      let slot = slot(line)
      if tags[slot] == line + 1 { body(slot) }
    }
  }

  /// Writes everything back: before memory changes its owner without the cache's knowledge.
  func discard(_ address: UInt64, _ length: UInt64) {
    forEachLine(address, length) { slot in
      writeBack(slot)
      tags[slot] = 0
    }
  }
}
