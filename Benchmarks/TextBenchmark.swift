// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMATrace

/// Times reading a trace of the kernel's common text dialect, made here.
struct TextBenchmark {
  private let bytes: [UInt8]
  private let events: UInt64

  /// - Parameter megabytes: About how long the text is.
  init(megabytes: Int) {
    var text = TextBuffer()
    text.append("# tracer: nop\n#\n")
    var random = SplitMix64(seed: 7)
    var count: UInt64 = 0
    var live: [UInt64] = []
    var time: UInt64 = 1_000_000
    func line(_ event: StaticString, _ rest: (inout TextBuffer) -> Void) {
      text.append("     kworker/u8:0-10      [001] d..1.  ")
      text.append(decimal: time / 1_000_000)
      text.append(".")
      text.append(decimal: time % 1_000_000, digits: 6)
      text.append(": ")
      text.append(event)
      rest(&text)
      text.append("\n")
      time += 3
      count += 1
    }
    while text.bytes.count < megabytes << 20 {
      let address = random.next() >> 20 & 0xff_ffff_f000
      live.append(address)
      line("dma_map_phys: 0000:00:06.0 dir=FROM_DEVICE dma_addr=") { text in
        text.append(hex: address)
        text.append(" size=4096 phys_addr=")
        text.append(hex: address)
        text.append(" attrs=")
      }
      if live.count > 500 {
        let old = live.remove(at: Int(random.next() % 500))
        line("dma_unmap_phys: 0000:00:06.0 dir=FROM_DEVICE dma_addr=") { text in
          text.append(hex: old)
          text.append(" size=4096 attrs=")
        }
      }
    }
    bytes = text.bytes
    events = count
  }

  func show() {
    let bytes = bytes
    let reading = Measure.median {
      var reader = TextTraceReader(bytes: bytes, name: "bench")
      var batch = EventBatch()
      while (try? reader.read(into: &batch)) == true {}
    }
    let replaying = Measure.median {
      guard
        var replay = try? Replay(
          reader: TextTraceReader(bytes: bytes, name: "bench"),
          options: ReplayOptions()
        )
      else { return }
      _ = try? replay.run(to: .end) { _, _ in }
    }
    report("read text", reading)
    report("read text and replay", replaying)
  }

  private func report(_ name: String, _ time: UInt64) {
    let megabytes = UInt64(bytes.count) * 1000 / max(time, 1)
    print(
      "\(name): \(bytes.count >> 20) MB in \(time / 1_000_000) ms, \(megabytes) MB/s,"
        + " \(events * 1000 / max(time / 1_000_000, 1) / 1000) thousand events/s"
    )
  }
}
