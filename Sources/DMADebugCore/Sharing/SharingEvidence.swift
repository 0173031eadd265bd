// SPDX-License-Identifier: MIT

/// What the trace shows of sharing at all: without it the absence of an event says nothing. All
/// trackers of sharing lean on it.
struct SharingEvidence: Sendable {
  /// Kinds of events that were seen.
  struct Sightings: OptionSet, Sendable {
    let rawValue: UInt8

    static let mapAttachment = Sightings(rawValue: 1 << 0)
    static let vmap = Sightings(rawValue: 1 << 1)
    static let kmap = Sightings(rawValue: 1 << 2)
    static let access = Sightings(rawValue: 1 << 3)
    static let iovaSync = Sightings(rawValue: 1 << 4)
    static let completion = Sightings(rawValue: 1 << 5)
    static let descriptor = Sightings(rawValue: 1 << 6)
    static let issue = Sightings(rawValue: 1 << 7)
  }

  /// How long something must have lasted, in nanoseconds, to be more than the moment at which the
  /// trace ends.
  static let longTime: UInt64 = 100_000_000

  var sightings: Sightings = []
  /// Kinds of events of buffers that there were, a bit each.
  private var bufferKinds: UInt64 = 0
  /// Events came from the tracepoints, which are there since 7.0 and recorded together.
  private var hasTracepoints = false
  private var nextOrder: UInt64 = 1
  /// What is older than this was there when events were lost.
  private var lossOrder: UInt64 = 0
  /// Of the last event before that.
  private(set) var lossTime: UInt64?
  /// Of the last event.
  private(set) var lastTime: UInt64 = 0
  /// Events about something that the trace did not show the beginning of.
  var undecidedOrigins: UInt64 = 0
  /// What there was no room for.
  var untracked: UInt64 = 0

  /// The next number of the order in which things appear.
  mutating func takeOrder() -> UInt64 {
    defer { nextOrder += 1 }
    return nextOrder
  }

  mutating func note(_ event: DMAEvent) {
    lastTime = max(lastTime, event.time)
    guard event.kind.isBuffer else { return }
    bufferKinds |= Self.bit(event.kind)
    if event.kind.hasBufferTracepoint, !event.flags.contains(.probe) { hasTracepoints = true }
  }

  /// The tracer lost events: what is remembered may have ended unseen.
  mutating func eventsLost() {
    lossOrder = nextOrder
    lossTime = lastTime
  }

  /// Whether the trace would show events of a kind of buffer events: their absence says something.
  ///
  /// What has a tracepoint is shown with the other tracepoints; a probe shows its function only.
  func shows(_ kind: DMAEvent.Kind) -> Bool {
    hasTracepoints && kind.hasBufferTracepoint || bufferKinds & Self.bit(kind) != 0
  }

  private static func bit(_ kind: DMAEvent.Kind) -> UInt64 {
    1 &<< UInt64(kind.rawValue &- DMAEvent.Kind.bufferExport.rawValue)
  }

  // MARK: Whether the trace shows all of it: from its beginning, and without losses since

  func isKnown(_ buffer: DMABuf) -> Bool { buffer.isKnown && buffer.order >= lossOrder }

  func isKnown(_ attachment: DMABufAttachment) -> Bool {
    attachment.isKnown && attachment.id >= lossOrder
  }

  func isKnown(_ fence: DMAFence) -> Bool { fence.isKnown && fence.order >= lossOrder }

  /// A copy for others, who do not know of losses.
  func dated(_ buffer: DMABuf) -> DMABuf {
    var buffer = buffer
    buffer.isKnown = isKnown(buffer)
    return buffer
  }
}
