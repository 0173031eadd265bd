// SPDX-License-Identifier: MIT
import DMATrace
import Glibc

/// Runs dmatop and other tools on the same captures and prints the ratios of their CPU times.
///
/// The captures are made here: a text of the bundled nvme workload, the same as trace.dat (packed
/// with `trace-cmd convert`), and a perf.data in which the records of a real one are repeated.
enum CompareBenchmark {
  private static let runs = 5
  private static let program = ".build/release/dmatop"

  static func run() {
    guard access(program, X_OK) == 0 else {
      print("compare: \(program) is missing: run `make build` first")
      return
    }
    var template = Array("/tmp/dmatop-bench-XXXXXX".utf8CString)
    guard
      let directory = template.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!) }).map({
        String(cString: $0)
      })
    else { return }
    defer { _ = time(["rm", "-rf", directory]) }
    compareText(directory)
    comparePerf(directory)
  }

  // MARK: Text and trace.dat

  private static func compareText(_ directory: String) {
    let text = directory + "/trace.txt"
    let dat = directory + "/trace.dat"
    let packed = directory + "/packed.dat"
    guard
      time([program, "sim", "nvme", "--events", "320000", "--record", text, "--headless"]) != nil,
      time([program, "convert", text, "-o", dat]) != nil
    else {
      print("compare: the captures could not be made in \(directory)")
      return
    }
    let lint = [program, "lint", "--exit-zero", "--quiet"]
    let log = [program, "log"]
    print("text of \(size(text)): CPU time, median of \(runs)")
    ratios(
      [
        ("grep -c dma_", ["grep", "-c", "dma_", text]), ("dmatop log", log + [text]),
        ("dmatop lint", lint + [text]),
      ],
      of: "grep -c dma_"
    )
    guard has("trace-cmd") else {
      print("  trace-cmd is not installed")
      return
    }
    let isPacked =
      time(["trace-cmd", "convert", "-i", dat, "-o", packed, "--compression", "zstd"]) != nil
    let binary = isPacked ? packed : dat
    print("trace.dat of \(size(binary))\(isPacked ? ", zstd" : ""), the same events")
    ratios(
      [
        ("trace-cmd report", ["trace-cmd", "report", binary]), ("dmatop log", log + [binary]),
        ("dmatop lint", lint + [binary]),
      ],
      of: "trace-cmd report"
    )
  }

  // MARK: perf.data

  private static func comparePerf(_ directory: String) {
    let path = directory + "/perf.data"
    guard has("perf") else {
      print("perf is not installed")
      return
    }
    guard repeatRecords(of: "fixtures/kernel/linux-7.3/perf-nvme/perf.data", 200, into: path) else {
      print("compare: no perf.data could be made")
      return
    }
    print("perf.data of \(size(path))")
    ratios(
      [
        ("perf script", ["perf", "script", "-i", path]), ("dmatop log", [program, "log", path]),
        ("dmatop lint", [program, "lint", "--exit-zero", "--quiet", path]),
      ],
      of: "perf script"
    )
  }

  /// Writes a perf.data whose samples are those of another one many times over.
  private static func repeatRecords(of source: String, _ times: Int, into path: String) -> Bool {
    guard let bytes = try? FileBytes.read(source, limit: 64 << 20), bytes.count > 104 else {
      return false
    }
    func word(_ place: Int) -> Int {
      bytes.withUnsafeBytes {
        Int(truncatingIfNeeded: $0.loadUnaligned(fromByteOffset: place, as: UInt64.self))
      }
    }
    let start = word(40)
    let size = word(48)
    guard start > 0, size > 0, start + size <= bytes.count else { return false }
    let data = Array(bytes[start..<start + size])
    var output = Array(bytes[..<start])
    // Each time a little later: TIME stands behind IDENTIFIER, IP and TID.
    for round in 0..<times {
      var copy = data
      copy.withUnsafeMutableBytes { raw in
        var place = 0
        while place + 8 <= raw.count {
          let type = raw.loadUnaligned(fromByteOffset: place, as: UInt32.self)
          let length = Int(raw.loadUnaligned(fromByteOffset: place + 6, as: UInt16.self))
          guard length >= 8 else { break }
          if type == 9, length > 40 {
            let time = raw.loadUnaligned(fromByteOffset: place + 32, as: UInt64.self)
            raw.storeBytes(
              of: time + UInt64(round) * 1_000_000_000,
              toByteOffset: place + 32,
              as: UInt64.self
            )
          }
          place += length
        }
      }
      output += copy
    }
    let grown = output.count - start - size
    // The table of features and what it points to come behind the data.
    var tail = Array(bytes[(start + size)...])
    let features = bytes[72..<104].reduce(0) { $0 + $1.nonzeroBitCount }
    func set(_ list: inout [UInt8], _ place: Int, _ value: Int) {
      withUnsafeBytes(of: UInt64(value)) { list.replaceSubrange(place..<place + 8, with: $0) }
    }
    for index in 0..<features { set(&tail, index * 16, word(start + size + index * 16) + grown) }
    set(&output, 48, size * times)
    output += tail
    return write(output, path)
  }

  // MARK: Tools

  private static func ratios(_ commands: [(name: String, words: [String])], of base: String) {
    var times = [[UInt64]](repeating: [], count: commands.count)
    // One after the other, so that a busy moment hits all of them.
    for _ in 0..<runs {
      for (index, command) in commands.enumerated() {
        if let used = time(command.words) { times[index].append(used) }
      }
    }
    let medians = times.map { list -> UInt64 in list.sorted()[safe: list.count / 2] ?? 0 }
    guard let reference = commands.firstIndex(where: { $0.name == base }), medians[reference] > 0
    else {
      print("  \(base) did not run")
      return
    }
    for (index, command) in commands.enumerated() {
      let milliseconds = Double(medians[index]) / 1e6
      let ratio = Double(medians[index]) / Double(medians[reference])
      let padding = String(repeating: " ", count: max(1, 20 - command.name.count))
      let shown = ratio >= 1 ? "\(rounded(ratio)) x" : "1/\(rounded(1 / ratio))"
      print("  \(command.name)\(padding)\(rounded(milliseconds)) ms   \(shown) of \(base)")
    }
  }

  private static func rounded(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }

  private static func size(_ path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { return "?" }
    return "\(rounded(Double(status.st_size) / Double(1 << 20))) MiB"
  }

  private static func has(_ name: String) -> Bool {
    time(["sh", "-c", "command -v \(name)"]) != nil
  }

  /// User and system time of a command in nanoseconds; `nil` when it failed. Its output goes into a
  /// pipe that is emptied: tools notice `/dev/null` and do less.
  private static func time(_ words: [String]) -> UInt64? {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { return nil }
    defer { close(ends[0]) }
    let child = spawn(words, output: ends[1])
    close(ends[1])
    guard let child else { return nil }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while Glibc.read(ends[0], &buffer, buffer.count) > 0 {}
    var status: Int32 = 0
    var usage = rusage()
    guard wait4(child, &status, 0, &usage) == child, status & 0xff7f == 0 else { return nil }
    func nanoseconds(_ time: timeval) -> UInt64 {
      UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_usec) * 1000
    }
    return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime)
  }

  private static func spawn(_ words: [String], output: Int32) -> pid_t? {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var child: pid_t = 0
    return posix_spawnp(&child, words[0], &actions, nil, arguments, environ) == 0 ? child : nil
  }

  private static func write(_ bytes: [UInt8], _ path: String) -> Bool {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done)
      }
      if count <= 0 { return false }
      done += count
    }
    return true
  }
}

extension Array {
  /// The element, when there is one.
  fileprivate subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
