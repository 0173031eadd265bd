// SPDX-License-Identifier: MIT
import DMADebugCore

/// Random numbers that are the same in every run.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) {
    state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}

/// Programs of the DMA-API made at random, right and wrong, with addresses that collide on purpose.
public struct RandomProgram {
  private static let directions: [Direction] = [.toDevice, .fromDevice, .bidirectional]

  private var random: SeededGenerator
  private let isNew: Bool
  /// How many mappings the program tries to keep alive.
  private let target: Int
  public let devices: [DeviceID]
  public let driverNames: [DriverID: String]
  public private(set) var batch = EventBatch()
  public private(set) var names = TraceNames()

  /// What was mapped and not yet freed, as the program remembers it.
  private struct Mapped {
    var event: DMAEvent
    var addresses: [UInt64]
    var lengths: [UInt64]
    var pages: [UInt64]
  }
  private var mapped: [Mapped] = []
  private var freed: [Mapped] = []

  public init(seed: UInt64, isNew: Bool, target: Int) {
    random = SeededGenerator(seed: seed)
    self.isNew = isNew
    self.target = target
    var names = TraceNames()
    devices = (3...6).map { DeviceID(rawValue: names.devices.intern("0000:00:0\($0).0")) }
    var drivers: [DriverID: String] = [:]
    for name in ["alpha", "beta", "gamma"] {
      drivers[DriverID(rawValue: names.drivers.intern(name))] = name
    }
    driverNames = drivers
    self.names = names
  }

  public var deviceNames: [DeviceID: String] {
    Dictionary(uniqueKeysWithValues: devices.map { ($0, names.devices.string($0.rawValue)) })
  }

  private mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }
  private mutating func chance(_ one: Int) -> Bool { below(one) == 0 }
  private mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }

  /// Few addresses, many of which share a bucket, a page or a cacheline.
  private mutating func address() -> UInt64 {
    let lap = UInt64(below(4)) << 27
    switch below(10) {
    case 0: return UInt64.max - UInt64(below(3)) * 4096 - UInt64(below(2)) * 64
    case 1: return UInt64(below(4)) * 4096
    case 2...4: return lap + 0x10_0000 + UInt64(below(8)) * 64
    case 5...6: return lap + 0x10_0000 + UInt64(below(16)) * 4096
    default: return lap + UInt64(below(64)) * 8192 + UInt64(below(2)) * 64
    }
  }

  private mutating func size() -> UInt64 {
    switch below(12) {
    case 0: return 0
    case 1: return UInt64(1) << UInt64(20 + below(9))
    case 2: return (1 << 27) + UInt64(below(3)) * 4096
    case 3: return UInt64(below(5)) * 8192 + 1
    case 4...6: return 4096
    default: return UInt64(1 + below(8)) * 64
    }
  }

  private mutating func attributes() -> DMAAttributes {
    switch below(8) {
    case 0: return .skipCPUSync
    case 1: return .weakOrdering
    case 2: return isNew ? .requireCoherent : .noWarn
    case 3: return isNew ? .ignoreCachelines : .forceContiguous
    case 4: return .privileged
    default: return []
    }
  }

  private mutating func physical() -> UInt64 {
    chance(3) ? UInt64(below(6)) * 64 + 0x4000_0000 : UInt64(below(1 << 20)) << 12
  }

  private mutating func new(_ kind: DMAEvent.Kind) -> DMAEvent {
    var event = DMAEvent(kind)
    event.device = pick(devices)
    event.direction = pick(Self.directions)
    return event
  }

  private mutating func put(_ event: DMAEvent) {
    batch.events.append(event)
  }

  private mutating func put(
    _ event: DMAEvent,
    _ addresses: [UInt64],
    _ lengths: [UInt64],
    _ pages: [UInt64]
  ) {
    var event = event
    event.payload = UInt32(batch.payload.count)
    event.segmentCount = UInt32(addresses.count)
    event.physicalCount = UInt32(pages.count)
    batch.payload += addresses + lengths + pages
    batch.events.append(event)
  }

  private mutating func marker(_ text: String) {
    var event = DMAEvent(.marker)
    event.payload = UInt32(batch.text.count)
    event.segmentCount = UInt32(text.utf8.count)
    batch.text += Array(text.utf8)
    batch.events.append(event)
  }

  /// Teaches the engine the direct map, which it needs for the pointers of allocations.
  public mutating func teachDirectMap() {
    var map = DMAEvent(isNew ? .mapPhys : .mapPage)
    map.device = devices[0]
    map.direction = .toDevice
    map.dmaAddress = 0x7000_0000
    map.address = 0x7000_0000
    map.size = 64
    put(map)
    var check = DMAEvent(.mappingError)
    check.caller = .driver
    check.device = devices[0]
    check.dmaAddress = map.dmaAddress
    put(check)
    var alloc = DMAEvent(.alloc)
    alloc.device = devices[0]
    alloc.dmaAddress = 0x7100_0000
    alloc.address = 0x7100_0000 + ReferenceEngine.directMap
    alloc.size = 4096
    put(alloc)
  }

  /// Appends about `count` random calls.
  public mutating func extend(by count: Int) {
    for _ in 0..<count { step() }
  }

  private mutating func step() {
    switch below(100) {
    case 0..<30: if mapped.count < target { map() } else { free(pickMapped()) }
    case 30..<52: mapped.isEmpty ? map() : free(pickMapped())
    case 52..<60: check()
    case 60..<80: sync()
    case 80..<86: if !freed.isEmpty { free(pick(freed), isSecond: true) }
    case 86..<92: freeUnknown()
    case 92..<95: bind()
    case 95..<97: write()
    default: map()
    }
  }

  private mutating func pickMapped() -> Mapped {
    mapped.remove(at: below(mapped.count))
  }

  private mutating func map() {
    switch below(10) {
    case 0..<5: mapSingle()
    case 5..<8: mapSG()
    case 8: allocate()
    default: allocateTable()
    }
  }

  private mutating func mapSingle() {
    let isResource = chance(6)
    var event = new(isNew ? .mapPhys : isResource ? .mapResource : .mapPage)
    event.dmaAddress = chance(40) ? .max : address()
    event.size = size()
    event.address = physical()
    event.attributes = attributes()
    if isResource, isNew { event.attributes.insert(.mmio) }
    put(event)
    guard event.dmaAddress != .max else { return }
    mapped.append(Mapped(event: event, addresses: [], lengths: [], pages: []))
    if !chance(5) { check(event) }
  }

  private mutating func check(_ mapped: DMAEvent) {
    var event = DMAEvent(.mappingError)
    event.caller = .driver
    event.device = mapped.device
    event.dmaAddress = mapped.dmaAddress
    put(event)
  }

  private mutating func check() {
    if let one = mapped.randomElement(using: &random) { check(one.event) }
  }

  private mutating func mapSG() {
    var event = new(.mapSG)
    let requested = 1 + below(4)
    let produced = chance(3) ? 1 + below(requested) : requested
    event.requestedEntries = UInt32(requested)
    event.mappedEntries = UInt32(produced)
    event.attributes = attributes()
    let addresses = (0..<produced).map { _ in address() }
    let lengths = (0..<produced).map { _ in size() }
    // Few first pages, so that lists share them.
    let first = UInt64(below(6)) << 12 + 0x5000_0000
    let pages = (0..<requested).map { first + UInt64($0) * 4096 * UInt64(1 + below(2)) }
    put(event, addresses, lengths, pages)
    mapped.append(Mapped(event: event, addresses: addresses, lengths: lengths, pages: pages))
  }

  private mutating func allocate() {
    var event = new(chance(2) ? .alloc : .allocPages)
    event.dmaAddress = address()
    event.size = size()
    event.address =
      chance(20) ? 0 : UInt64(below(64)) << 12 + 0x2000_0000 + ReferenceEngine.directMap
    event.attributes = attributes()
    put(event)
    if event.address != 0 {
      mapped.append(Mapped(event: event, addresses: [], lengths: [], pages: []))
    }
  }

  private mutating func allocateTable() {
    var event = new(.allocSGTable)
    event.dmaAddress = address()
    event.size = min(size(), 1 << 30) + 1
    let pages = (0..<(1 + below(3))).map { _ in UInt64(below(1 << 16)) << 12 }
    put(event, [], [], pages)
    mapped.append(Mapped(event: event, addresses: [], lengths: [], pages: pages))
  }

  /// Frees something, now and then wrongly.
  private mutating func free(_ one: Mapped, isSecond: Bool = false) {
    if !isSecond {
      freed.append(one)
      if freed.count > 8 { freed.removeFirst() }
    }
    let isWrong = chance(4)
    var event = one.event
    switch one.event.kind {
    case .mapSG:
      event.kind = .unmapSG
      var pages = one.pages
      if isWrong {
        switch below(4) {
        case 0: pages = Array(pages.prefix(1 + below(pages.count)))
        case 1: pages.append(0x6000_0000)
        case 2: event.direction = pick(Self.directions)
        default: event.attributes = attributes()
        }
      }
      event.requestedEntries = 0
      event.mappedEntries = 0
      put(event, [], [], pages)
      return
    case .allocSGTable:
      event.kind = .freeSGTable
      put(event, [], [], one.pages)
      return
    case .alloc: event.kind = .free
    case .allocPages: event.kind = .freePages
    case .mapResource: event.kind = .unmapResource
    case .mapPage: event.kind = .unmapPage
    default: event.kind = .unmapPhys
    }
    let isMemory = event.kind == .free || event.kind == .freePages
    if !isMemory { event.address = 0 }
    if isWrong {
      switch below(6) {
      case 0: event.size &+= 64
      case 1: event.direction = pick(Self.directions)
      case 2: event.attributes = attributes()
      case 3: event.device = pick(devices)
      case 4 where isMemory: event.address += 4096
      case 5 where !isMemory:
        event.kind = isNew ? .unmapPhys : chance(2) ? .unmapResource : .unmapPage
      default: event.dmaAddress &+= 64
      }
    }
    put(event)
  }

  private mutating func freeUnknown() {
    var event = new(isNew ? .unmapPhys : .unmapPage)
    event.dmaAddress = chance(4) ? .max : address()
    event.size = size()
    put(event)
  }

  private mutating func sync() {
    let one = mapped.randomElement(using: &random)
    if let one, one.event.kind == .mapSG, chance(2) {
      var event = one.event
      event.kind = chance(2) ? .syncSGForCPU : .syncSGForDevice
      if chance(4) { event.direction = pick(Self.directions) }
      let count = chance(4) ? 1 + below(one.addresses.count) : one.addresses.count
      event.requestedEntries = 0
      put(event, Array(one.addresses.prefix(count)), Array(one.lengths.prefix(count)), [])
      return
    }
    var event = new(chance(2) ? .syncSingleForCPU : .syncSingleForDevice)
    event.dmaAddress = address()
    event.size = size()
    if let one, !chance(5) {
      event.device = one.event.device
      event.direction = chance(3) ? event.direction : one.event.direction
      event.dmaAddress = one.addresses.first ?? one.event.dmaAddress
      event.size = one.lengths.first ?? one.event.size
      switch below(6) {
      case 0: event.dmaAddress &+= 64
      case 1: event.size = event.size / 2
      case 2: event.dmaAddress &+= event.size
      case 3: event.size = .max - UInt64(below(4096))
      default: break
      }
    }
    put(event)
  }

  private mutating func bind() {
    var event = DMAEvent(chance(2) ? .driverProbe : .busNotify)
    event.device = pick(devices)
    event.driver = pick(driverNames.keys.sorted { $0.rawValue < $1.rawValue })
    event.address = 6
    put(event)
  }

  private mutating func write() {
    switch below(4) {
    case 0: marker("dma-api: write all_errors \(below(2))")
    case 1: marker("dma-api: write num_errors \(below(5))")
    case 2: marker("dma-api: write driver_filter \(pick(["alpha", "beta rest", "delta"]))")
    default: marker("dma-api: write driver_filter  ")
    }
  }
}
