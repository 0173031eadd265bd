// SPDX-License-Identifier: MIT

/// What a search compares: the reference entry that the kernel fills before it looks one up.
public struct Reference: Sendable {
  public var device: DeviceID
  public var dmaAddress: UInt64
  /// Bytes.
  public var size: UInt64
  public var type: MappingType
  public var direction: Direction
  public var attributes: DMAAttributes = []
  /// Entries of the list in an sg call, 0 for other calls.
  public var sgCallEntries: UInt32 = 0
  /// The CPU pointer of a free, or its hash; 0 for others.
  public var cpuAddress: UInt64 = 0
  /// The size is not in the trace.
  public var sizeIsUnknown = false
}

/// All live mappings, found as the kernel finds them but without walking its hash chains.
///
/// The kernel keeps 16384 lists, one of which takes every mapping whose address has the same bits
/// 13…26, and scans them. Only two questions are asked of such a list, and each has an index of its
/// own here: which entries have this device and address (``findExact(_:)``), and which contain this
/// range (``findContaining(_:)``). Both answer what the scan would have answered.
struct MappingTable: Sendable {
  /// The entries; those on the free list have sequence 0.
  private(set) var entries = Slab<Mapping>()
  /// Live entries.
  private(set) var count = 0
  private var freeHead = Mapping.none
  private(set) var nextSequence: UInt64 = 1

  /// The first entry of each group of entries with one device and address.
  private var groups = IndexTable()
  /// In groups of several: the first of each set of equal entries.
  private var equals = IndexTable()
  private var containment = ContainmentIndex()
  private let hasher = KeyHasher()

  init() {}

  /// Bytes of the entries and of the indexes over them.
  var storageBytes: Int {
    entries.storageBytes + groups.storageBytes + equals.storageBytes + containment.storageBytes
  }

  subscript(index: UInt32) -> Mapping {
    @inline(__always) _read { yield entries[Int(index)] }
    @inline(__always) _modify {
      entries.makeUnique()
      yield &entries[Int(index)]
    }
  }

  // MARK: Adding and removing

  /// Adds an entry at the tail of its kernel bucket and gives it its sequence number.
  ///
  /// - Parameter asksMapError: dma-debug asks for the map error of the address before it adds the
  ///   entry (``markChecked(_:_:)``).
  @inline(__always)
  mutating func insert(_ mapping: Mapping, asksMapError: Bool = false) -> UInt32 {
    entries.makeUnique()
    let hash = hasher.hash(mapping.dmaAddress, UInt64(mapping.device.rawValue))
    let head = groupHead(mapping.device, mapping.dmaAddress, hash)
    if asksMapError, let head { _ = markChecked(inGroupOf: head) }
    count += 1
    let index: UInt32
    if freeHead != Mapping.none {
      index = freeHead
      internalCheck(entries[Int(index)].sequence == 0, "slot \(index) is on the free list and live")
      freeHead = entries[Int(index)].groupNext
      entries[Int(index)] = mapping
    } else {
      precondition(entries.count < Int(Mapping.none), "more mappings than an index can number")
      index = UInt32(entries.count)
      entries.append(mapping)
    }
    entries[Int(index)].sequence = nextSequence
    nextSequence += 1
    if let head {
      joinGroup(of: head, index)
    } else {
      entries[Int(index)].groupNext = index
      entries[Int(index)].groupPrevious = index
      groups.insert(hash, index)
    }
    if containment.isActive { containment.insert(index, entries, hasher) }
    checkLinks(index)
    return index
  }

  /// Takes an entry out of everything.
  mutating func remove(_ index: UInt32) {
    entries.makeUnique()
    internalCheck(entries[Int(index)].sequence != 0, "slot \(index) is removed and not live")
    checkLinks(index)
    leaveGroup(index)
    if entries[Int(index)].flags.contains(.indexed) {
      containment.remove(index, entries, hasher)
    }
    entries[Int(index)].sequence = 0
    entries[Int(index)].groupNext = freeHead
    freeHead = index
    count -= 1
  }

  /// Sets the counts of a segment whose list was not known when it was added.
  ///
  /// Its place among the entries that are equal in all that a search compares changes with them.
  mutating func setSGCounts(_ index: UInt32, requested: UInt32, mapped: UInt32) {
    entries.makeUnique()
    internalCheck(entries[Int(index)].sequence != 0, "slot \(index) gets counts and is not live")
    entries[Int(index)].sgMappedEntries = mapped
    guard entries[Int(index)].sgCallEntries != requested else { return }
    let isAlone = entries[Int(index)].groupNext == index
    if !isAlone { leaveEquals(index) }
    entries[Int(index)].sgCallEntries = requested
    if !isAlone { joinEquals(index) }
    checkLinks(index)
  }

  // MARK: Checks

  /// The lists that an entry is in lead back to it, and to entries that belong there.
  @inline(__always)
  private func checkLinks(_ index: UInt32) {
    #if DMATOP_INTERNAL_CHECKS
      let entry = entries[Int(index)]
      internalCheck(
        entry.sequence != 0 && entry.sequence < nextSequence,
        "slot \(index) has sequence \(entry.sequence) of \(nextSequence)"
      )
      internalCheck(count <= entries.count, "\(count) live entries in \(entries.count) slots")
      checkNeighbours(index, "group", next: \.groupNext, previous: \.groupPrevious) {
        $0.dmaAddress == $1.dmaAddress && $0.device == $1.device
      }
      // A group of one is in no list of equal entries.
      if entry.groupNext != index {
        checkNeighbours(index, "equal", next: \.equalNext, previous: \.equalPrevious) {
          $0.dmaAddress == $1.dmaAddress && $0.device == $1.device && $0.size == $1.size
            && $0.type == $1.type && $0.direction == $1.direction
            && $0.sgCallEntries == $1.sgCallEntries
        }
      }
      internalCheck(
        entry.flags.contains(.indexed) == containment.isActive,
        "slot \(index): the index of containing searches does not agree"
      )
      if containment.isActive {
        checkNeighbours(index, "cell", next: \.cellNext, previous: \.cellPrevious) {
          $0.device == $1.device
        }
      }
    #endif
  }

  #if DMATOP_INTERNAL_CHECKS
    private func checkNeighbours(
      _ index: UInt32,
      _ list: StaticString,
      next: KeyPath<Mapping, UInt32>,
      previous: KeyPath<Mapping, UInt32>,
      belongs: (Mapping, Mapping) -> Bool
    ) {
      let entry = entries[Int(index)]
      let (after, before) = (entry[keyPath: next], entry[keyPath: previous])
      for (neighbour, back) in [(after, previous), (before, next)] {
        internalCheck(
          entries[Int(neighbour)].sequence != 0 && entries[Int(neighbour)][keyPath: back] == index
            && belongs(entry, entries[Int(neighbour)]),
          "slot \(index): its \(list) neighbour \(neighbour) does not lead back"
        )
      }
    }
  #endif

  // MARK: Searching

  /// `bucket_find_exact`: device and address are equal; of several only a perfect one counts.
  func findExact(_ reference: Reference) -> UInt32? {
    guard let head = groupHead(reference.device, reference.dmaAddress) else { return nil }
    if entries[Int(head)].groupNext == head { return head }
    return firstEqual(
      reference.device,
      reference.dmaAddress,
      reference.size,
      reference.type,
      reference.direction,
      reference.sgCallEntries
    )
  }

  /// The entries with this device and address, in the order of adding, the first `limit` of them.
  func group(_ device: DeviceID, _ address: UInt64, limit: Int = .max) -> [UInt32] {
    guard let head = groupHead(device, address) else { return [] }
    var members = [head]
    var next = entries[Int(head)].groupNext
    while next != head, members.count < limit {
      members.append(next)
      next = entries[Int(next)].groupNext
    }
    return members
  }

  /// The entry added last with this device and address.
  @inline(__always)
  func last(_ device: DeviceID, _ address: UInt64) -> UInt32? {
    guard let head = groupHead(device, address) else { return nil }
    return entries[Int(head)].groupPrevious
  }

  /// Whether any entry has this device and address.
  @inline(__always)
  func hasGroup(_ device: DeviceID, _ address: UInt64) -> Bool {
    groupHead(device, address) != nil
  }

  /// `bucket_find_contain`: the entry that contains the range, sought from bucket to bucket.
  mutating func findContaining(_ reference: Reference) -> UInt32? {
    if let perfect = firstEqual(
      reference.device,
      reference.dmaAddress,
      reference.size,
      reference.type,
      reference.direction,
      reference.sgCallEntries,
      orSingle: true
    ) {
      // A perfect entry begins where the range begins, so its bucket is the first to be scanned,
      // and there it is returned whatever else is in the bucket.
      return perfect
    }
    if !containment.isActive {
      entries.makeUnique()
      containment.build(entries, hasher)
    }
    return containment.find(reference, entries, hasher)
  }

  /// `debug_dma_mapping_error`: the first unchecked entry with this device and address is checked.
  mutating func markChecked(_ device: DeviceID, _ address: UInt64) -> UInt32? {
    guard let head = groupHead(device, address) else { return nil }
    entries.makeUnique()
    return markChecked(inGroupOf: head)
  }

  @inline(__always)
  private func markChecked(inGroupOf head: UInt32) -> UInt32? {
    if entries[Int(head)].groupNext == head {
      guard entries[Int(head)].mapError == .notChecked else { return nil }
      entries[Int(head)].mapError = .checked
      return head
    }
    let first = entries[Int(head)].firstUnchecked
    guard first != Mapping.none else { return nil }
    entries[Int(first)].mapError = .checked
    entries[Int(head)].firstUnchecked = nextUnchecked(after: first, head: head)
    return first
  }

  /// Live entries in the order of `dma-api/dump`: by bucket, then by age.
  func inDumpOrder() -> [UInt32] {
    var live: [(bucket: Int, sequence: UInt64, index: UInt32)] = []
    live.reserveCapacity(count)
    for index in entries.indices where entries[index].sequence != 0 {
      live.append((entries[index].bucket, entries[index].sequence, UInt32(index)))
    }
    live.sort { ($0.bucket, $0.sequence) < ($1.bucket, $1.sequence) }
    return live.map(\.index)
  }

  // MARK: Groups

  @inline(__always)
  private func groupHead(_ device: DeviceID, _ address: UInt64) -> UInt32? {
    groupHead(device, address, hasher.hash(address, UInt64(device.rawValue)))
  }

  @inline(__always)
  private func groupHead(_ device: DeviceID, _ address: UInt64, _ hash: UInt32) -> UInt32? {
    groups.find(hash) { index in
      entries[Int(index)].dmaAddress == address && entries[Int(index)].device == device
    }
  }

  @inline(__always)
  private func equalHash(
    _ device: DeviceID,
    _ address: UInt64,
    _ size: UInt64,
    _ type: MappingType,
    _ direction: Direction,
    _ sgCallEntries: UInt32
  ) -> UInt32 {
    let small =
      UInt64(device.rawValue) | UInt64(type.rawValue) << 32 | UInt64(direction.rawValue) << 40
    return hasher.hash(address, small ^ UInt64(sgCallEntries) << 44, size)
  }

  /// The first entry that is equal in all that a search compares.
  ///
  /// - Parameter orSingle: Look at groups of one too, which are not in the index of equal entries.
  @inline(__always)
  private func firstEqual(
    _ device: DeviceID,
    _ address: UInt64,
    _ size: UInt64,
    _ type: MappingType,
    _ direction: Direction,
    _ sgCallEntries: UInt32,
    orSingle: Bool = false
  ) -> UInt32? {
    @inline(__always)
    func matches(_ index: UInt32) -> Bool {
      entries[Int(index)].dmaAddress == address && entries[Int(index)].device == device
        && entries[Int(index)].size == size && entries[Int(index)].type == type
        && entries[Int(index)].direction == direction
        && entries[Int(index)].sgCallEntries == sgCallEntries
    }
    if orSingle {
      guard let head = groupHead(device, address) else { return nil }
      if entries[Int(head)].groupNext == head { return matches(head) ? head : nil }
    }
    return equals.find(
      equalHash(device, address, size, type, direction, sgCallEntries),
      matches
    )
  }

  private mutating func joinGroup(of head: UInt32, _ index: UInt32) {
    if entries[Int(head)].groupNext == head {
      joinEquals(head)
      let isUnchecked = entries[Int(head)].mapError == .notChecked
      entries[Int(head)].firstUnchecked = isUnchecked ? head : Mapping.none
    }
    let tail = entries[Int(head)].groupPrevious
    entries[Int(tail)].groupNext = index
    entries[Int(index)].groupPrevious = tail
    entries[Int(index)].groupNext = head
    entries[Int(head)].groupPrevious = index
    if entries[Int(head)].firstUnchecked == Mapping.none,
      entries[Int(index)].mapError == .notChecked
    {
      entries[Int(head)].firstUnchecked = index
    }
    joinEquals(index)
  }

  private mutating func leaveGroup(_ index: UInt32) {
    let (device, address) = (entries[Int(index)].device, entries[Int(index)].dmaAddress)
    let hash = hasher.hash(address, UInt64(device.rawValue))
    if entries[Int(index)].groupNext == index {
      groups.remove(hash, index)
      return
    }
    let entry = entries[Int(index)]
    leaveEquals(index)
    // A member of a group of several: its head is what the table knows.
    guard let head = groupHead(device, address, hash) else { return }
    var first = entries[Int(head)].firstUnchecked
    if first == index { first = nextUnchecked(after: index, head: head) }
    entries[Int(entry.groupPrevious)].groupNext = entry.groupNext
    entries[Int(entry.groupNext)].groupPrevious = entry.groupPrevious
    var newHead = head
    if index == head {
      newHead = entry.groupNext
      groups.replace(hash, head, with: newHead)
    }
    entries[Int(newHead)].firstUnchecked = first
    if entries[Int(newHead)].groupNext == newHead { leaveEquals(newHead) }
  }

  /// The first unchecked entry behind `index` in the list that begins with `head`.
  private func nextUnchecked(after index: UInt32, head: UInt32) -> UInt32 {
    var next = entries[Int(index)].groupNext
    while next != head {
      if entries[Int(next)].mapError == .notChecked { return next }
      next = entries[Int(next)].groupNext
    }
    return Mapping.none
  }

  private mutating func joinEquals(_ index: UInt32) {
    let entry = entries[Int(index)]
    guard
      let head = firstEqual(
        entry.device,
        entry.dmaAddress,
        entry.size,
        entry.type,
        entry.direction,
        entry.sgCallEntries
      )
    else {
      entries[Int(index)].equalNext = index
      entries[Int(index)].equalPrevious = index
      equals.insert(equalHash(of: entry), index)
      return
    }
    // Newer than all of them, but for an entry whose counts became known late.
    var tail = entries[Int(head)].equalPrevious
    while entries[Int(tail)].sequence > entry.sequence, tail != head {
      tail = entries[Int(tail)].equalPrevious
    }
    if entries[Int(tail)].sequence > entry.sequence {
      // It becomes the oldest, which is what the table knows.
      tail = entries[Int(head)].equalPrevious
      equals.replace(equalHash(of: entry), head, with: index)
    }
    let next = entries[Int(tail)].equalNext
    entries[Int(tail)].equalNext = index
    entries[Int(index)].equalPrevious = tail
    entries[Int(index)].equalNext = next
    entries[Int(next)].equalPrevious = index
  }

  private mutating func leaveEquals(_ index: UInt32) {
    let entry = entries[Int(index)]
    if entry.equalNext == index {
      equals.remove(equalHash(of: entry), index)
      return
    }
    entries[Int(entry.equalPrevious)].equalNext = entry.equalNext
    entries[Int(entry.equalNext)].equalPrevious = entry.equalPrevious
    // Only the oldest is in the table; it is the one whose neighbour behind it is younger.
    if entries[Int(entry.equalPrevious)].sequence > entry.sequence {
      equals.replace(equalHash(of: entry), index, with: entry.equalNext)
    }
  }

  @inline(__always)
  private func equalHash(of entry: Mapping) -> UInt32 {
    equalHash(
      entry.device,
      entry.dmaAddress,
      entry.size,
      entry.type,
      entry.direction,
      entry.sgCallEntries
    )
  }
}
