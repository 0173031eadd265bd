import DMATimeline
import Glibc

/// One line on standard error about long work, on a terminal only.
struct Progress {
  private static let interval = 200_000_000
  private let name: String
  private let isOn = StandardError.isTerminal
  private var countdown = 0
  private var lastShown: Int
  private var hasShown = false

  init(path: String) {
    name = displayName(path)
    lastShown = Self.now()
  }

  /// Call it for each event; it looks at the clock now and then.
  mutating func update(_ replay: Replay) {
    guard isOn, isTime(every: 8192) else { return }
    show("\(replay.engine.eventCount) events", replay.progress)
  }

  /// The same for the records of a log.
  mutating func update(_ progress: (read: UInt64, total: UInt64?)) {
    guard isOn, isTime(every: 64) else { return }
    show("\(progress.read) bytes", progress)
  }

  private mutating func isTime(every interval: Int) -> Bool {
    countdown -= 1
    guard countdown < 0 else { return false }
    countdown = interval
    let now = Self.now()
    guard now - lastShown > Self.interval else { return false }
    lastShown = now
    return true
  }

  private mutating func show(_ what: String, _ progress: (read: UInt64, total: UInt64?)) {
    hasShown = true
    var text = "\r\u{1b}[K\(name): \(what)"
    if let total = progress.total, total > 0 { text += ", \(progress.read * 100 / total) %" }
    BufferedOutput.write(Array(text.utf8), to: STDERR_FILENO)
  }

  /// Removes the line.
  mutating func clear() {
    if hasShown { BufferedOutput.write(Array("\r\u{1b}[K".utf8), to: STDERR_FILENO) }
    hasShown = false
  }

  private static func now() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}
