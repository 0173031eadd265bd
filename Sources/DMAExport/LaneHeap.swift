// SPDX-License-Identifier: MIT

/// Numbers of free tracks; the lowest comes out first.
struct LaneHeap {
  private var lanes: [UInt32] = []

  mutating func add(_ lane: UInt32) {
    lanes.append(lane)
    var child = lanes.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard lanes[child] < lanes[parent] else { return }
      lanes.swapAt(child, parent)
      child = parent
    }
  }

  mutating func take() -> UInt32? {
    guard let lowest = lanes.first, let last = lanes.popLast() else { return nil }
    guard !lanes.isEmpty else { return lowest }
    lanes[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < lanes.count && lanes[child] < lanes[least] {
        least = child
      }
      if least == parent { return lowest }
      lanes.swapAt(least, parent)
      parent = least
    }
  }
}
