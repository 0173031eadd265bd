/// How lint was run: what a command needs to come to the same findings.
public struct Invocation: Sendable {
  /// Captures of one run, as they were named; `-` is standard input. Without any, the path of the
  /// finding is the capture.
  public var captures: [String]
  /// Options of the replay and of lint, each with its dashes, and their values.
  public var options: [String]

  public init(captures: [String] = [], options: [String] = []) {
    self.captures = captures
    self.options = options
  }

  /// The arguments of `dmatop replay` that open the captures.
  ///
  /// - Parameter path: The capture of a finding, when nothing better is known.
  func arguments(path: String) -> [String] {
    let captures = self.captures.isEmpty ? [path] : self.captures
    // What came through standard input is gone: it has to be put in for it.
    let names = captures.map { $0 == "-" || $0 == "<stdin>" ? "TRACE" : $0 }
    return names.prefix(1) + names.dropFirst().flatMap { ["--with", $0] } + options
  }
}
