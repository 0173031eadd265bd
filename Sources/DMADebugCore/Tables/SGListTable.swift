// SPDX-License-Identifier: MIT

/// The scatterlists that were mapped, found by what an unmap of one shows: physical addresses.
///
/// A list outlives its mappings, because the driver's memory does: unmapping it a second time makes
/// the kernel check the same segments again. Lists without live entries are remembered up to a
/// bound, the oldest are forgotten first.
struct SGListTable: Sendable {
  /// How many ended lists are remembered.
  static let rememberedLists = 1024
  static let none = UInt32.max

  /// A list as `dma_map_sg` saw it.
  struct List: Sendable {
    var device = DeviceID.unknown
    var direction = Direction.bidirectional
    /// The tracer listed only a part of it.
    var isTruncated = false
    /// An unmap has chosen it, or all its entries are gone.
    var hasEnded = false
    var isUsed = false
    /// `nents`.
    var requested: UInt32 = 0
    /// `ents`.
    var mapped: UInt32 = 0
    /// Segments whose address and length are known.
    var listedSegments: UInt32 = 0
    /// Physical addresses that are known.
    var physicalCount: UInt32 = 0
    /// Its entries in the table.
    var liveEntries: UInt32 = 0
    /// Entries that the kernel has and the trace does not list.
    var hiddenEntries: UInt32 = 0
    /// Order of mapping, and later of ending.
    var order: UInt64 = 0
    /// Words in the arena: addresses, lengths, physical addresses.
    var words: UInt32 = 0
    var capacityClass: UInt8 = 0
    /// Circular list of those with one device and first physical address.
    var chainNext = SGListTable.none
    var chainPrevious = SGListTable.none
    /// List of the remembered, oldest first.
    var memoryNext = SGListTable.none
    var memoryPrevious = SGListTable.none
    var isRemembered = false
  }

  private var lists: [List] = []
  private var freeLists: [UInt32] = []
  private var arena: [UInt64] = []
  private var freeBlocks = [[UInt32]](repeating: [], count: 33)
  private var chains = IndexTable()
  private let hasher = KeyHasher()
  private var nextOrder: UInt64 = 1
  private var oldest = SGListTable.none
  private var newest = SGListTable.none
  private var remembered = 0

  init() {}

  subscript(index: UInt32) -> List { lists[Int(index)] }

  /// Bytes of the lists, their segments and the indexes over them.
  var storageBytes: Int {
    lists.storageBytes + freeLists.storageBytes + arena.storageBytes + freeBlocks.storageBytes
      + freeBlocks.reduce(0) { $0 + $1.storageBytes } + chains.storageBytes
  }

  /// Whether a list is still the one with this order, and not unmapped.
  func isLive(_ index: UInt32, _ order: UInt64) -> Bool {
    Int(index) < lists.count && lists[Int(index)].order == order && !lists[Int(index)].hasEnded
  }

  func segmentAddress(_ list: UInt32, _ segment: Int) -> UInt64 {
    arena[Int(lists[Int(list)].words) + segment]
  }

  func segmentLength(_ list: UInt32, _ segment: Int) -> UInt64 {
    let list = lists[Int(list)]
    return arena[Int(list.words) + Int(list.listedSegments) + segment]
  }

  /// Adds the list of a `dma_map_sg` event.
  mutating func insert(_ event: DMAEvent, _ batch: EventBatch) -> UInt32 {
    var list = List()
    list.isUsed = true
    list.device = event.device
    list.direction = event.direction
    list.isTruncated = event.flags.contains(.truncated)
    list.requested = event.requestedEntries
    list.mapped = event.mappedEntries
    list.listedSegments = min(event.segmentCount, event.mappedEntries)
    list.physicalCount = event.physicalCount
    list.order = nextOrder
    nextOrder += 1
    let segments = Int(list.listedSegments)
    let wanted = 2 * segments + Int(list.physicalCount)
    (list.words, list.capacityClass) = allocate(wanted)
    var word = Int(list.words)
    for segment in 0..<segments {
      arena[word] = batch.segmentAddress(event, segment)
      arena[word + segments] = batch.segmentLength(event, segment)
      word += 1
    }
    word += segments
    for position in 0..<Int(list.physicalCount) {
      arena[word] = batch.physicalAddress(event, position)
      word += 1
    }
    let index: UInt32
    if let free = freeLists.popLast() {
      index = free
      lists[Int(index)] = list
    } else {
      index = UInt32(lists.count)
      lists.append(list)
    }
    if list.physicalCount > 0 { joinChain(index, atEnd: false) }
    return index
  }

  /// The list that an unmap means: its event names the pages, and not the DMA addresses.
  ///
  /// Of those that begin with the same pages, a live one is preferred, then one whose count fits,
  /// then one with the same direction, then the oldest; without a live one, that which ended last.
  func find(_ event: DMAEvent, _ batch: EventBatch) -> UInt32? {
    guard event.physicalCount > 0 else { return nil }
    let first = batch.physicalAddress(event, 0)
    guard let head = chainHead(event.device, first, hash(event.device, first)) else { return nil }
    // A chain holds the live lists first, then the ended ones in the order in which they ended.
    var best: UInt32?
    var index = head
    repeat {
      if lists[Int(index)].hasEnded { break }
      if begins(lists[Int(index)], event, batch) {
        if let current = best {
          if isBetter(lists[Int(index)], than: lists[Int(current)], for: event) { best = index }
        } else {
          best = index
        }
      }
      index = lists[Int(index)].chainNext
    } while index != head
    if best != nil { return best }
    index = lists[Int(head)].chainPrevious
    while lists[Int(index)].hasEnded {
      if begins(lists[Int(index)], event, batch) { return index }
      if index == head { break }
      index = lists[Int(index)].chainPrevious
    }
    return nil
  }

  /// Which of two live lists an unmap means.
  private func isBetter(_ list: List, than other: List, for event: DMAEvent) -> Bool {
    let fits = list.requested == event.physicalCount
    if fits != (other.requested == event.physicalCount) { return fits }
    let agrees = list.direction == event.direction
    if agrees != (other.direction == event.direction) { return agrees }
    return list.order < other.order
  }

  /// Whether list and unmap name the same pages as far as both go.
  private func begins(_ list: List, _ event: DMAEvent, _ batch: EventBatch) -> Bool {
    let start = Int(list.words) + 2 * Int(list.listedSegments)
    for position in 0..<min(Int(list.physicalCount), Int(event.physicalCount))
    where arena[start + position] != batch.physicalAddress(event, position) {
      return false
    }
    return true
  }

  mutating func setEntries(_ index: UInt32, live: UInt32, hidden: UInt32) {
    lists[Int(index)].liveEntries = live
    lists[Int(index)].hiddenEntries = hidden
    if live == 0 && hidden == 0 { end(index) }
  }

  /// One of its entries has left the table.
  mutating func entryLeft(_ index: UInt32) {
    lists[Int(index)].liveEntries -= 1
    guard lists[Int(index)].liveEntries == 0 else { return }
    if lists[Int(index)].hasEnded {
      remember(index)
    } else if lists[Int(index)].hiddenEntries == 0 {
      end(index)
    }
  }

  /// An unmap has chosen it.
  ///
  /// - Returns: The hidden entries that are gone with it.
  mutating func chosen(_ index: UInt32) -> UInt32 {
    let hidden = lists[Int(index)].hiddenEntries
    lists[Int(index)].hiddenEntries = 0
    end(index)
    return hidden
  }

  private mutating func end(_ index: UInt32) {
    lists[Int(index)].hasEnded = true
    lists[Int(index)].order = nextOrder
    nextOrder += 1
    if lists[Int(index)].physicalCount > 0 {
      leaveChain(index)
      joinChain(index, atEnd: true)
      forgetDoubles(of: index)
    }
    if lists[Int(index)].liveEntries == 0 { remember(index) }
  }

  /// An earlier ended list of exactly the same pages can never be chosen again. One that ended long
  /// ago is not looked for: it will be forgotten anyway.
  private mutating func forgetDoubles(of index: UInt32) {
    let list = lists[Int(index)]
    var other = list.chainPrevious
    var patience = 8
    while other != index, patience > 0, lists[Int(other)].hasEnded {
      let candidate = lists[Int(other)]
      if candidate.isRemembered, candidate.physicalCount == list.physicalCount,
        samePages(candidate, list)
      {
        forget(other)
        return
      }
      other = candidate.chainPrevious
      patience -= 1
    }
  }

  private func samePages(_ a: List, _ b: List) -> Bool {
    let first = Int(a.words) + 2 * Int(a.listedSegments)
    let second = Int(b.words) + 2 * Int(b.listedSegments)
    for position in 0..<Int(a.physicalCount)
    where arena[first + position] != arena[second + position] {
      return false
    }
    return true
  }

  private mutating func remember(_ index: UInt32) {
    if lists[Int(index)].isRemembered {
      unlinkMemory(index)
    }
    lists[Int(index)].isRemembered = true
    lists[Int(index)].memoryPrevious = newest
    lists[Int(index)].memoryNext = Self.none
    if newest == Self.none { oldest = index } else { lists[Int(newest)].memoryNext = index }
    newest = index
    remembered += 1
    if remembered > Self.rememberedLists { forget(oldest) }
  }

  private mutating func unlinkMemory(_ index: UInt32) {
    let list = lists[Int(index)]
    if list.memoryPrevious == Self.none {
      oldest = list.memoryNext
    } else {
      lists[Int(list.memoryPrevious)].memoryNext = list.memoryNext
    }
    if list.memoryNext == Self.none {
      newest = list.memoryPrevious
    } else {
      lists[Int(list.memoryNext)].memoryPrevious = list.memoryPrevious
    }
    remembered -= 1
  }

  private mutating func forget(_ index: UInt32) {
    unlinkMemory(index)
    let list = lists[Int(index)]
    if list.physicalCount > 0 { leaveChain(index) }
    freeBlocks[Int(list.capacityClass)].append(list.words)
    lists[Int(index)] = List()
    freeLists.append(index)
  }

  // MARK: Chains

  private func hash(_ device: DeviceID, _ physicalAddress: UInt64) -> UInt32 {
    hasher.hash(physicalAddress, UInt64(device.rawValue))
  }

  private func firstPage(_ list: List) -> UInt64 {
    arena[Int(list.words) + 2 * Int(list.listedSegments)]
  }

  private func chainHead(_ device: DeviceID, _ first: UInt64, _ hash: UInt32) -> UInt32? {
    chains.find(hash) { index in
      let list = lists[Int(index)]
      return list.device == device && firstPage(list) == first
    }
  }

  /// Puts a list before the first one of its chain, or behind the last one.
  private mutating func joinChain(_ index: UInt32, atEnd: Bool) {
    let list = lists[Int(index)]
    let first = firstPage(list)
    let hash = hash(list.device, first)
    guard let head = chainHead(list.device, first, hash) else {
      lists[Int(index)].chainNext = index
      lists[Int(index)].chainPrevious = index
      chains.insert(hash, index)
      return
    }
    let tail = lists[Int(head)].chainPrevious
    lists[Int(tail)].chainNext = index
    lists[Int(index)].chainPrevious = tail
    lists[Int(index)].chainNext = head
    lists[Int(head)].chainPrevious = index
    if !atEnd { chains.replace(hash, head, with: index) }
  }

  private mutating func leaveChain(_ index: UInt32) {
    let list = lists[Int(index)]
    let first = firstPage(list)
    let hash = hash(list.device, first)
    if list.chainNext == index {
      chains.remove(hash, index)
      return
    }
    lists[Int(list.chainPrevious)].chainNext = list.chainNext
    lists[Int(list.chainNext)].chainPrevious = list.chainPrevious
    if chainHead(list.device, first, hash) == index {
      chains.replace(hash, index, with: list.chainNext)
    }
  }

  // MARK: Arena

  /// A block of at least `wanted` words, from a list of freed blocks of the same power of two.
  private mutating func allocate(_ wanted: Int) -> (UInt32, UInt8) {
    let capacityClass = wanted <= 4 ? 2 : 64 - UInt64(wanted - 1).leadingZeroBitCount
    if let block = freeBlocks[capacityClass].popLast() {
      return (block, UInt8(capacityClass))
    }
    let block = UInt32(arena.count)
    arena.append(contentsOf: repeatElement(0, count: 1 << capacityClass))
    return (block, UInt8(capacityClass))
  }
}
