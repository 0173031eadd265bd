// SPDX-License-Identifier: MIT
import DMADebugCore

/// What stands before the text of a kernel message, whoever wrote the log.
///
/// `dmesg` (also `-x`, `-T`, `--time-format iso`), `journalctl` (short, short-precise, short-monotonic,
/// short-iso, short-full, short-unix), files of syslog daemons, consoles with the stamps of a terminal
/// program before each line: all of them have the stamp of the kernel, or `kernel: `, or a date.
struct LogPrefix {
  /// Nanoseconds since boot.
  var time: UInt64?
  /// Nanoseconds since 1970, when only a date tells.
  var wallTime: UInt64?
  /// Who printed it: `T123` or `C0` with CONFIG_PRINTK_CALLER, as a number; 0 when the log does not
  /// tell.
  var caller: UInt64 = 0
  /// Whether anything of a prefix was there.
  var isPresent = false
  /// What the kernel said.
  var text: Cursor

  /// How far into a line prefixes are looked for.
  private static let reach = 200

  /// Whether a line has the prefix of a log.
  static func isStamped(_ line: Cursor) -> Bool { parse(line).isPresent }

  /// Takes the prefix off.
  static func parse(_ line: Cursor) -> LogPrefix {
    var result = LogPrefix(text: line)
    var cursor = line
    if let level = priority(cursor) { cursor = level }
    if let facility = facility(cursor) {
      cursor = facility
      result.isPresent = true
    }
    // A date at the front, of a journal, a daemon or `dmesg -T`.
    if let (date, rest) = date(cursor) {
      result.wallTime = date
      result.isPresent = true
      cursor = rest
      cursor.skipSpaces()
    }
    if let rest = kernelTag(cursor) {
      result.isPresent = true
      cursor = rest
    }
    if let (time, rest) = stamp(cursor) {
      result.time = time
      result.isPresent = true
      cursor = rest
      if let (caller, rest) = caller(cursor) {
        result.caller = caller
        cursor = rest
      }
      cursor = afterStamp(cursor)
      // `[    1.234567] host kernel: text` and `[    1.234567] kernel: text`
      if let rest = kernelTag(cursor) { cursor = rest }
    } else if let (time, rest) = stampWithin(cursor) {
      // Something of somebody else before the kernel's stamp.
      result.time = time
      result.isPresent = true
      cursor = rest
      if let (caller, rest) = caller(cursor) {
        result.caller = caller
        cursor = rest
      }
      cursor = afterStamp(cursor)
      if let rest = kernelTag(cursor) { cursor = rest }
    } else if let (caller, rest) = caller(cursor) {
      result.caller = caller
      cursor = afterStamp(rest)
    }
    result.text = cursor
    return result
  }

  /// The text of a second message that another CPU printed into this one: the place of its stamp.
  static func secondStamp(_ text: Cursor) -> UnsafePointer<UInt8>? {
    var cursor = text
    while cursor.find(UInt8(ascii: "[")) {
      if stamp(cursor) != nil { return cursor.at }
      cursor.at += 1
    }
    return nil
  }

  // MARK: Pieces

  /// One blank; what follows it belongs to the message (frames of stacks are indented).
  private static func afterStamp(_ cursor: Cursor) -> Cursor {
    var cursor = cursor
    _ = cursor.skip(0x20)
    return cursor
  }

  /// `<6>`
  private static func priority(_ line: Cursor) -> Cursor? {
    var cursor = line
    guard cursor.skip(UInt8(ascii: "<")), cursor.decimal() != nil, cursor.skip(UInt8(ascii: ">"))
    else { return nil }
    return cursor
  }

  /// `kern  :warn  : ` of `dmesg -x`
  private static func facility(_ line: Cursor) -> Cursor? {
    var cursor = line
    func word() -> Bool {
      let start = cursor.at
      while cursor.at - start < 8, cursor.byte >= 0x61, cursor.byte <= 0x7a { cursor.at += 1 }
      guard cursor.at > start else { return false }
      cursor.skipSpaces()
      return cursor.skip(UInt8(ascii: ":"))
    }
    guard word(), word() else { return nil }
    _ = cursor.skip(0x20)
    // Two short words with colons may begin a message: only a stamp behind them proves it.
    return cursor.byte == UInt8(ascii: "[") || date(cursor) != nil ? cursor : nil
  }

  /// `[    1.234567]`, also without brackets as `short-unix` and some daemons have it.
  private static func stamp(_ line: Cursor) -> (UInt64, Cursor)? {
    var cursor = line
    guard cursor.skip(UInt8(ascii: "[")) else { return nil }
    cursor.skipSpaces()
    let isDelta = cursor.skip(UInt8(ascii: "+"))
    guard let seconds = cursor.decimal(), seconds < 1 << 33, cursor.skip(UInt8(ascii: ".")) else {
      return nil
    }
    let start = cursor.at
    guard let fraction = cursor.fraction(), cursor.at - start >= 3 else { return nil }
    cursor.skipSpaces()
    guard cursor.skip(UInt8(ascii: "]")) else { return nil }
    // Time since the message before is no time.
    return (isDelta ? 0 : seconds * 1_000_000_000 + fraction, cursor)
  }

  /// The first stamp that stands within reach of the beginning.
  private static func stampWithin(_ line: Cursor) -> (UInt64, Cursor)? {
    var cursor = Cursor(line.at, min(line.end, line.at + reach))
    while cursor.find(UInt8(ascii: "[")) {
      if let (time, rest) = stamp(Cursor(cursor.at, line.end)) { return (time, rest) }
      cursor.at += 1
    }
    return nil
  }

  /// `[  T123]`, `[    C0]`
  private static func caller(_ line: Cursor) -> (UInt64, Cursor)? {
    var cursor = line
    // `dmesg` puts a blank before it, the console none.
    if cursor.isAt(" [") { cursor.at += 1 }
    guard cursor.skip(UInt8(ascii: "[")) else { return nil }
    cursor.skipSpaces()
    let kind = cursor.byte
    guard kind == UInt8(ascii: "T") || kind == UInt8(ascii: "C") else { return nil }
    cursor.at += 1
    guard let number = cursor.decimal(), number < 1 << 32 else { return nil }
    // Later kernels may say more there.
    let start = cursor.at
    while cursor.at - start < 40, !cursor.isAtEnd, cursor.byte != UInt8(ascii: "]") {
      cursor.at += 1
    }
    guard cursor.skip(UInt8(ascii: "]")) else { return nil }
    return (number << 8 | UInt64(kind), cursor)
  }

  /// `HOST kernel: `, `kernel: `
  private static func kernelTag(_ line: Cursor) -> Cursor? {
    var cursor = line
    cursor.skipSpaces()
    if cursor.skip("kernel: ") { return cursor }
    let start = cursor.at
    while cursor.at - start < 80, !cursor.isAtEnd, cursor.byte != 0x20 { cursor.at += 1 }
    guard cursor.skip(0x20) else { return nil }
    if cursor.skip("kernel: ") { return cursor }
    return nil
  }

  // MARK: Dates

  private static let months: [StaticString] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]
  private static let days: [StaticString] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

  /// A date at the front: its nanoseconds since 1970, 0 when it does not say the year.
  private static func date(_ line: Cursor) -> (UInt64, Cursor)? {
    var cursor = line
    let isBracketed = cursor.skip(UInt8(ascii: "["))
    let hasDay = days.contains { cursor.isAt($0) }
    if hasDay {
      cursor.at += 3
      cursor.skipSpaces()
    }
    if let month = months.firstIndex(where: { cursor.isAt($0) }) {
      cursor.at += 3
      cursor.skipSpaces()
      guard let day = cursor.decimal(), (1...31).contains(day), cursor.skip(0x20) else {
        return nil
      }
      guard let time = clock(&cursor) else { return nil }
      var year: UInt64?
      var rest = cursor
      if rest.skip(0x20), let number = rest.decimal(), (1970...9999).contains(number) {
        year = number
        cursor = rest
      }
      if isBracketed { guard cursor.skip(UInt8(ascii: "]")) else { return nil } }
      let epoch = year.map { Self.epoch($0, UInt64(month) + 1, day) &+ time } ?? 0
      return (epoch, cursor)
    }
    // `2026-11-21T04:34:50.123456+00:00`, or with a blank and ` UTC`
    guard let year = cursor.decimal() else { return nil }
    if !hasDay, !isBracketed, year > 1_000_000_000, cursor.skip(UInt8(ascii: ".")) {
      // `short-unix`
      guard let fraction = cursor.fraction(), cursor.byte == 0x20, year < 1 << 33 else {
        return nil
      }
      return (year * 1_000_000_000 + fraction, cursor)
    }
    guard (1970...9999).contains(year), cursor.skip(UInt8(ascii: "-")),
      let month = cursor.decimal(), (1...12).contains(month), cursor.skip(UInt8(ascii: "-")),
      let day = cursor.decimal(), (1...31).contains(day),
      cursor.skip(UInt8(ascii: "T")) || cursor.skip(0x20), let time = clock(&cursor)
    else { return nil }
    var offset: Int64 = 0
    if !cursor.skip(UInt8(ascii: "Z")) {
      let sign: Int64 = cursor.byte == UInt8(ascii: "-") ? -1 : 1
      if cursor.skip(UInt8(ascii: "+")) || cursor.skip(UInt8(ascii: "-")) {
        guard let number = cursor.decimal() else { return nil }
        var (hours, minutes) = (number / 100, number % 100)
        if cursor.skip(UInt8(ascii: ":")) {
          (hours, minutes) = (number, cursor.decimal() ?? 0)
        }
        guard hours < 24, minutes < 60 else { return nil }
        offset = sign * Int64(hours * 3600 + minutes * 60)
      } else if cursor.skip(" UTC") {
        offset = 0
      }
    }
    if isBracketed { guard cursor.skip(UInt8(ascii: "]")) else { return nil } }
    let epoch = epoch(year, month, day) &+ time
    return (epoch &- UInt64(bitPattern: offset * 1_000_000_000), cursor)
  }

  /// `04:34:50`, with a fraction behind a point or a comma.
  private static func clock(_ cursor: inout Cursor) -> UInt64? {
    guard let hours = cursor.decimal(), hours < 24, cursor.skip(UInt8(ascii: ":")),
      let minutes = cursor.decimal(), minutes < 60
    else { return nil }
    var seconds: UInt64 = 0
    var fraction: UInt64 = 0
    if cursor.skip(UInt8(ascii: ":")) {
      guard let number = cursor.decimal(), number <= 60 else { return nil }
      seconds = number
      if cursor.skip(UInt8(ascii: ".")) || cursor.skip(UInt8(ascii: ",")) {
        guard let part = cursor.fraction() else { return nil }
        fraction = part
      }
    }
    return (hours * 3600 + minutes * 60 + seconds) * 1_000_000_000 + fraction
  }

  /// Nanoseconds from 1970 to the beginning of a day of the Gregorian calendar, in UTC.
  private static func epoch(_ year: UInt64, _ month: UInt64, _ day: UInt64) -> UInt64 {
    // Years that begin in March make the leap day the last one.
    let shifted = month > 2 ? year : year - 1
    let place = (month + 9) % 12
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400
    let inYear = (place * 306 + 5) / 10
    return (days + inYear + day - 1 - 719_468) &* 86_400_000_000_000
  }
}
