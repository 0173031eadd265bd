// SPDX-License-Identifier: MIT
import DMADebugCore

/// The first events of a kind that some devices had. There may be a million devices of which few had
/// one: a number for each, and the events elsewhere.
struct FirstEvents {
  /// A place that holds none.
  static let none: UInt32 = 0

  private var events: [DMAEvent] = []

  /// Keeps an event.
  ///
  /// - Returns: Its place, never ``none``.
  mutating func keep(_ event: DMAEvent) -> UInt32 {
    events.append(event)
    return UInt32(events.count)
  }

  subscript(place: UInt32) -> DMAEvent? {
    place == Self.none ? nil : events[Int(place) - 1]
  }
}
