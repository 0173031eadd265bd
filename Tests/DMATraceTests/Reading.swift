// SPDX-License-Identifier: MIT
import DMADebugCore

@testable import DMATrace

/// One event with its lists and names, fit to be compared.
struct Seen: Equatable {
  var event: DMAEvent
  var device: String
  var driver: String
  var task: String
  var site: String
  var text: String
  var addresses: [UInt64]
  var lengths: [UInt64]
  var physical: [UInt64]
  var stack: [String]

  var kind: DMAEvent.Kind { event.kind }

  /// What the event says, without where and by whom it was said.
  var meaning: String {
    """
    \(event.kind) \(device) \(driver) \(event.direction) \(event.flags.rawValue) \
    \(event.caller) \(event.attributes.rawValue) \(event.dmaAddress) \(event.size) \
    \(event.address) \(event.requestedEntries) \(event.mappedEntries) \(addresses) \(lengths) \
    \(physical) \(site) \(text)
    """
  }

  /// Everything.
  var all: String {
    meaning + " \(event.cpu) \(event.pid) \(task) \(event.time) \(event.line) \(stack)"
  }

  static func == (left: Seen, right: Seen) -> Bool { left.all == right.all }
}

/// A whole trace, read.
struct Reading {
  var events: [Seen] = []
  var summary = TraceSummary()
  var error: TraceError?
  var batches = 0

  init(_ text: String, chunk: Int = ByteSource.defaultChunk) {
    self.init(bytes: Array(text.utf8), chunk: chunk)
  }

  init(bytes: [UInt8], chunk: Int = ByteSource.defaultChunk) {
    var reader = TextTraceReader(bytes: bytes, name: "test", chunk: chunk)
    take(&reader)
  }

  init(path: String) throws(TraceError) {
    var reader = try TextTraceReader(path: path)
    take(&reader)
  }

  /// Whatever is in the bytes.
  init(anything bytes: [UInt8]) {
    do throws(TraceError) {
      var reader = try Capture.openTrace(bytes, name: "test")
      take(&reader)
    } catch {
      self.error = error
    }
  }

  /// Whatever is in the file.
  init(capture path: String) throws(TraceError) {
    var reader = try Capture.openTrace(path)
    take(&reader)
  }

  private mutating func take(_ reader: inout some TraceReader) {
    var batch = EventBatch()
    do {
      while try reader.read(into: &batch) {
        batches += 1
        for event in batch.events { events.append(Self.seen(event, batch, reader)) }
      }
    } catch {
      self.error = error
    }
    summary = reader.summary
  }

  static func seen(
    _ event: DMAEvent,
    _ batch: EventBatch,
    _ reader: some TraceReader
  ) -> Seen {
    let names = reader.names
    let isMarker = event.kind == .marker
    let segments = isMarker ? 0..<0 : 0..<Int(event.segmentCount)
    return Seen(
      event: event,
      device: names.devices.string(event.device.rawValue),
      driver: names.drivers.string(event.driver.rawValue),
      task: names.tasks.string(event.task),
      site: names.subject(of: event).map { String(decoding: $0, as: UTF8.self) } ?? "?",
      text: isMarker ? String(decoding: batch.markerText(event), as: UTF8.self) : "",
      addresses: segments.map { batch.segmentAddress(event, $0) },
      lengths: segments.map { batch.segmentLength(event, $0) },
      physical: (0..<Int(event.physicalCount)).map { batch.physicalAddress(event, $0) },
      stack: names.stacks[event.stack].map { names.symbols.string($0) }
    )
  }
}

/// A generator with a seed, so that a failure can be repeated (SplitMix64).
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }
}
