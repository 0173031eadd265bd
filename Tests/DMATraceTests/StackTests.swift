// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

@testable import DMATrace

/// Stack traces and the events that they belong to.
@Suite struct StackTests {
  static func event(_ cpu: Int, _ pid: Int, _ address: Int) -> String {
    let task = "              dd-\(pid)"
    let padded = task + String(repeating: " ", count: 25 - task.utf8.count)
    return "\(padded)[00\(cpu)] .....     3.391208: dma_unmap_page: 0000:00:06.0 "
      + "dir=FROM_DEVICE dma_addr=\(String(address, radix: 16)) size=131072 attrs=\n"
  }

  static func stack(_ cpu: Int, _ pid: Int, _ frames: [String]) -> String {
    let task = "              dd-\(pid)"
    let padded = task + String(repeating: " ", count: 25 - task.utf8.count)
    return "\(padded)[00\(cpu)] .....     3.391544: <stack trace>\n"
      + frames.map { " => \($0)\n" }.joined()
  }

  @Test func tracerFramesAtTheTopAreDropped() {
    let reading = Reading(
      Self.event(0, 306, 1)
        + Self.stack(
          0,
          306,
          [
            "trace_event_raw_event_dma_map", "dma_map_page_attrs", "nvme_prep_rq",
            "trace_event_raw_event_x", "run_line [dmax]",
          ]
        )
    )
    #expect(
      reading.events.map(\.stack) == [
        ["dma_map_page_attrs", "nvme_prep_rq", "trace_event_raw_event_x", "run_line [dmax]"]
      ]
    )
    #expect(reading.summary.sawStacks)
  }

  @Test func eventsOfOtherCPUsBetween() {
    let reading = Reading(
      Self.event(0, 10, 1) + Self.event(1, 20, 2) + Self.event(2, 30, 3)
        + Self.stack(1, 20, ["one"]) + Self.stack(0, 10, ["zero"]) + Self.event(0, 10, 4)
        + Self.stack(0, 10, ["again"]) + Self.stack(2, 31, ["not the same thread"])
    )
    #expect(reading.events.map(\.stack) == [["zero"], ["one"], [], ["again"]])
  }

  @Test func stacksOfForeignEventsBelongToNobody() {
    let foreign = "              dd-10       [000] .....     3.391208: sched_waking: comm=x pid=1\n"
    let broken = "              dd-10       [000] .....     3.391208: dma_map_page: x dir=y\n"
    for other in [foreign, broken] {
      let reading = Reading(
        Self.event(0, 10, 1) + other + Self.stack(0, 10, ["zero"]) + Self.event(0, 10, 2)
      )
      #expect(reading.events.map(\.stack) == [[], []])
    }
  }

  @Test func userStacksBelongToNobody() {
    let text =
      Self.event(0, 10, 1)
      + "              dd-10       [000] .....     3.391208: <user stack trace>\n"
      + " =>  <00007f0000000000>\n" + Self.event(0, 10, 2)
    let reading = Reading(text)
    #expect(reading.events.map(\.stack) == [[], []])
    #expect(reading.summary.malformedLines == 0)
  }

  @Test func traceCmd() {
    let reading = Reading(
      """
      cpus=2
                    dd-306   [000]     3.986299: dma_unmap_page:       nvme dir=NONE dma_addr=1 size=1 attrs=
                    dd-306   [000]     3.986301: kernel_stack:         <stack trace >
      => trace_event_raw_event_dma_unmap (ffffffff8118f000)
      => dma_unmap_page_attrs (ffffffff8118f0d0)
      => nvme_unmap_data (ffffffff8118f0d1)
                    dd-306   [000]     3.986310: dma_unmap_page:       nvme dir=NONE dma_addr=1 size=1 attrs=

      """
    )
    #expect(reading.events.map(\.stack) == [["dma_unmap_page_attrs", "nvme_unmap_data"], []])
    #expect(reading.summary.malformedLines == 0)
  }

  @Test func perf() {
    let event =
      "dd   306 [000]     3.986299: dma:dma_unmap_page: nvme dir=NONE dma_addr=1 size=1 attrs="
    let foreign = "dd   306 [000]     3.986299: sched:sched_waking: comm=x"
    let reading = Reading(
      """
      \(event)
      \tffffffff8118f0d0 dma_unmap_page_attrs+0x10 ([kernel.kallsyms])
      \tffffffffc018f0d0 nvme_unmap_data+0x1c ([nvme])
      \t    7f0000001234 [unknown] (/usr/bin/dd)

      \(event)

      \(foreign)
      \tffffffff8118f0d0 try_to_wake_up+0x10 ([kernel.kallsyms])

      \(event)

      """
    )
    #expect(
      reading.events.map(\.stack) == [
        ["dma_unmap_page_attrs+0x10", "nvme_unmap_data+0x1c", "[unknown]"], [], [],
      ]
    )
    #expect(reading.summary.malformedLines == 0)
    #expect(reading.summary.foreignEvents == 1)
  }

  /// The end of a batch does not come between an event and its stack.
  @Test func batchBoundary() {
    var text = ""
    for number in 0..<5000 {
      text += Self.event(0, 10, number) + Self.event(1, 20, number)
      text += Self.stack(0, 10, ["a\(number % 7)"]) + Self.stack(1, 20, ["b\(number % 5)"])
    }
    let reading = Reading(text)
    #expect(reading.events.count == 10000)
    #expect(reading.batches > 5)
    for (index, seen) in reading.events.enumerated() {
      let number = index / 2
      #expect(seen.stack == [index % 2 == 0 ? "a\(number % 7)" : "b\(number % 5)"])
      #expect(seen.event.dmaAddress == UInt64(number))
    }
    #expect(reading.summary.events == 10000)
    #expect(reading.summary.dmaEvents == 10000)
  }

  /// Lists and texts move along with events that are held back.
  @Test func heldEventsKeepTheirLists() {
    var text = ""
    for number in 0..<4000 {
      text += Self.stack(3, 5, ["x"])
      text +=
        "              dd-10       [000] .....     3.391208: dma_map_sg: nvme dir=NONE "
        + "dma_addrs={0x\(String(number, radix: 16)),0x2} sizes={0x3,0x4} phys_addrs={0x5} attrs=\n"
      text += "              dd-10       [000] .....     3.391208: tracing_mark_write: m\(number)\n"
      text += Self.stack(0, 10, ["s\(number % 9)"])
    }
    let reading = Reading(text)
    #expect(reading.events.count == 8000)
    for number in 0..<4000 {
      #expect(reading.events[2 * number].addresses == [UInt64(number), 2])
      #expect(reading.events[2 * number].lengths == [3, 4])
      #expect(reading.events[2 * number].physical == [5])
      #expect(reading.events[2 * number + 1].text == "m\(number)")
      #expect(reading.events[2 * number + 1].stack == ["s\(number % 9)"])
    }
  }

  /// Events that fill a batch on their own are not held back: nothing would come after them.
  @Test func heldEventsLeaveRoom() {
    let list = String(repeating: "0x1,", count: 150_000) + "0x1"
    let long = String(repeating: "x", count: 900_000)
    var text = Self.stack(3, 5, ["x"])
    for cpu in 0..<6 {
      let prefix = "              dd-10       [00\(cpu)] .....     3.391208: "
      text += prefix + "dma_unmap_sg: nvme dir=NONE phys_addrs={\(list)} attrs=\n"
      text += prefix + "tracing_mark_write: \(long)\n"
    }
    let reading = Reading(text)
    #expect(reading.events.count == 12)
    #expect(reading.events.last?.text.utf8.count == 900_000)
  }
}
