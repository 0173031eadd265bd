// SPDX-License-Identifier: MIT
import DMADebugCore

/// dma-debug written down literally: 16384 lists that are walked, searches that score every match.
///
/// Slow on purpose and written from the description alone, so that disagreement with the engine
/// shows a mistake in one of them. It knows complete traces only: nothing is undecided.
public struct ReferenceEngine {
  struct Entry {
    var id: Int
    var device: DeviceID
    var address: UInt64
    var size: UInt64
    var type: String
    var direction: Direction
    var sgCall: UInt32 = 0
    var sgMapped: UInt32 = 0
    var physical: UInt64
    var error: String
    var attributes: DMAAttributes
    var list: Int?
  }

  struct List {
    var device: DeviceID
    var requested: UInt32
    var direction: Direction
    var segments: [(address: UInt64, length: UInt64)]
    var pages: [UInt64]
    var isChosen = false
    var endOrder = 0
    var order: Int
  }

  struct Reference {
    var device: DeviceID
    var address: UInt64
    var size: UInt64
    var type: String
    var direction: Direction
    var sgCall: UInt32 = 0
    var physical: UInt64 = 0
    var attributes: DMAAttributes = []
  }

  /// The direct map of random programs: pointer − this = physical address.
  public static let directMap: UInt64 = 0xffff_8880_0000_0000

  let isNew: Bool
  let requestedEntries: UInt32
  var buckets: [[Entry]] = Array(repeating: [], count: 16384)
  var cachelines: [UInt64: (overlap: Int, intended: Bool)] = [:]
  var lists: [List] = []
  var drivers: [DeviceID: String] = [:]
  var filter = ""
  var clock = 0
  var nextID = 0
  var hasWarned = false
  var isDisabled = false
  public var total: UInt32
  public var free: UInt32
  public var minimum: UInt32
  public var errors: UInt32 = 0
  public var allErrors: UInt32 = 0
  public var numErrors: UInt32 = 1
  public var log: [String] = []
  let names: [DeviceID: String]

  public init(isNew: Bool, entries: UInt32, names: [DeviceID: String]) {
    self.isNew = isNew
    requestedEntries = entries
    total = (entries + 31) / 32 * 32
    free = total
    minimum = total
    self.names = names
  }

  // MARK: Output

  private func driver(_ device: DeviceID) -> String { drivers[device] ?? "pci" }

  private static func hex16(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
  }

  public var dump: [String] {
    var lines: [String] = []
    for (index, bucket) in buckets.enumerated() {
      for entry in bucket {
        var line =
          "\(driver(entry.device)) \(names[entry.device]!) \(entry.type) idx \(index)"
          + " P=\(Self.hex16(entry.physical)) D=\(String(entry.address, radix: 16))"
          + " L=\(String(entry.size, radix: 16)) cln=\(Self.hex16(entry.physical >> 6))"
          + " \(entry.direction.kernelName) dma map error \(entry.error)"
        if isNew { line += " attrs=0x\(String(entry.attributes.rawValue, radix: 16))" }
        lines.append(line)
      }
    }
    return lines
  }

  private mutating func complain(_ device: DeviceID, _ text: String) {
    errors += 1
    let passes = filter.isEmpty || drivers[device] == filter
    if passes, allErrors != 0 || numErrors > 0 {
      log.append("DMA-API: \(driver(device)) \(names[device]!): \(text)")
    }
    if allErrors == 0, numErrors > 0 { numErrors -= 1 }
  }

  // MARK: Lists

  private func bucketIndex(_ address: UInt64) -> Int { Int(address >> 13 & 16383) }

  private func score(_ entry: Entry, _ reference: Reference) -> Int {
    (entry.size == reference.size ? 1 : 0) + (entry.type == reference.type ? 1 : 0)
      + (entry.direction == reference.direction ? 1 : 0)
      + (entry.sgCall == reference.sgCall ? 1 : 0)
  }

  private func search(_ bucket: Int, _ reference: Reference, _ matches: (Entry) -> Bool) -> Int? {
    var found: [Int] = []
    for (position, entry) in buckets[bucket].enumerated() where matches(entry) {
      if score(entry, reference) == 4 { return position }
      found.append(position)
    }
    return found.count == 1 ? found[0] : nil
  }

  private func findExact(_ reference: Reference) -> (bucket: Int, position: Int)? {
    let bucket = bucketIndex(reference.address)
    return search(bucket, reference) {
      $0.device == reference.device && $0.address == reference.address
    }.map { (bucket, $0) }
  }

  private func findContaining(_ reference: Reference) -> (bucket: Int, position: Int)? {
    let steps = min(16384, (reference.address >> 13) + 1)
    var address = reference.address
    for _ in 0..<steps {
      let bucket = bucketIndex(address)
      if let position = search(
        bucket,
        reference,
        {
          $0.device == reference.device && $0.address <= reference.address
            && $0.address &+ $0.size >= reference.address &+ reference.size
        }
      ) {
        return (bucket, position)
      }
      address = address &- 8192
    }
    return nil
  }

  private mutating func mappingError(_ device: DeviceID, _ address: UInt64) {
    let bucket = bucketIndex(address)
    for position in buckets[bucket].indices {
      let entry = buckets[bucket][position]
      if entry.device == device, entry.address == address, entry.error == "not checked" {
        buckets[bucket][position].error = "checked"
        return
      }
    }
  }

  // MARK: Adding

  private mutating func add(_ entry: Entry) -> Bool {
    if isDisabled { return false }
    if free == 0 {
      free += 32
      total += 32
      if total % requestedEntries < 32 {
        log.append(
          "DMA-API: dma_debug_entry pool grown to \(total) (\(total / requestedEntries)00%)"
        )
      }
    }
    free -= 1
    minimum = min(minimum, free)
    var entry = entry
    entry.id = nextID
    nextID += 1
    buckets[bucketIndex(entry.address)].append(entry)
    guard entry.direction != .toDevice else { return true }
    let line = entry.physical >> 6
    let intended =
      isNew && !entry.attributes.isDisjoint(with: [.ignoreCachelines, .requireCoherent])
    guard let first = cachelines[line] else {
      cachelines[line] = (0, intended)
      return true
    }
    if first.overlap == 7 {
      if !hasWarned, !intended {
        hasWarned = true
        log.append(
          "DMA-API: exceeded 7 overlapping mappings of cacheline \(Self.hex16(line))"
        )
      }
    } else {
      cachelines[line]!.overlap += 1
    }
    if !isNew, !entry.attributes.contains(.skipCPUSync) {
      complain(
        entry.device,
        "cacheline tracking EEXIST, overlapping mappings aren't supported"
      )
    }
    return true
  }

  private mutating func remove(_ bucket: Int, _ position: Int) {
    let entry = buckets[bucket].remove(at: position)
    if entry.direction != .toDevice {
      let line = entry.physical >> 6
      if let first = cachelines[line] {
        if first.overlap == 0 {
          cachelines[line] = nil
        } else {
          cachelines[line]!.overlap -= 1
        }
      }
    }
    free += 1
    if let list = entry.list, !lists[list].isChosen, !hasEntries(list) {
      clock += 1
      lists[list].endOrder = clock
    }
  }

  private func hasEntries(_ list: Int) -> Bool {
    buckets.contains { $0.contains { $0.list == list } }
  }

  // MARK: Freeing

  private mutating func checkUnmap(_ reference: Reference) {
    let at = Self.hex16(reference.address)
    guard let (bucket, position) = findExact(reference) else {
      mappingError(reference.device, reference.address)
      if reference.address == .max {
        complain(
          reference.device,
          "device driver tries to free an invalid DMA memory address"
        )
      } else {
        complain(
          reference.device,
          "device driver tries to free DMA memory it has not allocated [device address=\(at)]"
            + " [size=\(reference.size) bytes]"
        )
      }
      return
    }
    let entry = buckets[bucket][position]
    let head = "device driver frees DMA memory with"
    let place = "[device address=\(at)] [size=\(reference.size) bytes]"
    if entry.size != reference.size {
      complain(
        reference.device,
        "\(head) different size [device address=\(at)] [map size=\(entry.size) bytes]"
          + " [unmap size=\(reference.size) bytes]"
      )
    }
    if entry.type != reference.type {
      complain(
        reference.device,
        "\(head) wrong function \(place) [mapped as \(entry.type)] [unmapped as \(reference.type)]"
      )
    } else if entry.type == "coherent" || entry.type == "noncoherent" {
      if entry.physical != reference.physical {
        complain(
          reference.device,
          "\(head) different CPU address \(place)"
            + " [cpu alloc address=0x\(Self.hex16(entry.physical))]"
            + " [cpu free address=0x\(Self.hex16(reference.physical))]"
        )
      }
    }
    if reference.type == "scatter-gather", reference.sgCall != 0,
      reference.sgCall != entry.sgCall
    {
      complain(
        reference.device,
        "device driver frees DMA sg list with different entry count"
          + " [map count=\(entry.sgCall)] [unmap count=\(reference.sgCall)]"
      )
    }
    if entry.direction != reference.direction {
      complain(
        reference.device,
        "\(head) different direction \(place) [mapped with \(entry.direction.kernelName)]"
          + " [unmapped with \(reference.direction.kernelName)]"
      )
    }
    if entry.error == "not checked" {
      complain(
        reference.device,
        "device driver failed to check map error\(place) [mapped as \(entry.type)]"
      )
    }
    let compared: DMAAttributes = [
      .noKernelMapping, .forceContiguous, .mmio, .requireCoherent, .privileged, .ccShared,
    ]
    if isNew,
      entry.attributes.intersection(compared) != reference.attributes.intersection(compared)
    {
      complain(
        reference.device,
        "\(head) different attributes \(place)"
          + " [mapped with 0x\(String(entry.attributes.rawValue, radix: 16))]"
          + " [unmapped with 0x\(String(reference.attributes.rawValue, radix: 16))]"
      )
    }
    remove(bucket, position)
  }

  private mutating func unmapSG(_ event: DMAEvent, _ batch: EventBatch) {
    let count = Int(event.physicalCount)
    let pages = (0..<count).map { batch.physicalAddress(event, $0) }
    guard count > 0 else { return }
    let candidates = lists.indices.filter { index in
      let list = lists[index]
      let common = min(count, list.pages.count)
      return list.device == event.device && list.pages.first == pages.first
        && list.pages.prefix(common).elementsEqual(pages.prefix(common))
    }
    let live = candidates.filter { !lists[$0].isChosen && hasEntries($0) }
    func rank(_ index: Int) -> (Int, Int, Int) {
      (
        Int(lists[index].requested) == count ? 0 : 1,
        lists[index].direction == event.direction ? 0 : 1, lists[index].order
      )
    }
    let chosen =
      live.min { rank($0) < rank($1) }
      ?? candidates.max { lists[$0].endOrder < lists[$1].endOrder }
    guard let chosen else { return }
    let segments = lists[chosen].segments
    var mapped: UInt32 = 0
    for segment in 0..<count {
      if mapped != 0, segment >= Int(mapped) { break }
      let known = segment < segments.count
      let reference = Reference(
        device: event.device,
        address: known ? segments[segment].address : .max,
        size: known ? segments[segment].length : 0,
        type: "scatter-gather",
        direction: event.direction,
        sgCall: UInt32(count),
        attributes: event.attributes
      )
      if segment == 0 {
        mapped = findExact(reference).map { buckets[$0.bucket][$0.position].sgMapped } ?? 0
      }
      checkUnmap(reference)
    }
    clock += 1
    lists[chosen].isChosen = true
    lists[chosen].endOrder = clock
  }

  // MARK: Syncing

  private mutating func checkSync(_ reference: Reference, forCPU: Bool) {
    guard let (bucket, position) = findContaining(reference) else {
      complain(
        reference.device,
        "device driver tries to sync DMA memory it has not allocated"
          + " [device address=\(Self.hex16(reference.address))] [size=\(reference.size) bytes]"
      )
      return
    }
    let entry = buckets[bucket][position]
    if reference.size > entry.size {
      complain(
        reference.device,
        "device driver syncs DMA memory outside allocated range"
          + " [device address=\(Self.hex16(entry.address))] [allocation size=\(entry.size) bytes]"
          + " [sync offset+size=\(reference.size)]"
      )
    }
    if entry.direction == .bidirectional { return }
    let tail =
      " [device address=\(Self.hex16(reference.address))] [size=\(entry.size) bytes]"
      + " [mapped with \(entry.direction.kernelName)] [synced with \(reference.direction.kernelName)]"
    if reference.direction != entry.direction {
      complain(
        reference.device,
        "device driver syncs DMA memory with different direction" + tail
      )
    }
    if forCPU, entry.direction != .fromDevice, reference.direction != .toDevice {
      complain(
        reference.device,
        "device driver syncs device read-only DMA memory for cpu" + tail
      )
    }
    if !forCPU, entry.direction != .toDevice, reference.direction != .fromDevice {
      complain(
        reference.device,
        "device driver syncs device write-only DMA memory to device" + tail
      )
    }
    if reference.type == "scatter-gather", reference.sgCall != 0,
      reference.sgCall != entry.sgCall
    {
      complain(
        reference.device,
        "device driver syncs DMA sg list with different entry count"
          + " [map count=\(entry.sgCall)] [sync count=\(reference.sgCall)]"
      )
    }
  }

  // MARK: Events

  public mutating func apply(_ event: DMAEvent, in batch: EventBatch, driverName: String?) {
    switch event.kind {
    case .mapPage, .mapResource, .mapPhys:
      let isResource = event.kind == .mapResource || event.attributes.contains(.mmio)
      if event.dmaAddress == .max, isNew || !isResource { return }
      if isNew || !isResource { mappingError(event.device, event.dmaAddress) }
      _ = add(
        Entry(
          id: 0,
          device: event.device,
          address: event.dmaAddress,
          size: event.size,
          type: isNew ? "phy" : isResource ? "resource" : "single",
          direction: event.direction,
          physical: event.address,
          error: "not checked",
          attributes: event.attributes
        )
      )
    case .unmapPage, .unmapResource, .unmapPhys:
      let isResource = event.kind == .unmapResource || event.attributes.contains(.mmio)
      checkUnmap(
        Reference(
          device: event.device,
          address: event.dmaAddress,
          size: event.size,
          type: isNew ? "phy" : isResource ? "resource" : "single",
          direction: event.direction,
          attributes: event.attributes
        )
      )
    case .mapSG:
      let segments = (0..<Int(event.segmentCount)).map {
        (address: batch.segmentAddress(event, $0), length: batch.segmentLength(event, $0))
      }
      let pages = (0..<Int(event.physicalCount)).map { batch.physicalAddress(event, $0) }
      clock += 1
      lists.append(
        List(
          device: event.device,
          requested: event.requestedEntries,
          direction: event.direction,
          segments: segments,
          pages: pages,
          order: clock
        )
      )
      for (index, segment) in segments.enumerated() {
        _ = add(
          Entry(
            id: 0,
            device: event.device,
            address: segment.address,
            size: segment.length,
            type: "scatter-gather",
            direction: event.direction,
            sgCall: event.requestedEntries,
            sgMapped: event.mappedEntries,
            physical: pages[index],
            error: "check not applicable",
            attributes: event.attributes,
            list: lists.count - 1
          )
        )
      }
    case .unmapSG: unmapSG(event, batch)
    case .alloc, .allocPages:
      guard event.address != 0 else { return }
      let isCoherent = event.kind == .alloc
      _ = add(
        Entry(
          id: 0,
          device: event.device,
          address: event.dmaAddress,
          size: event.size,
          type: isCoherent ? "coherent" : "noncoherent",
          direction: isCoherent ? .bidirectional : event.direction,
          physical: event.address - Self.directMap,
          error: "check not applicable",
          attributes: event.attributes
        )
      )
    case .free, .freePages:
      guard event.address != 0 else { return }
      let isCoherent = event.kind == .free
      checkUnmap(
        Reference(
          device: event.device,
          address: event.dmaAddress,
          size: event.size,
          type: isCoherent ? "coherent" : "noncoherent",
          direction: isCoherent ? .bidirectional : event.direction,
          physical: event.address - Self.directMap,
          attributes: event.attributes
        )
      )
    case .allocSGTable:
      _ = add(
        Entry(
          id: 0,
          device: event.device,
          address: event.dmaAddress,
          size: (event.size + 4095) / 4096 * 4096,
          type: "scatter-gather",
          direction: event.direction,
          sgCall: event.physicalCount,
          sgMapped: 1,
          physical: batch.physicalAddress(event, 0),
          error: "check not applicable",
          attributes: event.attributes
        )
      )
    case .freeSGTable:
      var reference = Reference(
        device: event.device,
        address: event.dmaAddress,
        size: (event.size + 4095) / 4096 * 4096,
        type: "scatter-gather",
        direction: event.direction,
        sgCall: event.physicalCount,
        attributes: event.attributes
      )
      let mapped = findExact(reference).map { buckets[$0.bucket][$0.position].sgMapped } ?? 0
      checkUnmap(reference)
      reference.address = .max
      reference.size = 0
      for segment in 1..<max(event.physicalCount, 1) {
        if mapped != 0, segment >= mapped { break }
        checkUnmap(reference)
      }
    case .syncSingleForCPU, .syncSingleForDevice:
      checkSync(
        Reference(
          device: event.device,
          address: event.dmaAddress,
          size: event.size,
          type: "single",
          direction: event.direction
        ),
        forCPU: event.kind == .syncSingleForCPU
      )
    case .syncSGForCPU, .syncSGForDevice:
      var mapped: UInt32 = 0
      for segment in 0..<Int(event.segmentCount) {
        let reference = Reference(
          device: event.device,
          address: batch.segmentAddress(event, segment),
          size: batch.segmentLength(event, segment),
          type: "scatter-gather",
          direction: event.direction,
          sgCall: event.segmentCount
        )
        if segment == 0 {
          mapped = findExact(reference).map { buckets[$0.bucket][$0.position].sgMapped } ?? 0
        }
        if segment >= Int(mapped) { break }
        checkSync(reference, forCPU: event.kind == .syncSGForCPU)
      }
    case .mappingError:
      if event.caller == .driver { mappingError(event.device, event.dmaAddress) }
    case .driverProbe: drivers[event.device] = driverName
    case .busNotify where event.address == 6: unbound(event.device)
    case .marker: write(String(decoding: batch.markerText(event), as: UTF8.self))
    default: break
    }
  }

  private mutating func unbound(_ device: DeviceID) {
    drivers[device] = nil
    var count = 0
    var last: Entry?
    for bucket in buckets {
      for entry in bucket where entry.device == device {
        count += 1
        last = entry
      }
    }
    guard let last else { return }
    complain(
      device,
      "device driver has pending DMA allocations while released from device [count=\(count)]\n"
        + "One of leaked entries details: [device address=\(Self.hex16(last.address))]"
        + " [size=\(last.size) bytes] [mapped with \(last.direction.kernelName)]"
        + " [mapped as \(last.type)]"
    )
  }

  private mutating func write(_ marker: String) {
    let words = marker.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
    guard words.count == 4, words[0] == "dma-api:", words[1] == "write" else { return }
    switch words[2] {
    case "all_errors": allErrors = UInt32(words[3])!
    case "num_errors": numErrors = UInt32(words[3])!
    default:
      if words[3].first.map({ $0.isLetter || $0.isNumber }) ?? false {
        filter = String(words[3].prefix { $0 != " " })
        log.append("DMA-API: enable driver filter for driver [\(filter)]")
      } else if !filter.isEmpty {
        filter = ""
        log.append("DMA-API: switching off dma-debug driver filter")
      }
    }
  }
}
