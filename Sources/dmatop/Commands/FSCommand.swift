// SPDX-License-Identifier: MIT
import ArgumentParser
import DMADebugCore
import DMAExport
import DMAReplay
import DMATrace
import Glibc

/// `dmatop fs`
struct FSCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fs",
    abstract: "The virtual dma-api/ files and dma_buf/bufinfo at a moment of the trace.",
    discussion: """
      Example:
        dmatop fs cat dma-api/error_count trace.txt
      """,
    subcommands: [List.self, Cat.self, Export.self, Write.self]
  )

  /// `dmatop fs ls`
  struct List: FileCommand {
    static let configuration = CommandConfiguration(
      commandName: "ls",
      abstract: "List the files with mode and size.",
      discussion: """
        Example:
          dmatop fs ls trace.txt
        """
    )

    @OptionGroup var moment: MomentArguments
    @OptionGroup var gates: GateArguments

    func files() -> RunFiles { moment.files }

    func run() throws {
      let replay = try moment.state(gates)
      var output = BufferedOutput()
      for file in VirtualFile.allCases {
        let size = String(replay.engine.read(file, names: replay.names).count)
        let padding = String(repeating: " ", count: max(0, 10 - size.count))
        output.write("\(file.mode) \(padding)\(size) \(file.path)\n")
      }
      output.flush()
    }
  }

  /// `dmatop fs cat`
  struct Cat: FileCommand {
    static let configuration = CommandConfiguration(
      commandName: "cat",
      abstract: "Print a file, byte for byte what the kernel would give.",
      discussion: """
        Example:
          dmatop fs cat dma-api/dump --at event:100 trace.txt
        """
    )

    @Argument(help: "The file, such as dma-api/dump or dma_buf/bufinfo.")
    var file: String

    @OptionGroup var moment: MomentArguments
    @OptionGroup var gates: GateArguments

    func files() -> RunFiles { moment.files }

    func run() throws {
      let file = try virtualFile(file)
      var replay = try moment.state(gates)
      var output = BufferedOutput()
      output.write(bytes: replay.engine.read(file, names: replay.names))
      output.flush()
      if file == .bufinfo, let note = try Diagnostics.noBuffers(moment.trace, &replay) {
        StandardError.write(note)
      }
    }
  }

  /// `dmatop fs write`
  struct Write: FileCommand {
    static let configuration = CommandConfiguration(
      commandName: "write",
      abstract: "Write a file at a moment as 'echo VALUE >FILE' would, and print what comes of it.",
      discussion: """
        Prints what the kernel logs about the write and then the file. A write that the kernel \
        refuses is refused with its words and exit status 2.

        Example:
          dmatop fs write dma-api/driver_filter e1000e trace.txt
        """
    )

    @Argument(help: "The file, such as dma-api/driver_filter.")
    var file: String

    @Argument(help: "The value.")
    var value: String

    @OptionGroup var moment: MomentArguments
    @OptionGroup var gates: GateArguments

    func files() -> RunFiles { moment.files }

    func run() throws {
      let file = try virtualFile(file)
      let replay = try moment.state(gates)
      var engine = replay.engine
      var said = EngineOutput(.reports)
      if let error = engine.write(file, Array((value + "\n").utf8), to: &said) {
        throw CommandError("write error: \(file.path): \(error.message)")
      }
      var output = BufferedOutput()
      for report in said.reports {
        output.write {
          KernelMessage.append(
            report,
            replay.names,
            engine.configuration.generation,
            to: &$0
          )
        }
      }
      output.write(bytes: engine.read(file, names: replay.names))
      output.flush()
    }
  }

  /// `dmatop fs export`
  struct Export: FileCommand {
    static let configuration = CommandConfiguration(
      commandName: "export",
      abstract: "Write DIR/dma-api/ with all nine files, and DIR/dma_buf/bufinfo.",
      discussion: """
        Example:
          dmatop fs export /tmp/state trace.txt
        """
    )

    @Argument(help: "The directory, which is made when it is missing. No link in it is followed.")
    var directory: String

    @OptionGroup var moment: MomentArguments
    @OptionGroup var gates: GateArguments

    func files() -> RunFiles {
      var files = moment.files
      for file in VirtualFile.allCases { files.write(directory + "/" + file.path) }
      return files
    }

    func run() throws {
      let replay = try moment.state(gates)
      guard mkdir(directory, 0o777) == 0 || errno == EEXIST else { throw failure(directory) }
      let root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard root >= 0 else { throw failure(directory) }
      defer { close(root) }
      for name in VirtualFile.directories {
        let folder = directory + "/" + name
        let place = try makeDirectory(name, in: root, folder)
        defer { close(place) }
        for file in VirtualFile.allCases where file.directory == name {
          let output = try OutputFile(in: place, folder, file.rawValue)
          try output.write(replay.engine.read(file, names: replay.names))
          try output.commit()
        }
      }
    }

    private func makeDirectory(_ name: String, in root: Int32, _ path: String) throws -> Int32 {
      guard mkdirat(root, name, 0o777) == 0 || errno == EEXIST else { throw failure(path) }
      let place = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      if place >= 0 { return place }
      var status = stat()
      let code = errno
      if fstatat(root, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT != S_IFDIR
      {
        throw CommandError("\(displayName(path)): \(OutputFile.refusal(status))")
      }
      throw failure(path, code)
    }

    private func failure(_ path: String, _ code: Int32 = errno) -> CommandError {
      CommandError("\(displayName(path)): \(String(cString: strerror(code)))")
    }
  }
}

private func virtualFile(_ path: String) throws -> VirtualFile {
  guard let file = VirtualFile(path.utf8) else {
    let known = VirtualFile.allCases.map(\.path).joined(separator: ", ")
    throw CommandError("\(displayName(path)): no such file; there are \(known)")
  }
  return file
}

extension MomentArguments {
  /// The replay at its moment.
  func state(_ gates: GateArguments? = nil) throws -> Replay {
    var replay = try self.replay.open(trace, gates: gates)
    try replay.run(trace, to: at, self.replay.report) { _, _ in }
    return replay
  }
}
