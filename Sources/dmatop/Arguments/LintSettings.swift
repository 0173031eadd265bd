// SPDX-License-Identifier: MIT
import ArgumentParser
import DMAExport
import DMALint
import DMAMonitor
import DMATrace
import Glibc

/// The settings of lint from files, the same for every command that lints.
enum LintSettings {
  /// A variable of the environment; empty ones count as not set.
  static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The file; `nil` when there is none.
  ///
  /// - Parameters:
  ///   - config: The file that was asked for.
  ///   - isolated: No other than that.
  static func path(_ config: String?, isolated: Bool) -> String? {
    isolated ? config : config ?? variable("DMATOP_CONFIG") ?? find()
  }

  /// Reads the file, if there is one.
  ///
  /// - Throws: ``CommandError`` when it cannot be read or means nothing.
  static func read(_ config: String?, isolated: Bool) throws -> LintConfiguration {
    var settings = LintConfiguration()
    guard let path = path(config, isolated: isolated) else { return settings }
    guard let text = try SettingsFiles.text(path) else {
      throw CommandError("\(displayName(path)): there is no such file")
    }
    do {
      try settings.read(text, name: displayName(path))
    } catch {
      throw CommandError(error.description)
    }
    // A baseline stands beside the file that names it.
    if let baseline = settings.baseline, !baseline.hasPrefix("/"),
      let slash = path.lastIndex(of: "/")
    {
      settings.baseline = path[...slash] + baseline
    }
    return settings
  }

  /// `dmatop.toml` in this directory or above.
  private static func find() -> String? {
    guard let buffer = getcwd(nil, 0) else { return nil }
    defer { free(buffer) }
    var directory = String(cString: buffer)
    while true {
      let path = directory + (directory.hasSuffix("/") ? "" : "/") + "dmatop.toml"
      if access(path, R_OK) == 0 { return path }
      guard directory != "/", let slash = directory.lastIndex(of: "/") else { return nil }
      directory = String(directory[..<slash])
      if directory.isEmpty { directory = "/" }
    }
  }
}

/// Settings of lint for commands that lint beside what they do.
struct LintSettingsArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Settings of lint: this file instead of dmatop.toml. So does DMATOP_CONFIG.",
      valueName: "file"
    )
  )
  var lintConfig: String?

  @Flag(help: "No settings of lint from any file.")
  var isolated = false

  func configuration() throws -> LintConfiguration {
    try LintSettings.read(lintConfig, isolated: isolated)
  }
}
