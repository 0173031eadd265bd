// SPDX-License-Identifier: MIT
import DMADebugCore

/// A moment of a trace, as `--at` names it.
public enum Moment: Sendable, Equatable {
  /// After the last event.
  case end
  /// After this many events; 0 is before the first.
  case event(UInt64)
  /// After all events up to and including this time: nanoseconds, or ticks of a counting clock.
  case time(String)
  /// Just after the first trace marker that begins with this text.
  case marker(String)
  /// Just after the marker `dma-api: snapshot NAME` or `dma-buf: snapshot NAME`.
  case snapshot(String)

  /// Why a text names no moment.
  public struct ParseError: Error, CustomStringConvertible {
    public let text: String

    public init(text: String) {
      self.text = text
    }

    public var description: String {
      "'\(text)' is no moment; use marker:TEXT, snapshot:NAME, time:SECONDS, event:N or end"
    }
  }

  /// Parses `end`, `event:N`, `time:SECONDS`, `marker:TEXT` or `snapshot:NAME`.
  public init(parsing text: String) throws(ParseError) {
    if text == "end" {
      self = .end
      return
    }
    guard let colon = text.firstIndex(of: ":") else { throw ParseError(text: text) }
    let value = String(text[text.index(after: colon)...])
    switch text[..<colon] {
    case "event":
      guard let number = UInt64(value) else { throw ParseError(text: text) }
      self = .event(number)
    case "time":
      guard Self.nanoseconds(value) != nil else { throw ParseError(text: text) }
      self = .time(value)
    case "marker" where !value.isEmpty: self = .marker(value)
    case "snapshot" where !value.isEmpty: self = .snapshot(value)
    default: throw ParseError(text: text)
    }
  }

  /// The nanoseconds in a decimal number of seconds with at most nine digits behind the point.
  public static func nanoseconds(_ seconds: some StringProtocol) -> UInt64? {
    let parts = seconds.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let fraction = parts.count > 1 ? parts[1] : ""
    guard let whole = UInt64(parts[0]), fraction.count <= 9,
      fraction.allSatisfy({ $0.isASCII && $0.isNumber }),
      parts.count == 1 || !fraction.isEmpty
    else { return nil }
    let digits = String(fraction) + String(repeating: "0", count: 9 - fraction.count)
    let (product, overflow) = whole.multipliedReportingOverflow(by: 1_000_000_000)
    guard !overflow, let rest = UInt64(digits) else { return nil }
    let (sum, carry) = product.addingReportingOverflow(rest)
    return carry ? nil : sum
  }
}
