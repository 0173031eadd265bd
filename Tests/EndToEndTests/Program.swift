// SPDX-License-Identifier: MIT
import Glibc
import TestSupport

/// Runs the built program as a user would.
enum Program {
  struct Result {
    var status: Int32
    var output: String
    var errors: String
  }

  /// Where the built programs are: beside this one.
  private static let directory: String = {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    // Tests run in a helper of the toolchain; the bundle that it loads is named on its command line.
    let words = [String(decoding: buffer[..<max(count, 0)], as: UTF8.self)] + CommandLine.arguments
    let bundle = words.first { $0.contains(".xctest") } ?? ""
    return String(bundle[..<(bundle.lastIndex(of: "/") ?? bundle.startIndex)])
  }()

  static func run(
    _ arguments: [String],
    input: [UInt8]? = nil,
    environment: [String: String] = [:]
  ) throws -> Result {
    execute(directory + "/dmatop", arguments, input, environment)
  }

  /// A command for the shell, with `dmatop` on the path, in the root of the package.
  static func shell(_ command: String, environment: [String: String] = [:]) throws -> Result {
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    return execute(
      "/bin/bash",
      ["-c", command],
      nil,
      environment.merging(["PATH": directory + ":" + path]) { $1 }
    )
  }

  /// Waits for the process itself only: a server that it left behind may live on.
  private static func execute(
    _ path: String,
    _ arguments: [String],
    _ input: [UInt8]?,
    _ changes: [String: String]
  ) -> Result {
    // Files, not pipes: nothing can block however much is written.
    let output = Fixtures.temporary("output", [])
    let errors = Fixtures.temporary("errors", [])
    let source = input.map { Fixtures.temporary("input", $0) } ?? "/dev/null"

    var environment: [String: String] = [:]
    var entry = environ
    while let line = entry.pointee {
      let parts = String(cString: line).split(separator: "=", maxSplits: 1)
      if let name = parts.first {
        environment[String(name)] = parts.count > 1 ? String(parts[1]) : ""
      }
      entry += 1
    }
    environment.merge(["LC_ALL": "C.UTF-8", "TERM": "xterm-256color"]) { $1 }
    // Nobody's settings, and no session of another test.
    let home = Fixtures.temporaryDirectory()
    environment.merge(["HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home]) { $1 }
    environment["NO_COLOR"] = nil
    environment.merge(changes) { $1 }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_addopen(&actions, 0, source, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_TRUNC, 0)
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_TRUNC, 0)
    defer { posix_spawn_file_actions_destroy(&actions) }

    // The threads of the test runner block signals, which a process would inherit.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var mask = sigset_t()
    sigemptyset(&mask)
    posix_spawnattr_setsigmask(&attributes, &mask)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

    let inRoot = ["sh", "-c", "cd \"$0\" && exec \"$@\"", Fixtures.root, path]
    var words: [UnsafeMutablePointer<CChar>?] = (inRoot + arguments).map { strdup($0) } + [nil]
    var settings: [UnsafeMutablePointer<CChar>?] =
      environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in words + settings { free(text) } }
    var process = pid_t()
    var status: Int32 = -1
    if posix_spawn(&process, "/bin/sh", &actions, &attributes, &words, &settings) == 0 {
      while waitpid(process, &status, 0) < 0, errno == EINTR {}
      // A signal counts as the shell counts it.
      status = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    }
    return Result(
      status: status,
      output: Fixtures.text(output) ?? "",
      errors: Fixtures.text(errors) ?? ""
    )
  }
}
