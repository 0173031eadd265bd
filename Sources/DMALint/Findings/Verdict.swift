// SPDX-License-Identifier: MIT
import DMADebugCore

/// What a check beyond the kernel says: a finding in numbers, before names and settings are known.
struct Verdict {
  var rule: Rule
  /// Where it shows.
  var event: DMAEvent
  var message: String
  /// The other side of the mistake.
  var mapping: Mapping?
  var subject: Subject
  /// How often it happened.
  var count: UInt64 = 1
}
