/// Counts of values by size, from which percentiles are read with an error of at most 1/32.
///
/// A value falls into one of 32 equal steps of its power of two; small values are exact.
public struct LogHistogram: Sendable {
  private static let stepBits: UInt64 = 5
  private var counts: [UInt64] = []
  public private(set) var count: UInt64 = 0
  public private(set) var maximum: UInt64 = 0

  public init() {}

  public mutating func add(_ value: UInt64) {
    let slot = Self.slot(value)
    if slot >= counts.count {
      counts.append(contentsOf: repeatElement(0, count: slot + 1 - counts.count))
    }
    counts[slot] += 1
    count += 1
    maximum = max(maximum, value)
  }

  /// Adds all values of another histogram.
  public mutating func merge(_ other: LogHistogram) {
    if other.counts.count > counts.count {
      counts.append(contentsOf: repeatElement(0, count: other.counts.count - counts.count))
    }
    for (slot, number) in other.counts.enumerated() { counts[slot] += number }
    count += other.count
    maximum = max(maximum, other.maximum)
  }

  /// The value below or at which `permille` of 1000 values lie; `nil` when there are none.
  public func percentile(permille: UInt64) -> UInt64? {
    guard count > 0 else { return nil }
    let (high, low) = count.multipliedFullWidth(by: permille)
    let rank = max(1, (1000 as UInt64).dividingFullWidth((high, low)).quotient)
    var seen: UInt64 = 0
    for (slot, number) in counts.enumerated() {
      seen += number
      if seen >= rank { return min(Self.upperBound(slot), maximum) }
    }
    return maximum
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
