// SPDX-License-Identifier: MIT
import Glibc

/// One random number after the other, the same ones in every run.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}

enum Measure {
  /// User and system time of this process in nanoseconds.
  static func cpuTime() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// The most memory that this process ever had, in bytes.
  static func peakMemory() -> UInt64 {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return UInt64(usage.ru_maxrss) * 1024
  }

  /// The median of the CPU times of `runs` runs.
  static func median(runs: Int = 5, _ body: () -> Void) -> UInt64 {
    var times: [UInt64] = []
    for _ in 0..<runs {
      let start = cpuTime()
      body()
      times.append(cpuTime() - start)
    }
    return times.sorted()[runs / 2]
  }
}
