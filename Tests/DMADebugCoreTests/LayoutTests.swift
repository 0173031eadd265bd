// SPDX-License-Identifier: MIT
import Testing

@testable import DMADebugCore

@Suite struct LayoutTests {
  /// A trace may name a million devices.
  @Test func devicesCostLittle() {
    #expect(MemoryLayout<DeviceState>.stride <= 32)
  }

  @Test func aMappingIsAsSmallAsTheKernelsEntry() {
    #expect(MemoryLayout<Mapping>.stride <= 128)
    #expect(MemoryLayout<DMAEvent>.stride <= 128)
  }
}
