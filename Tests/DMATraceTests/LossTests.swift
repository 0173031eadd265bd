// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

@testable import DMATrace

/// Headers, decoration, and what the tracer says that it lost.
@Suite struct LossTests {
  static let event =
    PayloadTests.prefix
    + "dma_unmap_page: nvme dir=NONE dma_addr=1 size=1 attrs=\n"

  @Test(arguments: [
    ("CPU:3 [LOST 3099 EVENTS]", UInt64(3099), UInt32(3)),
    ("CPU:0 [LOST EVENTS]", 0, 0),
    ("CPU:1 [42 EVENTS DROPPED]", 42, 1),
    ("CPU:0 [EVENTS DROPPED]", 0, 0),
    ("inst1:   CPU:1 [42 EVENTS DROPPED]", 42, 1),
    ("         swapper     0 [002]  1234.567891: PERF_RECORD_LOST lost 7", 7, 2),
    ("         swapper     0 [002]  1234.567891: PERF_RECORD_LOST_SAMPLES lost 7", 7, 2),
  ])
  func lost(_ line: String, _ count: UInt64, _ cpu: UInt32) {
    let reading = Reading(Self.event + line + "\n" + Self.event)
    #expect(reading.events.map(\.kind) == [.unmapPage, .lost, .unmapPage])
    #expect(reading.events[1].event.size == count)
    #expect(reading.events[1].event.cpu == cpu)
    #expect(reading.events[1].event.line == 2)
    #expect(reading.summary.lostEvents == max(1, count))
    #expect(reading.summary.malformedLines == 0)
  }

  @Test func overwrittenEvents() {
    let text = """
      # tracer: nop
      #
      # entries-in-buffer/entries-written: 100/350   #P:2
      ##### CPU 1 buffer started ####

      """
    let reading = Reading(text + Self.event)
    #expect(reading.events.map(\.kind) == [.lost, .lost, .unmapPage])
    #expect(reading.events[0].event.size == 250)
    #expect(reading.events[1].event.size == 0)
    #expect(reading.events[1].event.cpu == 1)
    #expect(reading.summary.overwrittenEvents == 250)
    #expect(reading.summary.lostEvents == 0)
  }

  @Test func aWholeBufferLosesNothing() {
    let text = """
      # tracer: nop
      #
      # entries-in-buffer/entries-written: 100/100   #P:2
      ##### CPU 1 buffer started ####

      """
    #expect(Reading(text + Self.event).events.map(\.kind) == [.unmapPage])
  }

  @Test func decoration() {
    let reading = Reading(
      """
      version = 6
      CPU 1 is empty
      cpus=2

      # nop latency trace v1.1.5 on 6.18.44-rc1
      # --------------------------------------------------------------------
      # latency: 0 us, #4/4, CPU#0 | (M:preempt VP:0, KP:0, SP:0 HP:0 #P:2)
      CPU:0 [SUBBUFFER START]
               swapper     0 [002]  1234.567891: PERF_RECORD_COMM: dd:306/306
      \(Self.event)
      """
    )
    #expect(reading.summary.malformed.map(\.excerpt) == [])
    #expect(reading.events.count == 1)
    #expect(reading.summary.kernelRelease == "6.18.44-rc1")
  }

  @Test func releaseOfABootLog() {
    let reading = Reading("Linux version 6.12.117-foo (root@host) #1\n" + Self.event)
    #expect(reading.summary.kernelRelease == "6.12.117-foo")
  }

  @Test func dialects() {
    #expect(Reading(Self.event).summary.dialect == "ftrace text")
    #expect(Reading("cpus=2\n" + Self.event).summary.dialect == "trace-cmd report")
    let perf =
      "  dd   306 [000]     3.986299: dma:dma_unmap_page: x dir=NONE dma_addr=1 size=1 attrs=\n"
    #expect(Reading(perf).summary.dialect == "perf script")
    #expect(Reading("no trace").summary.dialect == "unknown")
  }

  @Test func aTraceWithoutEventsIsATrace() {
    let reading = Reading("# tracer: nop\n#\n# entries-in-buffer/entries-written: 0/0   #P:2\n")
    #expect(reading.error == nil)
    #expect(reading.events.isEmpty)
  }
}
