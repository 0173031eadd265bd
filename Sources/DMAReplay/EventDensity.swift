// SPDX-License-Identifier: MIT

/// How many events and errors there are over time, in a bounded number of equal pieces.
///
/// Pieces double in width whenever time has outgrown them.
public struct EventDensity: Sendable {
  public static let pieces = 4096

  public private(set) var events = [UInt64](repeating: 0, count: pieces)
  public private(set) var errors = [UInt64](repeating: 0, count: pieces)
  /// Time at which the first piece begins.
  public private(set) var start: UInt64 = 0
  /// Nanoseconds of a piece.
  public private(set) var width: UInt64 = 1000
  private var isEmpty = true

  public init() {}

  public mutating func add(_ time: UInt64) {
    if isEmpty {
      isEmpty = false
      start = time
    }
    events[index(time)] += 1
  }

  public mutating func addError(_ time: UInt64) {
    errors[index(time)] += 1
  }

  private mutating func index(_ time: UInt64) -> Int {
    let distance = time > start ? time - start : 0
    while distance / width >= UInt64(Self.pieces) { widen() }
    return Int(distance / width)
  }

  private mutating func widen() {
    for index in 0..<Self.pieces / 2 {
      events[index] = events[2 * index] + events[2 * index + 1]
      errors[index] = errors[2 * index] + errors[2 * index + 1]
    }
    for index in Self.pieces / 2..<Self.pieces {
      events[index] = 0
      errors[index] = 0
    }
    width = width > UInt64.max / 4 ? width : width * 2
    if width > UInt64.max / 4 { width = UInt64.max / UInt64(Self.pieces) + 1 }
  }
}
