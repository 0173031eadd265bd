// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace
import TestSupport
import Testing

@testable import DMAReplay

/// The fast filter and sort of mappings, held against the slow and plain ones.
@Suite struct SelectionTests {
  private static func context() throws -> MappingContext {
    let timeline = try SimulatedRun.timeline("desktop", events: 30_000, faults: "all@2%")
    while !timeline.isComplete { try timeline.read(limit: 100_000) }
    try timeline.seek(event: timeline.eventCount * 2 / 3)
    return MappingContext(engine: timeline.engine, names: timeline.names, now: timeline.time)
  }

  @Test func filtersAsThePlainFilterDoes() throws {
    let context = try Self.context()
    let selection = MappingSelection(context)
    let all = selection.all()
    #expect(all.count > 100)
    let fields = Set(MappingField.allCases.map(\.rawValue) + ["age", "time"])
    var sizes: Set<Int> = []
    for text in [
      "", "nvme", "eth|nvme", "!nvme", "driver:nvme", "dir=to", "dir=from size>1k", "size>=4k",
      "size<64", "age>1ms", "err", "!err", "~^e", "device:~[0-9]$", "0x1", "ff", "1000", "0xf",
      "type=coherent", "map_error:unch", "dma_addr:~0x.*000$", "pid>0", "task:irq|swapper",
      "site:alloc", "attrs:x", "a b", "phys_addr<1g", "line>100", "site=none", "cpu=1",
      "dma_addr=0x1000", "driver>m",
    ] {
      let filter = try FilterExpression(text, fields: fields)
      let fast = selection.filtered(all, by: [filter])
      let slow = all.filter { filter.matches(MappingRow(selection.mapping($0), context)) }
      #expect(fast == slow, "\(text)")
      sizes.insert(fast.count)
    }
    #expect(sizes.count > 10)
  }

  @Test(arguments: MappingField.allCases)
  func sortsAsThePlainSortDoes(_ field: MappingField) throws {
    let context = try Self.context()
    let selection = MappingSelection(context)
    let all = selection.all()
    func value(_ slot: UInt32) -> FieldValue {
      field.value(of: selection.mapping(slot), in: context)
    }
    for ascending in [true, false] {
      let sorted = selection.sorted(all, by: field, ascending: ascending)
      let plain = all.enumerated().sorted { a, b in
        let (x, y) = (value(a.element), value(b.element))
        if x == y { return a.offset < b.offset }
        if x == .none || y == .none { return y == .none }
        return ascending ? x.precedes(y) : y.precedes(x)
      }.map(\.element)
      #expect(sorted == plain)
    }
  }

  @Test func pinnedFiltersLeaveOutWhatAViewDoesNotHave() throws {
    #expect(throws: FilterExpression.ParseError.self) {
      try FilterExpression("size>4k nvme", fields: ["driver"])
    }
    let filter = try FilterExpression("size>4k nvme", fields: ["driver"], skipsOthers: true)
    #expect(filter.terms.count == 1)
  }
}
