// SPDX-License-Identifier: MIT

/// Answers which entry contains a range, with the kernel's walk over its buckets as the yardstick.
///
/// An entry can contain an address only when it begins within its own length before it. So entries
/// are filed by the power of four that holds their length, and within it by the cell of that width
/// in which they begin: whatever contains an address begins in the cell of the address or in the
/// one before. The index is built when the first sync asks, as many traces have none.
struct ContainmentIndex: Sendable {
  /// Widths go from 2^6 in steps of two bits; the last one takes all that is longer than 2^62.
  private static let widths = 30
  private static let smallestShift = 6

  private(set) var isActive = false
  private var cells = IndexTable()
  /// How many entries each device has of each width.
  private var counts: [UInt32] = []
  /// The widths that each device has entries of, a bit each.
  private var widthsInUse: [UInt32] = []

  init() {}

  /// Bytes of its tables.
  var storageBytes: Int {
    cells.storageBytes + counts.storageBytes + widthsInUse.storageBytes
  }

  /// Files every live entry.
  mutating func build(_ entries: Slab<Mapping>, _ hasher: KeyHasher) {
    isActive = true
    for index in entries.indices where entries[index].sequence != 0 {
      insert(UInt32(index), entries, hasher)
    }
  }

  mutating func insert(_ index: UInt32, _ entries: Slab<Mapping>, _ hasher: KeyHasher) {
    let entry = entries[Int(index)]
    let width = Self.width(entry.size)
    let cell = Self.cell(entry.dmaAddress, width)
    let position = Int(entry.device.rawValue) * Self.widths + width
    if position >= counts.count {
      let missing = (Int(entry.device.rawValue) + 1) * Self.widths - counts.count
      counts.append(contentsOf: repeatElement(0, count: missing))
      widthsInUse.append(contentsOf: repeatElement(0, count: missing / Self.widths))
    }
    counts[position] += 1
    widthsInUse[Int(entry.device.rawValue)] |= 1 << UInt32(width)
    entries[Int(index)].flags.insert(.indexed)
    let hash = Self.hash(entry.device, width, cell, hasher)
    guard let head = find(entry.device, width, cell, hash, entries) else {
      entries[Int(index)].cellNext = index
      entries[Int(index)].cellPrevious = index
      cells.insert(hash, index)
      return
    }
    let tail = entries[Int(head)].cellPrevious
    entries[Int(tail)].cellNext = index
    entries[Int(index)].cellPrevious = tail
    entries[Int(index)].cellNext = head
    entries[Int(head)].cellPrevious = index
  }

  mutating func remove(_ index: UInt32, _ entries: Slab<Mapping>, _ hasher: KeyHasher) {
    let entry = entries[Int(index)]
    let width = Self.width(entry.size)
    let cell = Self.cell(entry.dmaAddress, width)
    let position = Int(entry.device.rawValue) * Self.widths + width
    counts[position] -= 1
    if counts[position] == 0 { widthsInUse[Int(entry.device.rawValue)] &= ~(1 << UInt32(width)) }
    let hash = Self.hash(entry.device, width, cell, hasher)
    if entry.cellNext == index {
      cells.remove(hash, index)
      return
    }
    // The order within a cell means nothing: the first search files entries as they are stored.
    if find(entry.device, width, cell, hash, entries) == index {
      cells.replace(hash, index, with: entry.cellNext)
    }
    entries[Int(entry.cellPrevious)].cellNext = entry.cellNext
    entries[Int(entry.cellNext)].cellPrevious = entry.cellPrevious
  }

  /// What the kernel's walk returns for a range.
  func find(_ reference: Reference, _ entries: Slab<Mapping>, _ hasher: KeyHasher) -> UInt32? {
    let address = reference.dmaAddress
    let limit = min(
      Bucket.count,
      Int(truncatingIfNeeded: min(address >> Bucket.shift, 1 << 20)) + 1
    )
    if address.addingReportingOverflow(reference.size).overflow {
      // The range wraps around: anything that begins before it may "contain" it.
      return walkAll(reference, entries, limit)
    }
    guard Int(reference.device.rawValue) < widthsInUse.count else { return nil }
    let inUse = widthsInUse[Int(reference.device.rawValue)]
    var walked = -1
    while true {
      var best = Candidates(distance: limit)
      var remaining = inUse
      while remaining != 0 {
        let width = remaining.trailingZeroBitCount
        remaining &= remaining - 1
        let cell = Self.cell(address, width)
        look(in: cell, width, reference, entries, hasher, after: walked, &best)
        if cell > 0 {
          look(in: cell - 1, width, reference, entries, hasher, after: walked, &best)
        }
      }
      if best.count == 0 { return nil }
      if let answer = best.answer { return answer }
      walked = best.distance
    }
  }

  /// The candidates in the bucket that the walk reaches first.
  private struct Candidates {
    var distance: Int
    var count = 0
    var only = Mapping.none
    var perfect = Mapping.none
    var perfectSequence = UInt64.max

    init(distance: Int) {
      self.distance = distance
    }

    var answer: UInt32? {
      if perfect != Mapping.none { return perfect }
      return count == 1 ? only : nil
    }

    mutating func meet(
      _ index: UInt32,
      _ sequence: UInt64,
      _ distance: Int,
      perfect isPerfect: Bool
    ) {
      if distance < self.distance {
        self = Candidates(distance: distance)
      }
      count += 1
      only = index
      if isPerfect, sequence < perfectSequence {
        perfect = index
        perfectSequence = sequence
      }
    }
  }

  @inline(__always)
  private func look(
    in cell: UInt64,
    _ width: Int,
    _ reference: Reference,
    _ entries: Slab<Mapping>,
    _ hasher: KeyHasher,
    after walked: Int,
    _ best: inout Candidates
  ) {
    let hash = Self.hash(reference.device, width, cell, hasher)
    guard let head = find(reference.device, width, cell, hash, entries) else { return }
    var index = head
    repeat {
      Self.consider(index, entries, reference, after: walked, &best)
      index = entries[Int(index)].cellNext
    } while index != head
  }

  @inline(__always)
  private static func consider(
    _ index: UInt32,
    _ entries: Slab<Mapping>,
    _ reference: Reference,
    after walked: Int,
    _ best: inout Candidates
  ) {
    let start = entries[Int(index)].dmaAddress
    guard entries[Int(index)].device == reference.device, start <= reference.dmaAddress,
      start &+ entries[Int(index)].size >= reference.dmaAddress &+ reference.size
    else { return }
    let steps = (reference.dmaAddress >> Bucket.shift) - (start >> Bucket.shift)
    let distance = Int(truncatingIfNeeded: steps) & (Bucket.count - 1)
    guard distance > walked, distance <= best.distance else { return }
    // `best.distance` begins as the number of buckets that are walked, which itself is not reached.
    if distance == best.distance && best.count == 0 { return }
    let isPerfect =
      entries[Int(index)].size == reference.size && entries[Int(index)].type == reference.type
      && entries[Int(index)].direction == reference.direction
      && entries[Int(index)].sgCallEntries == reference.sgCallEntries
    best.meet(index, entries[Int(index)].sequence, distance, perfect: isPerfect)
  }

  private func walkAll(_ reference: Reference, _ entries: Slab<Mapping>, _ limit: Int) -> UInt32? {
    var walked = -1
    while true {
      var best = Candidates(distance: limit)
      for index in entries.indices where entries[index].sequence != 0 {
        Self.consider(UInt32(index), entries, reference, after: walked, &best)
      }
      if best.count == 0 { return nil }
      if let answer = best.answer { return answer }
      walked = best.distance
    }
  }

  @inline(__always)
  private func find(
    _ device: DeviceID,
    _ width: Int,
    _ cell: UInt64,
    _ hash: UInt32,
    _ entries: Slab<Mapping>
  ) -> UInt32? {
    cells.find(hash) { index in
      entries[Int(index)].device == device && Self.width(entries[Int(index)].size) == width
        && Self.cell(entries[Int(index)].dmaAddress, width) == cell
    }
  }

  @inline(__always)
  private static func width(_ size: UInt64) -> Int {
    if size <= 1 << UInt64(smallestShift) { return 0 }
    let bits = 64 - (size - 1).leadingZeroBitCount
    return min((bits - smallestShift + 1) / 2, widths - 1)
  }

  @inline(__always)
  private static func cell(_ address: UInt64, _ width: Int) -> UInt64 {
    // The last width takes lengths up to 2^64: one cell for all.
    width == widths - 1 ? 0 : address >> UInt64(smallestShift + 2 * width)
  }

  @inline(__always)
  private static func hash(
    _ device: DeviceID,
    _ width: Int,
    _ cell: UInt64,
    _ hasher: KeyHasher
  ) -> UInt32 {
    hasher.hash(cell, UInt64(device.rawValue) | UInt64(width + 1) << 32)
  }
}
