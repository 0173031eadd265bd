// SPDX-License-Identifier: MIT
import Glibc

/// A terminal that a test holds the other end of.
final class PseudoTerminal {
  private let master: Int32
  /// Kept open, so that the modes can be read after the program has ended.
  private let slave: Int32
  private let path: String
  /// All that was written to the terminal.
  private(set) var output: [UInt8] = []

  init(width: Int = 80, height: Int = 24) throws {
    var ends: (master: Int32, slave: Int32) = (-1, -1)
    var name = [CChar](repeating: 0, count: 128)
    guard openpty(&ends.master, &ends.slave, &name, nil, nil) == 0
    else { throw Failure("no pseudo terminal") }
    (master, slave) = ends
    path = name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    _ = fcntl(master, F_SETFD, FD_CLOEXEC)
    _ = fcntl(slave, F_SETFD, FD_CLOEXEC)
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
    resize(width: width, height: height)
  }

  deinit {
    close(master)
    close(slave)
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }

  var outputText: String { String(decoding: output, as: UTF8.self) }

  func resize(width: Int, height: Int) {
    var size = winsize(
      ws_row: UInt16(height),
      ws_col: UInt16(width),
      ws_xpixel: 0,
      ws_ypixel: 0
    )
    _ = ioctl(master, UInt(TIOCSWINSZ), &size)
  }

  /// Starts a program with this as its controlling terminal.
  func start(
    _ program: String,
    _ arguments: [String] = [],
    environment: [String: String],
    standardInput: String? = nil,
    standardOutput: String? = nil
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // The first terminal that a session leader opens becomes its controlling terminal.
    posix_spawn_file_actions_addopen(&actions, 2, path, O_RDWR, 0)
    posix_spawn_file_actions_addopen(&actions, 0, standardInput ?? path, O_RDWR, 0)
    posix_spawn_file_actions_addopen(&actions, 1, standardOutput ?? path, O_RDWR, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // An extension that Swift does not import.
    let newSession: Int32 = 0x80
    let flags = newSession | Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
    posix_spawnattr_setflags(&attributes, Int16(flags))
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigdefault(&attributes, &all)

    var variables = environment.map { "\($0)=\($1)" }
    variables.append("PATH=/usr/local/bin:/usr/bin:/bin")
    let argv = ([program] + arguments).map { strdup($0) } + [nil]
    let envp = variables.map { strdup($0) } + [nil]
    defer { for text in argv + envp { free(text) } }
    var child: pid_t = 0
    let error = posix_spawnp(&child, program, &actions, &attributes, argv, envp)
    guard error == 0 else { throw Failure("cannot start \(program): \(error)") }
    return child
  }

  func type(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(master, bytes, bytes.count)
  }

  /// Reads until a text appears behind what an earlier call found.
  func expect(_ text: String, within seconds: Double = 20) throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
      if let end = firstEnd(of: Array(text.utf8)) {
        seen = end
        return
      }
      guard ContinuousClock.now < deadline else {
        throw Failure("no \(text.debugDescription) in \(outputText.debugDescription)")
      }
      drain(milliseconds: 50)
    }
  }

  private var seen = 0

  private func firstEnd(of wanted: [UInt8]) -> Int? {
    guard output.count >= seen + wanted.count else { return nil }
    for start in seen...(output.count - wanted.count)
    where output[start..<start + wanted.count].elementsEqual(wanted) {
      return start + wanted.count
    }
    return nil
  }

  /// Reads once; whether there was anything.
  @discardableResult
  private func drain(milliseconds: Int32) -> Bool {
    var descriptor = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
    guard poll(&descriptor, 1, milliseconds) > 0 else { return false }
    var bytes = [UInt8](repeating: 0, count: 65536)
    let count = read(master, &bytes, bytes.count)
    if count > 0 { output += bytes[..<count] }
    return count > 0
  }

  /// How a process ended.
  enum End: Equatable {
    case exit(Int32)
    case signal(Int32)
  }

  /// Waits for a process to end, reading what it writes.
  func end(of child: pid_t, within seconds: Double = 20) throws -> End {
    let deadline = ContinuousClock.now + .seconds(seconds)
    var status: Int32 = 0
    while waitpid(child, &status, WNOHANG) == 0 {
      guard ContinuousClock.now < deadline else {
        kill(child, SIGKILL)
        waitpid(child, &status, 0)
        throw Failure("did not end; wrote \(outputText.debugDescription)")
      }
      drain(milliseconds: 20)
    }
    // The last words may still be on their way through the kernel.
    while drain(milliseconds: 50) { continue }
    return status & 0x7F == 0 ? .exit(status >> 8 & 0xFF) : .signal(status & 0x7F)
  }

  /// What `stty -a` says about this terminal.
  func modes() throws -> String {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw Failure("no pipe") }
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, slave, 0)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    let argv = ["stty", "-a"].map { strdup($0 as String) } + [nil]
    defer { for text in argv { free(text) } }
    var child: pid_t = 0
    let error = posix_spawnp(&child, "stty", &actions, nil, argv, environ)
    close(ends[1])
    guard error == 0 else { throw Failure("cannot start stty: \(error)") }
    var text: [UInt8] = []
    var bytes = [UInt8](repeating: 0, count: 4096)
    while case let count = read(ends[0], &bytes, bytes.count), count > 0 {
      text += bytes[..<count]
    }
    var status: Int32 = 0
    waitpid(child, &status, 0)
    guard status == 0, !text.isEmpty else { throw Failure("stty failed") }
    return String(decoding: text, as: UTF8.self)
  }
}
