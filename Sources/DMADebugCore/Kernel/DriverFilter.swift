// SPDX-License-Identifier: MIT

/// The driver filter of dma-debug: whose messages are shown.
public struct DriverFilter: Sendable {
  /// `NAME_MAX_LEN` − 1.
  static let maximumLength = 63

  /// The name that passes, empty when the filter is off.
  public private(set) var name: [UInt8] = []

  /// What a write to `driver_filter` changed.
  enum Change {
    case nothing
    case enabled
    case disabled
  }

  /// `dma_debug_driver=NAME`: the whole value, cut to 63 characters.
  init(bootParameter: [UInt8]) {
    name = Array(bootParameter.prefix(Self.maximumLength))
  }

  var isOn: Bool { !name.isEmpty }

  /// `filter_write`.
  mutating func write(_ value: some Collection<UInt8>) -> Change {
    let value = Array(value.prefix(Self.maximumLength))
    guard let first = value.first, first.isKernelAlphanumeric else {
      if !isOn { return .nothing }
      name = []
      return .disabled
    }
    name = Array(value.prefix { $0 != 0 && !$0.isKernelSpace })
    return .enabled
  }

  /// Whether messages about a device with this bound driver pass; `nil` is no driver.
  func passes(_ driver: ArraySlice<UInt8>?) -> Bool {
    if !isOn { return true }
    guard let driver else { return false }
    return driver.prefix(Self.maximumLength).elementsEqual(name)
  }
}

extension UInt8 {
  /// `isspace` of the kernel, whose table is Latin-1.
  var isKernelSpace: Bool { self == 0x20 || (0x09...0x0d).contains(self) || self == 0xa0 }

  /// `isalnum` of the kernel, whose table is Latin-1.
  var isKernelAlphanumeric: Bool {
    switch self {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
    case 0xc0...0xd6, 0xd8...0xf6, 0xf8...0xff: true
    default: false
    }
  }
}
