// SPDX-License-Identifier: MIT
import Testing

@testable import DMADebugCore

/// Tests and fuzzers see a wrong slot where it is used, not where it does harm.
@Suite struct InternalCheckTests {
  @Test func checksAreOnInTests() {
    #if !DMATOP_INTERNAL_CHECKS
      Issue.record("the engine does not check its own rules")
    #endif
  }

  #if compiler(>=6.2)
    @Test func aSlotBeyondTheEndIsNamed() async throws {
      let result = await #expect(
        processExitsWith: .failure,
        observing: [\.standardErrorContent]
      ) {
        let slab = Slab<UInt64>(repeating: 0, count: 3)
        slab[3] = 1
      }
      let errors = try #require(result?.standardErrorContent)
      #expect(String(decoding: errors, as: UTF8.self).contains("slot 3 of 3"))
    }
  #endif
}
