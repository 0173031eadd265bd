// SPDX-License-Identifier: MIT
import DMADebugCore

/// A value of a field, typed so that every output can show it in its own way.
public enum FieldValue: Sendable, Equatable {
  /// Nothing is known, or the field does not apply.
  case none
  case number(UInt64)
  /// An address or a mask, shown in hexadecimal.
  case address(UInt64)
  /// Nanoseconds since the clock's zero, shown in seconds.
  case time(UInt64)
  /// Nanoseconds, shown with a unit.
  case duration(UInt64)
  case text(String)
  case flag(Bool)

  /// Whether `self` sorts before `other`: numbers by size, texts by bytes, nothing last.
  public func precedes(_ other: FieldValue) -> Bool {
    switch (self, other) {
    case (.none, _): false
    case (_, .none): true
    case (.text(let a), .text(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
    case (.text, _): false
    case (_, .text): true
    default: (magnitude ?? 0) < (other.magnitude ?? 0)
    }
  }

  /// The number in it, for comparisons.
  public var magnitude: UInt64? {
    switch self {
    case .number(let value), .address(let value), .time(let value), .duration(let value): value
    case .flag(let value): value ? 1 : 0
    case .none, .text: nil
    }
  }

  /// The value as people read it; foreign characters are not escaped here.
  public var display: String {
    switch self {
    case .none: return "?"
    case .number(let value): return String(value)
    case .address(let value): return "0x" + String(value, radix: 16)
    case .time(let value): return Self.seconds(value)
    case .duration(let value): return Self.duration(value)
    case .text(let value): return value
    case .flag(let value): return value ? "yes" : "no"
    }
  }

  /// `12.000345678` from nanoseconds.
  public static func seconds(_ nanoseconds: UInt64) -> String {
    var text = TextBuffer()
    text.append(seconds: nanoseconds)
    return text.string
  }

  /// Three significant digits and a unit: `1.23 ms`.
  public static func duration(_ nanoseconds: UInt64) -> String {
    let units: [(UInt64, String)] = [
      (86_400_000_000_000, "d"), (3_600_000_000_000, "h"), (60_000_000_000, "min"),
      (1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"),
    ]
    for (size, name) in units where nanoseconds >= size {
      return scaled(nanoseconds, size) + " " + name
    }
    return "\(nanoseconds) ns"
  }

  /// Three significant digits and a binary unit: `1.50 MiB`.
  public static func bytes(_ count: UInt64) -> String {
    let units: [(UInt64, String)] = [
      (1 << 60, "EiB"), (1 << 50, "PiB"), (1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"),
      (1 << 10, "KiB"),
    ]
    for (size, name) in units where count >= size {
      return scaled(count, size) + " " + name
    }
    return "\(count) B"
  }

  /// What a unit of size stands for, a power of 1024: `k`, `MB`, `GiB`; nothing stands for bytes.
  static func unit(ofBytes name: some StringProtocol) -> UInt64? {
    switch name.lowercased() {
    case "", "b": 1
    case "k", "kb", "kib": 1 << 10
    case "m", "mb", "mib": 1 << 20
    case "g", "gb", "gib": 1 << 30
    case "t", "tb", "tib": 1 << 40
    default: nil
    }
  }

  /// Bytes of `4096`, `64M` or `1.5 GiB`; `nil` for what is not a size.
  public static func bytes(parsing text: String) -> UInt64? {
    let digits = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
    let name = text.dropFirst(digits.count).drop { $0 == " " }
    guard let unit = unit(ofBytes: name), let number = Double(digits) else { return nil }
    let product = number * Double(unit)
    return product < 1.8e19 ? UInt64(product) : nil
  }

  private static func scaled(_ value: UInt64, _ unit: UInt64) -> String {
    let whole = value / unit
    func parts(_ count: UInt64) -> UInt64 {
      unit.dividingFullWidth((value % unit).multipliedFullWidth(by: count)).quotient
    }
    if whole >= 100 { return String(whole) }
    if whole >= 10 { return "\(whole).\(parts(10))" }
    let hundredths = parts(100)
    return "\(whole)." + (hundredths < 10 ? "0" : "") + String(hundredths)
  }
}
