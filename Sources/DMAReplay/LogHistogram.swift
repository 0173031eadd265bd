// SPDX-License-Identifier: MIT

/// Counts of values by size, from which percentiles are read with an error of at most 1/32.
///
/// A value falls into one of 32 equal steps of its power of two; small values are exact.
///
/// There may be one for each of a million devices: one whose values are all in one step has no counts
/// of its own, and a few steps are kept as pairs.
public struct LogHistogram: Sendable {
  private static let stepBits: UInt64 = 5
  /// With more steps than these, every step has its place.
  private static let maximumPairs = 32
  /// Bits of a pair below its step.
  private static let countBits: UInt64 = 48
  /// Counts by step; or pairs of step and count, by step; or nothing, when all values are in the step
  /// of ``maximum``.
  private var counts: [UInt64] = []
  private var isDense = false
  public private(set) var count: UInt64 = 0
  public private(set) var maximum: UInt64 = 0

  public init() {}

  @inline(__always)
  public mutating func add(_ value: UInt64) {
    let slot = Self.slot(value)
    if isDense, slot < counts.count {
      counts[slot] += 1
    } else if count > 0 {
      insert(slot, 1)
    }
    count += 1
    maximum = max(maximum, value)
  }

  /// Adds to a step, before ``count`` and ``maximum`` are brought up to date.
  @inline(never)
  private mutating func insert(_ slot: Int, _ number: UInt64) {
    if !isDense {
      if counts.isEmpty {
        let only = Self.slot(maximum)
        if slot == only { return }
        counts = [UInt64(only) << Self.countBits | count]
      }
      var place = 0
      while place < counts.count, counts[place] >> Self.countBits < UInt64(slot) { place += 1 }
      if place < counts.count, counts[place] >> Self.countBits == UInt64(slot) {
        counts[place] += number
        return
      }
      guard counts.count >= Self.maximumPairs else {
        counts.insert(UInt64(slot) << Self.countBits | number, at: place)
        return
      }
      spread()
    }
    if slot >= counts.count {
      counts.append(contentsOf: repeatElement(0, count: slot + 1 - counts.count))
    }
    counts[slot] += number
  }

  /// Gives every step its place.
  private mutating func spread() {
    let pairs = counts
    counts = Array(repeating: 0, count: Int((pairs.last ?? 0) >> Self.countBits) + 1)
    for pair in pairs { counts[Int(pair >> Self.countBits)] = pair & (1 << Self.countBits - 1) }
    isDense = true
  }

  /// Calls `body` with each step that has values, in order, until it says that it is enough.
  private func visitSteps(_ body: (Int, UInt64) -> Bool) {
    if isDense {
      for (slot, number) in counts.enumerated() where number > 0 {
        if !body(slot, number) { return }
      }
    } else if counts.isEmpty {
      if count > 0 { _ = body(Self.slot(maximum), count) }
    } else {
      for pair in counts {
        if !body(Int(pair >> Self.countBits), pair & (1 << Self.countBits - 1)) { return }
      }
    }
  }

  /// Adds all values of another histogram.
  public mutating func merge(_ other: LogHistogram) {
    guard other.count > 0 else { return }
    guard count > 0 else {
      self = other
      return
    }
    other.visitSteps { slot, number in
      insert(slot, number)
      // A histogram without counts of its own tells them from these two.
      if counts.isEmpty { count += number }
      return true
    }
    count = sum
    maximum = max(maximum, other.maximum)
  }

  private var sum: UInt64 {
    if counts.isEmpty { return count }
    var sum: UInt64 = 0
    visitSteps { _, number in
      sum += number
      return true
    }
    return sum
  }

  /// The value below or at which `permille` of 1000 values lie; `nil` when there are none.
  public func percentile(permille: UInt64) -> UInt64? {
    guard count > 0 else { return nil }
    let (high, low) = count.multipliedFullWidth(by: permille)
    let rank = max(1, (1000 as UInt64).dividingFullWidth((high, low)).quotient)
    var seen: UInt64 = 0
    var result = maximum
    visitSteps { slot, number in
      seen += number
      guard seen >= rank else { return true }
      result = min(Self.upperBound(slot), maximum)
      return false
    }
    return result
  }

  private static func slot(_ value: UInt64) -> Int {
    let steps: UInt64 = 1 << stepBits
    if value < steps { return Int(value) }
    let exponent = UInt64(63 - value.leadingZeroBitCount) - stepBits
    return Int((exponent + 1) << stepBits | (value >> exponent & (steps - 1)))
  }

  private static func upperBound(_ slot: Int) -> UInt64 {
    let steps: UInt64 = 1 << stepBits
    if slot < Int(steps) { return UInt64(slot) }
    let exponent = UInt64(slot) >> stepBits - 1
    let lower = (steps | UInt64(slot) & (steps - 1)) << exponent
    return lower + (1 << exponent) - 1
  }
}
