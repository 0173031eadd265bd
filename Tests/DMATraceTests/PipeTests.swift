// SPDX-License-Identifier: MIT
import DMADebugCore
import Glibc
import Testing

@testable import DMATrace

/// Traces that arrive while they are read.
@Suite struct PipeTests {
  private func send(_ text: String, _ descriptor: Int32) {
    let bytes = Array(text.utf8)
    #expect(write(descriptor, bytes, bytes.count) == bytes.count)
  }

  /// A reader of a pipe, and the end to write to.
  private func open() throws -> (TextTraceReader, Int32) {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let reader = try TextTraceReader(path: "/proc/self/fd/\(ends[0])")
    close(ends[0])
    return (reader, ends[1])
  }

  @Test func whatHasArrivedIsReturned() throws {
    var (reader, writer) = try open()
    var batch = EventBatch()
    send(BadInputTests.good + BadInputTests.good + "  half a line", writer)
    #expect(try reader.read(into: &batch))
    #expect(batch.events.count == 2)
    send("\n" + BadInputTests.good, writer)
    #expect(try reader.read(into: &batch))
    #expect(batch.events.count == 1)
    #expect(batch.events[0].line == 4)
    #expect(reader.summary.malformedLines == 1)
    close(writer)
    #expect(try !reader.read(into: &batch))
    #expect(batch.events.isEmpty)
    #expect(reader.totalBytes == nil)
    #expect(reader.bytesRead == UInt64(3 * BadInputTests.good.utf8.count + 14))
  }

  @Test func aStackThatArrivesWithItsEvent() throws {
    var (reader, writer) = try open()
    var batch = EventBatch()
    for number in 0..<3 {
      send(StackTests.event(0, 10, number) + StackTests.stack(0, 10, ["a", "b"]), writer)
      #expect(try reader.read(into: &batch))
      #expect(batch.events.count == 1)
      #expect(batch.events.first?.stack != StackTable.none)
    }
    // One without: it is not held back when nothing follows.
    send(StackTests.event(0, 10, 9), writer)
    #expect(try reader.read(into: &batch))
    #expect(batch.events.count == 1)
    close(writer)
    #expect(try !reader.read(into: &batch))
  }

  @Test func aFile() throws {
    var name = Array("/tmp/dmatop-test-XXXXXX".utf8CString)
    let descriptor = mkstemp(&name)
    try #require(descriptor >= 0)
    defer {
      close(descriptor)
      unlink(name)
    }
    let text = String(repeating: RobustnessTests.everything, count: 30)
    send(text, descriptor)
    let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    var reader = try TextTraceReader(path: path)
    #expect(reader.totalBytes == UInt64(text.utf8.count))
    var batch = EventBatch()
    var last: UInt64 = 0
    while try reader.read(into: &batch) {
      #expect(reader.bytesRead >= last)
      last = reader.bytesRead
    }
    #expect(reader.bytesRead == reader.totalBytes)
    #expect(try Reading(path: path).events == Reading(text).events)
  }

  @Test func aFileThatCannotBeRead() throws {
    // Nothing is mapped at address 0.
    var reader = try TextTraceReader(path: "/proc/self/mem")
    var batch = EventBatch()
    #expect(throws: TraceError.self) { try reader.read(into: &batch) }
    #expect(try !reader.read(into: &batch))
  }

  @Test func anEmptyPipe() throws {
    var (reader, writer) = try open()
    close(writer)
    var batch = EventBatch()
    #expect(throws: TraceError.self) { try reader.read(into: &batch) }
  }
}
