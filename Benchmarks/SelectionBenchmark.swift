// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay

/// Times what one press of a key costs in a view of a million mappings: filter them and sort them.
enum SelectionBenchmark {
  private static let live: UInt64 = 1_000_000
  private static let devices = 64

  private static func context() -> MappingContext {
    var configuration = Configuration(generation: .linux73)
    configuration.isComplete = true
    var engine = DMADebug(configuration)
    var names = TraceNames()
    let numbers = (0..<devices).map { index in
      DeviceID(rawValue: names.devices.intern("0000:\(index / 32):\(index % 32).0"))
    }
    let tasks = (0..<200).map { names.tasks.intern("kworker/\($0)") }
    let sites = (0..<500).map { names.symbols.intern("function_\($0)+0x10/0x40 [driver]") }
    let stacks = sites.map { names.stacks.intern([$0, sites[0]]) }
    var random = SplitMix64(seed: 3)
    var batch = EventBatch()
    for number in 0..<live {
      var event = DMAEvent(.mapPhys)
      let word = random.next()
      event.device = numbers[Int(word % UInt64(devices))]
      event.task = tasks[Int(word >> 8 % 200)]
      event.stack = stacks[Int(word >> 20 % 500)]
      event.direction = word & 1 << 40 == 0 ? .toDevice : .fromDevice
      event.size = 64 << (word >> 44 % 10)
      event.dmaAddress = 0x1_0000_0000 + number << 12
      event.address = event.dmaAddress
      event.time = number * 1000 + word >> 54
      batch.events.append(event)
      if batch.events.count == 4096 {
        for event in batch.events { engine.apply(event, in: batch, names: names) }
        batch.removeAll()
      }
    }
    for event in batch.events { engine.apply(event, in: batch, names: names) }
    return MappingContext(engine: engine, names: names, now: live * 1000)
  }

  static func run() {
    let context = context()
    let selection = MappingSelection(context)
    show(
      "list \(context.engine.liveCount) mappings",
      milliseconds { _ = selection.all() },
      floor: "150"
    )
    let all = selection.all()
    let fields = Set(MappingField.allCases.map(\.rawValue))
    for (text, field) in [
      ("kwork", MappingField.size), ("dir=from size>4k", .age), ("function_4|0:1", .site),
      ("!ff", .dmaAddress), ("", .task),
    ] {
      guard let filter = try? FilterExpression(text, fields: fields) else { continue }
      var shown = 0
      let time = milliseconds {
        let slots = selection.filtered(all, by: [filter])
        shown = selection.sorted(slots, by: field, ascending: false).count
      }
      show(
        "filter '\(text)' and sort by \(field.rawValue): \(shown) rows",
        time,
        floor: "150"
      )
    }
  }

  private static func milliseconds(_ body: () -> Void) -> String {
    "\(Measure.median(runs: 3, body) / 1_000_000) ms"
  }
}
