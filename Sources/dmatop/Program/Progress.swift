// SPDX-License-Identifier: MIT
import DMAExport
import DMAReplay
import DMATrace
import Glibc

/// One line on standard error about long work, on a terminal only.
struct Progress {
  private static let interval = 200_000_000
  private let name: String
  private let isOn = StandardError.isTerminal
  private var countdown = 0
  private let start: Int
  private var lastShown: Int
  private var hasShown = false

  init(path: String) {
    name = displayName(path)
    start = Self.now()
    lastShown = start
  }

  /// Call it for each event; it looks at the clock now and then.
  @inline(__always)
  mutating func update(_ replay: Replay) {
    guard isOn, isTime(1, every: 8192) else { return }
    show(events: replay.engine.eventCount, replay.progress)
  }

  /// Call it for each batch.
  mutating func update(events: UInt64, of batch: Int, _ progress: (read: UInt64, total: UInt64?)) {
    guard isOn, isTime(batch, every: 8192) else { return }
    show(events: events, progress)
  }

  /// The same for the records of a log.
  mutating func update(_ progress: (read: UInt64, total: UInt64?)) {
    guard isOn, isTime(1, every: 64) else { return }
    show("\(progress.read) bytes", progress)
  }

  private mutating func isTime(_ things: Int, every interval: Int) -> Bool {
    countdown -= things
    guard countdown < 0 else { return false }
    countdown = interval
    let now = Self.now()
    guard now - lastShown > Self.interval else { return false }
    lastShown = now
    return true
  }

  private mutating func show(events: UInt64, _ progress: (read: UInt64, total: UInt64?)) {
    let elapsed = max(1, lastShown - start)
    let rate = Double(events) / Double(elapsed) * 1e9
    let shown = rate >= 1e6 ? "\(Int(rate / 1e5) / 10).\(Int(rate / 1e5) % 10) M" : "\(Int(rate))"
    show("\(events) events, \(shown)/s", progress)
  }

  private mutating func show(_ what: String, _ progress: (read: UInt64, total: UInt64?)) {
    hasShown = true
    var text = "\(name): \(what)"
    if let total = progress.total, total > 0, progress.read <= total {
      text += ", \(progress.read * 100 / total) %"
      if progress.read > 0 {
        let elapsed = Double(lastShown - start) / 1e9
        let left = elapsed * Double(total - progress.read) / Double(progress.read)
        text += left < 1 ? ", nearly done" : ", \(Int(left)) s left"
      }
    }
    StandardError.show(status: text)
  }

  /// Removes the line.
  mutating func clear() {
    if hasShown { StandardError.clearStatus() }
    hasShown = false
  }

  private static func now() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}
