// SPDX-License-Identifier: MIT

/// A capture that cannot be read. Its description says what is wrong and what to do.
public struct TraceError: Error, Sendable, CustomStringConvertible {
  /// The input as the user named it, control characters escaped.
  public var path: String
  /// What is wrong, a sentence without a final full stop.
  public var problem: String
  /// What to do about it, or nothing.
  public var advice: String
  /// Nothing is wrong with the input: its end was requested too early. See ``InputEnd``.
  public var isInterruption: Bool

  public init(path: String, problem: String, advice: String = "", isInterruption: Bool = false) {
    self.path = path
    self.problem = problem
    self.advice = advice
    self.isInterruption = isInterruption
  }

  /// The problem in the words of ``TraceSummary/damage``.
  var damage: String {
    problem.hasPrefix("is damaged: ") ? String(problem.dropFirst("is damaged: ".count)) : problem
  }

  public var description: String {
    advice.isEmpty ? "\(path): \(problem)" : "\(path): \(problem)\n  \(advice)"
  }
}
