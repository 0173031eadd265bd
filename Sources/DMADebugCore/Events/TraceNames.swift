// SPDX-License-Identifier: MIT

/// A device of the trace, a number into ``TraceNames/devices``.
public struct DeviceID: Hashable, Sendable, BitwiseCopyable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// The device of an event that names none.
  public static let unknown = DeviceID(rawValue: NameTable.unknown)
}

/// A driver or bus name, a number into ``TraceNames/drivers``.
public struct DriverID: Hashable, Sendable, BitwiseCopyable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// A driver that nothing has named yet, printed `?`.
  public static let unknown = DriverID(rawValue: NameTable.unknown)
  /// The bus `pci`, which every table of names begins with: devices are recognised as such.
  public static let pci = DriverID(rawValue: NameTable.overflow + 1)
}

/// The names that occur in a trace, as the reader met them.
///
/// Readers add to it, everybody else reads. It only grows, up to the bounds of each table, so it is
/// kept beside the engine and not inside it: a checkpoint of the engine stays small.
public struct TraceNames: Sendable {
  /// Device names as `dev_name()` gives them.
  public var devices = NameTable()
  /// Driver and bus names.
  public var drivers = NameTable()
  /// `comm` of tasks.
  public var tasks = NameTable()
  /// Kernel symbols, with offset and module as the trace has them.
  public var symbols = NameTable()
  /// Exporters of dma-bufs.
  public var exporters = NameTable()
  /// Timelines of fences.
  public var timelines = NameTable()
  /// Channels of dmaengine, such as `dma0chan3`.
  public var channels = NameTable()
  /// Call stacks.
  public var stacks = StackTable()

  /// Those that nothing was added to, for places that keep no names.
  package static let none = TraceNames()

  public init() {
    let pci = drivers.intern("pci")
    assert(pci == DriverID.pci.rawValue)
  }
}

/// Call stacks interned to small integers; a stack is a list of symbol numbers, innermost first.
public struct StackTable: Sendable {
  /// The number of "no stack".
  public static let none: UInt32 = 0
  /// The most frames that are kept of a stack.
  public static let maximumDepth = 64
  /// The most stacks that are kept; a later new one becomes ``none``. Statistics and the linter keep a
  /// history of each, so it is far less than names may be; kernels map from some thousand stacks.
  public static let maximumCount = 1 << 17
  /// The most frames that are kept of all stacks together; a new stack beyond them becomes ``none``.
  public static let maximumFrames = 1 << 22

  private var frames: [UInt32] = []
  private var starts: [UInt32] = [0, 0]
  private var slots = [UInt32](repeating: 0, count: 64)

  public init() {}

  /// How many stacks there are, ``none`` included.
  public var count: Int { starts.count - 1 }

  /// The frames of a stack, innermost first; empty for ``none``.
  public subscript(number: UInt32) -> ArraySlice<UInt32> {
    guard Int(number) < count else { return [] }
    return frames[Int(starts[Int(number)])..<Int(starts[Int(number) + 1])]
  }

  /// The number of the stack with these frames, which is added when it is new.
  public mutating func intern(_ stack: [UInt32]) -> UInt32 {
    if stack.isEmpty { return Self.none }
    let stack = stack.prefix(Self.maximumDepth)
    var slot = Self.hash(stack) & (slots.count - 1)
    while slots[slot] != 0 {
      if self[slots[slot]].elementsEqual(stack) { return slots[slot] }
      slot = (slot + 1) & (slots.count - 1)
    }
    guard count < Self.maximumCount, frames.count + stack.count <= Self.maximumFrames else {
      return Self.none
    }
    let number = UInt32(count)
    frames.append(contentsOf: stack)
    starts.append(UInt32(frames.count))
    slots[slot] = number
    if count * 2 > slots.count { grow() }
    return number
  }

  private mutating func grow() {
    slots = Array(repeating: 0, count: slots.count * 2)
    for number in 1..<UInt32(count) {
      var slot = Self.hash(self[number]) & (slots.count - 1)
      while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = number
    }
  }

  private static func hash(_ stack: ArraySlice<UInt32>) -> Int {
    var state: UInt64 = 0x9e37_79b9_7f4a_7c15
    for frame in stack {
      state = (state ^ UInt64(frame)) &* 0xff51_afd7_ed55_8ccd
      state ^= state >> 33
    }
    return Int(truncatingIfNeeded: state >> 1)
  }
}
