// SPDX-License-Identifier: MIT
import DMADebugCore

/// What came of the mappings of one map site: how many live, and since when they became more.
struct SiteHistory {
  private static let maximumSamples = 64

  private(set) var live: Int = 0
  private(set) var made: UInt64 = 0
  private(set) var ended: UInt64 = 0
  private(set) var longest: UInt64 = 0
  private(set) var first: UInt64 = 0
  /// How many lived after some of the maps, in equal steps of maps.
  private var samples: [(time: UInt64, live: Int)] = []
  private var step: UInt64 = 1

  mutating func map(_ time: UInt64) {
    if made == 0 { first = time }
    live += 1
    made += 1
    // Most sites of a trace with very many devices map once: that one is known without a sample.
    guard made > 1, made % step == 0 else { return }
    if made == 2 { samples.append((first, 1)) }
    samples.append((time, live))
    if samples.count > Self.maximumSamples {
      samples = samples.enumerated().compactMap { $0.offset % 2 == 1 ? $0.element : nil }
      step *= 2
    }
  }

  mutating func unmap(_ lifetime: UInt64) {
    live -= 1
    ended += 1
    longest = max(longest, lifetime)
  }

  /// Whether there were more in each quarter of the time from the first map to the end, by a tenth
  /// of what there is in the end at least.
  func grows(until end: UInt64) -> Bool {
    guard end > first, samples.count >= 8 else { return false }
    var last = 0
    for quarter in 1...4 as ClosedRange<UInt64> {
      let time = first + (end - first) / 4 * quarter
      let count =
        quarter == 4 ? live : samples.last { $0.time <= time }?.live ?? 0
      guard count - last >= max(live / 10, 1) else { return false }
      last = count
    }
    return true
  }
}
