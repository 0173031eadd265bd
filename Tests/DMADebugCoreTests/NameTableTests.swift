// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

/// Names and stacks are bounded, whatever a capture invents.
@Suite struct NameTableTests {
  @Test func longNamesDoNotFillMemory() {
    var table = NameTable(maximumBytes: 1 << 16)
    let tail = String(repeating: "x", count: 5000)
    let known = table.intern("0 \(tail)")
    for number in 1..<100 { _ = table.intern("\(number) \(tail)") }
    #expect(table.count < 20)
    #expect(table.intern("99 \(tail)") == NameTable.overflow)
    // What was there before stays what it was.
    #expect(table.intern("0 \(tail)") == known)
    #expect(table[known].count == NameTable.maximumLength)
  }

  @Test func stacksDoNotFillMemory() {
    var table = StackTable()
    let deep = [UInt32](repeating: 7, count: StackTable.maximumDepth - 1)
    let first = table.intern([0] + deep)
    for number in 1..<UInt32(StackTable.maximumFrames / StackTable.maximumDepth + 10) {
      _ = table.intern([number] + deep)
    }
    #expect(table.count <= StackTable.maximumFrames / StackTable.maximumDepth + 1)
    #expect(table.intern([.max] + deep) == StackTable.none)
    #expect(table.intern([0] + deep) == first)
  }
}
