// SPDX-License-Identifier: MIT
import DMAExport
import DMATrace
import Glibc

/// Where settings and sessions are kept: the directories of the XDG specification.
package enum SettingsFiles {
  /// The user's own file, which is only ever read.
  static var own: String? { directory("XDG_CONFIG_HOME", "/.config").map { $0 + "/config.toml" } }

  /// The file of the setup screen.
  static var setup: String? { directory("XDG_CONFIG_HOME", "/.config").map { $0 + "/setup.toml" } }

  /// The directory of sessions.
  static var sessions: String? {
    directory("XDG_STATE_HOME", "/.local/state").map { $0 + "/sessions" }
  }

  private static func directory(_ variable: String, _ standard: String) -> String? {
    func value(_ name: String) -> String? {
      getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    return (value(variable) ?? value("HOME").map { $0 + standard }).map { $0 + "/dmatop" }
  }

  /// The text of a file; `nil` when there is none.
  ///
  /// - Throws: ``TraceError`` when it is there but cannot be read.
  package static func text(_ path: String) throws -> String? {
    guard access(path, F_OK) == 0 else { return nil }
    return String(decoding: try FileBytes.readRegular(path, limit: 1 << 20), as: UTF8.self)
  }

  /// Writes a file so that it is there as a whole or not at all, for the user alone.
  ///
  /// - Returns: what went wrong, `nil` when nothing did.
  static func replace(_ path: String, _ text: String) -> String? {
    makeDirectories(path)
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      // Opening a FIFO would wait for somebody who reads it.
      return "\(displayName(path)): not a regular file"
    }
    return replace(path, Array(text.utf8), mode: 0o600)
  }

  /// Writes a file so that it is there as a whole or not at all.
  ///
  /// - Returns: what went wrong, `nil` when nothing did.
  private static func replace(_ path: String, _ bytes: [UInt8], mode: mode_t) -> String? {
    do {
      let file = try OutputFile(path, mode: mode)
      try file.write(bytes)
      try file.commit()
      return nil
    } catch {
      return "\(error)"
    }
  }

  private static func makeDirectories(_ path: String) {
    var parent = ""
    for part in path.split(separator: "/").dropLast() {
      parent += "/" + part
      mkdir(parent, 0o700)
    }
  }
}
