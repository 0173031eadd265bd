// SPDX-License-Identifier: MIT
import Glibc

/// The program that the end-to-end tests run.
enum TerminalDemoProgram {
  /// Built beside the tests.
  static var path: String {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = bytes.withUnsafeMutableBytes { buffer in
      readlink("/proc/self/exe", buffer.baseAddress!, buffer.count)
    }
    let own = String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
    return own.split(separator: "/", omittingEmptySubsequences: false).dropLast()
      .joined(separator: "/") + "/TerminalDemo"
  }

  static func environment(term: String?, locale: String = "C.UTF-8") -> [String: String] {
    // The interactive backtracer would wait for a key after a crash.
    var environment = ["LC_ALL": locale, "SWIFT_BACKTRACE": "enable=no"]
    environment["TERM"] = term
    return environment
  }
}
