// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace
import TestSupport
import Testing

/// What is written reads back as the same events.
@Suite struct WriterTests {
  private func read(_ bytes: [UInt8]) throws -> (events: [String], names: TraceNames, text: [UInt8])
  {
    var reader = TextTraceReader(bytes: bytes, name: "trace")
    var batch = EventBatch()
    var events: [String] = []
    var writer = FtraceWriter(writesStacks: true)
    writer.writeHeader(release: reader.summary.kernelRelease ?? "7.3", cpus: 2)
    while try reader.read(into: &batch) {
      writer.write(batch, names: reader.names)
      for event in batch.events where event.kind != .other && event.kind != .lost {
        events.append(describe(event, batch, reader.names))
      }
    }
    return (events, reader.names, Array(writer.bytes))
  }

  /// Everything of an event, names instead of numbers.
  private func describe(_ event: DMAEvent, _ batch: EventBatch, _ names: TraceNames) -> String {
    var words = ["\(event.kind) \(event.direction) \(event.flags.rawValue) \(event.caller)"]
    words.append("\(event.cpu) \(event.pid) \(names.tasks.string(event.task)) \(event.time)")
    words.append(names.devices.string(event.device.rawValue))
    words.append(names.drivers.string(event.driver.rawValue))
    words.append(names.subject(of: event).map { String(decoding: $0, as: UTF8.self) } ?? "?")
    words.append(names.stacks[event.stack].map { names.symbols.string($0) }.joined(separator: "<"))
    words.append("\(event.attributes.rawValue) \(event.dmaAddress) \(event.size)")
    // The mask of the device stands where a bounce has no other address.
    words.append(event.kind == .swiotlbBounced ? "" : "\(event.address)")
    words.append("\(event.requestedEntries) \(event.mappedEntries)")
    if event.kind == .marker {
      words.append(String(decoding: batch.markerText(event), as: UTF8.self))
    } else {
      words += (0..<Int(event.segmentCount)).map {
        "\(batch.segmentAddress(event, $0))+\(batch.segmentLength(event, $0))"
      }
      words += (0..<Int(event.physicalCount)).map { "\(batch.physicalAddress(event, $0))" }
    }
    return words.joined(separator: " ")
  }

  @Test func everyCaptureReadsBackEqual() throws {
    var count = 0
    for kernel in ["linux-6.12", "linux-7.3"] {
      let directory = Fixtures.root + "/fixtures/kernel/" + kernel
      for name in Fixtures.list(directory) {
        guard let bytes = Fixtures.bytes("\(directory)/\(name)/trace.txt") else { continue }
        let first = try read(bytes)
        let second = try read(first.text)
        #expect(first.events == second.events, "\(kernel)/\(name)")
        count += first.events.count
      }
    }
    #expect(count > 10_000)
  }

  @Test func namesAreLimitedToTheirLine() throws {
    // A device name of 4096 bytes fits; the writer makes room for it.
    let long = String(repeating: "x", count: 4096)
    let line = "dma_unmap_phys: \(long) dir=NONE dma_addr=0 size=0 attrs="
    let text = Array("            test-1       [000] .....     1.000001: \(line)\n".utf8)
    let first = try read(text)
    #expect(first.events.count == 1)
    #expect(try read(first.text).events == first.events)
  }
}
