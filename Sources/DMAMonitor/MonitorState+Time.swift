// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMATrace

extension MonitorState {
  // MARK: Playing

  /// Stops, or goes on: a live source at what is happening now, a trace at its own speed.
  mutating func togglePause() {
    if isPlaying {
      isPlaying = false
      return
    }
    if isLive, !timeline.isComplete {
      if timeline.isFollowing {
        attempt { timeline throws(TraceError) in try timeline.seek(event: timeline.event) }
      } else {
        timeline.follow()
        invalidate()
      }
      return
    }
    if timeline.event >= timeline.eventCount {
      attempt { timeline throws(TraceError) in try timeline.seek(event: 0) }
    }
    isPlaying = true
    playStart = nil
  }

  mutating func changeSpeed(by factor: Double) {
    if speed == Self.fastest {
      if factor < 1 { speed = 64 }
    } else if speed == 64, factor > 1 {
      speed = Self.fastest
    } else {
      speed = min(64, max(0.125, speed * factor))
    }
    playStart = nil
    say("speed \(speedName)", keeps: false)
  }

  /// Moves on while playing, for not much longer than a picture lasts.
  mutating func play(for period: Duration) {
    guard isPlaying else { return }
    let now = ContinuousClock.now
    if playStart == nil { playStart = (timeline.time, now) }
    guard let playStart else { return }
    var target = UInt64.max
    if speed != Self.fastest {
      let passed = now - playStart.real
      let seconds =
        Double(passed.components.seconds) + Double(passed.components.attoseconds) / 1e18
      target = playStart.time.adding(UInt64(min(seconds * speed * 1e9, 1e18)))
    }
    noteFreshness(now)
    var isThere = false
    while !isThere, ContinuousClock.now - now < period {
      attempt { timeline throws(TraceError) in
        isThere = true
        isThere = try timeline.seek(time: target, limit: 20_000)
      }
    }
    if timeline.event >= timeline.eventCount { isPlaying = false }
  }

  /// While time goes on, what came within the last second is new.
  mutating func noteFreshness(_ now: ContinuousClock.Instant) {
    freshSamples.append((now, timeline.engine.nextSequence))
    while freshSamples.count > 1, now - freshSamples[0].at > .seconds(1) {
      freshSamples.removeFirst()
    }
    freshFrom = freshSamples[0].sequence
  }

  // MARK: Marks

  /// This moment.
  func now() -> TimeMark {
    let engine = timeline.engine
    return TimeMark(
      event: timeline.event,
      time: timeline.time,
      live: engine.liveCount,
      errors: engine.errorCount
    )
  }

  /// From A to B: time, events, mappings and errors; `nil` unless both are set.
  func deltas() -> String? {
    guard let a = markA, let b = markB else { return nil }
    func signed(_ value: Int64) -> String { value >= 0 ? "+\(value)" : String(value) }
    let time = b.time >= a.time ? b.time - a.time : a.time - b.time
    let sign = b.time >= a.time ? "+" : "-"
    let duration = hasClock ? FieldValue.duration(time) : "\(time) ticks"
    // Marks come out of the file of a session too, which may say anything.
    let events = Int64(clamping: b.event) - Int64(clamping: a.event)
    return "\(sign)\(duration), \(signed(events)) events, \(signed(Int64(b.live &- a.live))) live,"
      + " \(signed(Int64(b.errors) - Int64(a.errors))) errors"
  }

  /// Compares the moments A and B, and comes back to now.
  mutating func compareMarks() {
    guard let markA, let markB else {
      say("set markers first: A and B", keeps: false)
      return
    }
    let isFollowing = timeline.isFollowing
    let now = timeline.event
    var first: [Mapping] = []
    var second: [Mapping] = []
    attempt { timeline throws(TraceError) in
      try timeline.seek(event: min(markA.event, markB.event))
      first = timeline.engine.liveMappings()
      try timeline.seek(event: max(markA.event, markB.event))
      second = timeline.engine.liveMappings()
      if isFollowing { timeline.follow() } else { try timeline.seek(event: now) }
    }
    difference = MappingDifference(from: first, to: second, names: names)
    differencePlace = Place()
  }

  /// Events of marks and trace markers, in order.
  var markedEvents: [UInt64] {
    let own = [markA, markB].compactMap { $0?.event } + marks.values.map(\.event)
    return (own + timeline.markers.map(\.event)).sorted()
  }

  // MARK: Going to a moment

  /// `+10ms`, `-2s`, `12.5`, `50%`, `#1234`, `start`, `end`, `a`, `b`, `mark x`, or the text of a
  /// marker.
  mutating func goTo(_ text: String) {
    let word = text.trimmingBlanks()
    guard !word.isEmpty else { return }
    isPlaying = false
    let path = displayName(path)
    var mark = word == "a" ? markA : word == "b" ? markB : nil
    if word.hasPrefix("mark "), let letter = word.dropFirst(5).first, word.count == 6 {
      mark = marks[letter]
      if mark == nil {
        say("there is no mark \(letter)", keeps: false)
        return
      }
    }
    if let mark {
      attempt { timeline throws(TraceError) in try timeline.seek(event: mark.event) }
      return
    }
    if word.hasPrefix("+") || word.hasPrefix("-"), Self.distance(word.dropFirst()) != nil {
      lastJump = word
    }
    attempt { timeline throws(TraceError) in
      if word == "end" || word == "now" { return timeline.follow() }
      if word == "start" { return try timeline.seek(event: 0) }
      if word.hasPrefix("#"), let number = UInt64(word.dropFirst()) {
        return try timeline.seek(event: number)
      }
      if word.hasSuffix("%"), let share = Double(word.dropLast()), share >= 0 {
        let span = timeline.lastTime - min(timeline.firstTime, timeline.lastTime)
        return try timeline.seek(time: timeline.firstTime &+ span.share(share / 100))
      }
      if word.hasPrefix("+") || word.hasPrefix("-"), let distance = Self.distance(word.dropFirst())
      {
        let now = timeline.time
        let target = word.hasPrefix("+") ? now.adding(distance) : now - min(now, distance)
        return try timeline.seek(time: target)
      }
      if let time = Moment.nanoseconds(word) ?? Self.clock(word) {
        return try timeline.seek(time: time)
      }
      if let marker = timeline.markers.first(where: { $0.text.contains(word) }) {
        return try timeline.seek(event: marker.event)
      }
      throw TraceError(
        path: path,
        problem: "'\(String(escaping: word.utf8))' is no moment",
        advice: "+10ms, -2s, 12.5, 50%, #1234, start, end, mark a or the text of a marker"
      )
    }
  }

  /// Nanoseconds of `1:02:03.5` or `2:03.5`: hours, minutes and seconds on the clock of the trace.
  private static func clock(_ text: String) -> UInt64? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), let last = parts.last,
      let seconds = Moment.nanoseconds(String(last))
    else { return nil }
    var total: UInt64 = 0
    for part in parts.dropLast() {
      guard let value = UInt64(part), value < 1_000_000 else { return nil }
      total = total * 60 + value
    }
    return (total * 60_000_000_000).adding(seconds)
  }

  /// Nanoseconds of `10ms`, `2s`, `500us`, `3m`, `1h`; seconds without a unit.
  static func distance(_ text: Substring) -> UInt64? {
    let units: [(String, Double)] = [
      ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
    ]
    for (unit, factor) in units where text.hasSuffix(unit) {
      guard let value = Double(text.dropLast(unit.count)), value >= 0, value * factor < 1e18 else {
        continue
      }
      return UInt64(value * factor)
    }
    guard let seconds = Double(text), seconds >= 0, seconds < 1e9 else { return nil }
    return UInt64(seconds * 1e9)
  }

  // MARK: The strip

  /// The stretch of time that the strip shows.
  var stripRange: (start: UInt64, span: UInt64) {
    let first = timeline.firstTime
    let whole = timeline.lastTime > first ? timeline.lastTime - first : 0
    let span = max(whole >> UInt64(stripZoom), min(whole, 1))
    guard stripZoom > 0 else { return (first, whole) }
    let now = min(max(timeline.time, first), first + whole)
    let start = now - min(now, span / 2)
    return (min(max(start, first), first + whole - span), span)
  }

  /// Events in a second before now; `nil` when there is too little to tell, or no clock.
  var eventRate: UInt64? {
    guard hasClock, timeline.event > 0 else { return nil }
    let activity = timeline.activity
    return activity.rate(activity.total, at: timeline.time) { UInt64($0.events) }
  }
}

extension UInt64 {
  /// A part of a number, 0 … 1 of it; never more than the number, as rounding would have it.
  func share(_ part: Double) -> UInt64 {
    let share = Double(self) * Swift.min(Swift.max(part, 0), 1)
    return share < Double(self) ? Swift.min(UInt64(share), self) : self
  }

  /// The sum, or the largest number when it is larger.
  func adding(_ other: UInt64) -> UInt64 {
    let (sum, isLarger) = addingReportingOverflow(other)
    return isLarger ? .max : sum
  }
}
