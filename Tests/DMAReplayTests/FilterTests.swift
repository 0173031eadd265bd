// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMASimulator
import Testing

@Suite struct FilterTests {
  private struct Row: FilterExpression.Row {
    let fields: [String: FieldValue]

    func value(_ field: String) -> FieldValue? { fields[field] }
    var texts: [String] { fields.keys.sorted().compactMap { fields[$0]?.display } }
  }

  private static let row = Row(fields: [
    "driver": .text("nvme"), "device": .text("0000:00:06.0"), "dir": .text("FROM_DEVICE"),
    "size": .number(8192), "age": .duration(1_500_000), "phys_addr": .none,
    "dma_addr": .address(0x696_0000),
  ])

  private func matches(_ text: String) throws -> Bool {
    try FilterExpression(text, fields: Set(Self.row.fields.keys)).matches(Self.row)
  }

  @Test(arguments: [
    "", "nvme", "NVME", "nv 06.0", "0000:00:06.0", "ahci|nvme", "!ahci", "driver:nv",
    "driver:ahci|nvme", "size>4k", "size>=8k", "size=8192", "size<1M", "dir=from", "dir:from",
    "age>1ms", "age<2ms", "!size<4k", "~nv.e", "driver:~^nvme$", "size=0x2000", "!phys_addr>0",
    "dir=to|from", "dir=to|dir=from", "ahci|size>4k", "dma_addr=6960000", "dma_addr>=0x6960000",
  ])
  func lets(_ text: String) throws {
    #expect(try matches(text))
  }

  @Test(arguments: [
    "ahci", "nvme ahci", "!nvme", "driver:ahci", "size>8k", "size<4k", "dir=to", "age>1s",
    "~^06", "phys_addr>0", "driver=nv",
  ])
  func stops(_ text: String) throws {
    #expect(try !matches(text))
  }

  @Test(arguments: ["colour:red", "siez>4k", "~(", "driver:~[", "size>1q", "dma_addr=xyz"])
  func refuses(_ text: String) {
    #expect(throws: FilterExpression.ParseError.self) { try matches(text) }
  }

  /// Why an expression is none, and how long that took.
  private func refusal(_ text: String) -> (message: String, took: Duration) {
    let start = ContinuousClock.now
    do {
      _ = try matches(text)
      return ("", ContinuousClock.now - start)
    } catch {
      return ("\(error)", ContinuousClock.now - start)
    }
  }

  private static func many(_ text: String, _ count: Int) -> String {
    String(repeating: text, count: count)
  }

  private static let large: [(String, String)] = [
    ("~" + many("(", 20_000), "the pattern has more than 1024 bytes"),
    ("~" + many("(", 400) + "a" + many(")", 400), "groups more than 50 deep"),
    ("driver:~" + many("[", 100), "groups more than 50 deep"),
    (many("a ", 100_000), "more than 65536 bytes"), (many("a ", 32_000), "more than 1000 terms"),
    (many("a|", 32_000), "more than 1000 terms"),
    ("driver=" + many("a|", 32_000), "more than 1000 terms"), (many("nvme ", 1000), ""),
    ("size=" + many("9", 65_000), ""),
    ("size>" + many("9", 65_000) + "q", "…' is not a valid number"),
    ("dma_addr=" + many("f", 65_000), "…' is not a valid address"),
    (many("!", 65_001) + "nvme", ""),
    (many("(", 20_000), ""), (many("x", 65_536), ""), (many("\u{301}", 30_000), ""),
    (many("x", 65_000) + ":a", "no field '" + many("x", 40) + "…'"),
    ("\u{1B}:a size=\u{1B}", "'\\x1b'"),
  ]

  /// Whatever its size, an expression costs no more than to read it, and no stack.
  @Test(arguments: large)
  func sizeIsBounded(_ text: String, _ message: String) {
    let (refusal, took) = refusal(text)
    #expect(message.isEmpty ? refusal.isEmpty : refusal.contains(message))
    #expect(refusal.utf8.count < 300)
    // Debug builds are slow; quadratic would be minutes.
    #expect(took < .seconds(5))
  }

  @Test func oddNegations() throws {
    #expect(try matches("!!nvme"))
    #expect(try !matches("!!!nvme"))
    #expect(try matches("!!ahci") == false)
  }

  @Test func percentilesAreNear() {
    var histogram = LogHistogram()
    for value in 1...1000 { histogram.add(UInt64(value)) }
    #expect(histogram.maximum == 1000)
    let median = histogram.percentile(permille: 500) ?? 0
    #expect(median >= 500 && median <= 516)
    #expect(histogram.percentile(permille: 1000) == 1000)
    #expect(LogHistogram().percentile(permille: 500) == nil)
  }

  /// However a histogram keeps its counts, a merged one says the same as one that saw all values.
  @Test(arguments: [1, 2, 5, 40, 3000])
  func histogramsMerge(_ spread: UInt64) {
    var random = SeededRandom(seed: spread)
    var all = LogHistogram()
    var merged = LogHistogram()
    var values: [UInt64] = []
    for _ in 0..<30 {
      var part = LogHistogram()
      for _ in 0..<(random.next() % 20) {
        let value = 1000 + random.next() % spread * 997
        values.append(value)
        all.add(value)
        part.add(value)
      }
      merged.merge(part)
    }
    values.sort()
    #expect(merged.count == UInt64(values.count) && merged.maximum == values.last)
    for permille: UInt64 in [1, 250, 500, 900, 990, 1000] {
      let shown = merged.percentile(permille: permille)
      #expect(shown == all.percentile(permille: permille))
      let rank = max(1, values.count * Int(permille) / 1000)
      let exact = values[rank - 1]
      #expect(shown.map { $0 >= exact && $0 <= exact + exact / 31 + 1 } == true)
    }
  }

  /// A trace may name a million devices.
  @Test func devicesCostLittle() {
    #expect(MemoryLayout<Statistics.Totals>.stride <= 128)
  }

  @Test(arguments: [
    (0 as UInt64, "0 B", "0 ns"), (1023, "1023 B", "1.02 µs"), (1536, "1.50 KiB", "1.53 µs"),
    (92_000_000, "87.7 MiB", "92.0 ms"), (UInt64.max, "15.9 EiB", "213503 d"),
  ])
  func quantitiesAreShort(_ value: UInt64, _ bytes: String, _ duration: String) {
    #expect(FieldValue.bytes(value) == bytes)
    #expect(FieldValue.duration(value) == duration)
  }
}
