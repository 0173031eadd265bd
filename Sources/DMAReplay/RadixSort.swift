// SPDX-License-Identifier: MIT

/// Sorts slots of a table by 64-bit keys, in time proportional to their number. Equal keys keep
/// their order.
enum RadixSort {
  struct Pair: BitwiseCopyable {
    var key: UInt64
    var slot: UInt32
  }

  private static let digitBits: UInt64 = 11

  static func sort(_ pairs: inout [Pair]) {
    guard pairs.count > 1 else { return }
    if pairs.count < 64 {
      // Insertion keeps the order too, and has no tables to clear.
      for index in 1..<pairs.count {
        let pair = pairs[index]
        var place = index
        while place > 0, pairs[place - 1].key > pair.key {
          pairs[place] = pairs[place - 1]
          place -= 1
        }
        pairs[place] = pair
      }
      return
    }
    var different: UInt64 = 0
    for pair in pairs { different |= pair.key ^ pairs[0].key }
    guard different != 0 else { return }
    var spare = [Pair](unsafeUninitializedCapacity: pairs.count) { buffer, count in
      buffer.initialize(repeating: Pair(key: 0, slot: 0))
      count = buffer.count
    }
    var counts = [Int](repeating: 0, count: 1 << Int(digitBits))
    let mask = UInt64(1) << digitBits - 1
    var shift: UInt64 = 0
    while shift < 64 {
      // Digits in which all are equal move nothing.
      if different >> shift & mask != 0 {
        pass(&pairs, &spare, &counts, shift, mask)
        swap(&pairs, &spare)
      }
      shift += digitBits
    }
  }

  private static func pass(
    _ pairs: inout [Pair],
    _ spare: inout [Pair],
    _ counts: inout [Int],
    _ shift: UInt64,
    _ mask: UInt64
  ) {
    pairs.withUnsafeBufferPointer { source in
      spare.withUnsafeMutableBufferPointer { target in
        counts.withUnsafeMutableBufferPointer { counts in
          counts.update(repeating: 0)
          for pair in source { counts[Int(truncatingIfNeeded: pair.key >> shift & mask)] += 1 }
          var place = 0
          for digit in counts.indices {
            let count = counts[digit]
            counts[digit] = place
            place += count
          }
          for pair in source {
            let digit = Int(truncatingIfNeeded: pair.key >> shift & mask)
            target[counts[digit]] = pair
            counts[digit] += 1
          }
        }
      }
    }
  }
}
