// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

/// Mistakes of the past in the index of containing searches.
@Suite struct ContainmentTests {
  private static func event(_ kind: DMAEvent.Kind, _ address: UInt64) -> DMAEvent {
    var event = DMAEvent(kind)
    event.device = DeviceID(rawValue: 2)
    event.direction = .toDevice
    event.dmaAddress = address
    event.address = address
    event.size = 64
    return event
  }

  /// The first sync files entries as they are stored, which is not the order of their age once an
  /// entry was reused. Removing one then took the wrong one for the head of its cell.
  @Test func entriesThatTheFirstSyncFilesCanBeFreedInAnyOrder() {
    var configuration = Configuration(generation: .linux612)
    configuration.isComplete = true
    let (batch, names) = (EventBatch(), TraceNames())
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
      var engine = DMADebug(configuration)
      func apply(_ kind: DMAEvent.Kind, _ address: UInt64) {
        engine.apply(Self.event(kind, address), in: batch, names: names)
      }
      let addresses: [UInt64] = [0x1000, 0x1010, 0x1020]
      for address in addresses { apply(.mapPage, address) }
      // The youngest entry now has the first place in the store.
      apply(.unmapPage, addresses[0])
      apply(.mapPage, addresses[0])
      apply(.syncSingleForDevice, addresses[0])
      for index in order { apply(.unmapPage, addresses[index]) }
      #expect(engine.liveCount == 0)
      #expect(engine.errorCount == 0)
    }
  }

  /// A checkpoint does not see what happens to the engine that it was copied from.
  @Test func aCopyIsACheckpoint() {
    var configuration = Configuration(generation: .linux73)
    configuration.isComplete = true
    let (batch, names) = (EventBatch(), TraceNames())
    var engine = DMADebug(configuration)
    var checkpoints: [(DMADebug, [UInt8])] = []
    for number in 0..<200 as Range<UInt64> {
      checkpoints.append((engine, engine.read(.dump, names: names)))
      engine.apply(Self.event(.mapPhys, number % 64 * 0x800), in: batch, names: names)
      if number % 3 == 0 {
        engine.apply(Self.event(.unmapPhys, number % 32 * 0x800), in: batch, names: names)
      }
      if number % 5 == 0 {
        engine.apply(
          Self.event(.syncSingleForDevice, number % 64 * 0x800),
          in: batch,
          names: names
        )
      }
    }
    for (checkpoint, dump) in checkpoints {
      #expect(checkpoint.read(.dump, names: names) == dump)
    }
    // And goes its own way.
    var (other, _) = checkpoints[100]
    for number in 100..<200 as Range<UInt64> {
      other.apply(Self.event(.mapPhys, number % 64 * 0x800), in: batch, names: names)
      if number % 3 == 0 {
        other.apply(Self.event(.unmapPhys, number % 32 * 0x800), in: batch, names: names)
      }
      if number % 5 == 0 {
        other.apply(
          Self.event(.syncSingleForDevice, number % 64 * 0x800),
          in: batch,
          names: names
        )
      }
    }
    #expect(other.read(.dump, names: names) == engine.read(.dump, names: names))
    #expect(other.errorCount == engine.errorCount)
  }
}
