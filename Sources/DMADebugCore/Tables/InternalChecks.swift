// SPDX-License-Identifier: MIT

/// Ends the program when the engine has broken one of its own rules.
///
/// Input cannot break them, only a mistake in the engine can. Debug builds, and with them the tests,
/// and the fuzzers look (`DMATOP_INTERNAL_CHECKS` in Package.swift); release builds do not.
@inline(__always)
func internalCheck(_ condition: @autoclosure () -> Bool, _ problem: @autoclosure () -> String) {
  #if DMATOP_INTERNAL_CHECKS
    // Not a precondition: optimised builds, as those of the fuzzers, keep its message to themselves.
    if !condition() { fatalError("internal check: \(problem())") }
  #endif
}
