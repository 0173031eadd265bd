// SPDX-License-Identifier: MIT

extension TraceDatFile {
  /// From the timestamps of the file to those of the user.
  struct Clock {
    struct Shift {
      var times: [UInt64] = []
      var offsets: [Int64] = []
      var scalings: [UInt64] = []
      var fractions: [UInt64] = []
      var interpolates = false
    }

    /// By CPU.
    var shifts: [Shift] = []
    /// `TSC2NSEC`: multiply, then shift right.
    var multiplier: UInt64 = 0
    var shift: UInt64 = 0
    /// Nanoseconds to add, from the date and from an offset.
    var offset: Int64 = 0

    var isPlain: Bool { shifts.isEmpty && multiplier == 0 && offset == 0 }
  }
}

extension TraceDatFile.Clock {
  /// The time of a record on the user's clock.
  func time(_ stamp: UInt64, cpu: UInt32) -> UInt64 {
    var time = stamp
    if Int(cpu) < shifts.count { time = shifts[Int(cpu)].apply(time) }
    if multiplier != 0 {
      let product = time.multipliedFullWidth(by: multiplier)
      time = shift == 0 ? product.low : product.high << (64 - shift) | product.low >> shift
    }
    return time &+ UInt64(bitPattern: offset)
  }
}

extension TraceDatFile.Clock.Shift {
  /// The guest's time as the host has it.
  func apply(_ time: UInt64) -> UInt64 {
    guard let last = times.indices.last else { return time }
    var low = 0
    if time >= times[last] {
      low = last
    } else if time > times[0] {
      var high = last
      while high - low > 1 {
        let middle = (low + high) / 2
        if times[middle] <= time { low = middle } else { high = middle }
      }
    }
    var result = time
    let scaling = low < scalings.count ? scalings[low] : 1
    let fraction = low < fractions.count ? fractions[low] : 0
    if scaling != 1 || fraction != 0 {
      let product = time.multipliedFullWidth(by: scaling)
      result =
        fraction == 0 ? product.low : product.high << (64 - fraction) | product.low >> fraction
    }
    var offset = offsets[low]
    if interpolates, low < last, time > times[low], times[low + 1] > times[low] {
      // Between two measurements: in proportion.
      let part = Double(time - times[low]) / Double(times[low + 1] - times[low])
      let difference = Double(offsets[low + 1]) - Double(offsets[low])
      let step = (part * difference).rounded()
      if abs(step) < 9e18 { offset = offset &+ Int64(step) }
    }
    return result &+ UInt64(bitPattern: offset)
  }
}
