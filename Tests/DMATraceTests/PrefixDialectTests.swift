// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

@testable import DMATrace

/// Everything before the event name, in every dialect.
@Suite struct PrefixDialectTests {
  struct Line: Sendable, CustomTestStringConvertible {
    var name: String
    var prefix: String
    var task = "modprobe"
    var pid: Int32 = 1234
    var cpu: UInt32 = 0
    var time: UInt64 = 1_234_567_890_000
    var isTicks = false
    var testDescription: String { name }
  }

  static let payload =
    "0000:00:03.0 dir=FROM_DEVICE dma_addr=fffff000 size=4096 phys_addr=10a2b3000 "
    + "attrs=SKIP_CPU_SYNC"

  static let lines: [Line] = [
    Line(
      name: "trace",
      prefix: "        modprobe-1234    [000] d..1.  1234.567890: dma_map_page: "
    ),
    Line(
      name: "trace, hours later, three digits of CPU",
      prefix: "        modprobe-1234    [127] d..1. 1234567.567890: dma_map_page: ",
      cpu: 127,
      time: 1_234_567_567_890_000
    ),
    Line(
      name: "four flags",
      prefix: "        modprobe-1234    [000] d..1  1234.567890: dma_map_page: "
    ),
    Line(
      name: "noirq-info",
      prefix: "        modprobe-1234    [000]   1234.567890: dma_map_page: "
    ),
    Line(
      name: "record-tgid",
      prefix: "        modprobe-1234    (   1234) [000] d..1.  1234.567890: dma_map_page: "
    ),
    Line(
      name: "record-tgid, unknown",
      prefix: "        modprobe-1234    (-------) [000] d..1.  1234.567890: dma_map_page: "
    ),
    Line(
      name: "clock counter",
      prefix: "        modprobe-1234    [000] d..1.            3: dma_map_page: ",
      time: 3,
      isTicks: true
    ),
    Line(
      name: "clock x86-tsc",
      prefix: "        modprobe-1234    [000] d..1. 1755812519371: dma_map_page: ",
      time: 1_755_812_519_371,
      isTicks: true
    ),
    Line(
      name: "latency-format",
      prefix: "modprobe-1234      0d..1. 8080us+: dma_map_page: ",
      time: 8_080_000
    ),
    Line(
      name: "latency-format, no mark, CPU 12",
      prefix: "modprobe-1234     12d..1. 8080us : dma_map_page: ",
      cpu: 12,
      time: 8_080_000
    ),
    Line(
      name: "latency-format, other clock",
      prefix: "modprobe-1234      0d..1. 8080: dma_map_page: ",
      time: 8080,
      isTicks: true
    ),
    Line(
      name: "latency-format and verbose",
      prefix: "        modprobe    1234   3 1 00000001 00000000 [284a423e] 8.082ms (+0.081ms): "
        + "dma_map_page: ",
      cpu: 3,
      time: 0x284a_423e * 1000
    ),
    Line(name: "nocontext-info", prefix: "dma_map_page: ", task: "?", pid: -1, time: 0),
    Line(
      name: "trace-cmd until 3.2",
      prefix: "        modprobe-1234  [000]  1234.567890: dma_map_page:         "
    ),
    Line(
      name: "trace-cmd from 3.3",
      prefix: "        modprobe-1234  [000] d..1.  1234.567890: dma_map_page:         "
    ),
    Line(
      name: "trace-cmd -t",
      prefix: "        modprobe-1234  [000]  1234.567890123: dma_map_page:         ",
      time: 1_234_567_890_123
    ),
    Line(
      name: "trace-cmd -l",
      prefix: "modprobe-1234    0d..1.  1234.567890: dma_map_page:         "
    ),
    Line(
      name: "trace-cmd --ts-diff",
      prefix: "  irq/25-nvme0q1-99    [001]  1234.567890: (+0)     dma_map_page:         ",
      task: "irq/25-nvme0q1",
      pid: 99,
      cpu: 1
    ),
    Line(
      name: "trace-cmd --raw-ts",
      prefix: "        modprobe-1234  [000]1234567890123: dma_map_page:         ",
      time: 1_234_567_890_123,
      isTicks: true
    ),
    Line(
      name: "trace-cmd, top buffer of several",
      prefix: "               modprobe-1234  [000]  1234.567890: dma_map_page:         "
    ),
    Line(
      name: "trace-cmd, another buffer",
      prefix: "inst1:            <...>-5     [000]  1234.567890: dma_map_page:         ",
      task: "<...>",
      pid: 5
    ),
    Line(
      name: "perf script",
      prefix: "        modprobe  1234 [000]  1234.567890:   dma:dma_map_page: "
    ),
    Line(
      name: "perf script --ns",
      prefix: "        modprobe  1234 [000]  1234.567890123:   dma:dma_map_page: ",
      time: 1_234_567_890_123
    ),
    Line(
      name: "perf script -F comm,pid,tid,cpu,time,event,trace",
      prefix: "        modprobe  1200/1234  [000]  1234.567890: dma:dma_map_page: "
    ),
    Line(
      name: "perf script -F +period",
      prefix: "        modprobe  1234 [000]  1234.567890:          1   dma:dma_map_page: "
    ),
    Line(
      name: "perf script without CPU",
      prefix: "        modprobe  1234  1234.567890: dma:dma_map_page: "
    ),
    Line(
      name: "perf script with the time only",
      prefix: " 1234.567890: dma:dma_map_page: ",
      task: "?",
      pid: -1
    ),
    Line(
      name: "perf script without time",
      prefix: "        modprobe  1234 [000] dma:dma_map_page: ",
      time: 0
    ),
    Line(
      name: "perf script, event only",
      prefix: "dma:dma_map_page: ",
      task: "?",
      pid: -1,
      time: 0
    ),
    Line(
      name: "idle",
      prefix: "          <idle>-0       [000] d.h..  1234.567890: dma_map_page: ",
      task: "<idle>",
      pid: 0
    ),
    Line(
      name: "comm with blanks",
      prefix: "      DMA Test 1-1234    [000] d..1.  1234.567890: dma_map_page: ",
      task: "DMA Test 1"
    ),
    Line(
      name: "comm with brackets and dashes",
      prefix: "    a-1 [0] b-2 c-1234    [000] d..1.  1234.567890: dma_map_page: ",
      task: "a-1 [0] b-2 c"
    ),
    Line(
      name: "comm with a slash and a colon",
      prefix: "     kworker/u8:1-1234    [000] d..1.  1234.567890: dma_map_page: ",
      task: "kworker/u8:1"
    ),
    Line(
      name: "comm that is a number, perf",
      prefix: "              12  1234 [000]  1234.567890: dma:dma_map_page: ",
      task: "12"
    ),
    Line(
      name: "seven digits of pid",
      prefix: "        modprobe-4194303 [000] d..1.  1234.567890: dma_map_page: ",
      pid: 4_194_303
    ),
    Line(
      name: "lazy flags of newer kernels",
      prefix: "        modprobe-1234    [000] dLh1b  1234.567890: dma_map_page: "
    ),
  ]

  @Test(arguments: lines)
  func prefix(_ line: Line) {
    for end in ["\n", "\r\n", ""] {
      let reading = Reading(line.prefix + Self.payload + end)
      #expect(reading.error == nil)
      #expect(reading.summary.malformedLines == 0)
      #expect(reading.summary.cutOff == false)
      guard let seen = reading.events.first, reading.events.count == 1 else {
        Issue.record("no event: \(reading.summary.malformed)")
        return
      }
      #expect(seen.task == line.task)
      #expect(seen.event.pid == line.pid)
      #expect(seen.event.cpu == line.cpu)
      #expect(seen.event.time == line.time)
      #expect((reading.summary.clock == .ticks) == line.isTicks)
      #expect(seen.kind == .mapPage)
      #expect(seen.device == "0000:00:03.0")
      #expect(seen.event.direction == .fromDevice)
      #expect(seen.event.dmaAddress == 0xffff_f000)
      #expect(seen.event.size == 4096)
      #expect(seen.event.address == 0x1_0a2b_3000)
      #expect(seen.event.attributes == .skipCPUSync)
    }
  }

  @Test func dialectsMayBeMixed() {
    let text = Self.lines.map { $0.prefix + Self.payload + "\n" }.joined()
    let reading = Reading(text)
    #expect(reading.events.count == Self.lines.count)
    #expect(Set(reading.events.map(\.meaning)).count == 1)
    #expect(reading.events.map(\.event.line) == (1...UInt64(Self.lines.count)).map { $0 })
  }

  @Test func verboseWithAnotherClock() {
    let reading = Reading(
      "        modprobe    1234   3 1 00000001 00000000 [00000000284a423e] 8082 (+81): "
        + "dma_map_page: \(Self.payload)\n"
    )
    #expect(reading.events.first?.event.time == 0x284a_423e)
    #expect(reading.summary.clock == .ticks)
  }
}
