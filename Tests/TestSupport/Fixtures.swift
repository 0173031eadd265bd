// SPDX-License-Identifier: MIT
import Glibc

/// The files that tests read.
public enum Fixtures {
  /// The root of the package.
  public static let root: String = {
    // Tests/TestSupport/Fixtures.swift is three levels down.
    var path = #filePath
    for _ in 0..<3 { path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }
    return path
  }()

  /// The names in a directory, sorted.
  public static func list(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }

  /// The bytes of a file, or `nil` when there is none.
  public static func bytes(_ path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count <= 0 { return bytes }
      bytes += buffer[..<count]
    }
  }

  public static func text(_ path: String) -> String? {
    bytes(path).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The lines of a file; empty when there is none.
  public static func lines(_ path: String) -> [String] {
    (text(path) ?? "").split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
  }

  /// A directory for what tests write; it goes when they end.
  private static let workplace: String = {
    var template = Array("/tmp/dmatop-test-XXXXXX".utf8CString)
    let directory = template.withUnsafeMutableBufferPointer { buffer -> String in
      guard let base = buffer.baseAddress, let made = mkdtemp(base) else { return "/tmp" }
      return String(cString: made)
    }
    atexit { Fixtures.removeWorkplace() }
    return directory
  }()

  private static func removeWorkplace() {
    guard workplace.hasPrefix("/tmp/dmatop-test-") else { return }
    system("rm -rf " + workplace)
  }

  /// A new directory for a test.
  public static func temporaryDirectory() -> String {
    var template = Array((workplace + "/XXXXXX").utf8CString)
    return template.withUnsafeMutableBufferPointer { buffer -> String in
      guard let base = buffer.baseAddress, let made = mkdtemp(base) else { return workplace }
      return String(cString: made)
    }
  }

  /// Writes a file for a test and gives its path.
  public static func temporary(_ name: String, _ bytes: [UInt8]) -> String {
    let path = temporaryDirectory() + "/" + name
    write(bytes, to: path)
    return path
  }

  /// Writes a file.
  public static func write(_ bytes: [UInt8], to path: String) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress! + written, bytes.count - written)
      }
      if count <= 0 { break }
      written += count
    }
    close(descriptor)
  }
}

/// A capture of a real kernel with what the kernel said about it.
public struct KernelCase: Sendable, CustomStringConvertible {
  /// `6.12` or `7.3`.
  public let kernel: String
  public let name: String
  public let directory: String

  public var description: String { "linux-\(kernel)/\(name)" }
  public var trace: String { directory + "/trace.txt" }
  public var devices: String { directory + "/devices.txt" }
  public var log: [String] { Fixtures.lines(directory + "/log.txt") }
  /// The names of the moments at which the kernel's files were saved.
  public var snapshots: [String] {
    Set(archive.names.compactMap { $0.split(separator: "/").first.map(String.init) }).sorted()
  }

  /// The lines of a file of the kernel at a snapshot.
  public func file(_ snapshot: String, _ name: String) -> [String] {
    bytes(snapshot, name).split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) }
  }

  /// A file of the kernel at a snapshot; empty when there is none.
  public func bytes(_ snapshot: String, _ name: String) -> [UInt8] {
    archive["\(snapshot)/\(name)"] ?? []
  }

  /// The same as a file of its own, which goes when the tests end.
  public func path(_ snapshot: String, _ name: String) -> String {
    Fixtures.temporary(name, bytes(snapshot, name))
  }

  private var archive: TextArchive { TextArchive.read(directory + "/snapshots.txtar") }

  /// The capture of a kernel with a name.
  public static func named(_ kernel: String, _ name: String) -> KernelCase {
    KernelCase(
      kernel: kernel,
      name: name,
      directory: "\(Fixtures.root)/fixtures/kernel/linux-\(kernel)/\(name)"
    )
  }

  /// `dma_debug_entries=` of the kernel's command line.
  public var entries: UInt32 {
    let line = Fixtures.text(directory + "/cmdline") ?? ""
    let word = line.split(separator: " ").first { $0.hasPrefix("dma_debug_entries=") }
    return word.flatMap { UInt32($0.dropFirst("dma_debug_entries=".count)) } ?? 65536
  }

  /// All captures that the repository has.
  public static let all: [KernelCase] = {
    let root = Fixtures.root + "/fixtures/kernel"
    return Fixtures.list(root).filter { $0.hasPrefix("linux-") }.flatMap { kernel in
      Fixtures.list(root + "/" + kernel).map {
        KernelCase(
          kernel: String(kernel.dropFirst("linux-".count)),
          name: $0,
          directory: "\(root)/\(kernel)/\($0)"
        )
      }
    }
  }()
}
