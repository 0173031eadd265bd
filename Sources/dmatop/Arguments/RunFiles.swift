// SPDX-License-Identifier: MIT
import ArgumentParser
import DMAExport
import DMATrace
import Glibc

/// A command that reads or writes files. ``Dmatop`` asks for them before it runs.
protocol FileCommand: ParsableCommand {
  /// What the command line names.
  func files() throws -> RunFiles
}

/// All files of a run: what is written must be none of what is read, and two outputs must not be
/// one file. Standard output is always among the outputs, wherever it leads.
struct RunFiles {
  private struct Output {
    let path: String
    /// Inputs that it is made to replace.
    let replaced: String?
  }

  /// What makes two paths the same file.
  private enum Identity: Hashable {
    case file(dev_t, ino_t)
    /// One that is not there yet, by its directory.
    case missing(dev_t, ino_t, String)
  }

  private var inputs: [String] = []
  private var outputs: [Output] = [Output(path: "-", replaced: nil)]

  /// - Parameter paths: `-` is standard input; a scenario counts as its file.
  init(reading paths: [String?] = []) {
    for path in paths { read(path) }
  }

  mutating func read(_ path: String?) {
    guard let path = path.map({ SimulationOptions.scenarioFile(path: $0) ?? $0 }) else { return }
    inputs.append(path)
  }

  /// - Parameters:
  ///   - path: `-` is standard output.
  ///   - replaced: an input that may be the same file.
  mutating func write(_ path: String?, replacing replaced: String? = nil) {
    guard let path, path != "-" else { return }
    outputs.append(Output(path: path, replaced: replaced))
  }

  /// - Throws: ``CommandError`` when something would be written over what is read.
  func check() throws {
    var written: Set<Identity> = []
    for output in outputs {
      guard let identity = Self.identity(output: output.path) else { continue }
      var read = inputs
      if let own = read.firstIndex(where: { $0 == output.replaced }) { read.remove(at: own) }
      if read.contains(where: { Self.identities(input: $0).contains(identity) }) {
        throw CommandError("\(outputName(output.path)): is what is read; write to another file")
      }
      guard written.insert(identity).inserted else {
        throw CommandError("\(outputName(output.path)): is written twice; write to two files")
      }
    }
  }

  /// The files that an input is made of: of a directory of perf all in it.
  private static func identities(input path: String) -> [Identity] {
    var status = stat()
    guard (path == "-" ? fstat(STDIN_FILENO, &status) : stat(path, &status)) == 0 else { return [] }
    if PerfDirectory.isOne(path) {
      return PerfDirectory.files(path).flatMap { identities(input: $0) }
    }
    return identity(status).map { [$0] } ?? []
  }

  private static func identity(output path: String) -> Identity? {
    var status = stat()
    if path == "-" { return fstat(STDOUT_FILENO, &status) == 0 ? identity(status) : nil }
    if stat(path, &status) == 0 { return identity(status) }
    guard let place = OutputFile.destination(of: path) else { return nil }
    let slash = place.lastIndex(of: "/")
    let folder = slash.map { String(place[...$0]) } ?? "."
    guard stat(folder, &status) == 0 else { return nil }
    let name = slash.map { String(place[place.index(after: $0)...]) } ?? place
    return .missing(status.st_dev, status.st_ino, name)
  }

  /// Devices and pipes may be read and written as often as anybody likes.
  private static func identity(_ status: stat) -> Identity? {
    status.st_mode & S_IFMT == S_IFREG ? .file(status.st_dev, status.st_ino) : nil
  }
}
