// SPDX-License-Identifier: MIT

/// How lint was run: what a command needs to come to the same findings.
public struct Invocation: Sendable {
  /// An option, with its dashes, and its value.
  public struct Option: Sendable {
    public var name: String
    public var value: String?

    public init(_ name: String, _ value: String? = nil) {
      self.name = name
      self.value = value
    }
  }

  /// Captures of one run, as they were named, a kernel log last. Without any, the path of the finding
  /// is the capture.
  public var captures: [String]
  /// Options of the replay and of lint.
  public var options: [Option]

  public init(captures: [String] = [], options: [Option] = []) {
    self.captures = captures
    self.options = options
  }
}
