// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMATrace

/// A replay as TrackEvents of Perfetto.
///
/// Each device is a process with these tracks: `mappings`, where every mapping is a slice (as many
/// tracks of that name as there were mappings at once, the lowest free one is taken), `unmaps`, where
/// the flows of the slices end, `errors`, and counters of live bytes and mappings. Beside the devices
/// stand the counters of all together, and the markers. The same trace gives the same bytes.
package struct PerfettoExport {
  // MARK: Field numbers

  private enum Packet {
    static let inTrace: UInt64 = 1
    static let timestamp: UInt64 = 8
    static let sequence: UInt64 = 10
    static let event: UInt64 = 11
    static let interned: UInt64 = 12
    static let flags: UInt64 = 13
    static let descriptor: UInt64 = 60
  }

  private enum Event {
    static let categories: UInt64 = 3
    static let annotations: UInt64 = 4
    static let type: UInt64 = 9
    static let nameID: UInt64 = 10
    static let track: UInt64 = 11
    static let name: UInt64 = 23
    static let counterValue: UInt64 = 30
    static let flows: UInt64 = 47
    static let endingFlows: UInt64 = 48
  }

  private enum EventType: UInt64 {
    case begin = 1
    case end = 2
    case instant = 3
    case counter = 4
  }

  private enum Unit: UInt64 {
    case count = 2
    case bytes = 3
  }

  /// Tables of interned texts, by their field in InternedData.
  private enum Table: UInt64 {
    case categories = 1
    case eventNames = 2
    case annotationNames = 3
    case strings = 29
  }

  /// Arguments of slices and instants; a raw value is the number of its interned name.
  package enum Argument: UInt64, CaseIterable {
    case dmaAddress = 1
    case size, direction, type, attributes, physicalAddress, cpuAddress, mapSite, driver, task, pid
    case cpu, event, mapError, unmapSite, unmapTask, unmapPID, unmapCPU, unmapEvent, rule, count

    var name: String {
      switch self {
      case .dmaAddress: "dma_addr"
      case .size: "size"
      case .direction: "dir"
      case .type: "type"
      case .attributes: "attrs"
      case .physicalAddress: "phys_addr"
      case .cpuAddress: "cpu_addr"
      case .mapSite: "map_site"
      case .driver: "driver"
      case .task: "task"
      case .pid: "pid"
      case .cpu: "cpu"
      case .event: "event"
      case .mapError: "map_error"
      case .unmapSite: "unmap_site"
      case .unmapTask: "unmap_task"
      case .unmapPID: "unmap_pid"
      case .unmapCPU: "unmap_cpu"
      case .unmapEvent: "unmap_event"
      case .rule: "rule"
      case .count: "count"
      }
    }
  }

  // MARK: State

  private struct Track {
    var process: UInt64 = 0
    var unmaps: UInt64 = 0
    var errors: UInt64 = 0
    var bytesCounter: UInt64 = 0
    var liveCounter: UInt64 = 0
    var lanes: [UInt64] = []
    var freeLanes = LaneHeap()
    var live: UInt64 = 0
    var bytes: UInt64 = 0
  }

  private struct Live {
    var lane: UInt32
    var flow: UInt64
  }

  private var output = ProtobufBuffer()
  private var packet = ProtobufBuffer()
  private var event = ProtobufBuffer()
  private var annotation = ProtobufBuffer()
  /// By device number.
  private var tracks: [Track?] = []
  /// By slot of the mapping table.
  private var live: [Live] = []
  private var trackCount: UInt64 = 0
  private var total = Track()
  private var markers: UInt64 = 0
  private var mappings: UInt64 = 0
  private var time: UInt64 = 0
  /// What a saved dump says was there before: its slices begin with the trace.
  private var adopted: [MappingChange] = []
  private let generation: KernelGeneration

  // Numbers of interned strings by what they stand for, 0 for none yet.
  private var stringCount: UInt64 = 0
  private var taskStrings: [UInt64] = []
  private var driverStrings: [UInt64] = []
  private var symbolStrings: [UInt64] = []
  private var siteStrings: [UInt64?] = []
  private var flagStrings: [UInt32: UInt64] = [:]
  private var wordStrings: [String: UInt64] = [:]
  private var eventNames: [UInt64]

  /// Bytes since the last ``flush(to:)``.
  package var count: Int { output.count }

  /// - Parameter replay: has not begun.
  package init(_ replay: inout Replay) {
    generation = replay.engine.configuration.generation
    eventNames = []
    replay.collect([.reports, .changes])
    adopted = replay.output.changes
    // The first packet begins the state that all later ones lean on.
    packet.field(Packet.sequence, 1)
    packet.field(Packet.flags, 1)
    var data = ProtobufBuffer()
    func entry(_ table: Table, _ number: UInt64, _ text: String) {
      var entry = ProtobufBuffer()
      entry.field(1, number)
      entry.field(2, text)
      data.field(table.rawValue, message: entry)
    }
    entry(.categories, 1, "dma")
    for type in MappingType.allCases {
      entry(.eventNames, UInt64(type.rawValue) + 1, type.kernelName.description)
    }
    for kind in DMAEvent.Kind.allCases {
      entry(.eventNames, Self.name(kind), kind.name)
    }
    for argument in Argument.allCases {
      entry(.annotationNames, argument.rawValue, argument.name)
    }
    packet.field(Packet.interned, message: data)
    endPacket()
    total.bytesCounter = addCounter("live DMA bytes", parent: 0, .bytes)
    total.liveCounter = addCounter("live DMA mappings", parent: 0, .count)
  }

  private static func name(_ kind: DMAEvent.Kind) -> UInt64 { 16 + UInt64(kind.rawValue) }

  /// Writes what there is.
  package mutating func flush(to file: OutputFile) throws {
    try file.write(output.bytes)
    output.removeAll()
  }

  // MARK: Packets

  private mutating func endPacket() {
    output.field(Packet.inTrace, message: packet)
    packet.removeAll()
  }

  private mutating func beginEvent(_ type: EventType, on track: UInt64) {
    event.removeAll()
    event.field(Event.type, type.rawValue)
    event.field(Event.track, track)
  }

  private mutating func endEvent() {
    packet.field(Packet.timestamp, time)
    packet.field(Packet.sequence, 1)
    packet.field(Packet.flags, 2)
    packet.field(Packet.event, message: event)
    endPacket()
  }

  private mutating func argument(_ argument: Argument, _ field: UInt64, _ value: UInt64) {
    annotation.removeAll()
    annotation.field(1, argument.rawValue)
    annotation.field(field, value)
    event.field(Event.annotations, message: annotation)
  }

  private mutating func number(_ name: Argument, _ value: UInt64) {
    argument(name, 3, value)
  }

  private mutating func pointer(_ name: Argument, _ value: UInt64) {
    argument(name, 7, value)
  }

  private mutating func string(_ name: Argument, _ number: UInt64) {
    if number != 0 { argument(name, 17, number) }
  }

  private mutating func addTrack(_ body: (inout ProtobufBuffer) -> Void) -> UInt64 {
    trackCount += 1
    var descriptor = ProtobufBuffer()
    descriptor.field(1, trackCount)
    body(&descriptor)
    packet.field(Packet.sequence, 1)
    packet.field(Packet.descriptor, message: descriptor)
    endPacket()
    return trackCount
  }

  private mutating func addTrack(_ name: String, parent: UInt64) -> UInt64 {
    addTrack { descriptor in
      descriptor.field(2, name)
      if parent != 0 { descriptor.field(5, parent) }
    }
  }

  private mutating func addCounter(_ name: String, parent: UInt64, _ unit: Unit) -> UInt64 {
    addTrack { descriptor in
      descriptor.field(2, name)
      if parent != 0 { descriptor.field(5, parent) }
      var counter = ProtobufBuffer()
      counter.field(3, unit.rawValue)
      descriptor.field(8, message: counter)
    }
  }

  // MARK: Texts

  private mutating func intern(_ text: String) -> UInt64 {
    stringCount += 1
    var entry = ProtobufBuffer()
    entry.field(1, stringCount)
    entry.field(2, text)
    var data = ProtobufBuffer()
    data.field(Table.strings.rawValue, message: entry)
    packet.field(Packet.sequence, 1)
    packet.field(Packet.flags, 2)
    packet.field(Packet.interned, message: data)
    endPacket()
    return stringCount
  }

  private mutating func word(_ text: String) -> UInt64 {
    if let known = wordStrings[text] { return known }
    let number = intern(text)
    wordStrings[text] = number
    return number
  }

  /// A name of one of the tables of names.
  private mutating func name(
    _ number: UInt32,
    _ table: KeyPath<TraceNames, NameTable>,
    _ cache: WritableKeyPath<PerfettoExport, [UInt64]>,
    _ replay: borrowing Replay
  ) -> UInt64 {
    guard number != NameTable.unknown else { return 0 }
    let index = Int(number)
    if index >= self[keyPath: cache].count {
      let missing = index + 1 - self[keyPath: cache].count
      self[keyPath: cache].append(contentsOf: repeatElement(0, count: missing))
    }
    let known = self[keyPath: cache][index]
    if known != 0 { return known }
    let string = intern(String(escaping: replay.names[keyPath: table][number]))
    self[keyPath: cache][index] = string
    return string
  }

  private mutating func task(_ number: UInt32, _ replay: borrowing Replay) -> UInt64 {
    if Int(number) < taskStrings.count, taskStrings[Int(number)] != 0 {
      return taskStrings[Int(number)]
    }
    return name(number, \.tasks, \.taskStrings, replay)
  }

  /// The driver's function in a stack.
  private mutating func site(_ stack: UInt32, _ replay: borrowing Replay) -> UInt64 {
    guard stack != StackTable.none else { return 0 }
    let index = Int(stack)
    if index >= siteStrings.count {
      siteStrings.append(contentsOf: repeatElement(nil, count: index + 1 - siteStrings.count))
    }
    if let known = siteStrings[index] { return known }
    let site = replay.names.callSite(stack: stack).map { word(String(escaping: $0.utf8)) } ?? 0
    siteStrings[index] = site
    return site
  }

  private mutating func flags(_ attributes: DMAAttributes) -> UInt64 {
    if attributes.isEmpty { return 0 }
    if let known = flagStrings[attributes.rawValue] { return known }
    let number = intern(attributes.traceText)
    flagStrings[attributes.rawValue] = number
    return number
  }

  // MARK: Events

  /// Takes in the event that was just applied.
  package mutating func observe(_ replay: borrowing Replay, _ event: DMAEvent) {
    if event.kind != .lost {
      time = event.time
      beginAdopted(replay)
    }
    let changes = replay.output.changes
    if !changes.isEmpty {
      take(changes, replay, event)
    }
    switch event.kind {
    case .marker:
      mark(String(escaping: replay.batch.markerText(event)))
    case .lost:
      mark(event.size > 0 ? "lost \(event.size) events" : "lost events")
    case .iommuFault:
      addFault(event, replay)
    default: break
    }
    addErrors(replay)
  }

  /// Takes in what the end of the trace brought up.
  package mutating func finish(_ replay: borrowing Replay) {
    // Of a saved dump without a trace.
    beginAdopted(replay)
    addErrors(replay)
  }

  private mutating func beginAdopted(_ replay: borrowing Replay) {
    guard !adopted.isEmpty else { return }
    var devices: Set<Int> = []
    for change in adopted {
      prepare(change.device, replay)
      begin(change, replay, nil)
      devices.insert(Int(change.device.rawValue))
    }
    for device in devices.sorted() { count(device) }
    adopted = []
  }

  private mutating func take(
    _ changes: [MappingChange],
    _ replay: borrowing Replay,
    _ event: DMAEvent
  ) {
    var device: Int?
    var ended: [UInt64] = []
    for change in changes {
      let index = Int(change.device.rawValue)
      if let device, device != index { count(device) }
      device = index
      prepare(change.device, replay)
      if change.isAdded {
        begin(change, replay, event)
      } else {
        ended.append(end(change, replay, event))
      }
    }
    guard let device else { return }
    if !ended.isEmpty {
      beginEvent(.instant, on: tracks[device]?.unmaps ?? 0)
      self.event.field(Event.categories, 1)
      self.event.field(Event.nameID, Self.name(event.kind))
      number(.event, replay.engine.eventCount)
      for flow in ended { self.event.fixed(Event.endingFlows, flow) }
      endEvent()
    }
    count(device)
  }

  /// - Parameter event: the one that made it; `nil` when it was there before the first one.
  private mutating func begin(
    _ change: MappingChange,
    _ replay: borrowing Replay,
    _ event: DMAEvent?
  ) {
    let device = Int(change.device.rawValue)
    let slot = Int(change.slot)
    mappings += 1
    var lane = tracks[device]?.freeLanes.take()
    if lane == nil {
      lane = UInt32(tracks[device]?.lanes.count ?? 0)
      let track = addTrack("mappings", parent: tracks[device]?.process ?? 0)
      tracks[device]?.lanes.append(track)
    }
    while live.count <= slot { live.append(Live(lane: 0, flow: 0)) }
    live[slot] = Live(lane: lane ?? 0, flow: mappings)
    tracks[device]?.live += 1
    tracks[device]?.bytes &+= change.size
    total.live += 1
    total.bytes &+= change.size

    // The first event may have put another one in the place of one that was there before.
    let cpuAddress = event == nil ? 0 : replay.engine.mapping(inSlot: change.slot).cpuAddress
    let direction = word(change.direction.traceName.description)
    let type = word(change.type.kernelName.description)
    let attributes = flags(change.attributes)
    let site = site(change.stack, replay)
    let driver = name(
      replay.engine.driver(of: change.device).rawValue,
      \.drivers,
      \.driverStrings,
      replay
    )
    var task: UInt64 = 0
    if let event { task = self.task(event.task, replay) }
    beginEvent(.begin, on: tracks[device]?.lanes[Int(lane ?? 0)] ?? 0)
    self.event.field(Event.categories, 1)
    self.event.field(Event.nameID, UInt64(change.type.rawValue) + 1)
    pointer(.dmaAddress, change.dmaAddress)
    number(.size, change.size)
    string(.direction, direction)
    string(.type, type)
    string(.attributes, attributes)
    if let physical = change.physicalAddress { pointer(.physicalAddress, physical) }
    if cpuAddress != 0 { pointer(.cpuAddress, cpuAddress) }
    string(.mapSite, site)
    string(.driver, driver)
    string(.task, task)
    if let event {
      if event.pid >= 0 { number(.pid, UInt64(event.pid)) }
      number(.cpu, UInt64(event.cpu))
      number(.event, replay.engine.eventCount)
    }
    self.event.fixed(Event.flows, mappings)
    endEvent()
  }

  /// - Returns: the flow that ends.
  private mutating func end(
    _ change: MappingChange,
    _ replay: borrowing Replay,
    _ event: DMAEvent
  ) -> UInt64 {
    let device = Int(change.device.rawValue)
    let known = live[Int(change.slot)]
    tracks[device]?.freeLanes.add(known.lane)
    tracks[device]?.live -= 1
    tracks[device]?.bytes &-= change.size
    total.live -= 1
    total.bytes &-= change.size

    let mapping = replay.engine.mapping(inSlot: change.slot)
    let state = word(MappingField.mapErrorWord(mapping))
    let site = site(event.stack, replay)
    let task = task(event.task, replay)
    // Without a stack of the map the check of its error tells who mapped.
    let mapSite =
      change.stack == StackTable.none
      ? name(mapping.site, \.symbols, \.symbolStrings, replay) : 0
    beginEvent(.end, on: tracks[device]?.lanes[Int(known.lane)] ?? 0)
    string(.mapSite, mapSite)
    string(.mapError, state)
    string(.unmapSite, site)
    string(.unmapTask, task)
    if event.pid >= 0 { number(.unmapPID, UInt64(event.pid)) }
    number(.unmapCPU, UInt64(event.cpu))
    number(.unmapEvent, replay.engine.eventCount)
    endEvent()
    return known.flow
  }

  /// Makes the tracks of a device when it is met for the first time.
  private mutating func prepare(_ device: DeviceID, _ replay: borrowing Replay) {
    let index = Int(device.rawValue)
    if index < tracks.count, tracks[index] != nil { return }
    if index >= tracks.count {
      tracks.append(contentsOf: repeatElement(nil, count: index + 1 - tracks.count))
    }
    let driver = String(
      escaping: replay.names.drivers[replay.engine.driver(of: device).rawValue]
    )
    let name = String(escaping: replay.names.devices[device.rawValue]) + " (\(driver))"
    var track = Track()
    let pid = 1_000_000 + UInt64(device.rawValue)
    track.process = addTrack { descriptor in
      var process = ProtobufBuffer()
      process.field(1, pid)
      process.field(6, name)
      descriptor.field(3, message: process)
    }
    track.unmaps = addTrack("unmaps", parent: track.process)
    track.bytesCounter = addCounter("live bytes", parent: track.process, .bytes)
    track.liveCounter = addCounter("live mappings", parent: track.process, .count)
    tracks[index] = track
  }

  private mutating func count(_ device: Int) {
    guard let track = tracks[device] else { return }
    count(track.bytesCounter, track.bytes)
    count(track.liveCounter, track.live)
    count(total.bytesCounter, total.bytes)
    count(total.liveCounter, total.live)
  }

  private mutating func count(_ track: UInt64, _ value: UInt64) {
    beginEvent(.counter, on: track)
    event.field(Event.counterValue, value & UInt64(Int64.max))
    endEvent()
  }

  // MARK: Instants

  private mutating func mark(_ text: String) {
    if markers == 0 { markers = addTrack("markers", parent: 0) }
    beginEvent(.instant, on: markers)
    event.field(Event.name, text)
    endEvent()
  }

  private mutating func errors(of device: DeviceID, _ replay: borrowing Replay) -> UInt64 {
    prepare(device, replay)
    let index = Int(device.rawValue)
    if let track = tracks[index], track.errors == 0 {
      let errors = addTrack("errors", parent: track.process)
      tracks[index]?.errors = errors
    }
    return tracks[index]?.errors ?? 0
  }

  private mutating func addFault(_ fault: DMAEvent, _ replay: borrowing Replay) {
    let track = errors(of: fault.device, replay)
    beginEvent(.instant, on: track)
    event.field(Event.categories, 1)
    event.field(Event.nameID, Self.name(.iommuFault))
    pointer(.dmaAddress, fault.dmaAddress)
    number(.event, replay.engine.eventCount)
    endEvent()
  }

  private mutating func addErrors(_ replay: borrowing Replay) {
    for report in replay.output.reports where report.kind.isError {
      let track = errors(of: report.device, replay)
      let rule = word(report.kind.name)
      let driver = name(report.driver.rawValue, \.drivers, \.driverStrings, replay)
      var words = TextBuffer()
      KernelMessage.append(words: report, generation, to: &words)
      beginEvent(.instant, on: track)
      event.field(Event.categories, 1)
      event.field(Event.name, words.string)
      string(.rule, rule)
      string(.driver, driver)
      number(.event, report.eventNumber + 1)
      if let reference = report.reference {
        pointer(.dmaAddress, reference.dmaAddress)
        number(.size, reference.size)
      }
      endEvent()
    }
  }
}
