// SPDX-License-Identifier: MIT
import DMADebugCore

/// Times the engine with a given number of live mappings at random addresses.
struct EngineBenchmark {
  private static let operations = 1 << 18
  private static let batchSize = 256
  private let live: Int
  private let direction: Direction
  private var engine: DMADebug
  private var names = TraceNames()
  private var batch = EventBatch()
  private var addresses: [UInt64] = []
  private var random = SplitMix64(seed: 42)
  private let device: DeviceID

  init(live: Int, direction: Direction) {
    self.live = live
    self.direction = direction
    var configuration = Configuration(generation: .linux612)
    configuration.isComplete = true
    configuration.entries = UInt32(live + 64)
    engine = DMADebug(configuration)
    device = DeviceID(rawValue: names.devices.intern("0000:00:03.0"))
    // Distinct pages in random order, spread so that the kernel's buckets repeat many times.
    addresses = (0..<(live + Self.operations)).map { UInt64($0) << 12 + 0x1_0000_0000 }
    addresses.shuffle(using: &random)
    for address in addresses[0..<live] { apply(map(address)) }
  }

  private func event(_ kind: DMAEvent.Kind, _ address: UInt64) -> DMAEvent {
    var event = DMAEvent(kind)
    event.device = device
    event.direction = direction
    event.dmaAddress = address
    event.address = address
    event.size = 2048
    event.caller = .driver
    return event
  }

  private func map(_ address: UInt64) -> DMAEvent { event(.mapPage, address) }

  private mutating func apply(_ event: DMAEvent) {
    engine.apply(event, in: batch, names: names)
  }

  /// Map, map-error check and unmap of the oldest, nanoseconds for the three.
  mutating func pairs() -> UInt64 {
    var times: [UInt64] = []
    var oldest = 0
    var newest = live
    // In batches, as a reader delivers them; filling them is part of the time.
    var events: [DMAEvent] = []
    for _ in 0..<Self.batchSize {
      events += [map(0), event(.mappingError, 0), event(.unmapPage, 0)]
    }
    for _ in 0..<5 {
      let start = Measure.cpuTime()
      for _ in 0..<Self.operations / Self.batchSize {
        for index in 0..<Self.batchSize {
          events[3 * index].dmaAddress = addresses[newest]
          events[3 * index].address = addresses[newest]
          events[3 * index + 1].dmaAddress = addresses[newest]
          events[3 * index + 2].dmaAddress = addresses[oldest]
          newest = newest + 1 == addresses.count ? 0 : newest + 1
          oldest = oldest + 1 == addresses.count ? 0 : oldest + 1
        }
        for event in events { engine.apply(event, in: batch, names: names) }
      }
      times.append((Measure.cpuTime() - start) / UInt64(Self.operations))
    }
    precondition(engine.liveCount == live && engine.errorCount == 0)
    for index in 0..<live { addresses[index] = addresses[(oldest + index) % addresses.count] }
    return times.sorted()[2]
  }

  /// Sync of part of a live mapping, nanoseconds.
  mutating func syncHits() -> UInt64 {
    let order = (0..<Self.operations).map { _ in Int.random(in: 0..<live, using: &random) }
    let kind: DMAEvent.Kind = direction == .toDevice ? .syncSingleForDevice : .syncSingleForCPU
    let events = order.map { index in
      var event = event(kind, addresses[index] + 64)
      event.size = 256
      return event
    }
    let (batch, names) = (batch, names)
    return median { engine in
      for event in events { engine.apply(event, in: batch, names: names) }
    } / UInt64(Self.operations)
  }

  /// Sync of something never mapped, nanoseconds. Counts the error, keeps no report.
  mutating func syncMisses() -> UInt64 {
    var output = EngineOutput(.reports)
    let count = 1 << 14
    let events = (0..<count).map { event(.syncSingleForCPU, UInt64($0) << 12 + 0x7000_0000_0000) }
    let (batch, names) = (batch, names)
    return median { engine in
      for event in events {
        engine.apply(event, in: batch, names: names, to: &output)
        output.clear()
      }
    } / UInt64(count)
  }

  private mutating func median(_ body: (inout DMADebug) -> Void) -> UInt64 {
    var engine = engine
    // Builds what the first sync builds, before the clock runs.
    var first = event(.syncSingleForCPU, addresses[0])
    first.size = 64
    engine.apply(first, in: batch, names: names)
    return Measure.median { body(&engine) }
  }
}
