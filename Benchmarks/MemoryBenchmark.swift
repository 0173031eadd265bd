// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace
import Glibc

/// Runs the program itself on long inputs and looks at its resident memory ten times on the way: what
/// does not depend on the number of events is flat.
enum MemoryBenchmark {
  private static let program = ".build/release/dmatop"
  private static let megabyte = Double(1 << 20)

  /// - Parameter isLong: ten minutes of simulated time, and a hundred million events for the linter.
  ///   Otherwise as many events of the desktop as the monitor shows in ten minutes of real time, nine
  ///   million, and ten million for the linter.
  static func run(isLong: Bool) {
    guard access(program, X_OK) == 0 else {
      print("memory: \(program) is missing: run `make build` first")
      return
    }
    signal(SIGPIPE, SIG_IGN)
    let seconds = isLong ? 600 : 90
    let faults = "fault=all@0.000002"
    monitorOfSimulation("sim:desktop,duration=\(seconds)s,\(faults)", seconds)
    pipe(
      "monitor, \(millions(10_000_000)) through a pipe",
      [program, "-"],
      10_000_000,
      onTerminal: true
    )
    let count: UInt64 = isLong ? 100_000_000 : 10_000_000
    pipe(
      "lint, \(millions(count)) through a pipe",
      [program, "lint", "-"],
      count,
      onTerminal: false
    )
  }

  private static func millions(_ count: UInt64) -> String { "\(count / 1_000_000) million events" }

  // MARK: Runs

  /// The monitor on a simulation, as fast as it goes: the simulated time is what matters.
  private static func monitorOfSimulation(_ trace: String, _ seconds: Int) {
    guard let terminal = Terminal(),
      let child = start([program, "--no-config", "--no-session", trace], nil, terminal)
    else { return }
    var samples: [Double] = []
    var idle = 0
    var before = processorTime(child)
    // It stays when everything was read, and has nothing more to do.
    while idle < 6, let memory = resident(child) {
      samples.append(memory)
      terminal.drain(milliseconds: 500)
      let now = processorTime(child)
      idle = now - before < 3 ? idle + 1 : 0
      before = now
    }
    samples.removeLast(min(6, samples.count))
    terminal.quit()
    end(child)
    let points = (1...10).compactMap { part -> Double? in
      samples.isEmpty ? nil : samples[max(0, samples.count * part / 10 - 1)]
    }
    show(
      "monitor, \(seconds) s of sim:desktop",
      points,
      per: "simulated minute",
      Double(seconds) / 60
    )
  }

  /// A program that reads a trace of mappings made and unmade from a pipe.
  private static func pipe(_ name: String, _ words: [String], _ count: UInt64, onTerminal: Bool) {
    var ends: [Int32] = [0, 0]
    guard Glibc.pipe(&ends) == 0 else { return }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let terminal = onTerminal ? Terminal() : nil
    let child = start(words, ends[0], terminal)
    close(ends[0])
    guard let child else { return }
    var points: [Double] = []
    var trace = RepeatingTrace()
    while trace.count < count, trace.write(to: ends[1]) {
      terminal?.drain(milliseconds: 0)
      let isDue = trace.count >= count / 10 * UInt64(points.count + 1)
      if isDue, let memory = resident(child) { points.append(memory) }
    }
    close(ends[1])
    terminal?.drain(milliseconds: 1000)
    terminal?.quit()
    end(child)
    show(name, points, per: "million events", Double(count) / 1e6)
  }

  private static func show(_ name: String, _ points: [Double], per unit: String, _ units: Double) {
    let list = points.map { String(Int(($0 / megabyte).rounded())) }.joined(separator: " ")
    print("\(name)\n  MiB at each tenth: \(list)")
    let later = points.suffix(5)
    guard let first = later.first, let last = later.last, later.count == 5 else { return }
    let slope = (last - first) / 1024 / (units * 0.4)
    print("  second half: \(Int(slope.rounded())) KiB for each \(unit)")
  }

  // MARK: Processes

  private static func start(_ words: [String], _ input: Int32?, _ terminal: Terminal?) -> pid_t? {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let other = terminal?.path ?? "/dev/null"
    // The first terminal that the leader of a session opens becomes its controlling terminal.
    for descriptor in Int32(0)...2 {
      posix_spawn_file_actions_addopen(&actions, descriptor, other, O_RDWR, 0)
    }
    if let input { posix_spawn_file_actions_adddup2(&actions, input, 0) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // An extension that Swift does not import.
    let newSession: Int32 = 0x80
    posix_spawnattr_setflags(&attributes, Int16(newSession | Int32(POSIX_SPAWN_SETSIGDEF)))
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigdefault(&attributes, &all)
    let argv = words.map { strdup($0) } + [nil]
    let envp = ["TERM=xterm-256color", "LC_ALL=C.UTF-8"].map { strdup($0 as String) } + [nil]
    defer { for text in argv + envp { free(text) } }
    var child: pid_t = 0
    guard posix_spawn(&child, words[0], &actions, &attributes, argv, envp) == 0 else { return nil }
    return child
  }

  private static func end(_ child: pid_t) {
    var status: Int32 = 0
    for _ in 0..<100 {
      if waitpid(child, &status, WNOHANG) != 0 { return }
      usleep(50_000)
    }
    kill(child, SIGKILL)
    waitpid(child, &status, 0)
  }

  private static func numbers(_ path: String) -> [Substring] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self).split { $0 == " " || $0 == "\n" }
  }

  /// Bytes; `nil` for a process that has ended.
  private static func resident(_ child: pid_t) -> Double? {
    let words = numbers("/proc/\(child)/statm")
    guard words.count > 1, let pages = Double(words[1]), pages > 0 else { return nil }
    return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
  }

  /// Ticks of user and system time.
  private static func processorTime(_ child: pid_t) -> Int {
    let words = numbers("/proc/\(child)/stat")
    guard words.count > 14 else { return 0 }
    return (Int(words[13]) ?? 0) + (Int(words[14]) ?? 0)
  }

  /// A terminal whose pictures nobody looks at.
  private final class Terminal {
    private let master: Int32
    private let slave: Int32
    let path: String

    init?() {
      var ends: (master: Int32, slave: Int32) = (-1, -1)
      var name = [CChar](repeating: 0, count: 128)
      var size = winsize(ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0)
      guard openpty(&ends.master, &ends.slave, &name, nil, &size) == 0 else { return nil }
      (master, slave) = ends
      for end in [master, slave] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      path = name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit {
      close(master)
      close(slave)
    }

    /// Takes in what was drawn within a time.
    func drain(milliseconds: Int) {
      let deadline = ContinuousClock.now + .milliseconds(milliseconds)
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      repeat {
        var descriptor = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, milliseconds == 0 ? 0 : 50) > 0 else { continue }
        if read(master, &bytes, bytes.count) <= 0 { return }
      } while ContinuousClock.now < deadline
    }

    func quit() {
      _ = write(master, "Q", 1)
      drain(milliseconds: 200)
    }
  }
}

/// Text of a driver that maps and unmaps the same few buffers for as long as one likes.
private struct RepeatingTrace: ~Copyable {
  private static let buffers: UInt64 = 1024
  private var names = TraceNames()
  private var batch = EventBatch()
  private var writer = FtraceWriter()
  /// Events written.
  private(set) var count: UInt64 = 0

  init() {
    let device = DeviceID(rawValue: names.devices.intern("0000:00:03.0"))
    let task = names.tasks.intern("bench")
    writer.writeHeader(release: "7.3", cpus: 1)
    for number in 0..<Self.buffers {
      for kind in [DMAEvent.Kind.unmapPhys, .mapPhys] {
        var event = DMAEvent(kind)
        event.device = device
        event.task = task
        event.pid = 1
        event.direction = .toDevice
        event.size = 2048
        event.dmaAddress = 0x1_0000_0000 + number << 12
        event.address = event.dmaAddress
        batch.events.append(event)
      }
    }
  }

  /// Writes each buffer's unmap and its next map.
  ///
  /// - Returns: Whether somebody reads it.
  mutating func write(to descriptor: Int32) -> Bool {
    for index in batch.events.indices {
      batch.events[index].time = 1_000_000_000 + (count + UInt64(index)) * 1000
    }
    writer.write(batch, names: names)
    count += UInt64(batch.events.count)
    defer { writer.removeAll() }
    var done = 0
    while done < writer.count {
      let written = Glibc.write(descriptor, writer.bytes.baseAddress! + done, writer.count - done)
      if written <= 0 { return false }
      done += written
    }
    return true
  }
}
