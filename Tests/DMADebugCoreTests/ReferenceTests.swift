// SPDX-License-Identifier: MIT
import DMADebugCore
import TestSupport
import Testing

/// Holds the engine against the slow literal one, on random programs.
@Suite struct ReferenceTests {
  struct Program: Sendable, CustomStringConvertible {
    let seed: UInt64
    let isNew: Bool
    let target: Int
    let entries: UInt32
    let length: Int

    var description: String {
      "seed \(seed), \(isNew ? "7.3" : "6.12"), \(target) live, pool of \(entries)"
    }
  }

  /// More than 100 000 calls in all, half of them for each generation.
  static let programs: [Program] = (1...14).flatMap { seed in
    [false, true].map { isNew in
      Program(
        seed: UInt64(seed),
        isNew: isNew,
        target: [3, 12, 40, 200][seed % 4],
        entries: [64, 65536, 100, 33][seed % 4],
        length: 4000
      )
    }
  }

  @Test("same dump, counters and log", arguments: programs)
  func agrees(_ parameters: Program) {
    var program = RandomProgram(
      seed: parameters.seed,
      isNew: parameters.isNew,
      target: parameters.target
    )
    program.teachDirectMap()
    program.extend(by: parameters.length)

    var configuration = Configuration(generation: parameters.isNew ? .linux73 : .linux612)
    configuration.entries = parameters.entries
    configuration.isComplete = true
    var engine = DMADebug(configuration)
    for device in program.devices {
      engine.describe(device, DeviceDescription(bus: .pci, driver: nil))
    }
    var reference = ReferenceEngine(
      isNew: parameters.isNew,
      entries: parameters.entries,
      names: program.deviceNames
    )
    // Without the hook the engine would not know that checks can be seen.
    var hit = DMAEvent(.mappingError)
    hit.caller = .driver
    hit.device = program.devices[0]
    engine.apply(hit, in: program.batch, names: program.names)

    var log = TextBuffer()
    var output = EngineOutput(.reports)
    for (number, event) in program.batch.events.enumerated() {
      engine.apply(event, in: program.batch, names: program.names, to: &output)
      reference.apply(
        event,
        in: program.batch,
        driverName: program.driverNames[event.driver]
      )
      for report in output.reports where report.isPrinted {
        KernelMessage.append(
          report,
          program.names,
          engine.configuration.generation,
          to: &log
        )
      }
      output.clear()
      let isCheap =
        engine.errorCount == reference.errors && engine.poolCounters.free == reference.free
      let isDumpTime = number % 97 == 0 || number == program.batch.events.count - 1
      guard isCheap, !isDumpTime || isSame(engine, reference, program) else {
        Issue.record("first difference after event \(number), \(event.kind)")
        #expect(engine.errorCount == reference.errors)
        #expect(lines(engine.read(.dump, names: program.names)) == reference.dump)
        #expect(lines(log.bytes).suffix(3) == reference.log.flatMap(split).suffix(3))
        return
      }
    }
    #expect(engine.undecided.total == 0)
    #expect(lines(log.bytes) == reference.log.flatMap(split))
    #expect(engine.numErrors == reference.numErrors)
    #expect(engine.allErrors == reference.allErrors)
    #expect(engine.poolCounters.minimumFree == reference.minimum)
    #expect(engine.poolCounters.total == reference.total)
  }

  private func isSame(
    _ engine: DMADebug,
    _ reference: ReferenceEngine,
    _ program: RandomProgram
  ) -> Bool {
    lines(engine.read(.dump, names: program.names)) == reference.dump
  }

  private func lines(_ bytes: [UInt8]) -> [String] {
    split(String(decoding: bytes, as: UTF8.self))
  }

  private func split(_ text: String) -> [String] {
    text.split(separator: "\n").map(String.init)
  }
}
