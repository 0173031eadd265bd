import DMATrace
import Glibc

/// Where settings and sessions are kept: the directories of the XDG specification.
enum SettingsFiles {
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
  static func text(_ path: String) throws -> String? {
    guard access(path, F_OK) == 0 else { return nil }
    return String(decoding: try FileBytes.read(path, limit: 1 << 20), as: UTF8.self)
  }

  /// Writes a file so that it is there as a whole or not at all, for the user alone.
  ///
  /// - Returns: what went wrong, `nil` when nothing did.
  static func replace(_ path: String, _ text: String) -> String? {
    makeDirectories(path)
    return replace(path, Array(text.utf8), mode: 0o600)
  }

  /// Writes a file so that it is there as a whole or not at all.
  ///
  /// - Returns: what went wrong, `nil` when nothing did.
  static func replace(_ path: String, _ bytes: [UInt8], mode: mode_t) -> String? {
    // A device or a pipe is written to, not replaced.
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      let descriptor = open(path, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else {
        return "\(displayName(path)): \(String(cString: strerror(errno)))"
      }
      defer { close(descriptor) }
      BufferedOutput.write(bytes, to: descriptor)
      return nil
    }
    let name = displayName(path)
    var draft = Array((path + ".XXXXXX").utf8CString)
    let descriptor = mkstemp(&draft)
    guard descriptor >= 0 else { return "\(name): \(String(cString: strerror(errno)))" }
    fchmod(descriptor, mode)
    var done = 0
    while done < bytes.count {
      let written = bytes.withUnsafeBytes {
        write(descriptor, $0.baseAddress! + done, bytes.count - done)
      }
      if written < 0, errno == EINTR { continue }
      if written <= 0 { break }
      done += written
    }
    let isWritten = done == bytes.count && fsync(descriptor) == 0
    close(descriptor)
    if isWritten, rename(&draft, path) == 0 { return nil }
    let problem = String(cString: strerror(errno))
    unlink(&draft)
    return "\(name): \(problem)"
  }

  private static func makeDirectories(_ path: String) {
    var parent = ""
    for part in path.split(separator: "/").dropLast() {
      parent += "/" + part
      mkdir(parent, 0o700)
    }
  }
}
