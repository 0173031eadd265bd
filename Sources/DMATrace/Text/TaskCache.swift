// SPDX-License-Identifier: MIT
import DMADebugCore

/// A small cache from the first 25 columns of the kernel's text (`%16s-%-7d `) to the task.
struct TaskCache {
  /// A thread: its number and its name.
  struct Task {
    var pid: Int32
    var name: UInt32
  }

  private struct Slot {
    var words: (UInt64, UInt64, UInt64) = (0, 0, 0)
    var task = Task(pid: -1, name: NameTable.unknown)
  }

  /// What all marks of a capture share.
  static let empty = TaskCache()

  private var slots = [Slot](repeating: Slot(), count: 64)

  /// The task in the columns from `start`, or nothing when they are not laid out that way.
  ///
  /// At least 25 bytes must stand at `start`, the last of them a blank.
  @inline(__always)
  mutating func find(_ start: UnsafePointer<UInt8>, in tasks: inout NameTable) -> Task? {
    let first = Cursor.load(start)
    let second = Cursor.load(start + 8)
    let third = Cursor.load(start + 16)
    let hash = (first ^ (second &* 0x9e37_79b9_7f4a_7c15) ^ third) &* 0xff51_afd7_ed55_8ccd
    let index = Int(truncatingIfNeeded: hash >> 58)
    let slot = slots[index]
    if slot.words == (first, second, third) { return slot.task }
    guard let task = parse(start, &tasks) else { return nil }
    slots[index] = Slot(words: (first, second, third), task: task)
    return task
  }

  @inline(never)
  private func parse(_ start: UnsafePointer<UInt8>, _ tasks: inout NameTable) -> Task? {
    var cursor = Cursor(start + 16, start + 25)
    guard cursor.skip(UInt8(ascii: "-")), let pid = cursor.decimal() else { return nil }
    cursor.skipSpaces()
    guard cursor.isAtEnd, pid <= UInt64(Int32.max) else { return nil }
    // A comm of more than 16 columns, or a dash inside of it, does not get here: a kernel comm has
    // at most 15 bytes, so that column 16 is the dash before the number.
    let comm = LinePrefix.trimmed(start, start + 16)
    return Task(pid: Int32(pid), name: tasks.intern(comm))
  }
}
