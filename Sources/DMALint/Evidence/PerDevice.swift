// SPDX-License-Identifier: MIT
import DMADebugCore

/// A value for each device, by its number.
struct PerDevice<Value> {
  private let standard: Value
  private(set) var values: [Value] = []

  /// - Parameter standard: The value of a device that nobody has set.
  init(_ standard: Value) {
    self.standard = standard
  }

  subscript(device: DeviceID) -> Value {
    @inline(__always)
    get {
      let index = Int(device.rawValue)
      return index < values.count ? values[index] : standard
    }
    @inline(__always)
    _modify {
      let index = Int(device.rawValue)
      if index >= values.count { grow(to: index + 1) }
      yield &values[index]
    }
  }

  @inline(never)
  private mutating func grow(to count: Int) {
    values.append(contentsOf: repeatElement(standard, count: count - values.count))
  }
}
