import Foundation
import TestSupport

/// Runs the built program as a user would.
enum Program {
  struct Result {
    var status: Int32
    var output: String
    var errors: String
  }

  /// The program beside the test bundle.
  static let path: String = {
    let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
    let directory =
      bundle.map { ($0.bundlePath as NSString).deletingLastPathComponent }
      ?? (CommandLine.arguments[0] as NSString).deletingLastPathComponent
    return directory + "/dmatop"
  }()

  static func run(
    _ arguments: [String],
    input: [UInt8]? = nil,
    environment: [String: String] = [:]
  ) throws -> Result {
    try execute(path, arguments, input: input, environment: environment)
  }

  /// A command for the shell, with `dmatop` on the path, in the root of the package.
  static func shell(_ command: String, environment: [String: String] = [:]) throws -> Result {
    var environment = environment
    let directory = (path as NSString).deletingLastPathComponent
    environment["PATH"] =
      directory + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
    return try execute("/bin/bash", ["-c", command], input: nil, environment: environment)
  }

  private static func execute(
    _ path: String,
    _ arguments: [String],
    input: [UInt8]?,
    environment: [String: String]
  ) throws -> Result {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: Fixtures.root)
    process.environment = ProcessInfo.processInfo.environment
      .merging(["LC_ALL": "C.UTF-8", "TERM": "xterm-256color"]) { $1 }
      .merging(environment) { $1 }
    // Files, not pipes: nothing can block however much is written.
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("dmatop-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    func file(_ name: String, _ content: [UInt8] = []) throws -> URL {
      let url = directory.appendingPathComponent(name)
      try Data(content).write(to: url)
      return url
    }
    let (output, errors) = (try file("output"), try file("errors"))
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    process.standardInput =
      try input.map { try FileHandle(forReadingFrom: file("input", $0)) } ?? FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return Result(
      status: process.terminationStatus,
      output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
      errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self)
    )
  }
}
